"""How soon a kill stops: from the handler to the fence's file, and from the request to the committed KILL input.

`python -m benchmarks.killing [--kills 200] [--free]`: the whole platform runs on the simulator; one spinning process a
core takes what it can, unless `--free`. Beside the numbers stands the spin control: how late a sleeper of 1 ms wakes in
the same minutes, which is what the machine takes from everybody. Each kill is of one strategy, and is released again.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Final

import httpx
import psycopg

from polytraders import fence
from polytraders.contracts.scope import Scope
from polytraders.killing import tokens
from tests.supervisor.installation import Installation

NAME: Final = "logit"
GOAL_FENCE_MS, GOAL_INPUT_MS = 50.0, 500.0
SPIN: Final = "while True: pass"
RELEASED_S: Final = 10.0


class Sleeper(threading.Thread):
    """Wakes every millisecond and notes how late."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.late_ms: list[float] = []

    def run(self) -> None:
        while True:
            began = time.perf_counter()
            time.sleep(0.001)
            self.late_ms.append(1_000 * (time.perf_counter() - began) - 1)


def quantile(values: list[float], part: float) -> float:
    """The value that `part` of them do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def released(conn: Any, home: Path, number: int) -> None:
    """Table, fence and inbox, as a release goes; waits until the loop has taken it."""
    key = f"release:bench:{number}"
    told = json.dumps({"scope": "strategy", "name": NAME, "reason": "benchmark"})
    conn.execute(
        "INSERT INTO risk_control (shard, scope, name, act, actor, reason, key)"
        " VALUES (0, %s, %s, 'release', 'benchmark', 'benchmark', %s)", (int(Scope.STRATEGY), NAME, key),
    )  # fmt: skip
    fence.release(home / fence.FILE, Scope.STRATEGY, NAME)
    conn.execute(
        "INSERT INTO inbox (shard, kind, actor, permission, key, payload, expires_at)"
        " VALUES (0, 'release', 'benchmark', 'release', %s, %s, clock_timestamp() + interval '60 s')", (key, told),
    )  # fmt: skip
    ends = time.monotonic() + RELEASED_S
    while time.monotonic() < ends:
        if conn.execute("SELECT 1 FROM inbox WHERE key = %s", (key,)).fetchone() is None:
            return
        time.sleep(0.02)
    raise TimeoutError("the loop does not take the release")


def measure(installation: Installation, kills: int) -> tuple[list[float], list[float], list[float], int]:
    """(fence ms by the handler, request to committed input ms, round trips ms, kills without an input)."""
    home = installation.home
    environ = f"/proc/{next(iter(installation.processes('polytraders.killing.serve')))}/environ"
    found = dict(line.split("=", 1) for line in Path(environ).read_text().split("\0") if "=" in line)
    port, secret = found["POLYTRADERS_KILL_PORT"], found["POLYTRADERS_KILL_KEY"]
    token = tokens.make(secret, "benchmark", "benchmark", time.time())
    body = json.dumps({"token": token, "scope": "strategy", "name": NAME})
    fences, inputs, trips, lost = [], [], [], 0
    with psycopg.connect(installation.told()["DATABASE_URL"], autocommit=True) as conn:
        for number in range(kills):
            asked_ns, began = time.time_ns(), time.perf_counter()
            told = httpx.post(
                f"http://127.0.0.1:{port}/kill", content=body, headers={"Content-Type": "text/plain"}, timeout=30
            ).json()
            trips.append(1_000 * (time.perf_counter() - began))
            fences.append(told["fence_ms"])
            row = conn.execute(
                "SELECT extract(epoch FROM b.committed_at)::float8 FROM log_block b"
                " WHERE b.shard = 0 AND b.first_seq <= %s AND b.last_seq >= %s", (told["in_seq"], told["in_seq"]),
            ).fetchone() if told["in_seq"] else None  # fmt: skip
            if row is None:
                lost += 1
            else:
                inputs.append(row[0] * 1_000 - asked_ns / 1e6)
            released(conn, home, number)
    return fences, inputs, trips, lost


def main() -> int:
    """Measure, print, and say whether the goals are held."""
    parser = argparse.ArgumentParser(prog="benchmarks.killing")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--free", action="store_true", help="without spinning processes")
    given = parser.parse_args()
    cores = os.cpu_count() or 1
    with tempfile.TemporaryDirectory(prefix="pt-") as folder:
        installation = Installation(Path(folder) / "home", without=("beat",))
        installation.start()
        spins: list[subprocess.Popen[bytes]] = []
        try:
            installation.wait_ready()
            time.sleep(5)
            spins += [] if given.free else [subprocess.Popen([sys.executable, "-c", SPIN]) for _ in range(cores)]
            sleeper = Sleeper()
            sleeper.start()
            fences, inputs, trips, lost = measure(installation, given.kills)
        finally:
            for spin in spins:
                spin.kill()
                spin.wait()
            installation.stop()
    rows = (
        ("handler to fence file", fences, GOAL_FENCE_MS), ("request to committed KILL input", inputs, GOAL_INPUT_MS),
        ("request to answer", trips, None), ("spin control: a 1 ms sleeper is late by", sleeper.late_ms, None),
    )  # fmt: skip
    print(f"{given.kills} kills, {cores} cores, {len(spins)} of them loaded, {lost} without an input in the answer")
    held = lost == 0
    for title, values, goal in rows:
        p50, p99 = quantile(values, 0.5), quantile(values, 0.99)
        told = "" if goal is None else f"  goal p99 < {goal:.0f} ms: {'held' if p99 < goal else 'NOT held'}"
        held &= goal is None or p99 < goal
        print(f"{title:42} p50 {p50:8.2f} ms  p99 {p99:8.2f} ms  max {max(values):8.2f} ms{told}")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
