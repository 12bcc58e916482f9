"""Alternating processes: each contender runs in its own process, in turn, several rounds; medians and ratios after."""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.measure import CACHE, ROOT, durable_commit_us

RESULT = CACHE / "result.json"

Line = dict[str, Any]


class Goal(NamedTuple):
    """One promise: `slow`'s time divided by `fast`'s must reach `floor`."""

    name: str
    fast: str
    slow: str
    floor: float
    aim: float


def run(command: Sequence[str]) -> Line:
    """Run one contender and read the JSON line it prints last."""
    done = subprocess.run(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    found: Line = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def alternate(contenders: Mapping[str, Sequence[str]], rounds: int) -> dict[str, list[Line]]:
    """Every contender once a round, in the same order; progress goes to standard error."""
    lines: dict[str, list[Line]] = {name: [] for name in contenders}
    for number in range(rounds):
        for name, command in contenders.items():
            print(f"\r\033[Kround {number + 1} of {rounds}: {name}", end="", file=sys.stderr, flush=True)
            lines[name].append(run(command))
    print("\r\033[K", end="", file=sys.stderr, flush=True)
    return lines


def median(lines: Sequence[Line], field: str) -> float:
    """Median of a field over the rounds."""
    return statistics.median(line[field] for line in lines)


def ratios(fast: Sequence[Line], slow: Sequence[Line]) -> list[float]:
    """How many times faster, round by round: the two ran one after the other, so the machine's mood cancels."""
    return [b["ns_per_event"] / a["ns_per_event"] for a, b in zip(fast, slow, strict=True)]


def show(lines: Mapping[str, Sequence[Line]]) -> None:
    """A table of medians, the spin control of the same processes beside each."""
    print(f"{'':34} {'events':>10} {'ns/event':>9} {'min':>8} {'max':>8} {'spin s':>7} {'peak MB':>8}")
    for name, found in lines.items():
        ns = [line["ns_per_event"] for line in found]
        print(
            f"{name:34} {found[0]['events']:>10,} {statistics.median(ns):>9.1f} {min(ns):>8.1f} {max(ns):>8.1f}"
            f" {median(found, 'spin_seconds'):>7.3f} {median(found, 'peak_rss_mb'):>8.0f}"
        )


def judge(goals: Sequence[Goal], lines: Mapping[str, Sequence[Line]]) -> list[dict[str, Any]]:
    """Print each goal with its ratio and return them as rows of the result."""
    print(f"\n{'ratio of times, median of rounds':52} {'ratio':>7} {'min':>7} {'max':>7} {'floor':>6} {'goal':>6}")
    judged = []
    for goal in goals:
        found = ratios(lines[goal.fast], lines[goal.slow])
        middle = statistics.median(found)
        word = "" if middle >= goal.floor else "  BELOW THE FLOOR"
        spread = f"{middle:>7.2f} {min(found):>7.2f} {max(found):>7.2f}"
        print(f"{goal.name:52} {spread} {goal.floor:>6.1f} {goal.aim:>6.1f}{word}")
        judged.append(goal._asdict() | {"ratio": round(middle, 3), "rounds": [round(r, 3) for r in found]})
    return judged


def commits() -> dict[str, float]:
    """Measure and print what one durable commit costs on this disk."""
    middle, worst = durable_commit_us()
    print(f"\nempty durable commit (242 bytes, fdatasync): p50 {middle:.0f} us, p99 {worst:.0f} us")
    return {"commit_p50_us": round(middle, 1), "commit_p99_us": round(worst, 1)}


def save(part: str, found: dict[str, Any], path: Path = RESULT) -> None:
    """Replace one part of result.json."""
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(whole | {part: found}, indent=1) + "\n")
    print(f"written to {path.relative_to(ROOT)}")
