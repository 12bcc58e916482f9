"""Our own numbers: the full loop on both sets in alternating processes, the small ones, recording: `make bench`.

python -m benchmarks.run [--rounds 5]
"""

import argparse
import sys

from benchmarks import dataset, durable, latency, ledger, micro, rounds

LIMITS = {
    "live_call_us": 2.0,
    "warm_start_cpu_s": 2.0,
    "cold_start_cpu_s": 20.0,
    "peak_ratio": 1.1,
}
"""What may not be exceeded."""


def main() -> None:
    """Run all rounds, print the tables, write .cache/bench/result.json."""
    wanted = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    wanted.add_argument("--rounds", type=int, default=5)
    said = wanted.parse_args()
    for name in dataset.SETS:
        dataset.load(name)
    ours = [sys.executable, "-m", "benchmarks.ours"]
    contenders = {
        "one market, 3 strategies": [*ours, "--set", "one", "--strategies", "3"],
        "one market, 1 strategy": [*ours, "--set", "one", "--strategies", "1"],
        "one market, 3, no output chain": [*ours, "--set", "one", "--strategies", "3", "--no-chain"],
        "200 markets, 3 strategies": [*ours, "--set", "many", "--strategies", "3"],
        "200 markets, 3, no output chain": [*ours, "--set", "many", "--strategies", "3", "--no-chain"],
    }
    rounds.run(contenders["one market, 3 strategies"])  # fills the compile cache
    lines = rounds.alternate(contenders, said.rounds)
    rounds.show(lines)
    print()
    small = micro.measure()
    print()
    for name, most in LIMITS.items():
        print(f"{name:32} {small[name]:>12.3f}   at most {most:g}{'' if small[name] <= most else '   EXCEEDED'}")
    print()
    stored = durable.measure()
    durable.judge(stored)
    books = ledger.measure()
    ledger.show(books)
    through = latency.measure()
    found = {"lines": lines, "small": small, "limits": LIMITS, "durable": stored, "ledger": books, "through": through}
    rounds.save("ours", {**found, **rounds.commits()})


if __name__ == "__main__":
    main()
