"""Our loop beside hftbacktest and nautilus_trader, in turn, on the same events: `make bench-peers`.

The peers live in an environment of their own, .peers, because they pin numpy; `make bench-peers` makes it from the
hashed lock. Ours does more per event than either: the full step with every check, verdicts and the hashed output chain.

    python -m benchmarks.peers.run [--rounds 5]
"""

import argparse
import sys

from benchmarks import dataset, rounds
from benchmarks.measure import ROOT

PEERS = ROOT / ".peers" / "bin" / "python"

GOALS = (
    rounds.Goal("ours, 3 strategies, against hftbacktest: one", "ours one 3", "hftbacktest one", 0.7, 1.0),
    rounds.Goal("ours, 3 strategies, against hftbacktest: many", "ours many 3", "hftbacktest many", 0.5, 0.7),
    rounds.Goal("ours, 1 strategy, against hftbacktest: one", "ours one 1", "hftbacktest one", 1.0, 1.0),
    rounds.Goal("ours, 1 strategy, against nautilus_trader: one", "ours one 1", "nautilus_trader one", 40.0, 40.0),
    rounds.Goal("ours, 3 strategies, against nautilus_trader: one", "ours one 3", "nautilus_trader one", 40.0, 40.0),
)


def main() -> None:
    """Run all rounds, print the tables, write .cache/bench/result.json."""
    wanted = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    wanted.add_argument("--rounds", type=int, default=5)
    said = wanted.parse_args()
    if not PEERS.exists():
        raise SystemExit("no .peers environment: `make bench-peers` makes it")
    peers = str(PEERS)
    for name in dataset.SETS:
        dataset.load(name)
    ours = [sys.executable, "-m", "benchmarks.ours"]
    contenders = {
        "hftbacktest one": [peers, "-m", "benchmarks.peers.hft", "--set", "one"],
        "ours one 3": [*ours, "--set", "one", "--strategies", "3"],
        "ours one 1": [*ours, "--set", "one", "--strategies", "1"],
        "nautilus_trader one": [peers, "-m", "benchmarks.peers.nautilus", "--set", "one"],
        "hftbacktest many": [peers, "-m", "benchmarks.peers.hft", "--set", "many"],
        "ours many 3": [*ours, "--set", "many", "--strategies", "3"],
    }
    rounds.run(contenders["ours one 3"])  # fills the compile cache
    lines = rounds.alternate(contenders, said.rounds)
    rounds.show(lines)
    judged = rounds.judge(GOALS, lines)
    rounds.save("peers", {"goals": judged, "lines": lines, **rounds.commits()})


if __name__ == "__main__":
    main()
