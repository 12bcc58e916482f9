"""`make faults`: every crash point and the database server, five seeds each; takes up again where it was stopped.

What is done stands in `.cache/faults/done.json`, kept for the sources it was done with. It ends by itself: when all is
done (0), at the first failure (1, and says how to repeat it), or when its time is over (3).
"""

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
import traceback
from pathlib import Path

from polytraders.kernel.jit import build_hash
from polytraders.supervisor.postgres import Postgres
from tests import servers
from tests.faults.crashes import Line, all_points
from tests.faults.exchange import ROOT
from tests.faults.test_postgres_killed import kill_server_under_load

SERVER = "postgres killed"
SEEDS = 5
DONE, FAILED, UNFINISHED = 0, 1, 3
STATE = ROOT / ".cache" / "faults" / "done.json"


def read(path: Path) -> dict[str, list[str]]:
    """Cases done by seed, of this build."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return dict(told["done"]) if told["build"] == build_hash().hex() else {}
    except (OSError, ValueError, KeyError):
        return {}


def write(path: Path, done: dict[str, list[str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps({"build": build_hash().hex(), "done": done}, indent=1), encoding="utf-8")
    part.replace(path)


def one_seed(seed: int, left: list[str], done: list[str], until_s: float, keep: "Keep") -> bool:
    """The cases that are left of a seed, on one log; False when time was over before."""
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    server = Postgres(folder / "postgres", durable=True)
    try:
        server.start()
        servers.migrate(server.owner_url, server.app_url)
        line = Line(server.app_url, folder / "home", seed=seed)
        try:
            for case in left:
                if time.monotonic() > until_s:
                    return False
                print(one_case(line, server, case), flush=True)
                done.append(case)
                keep()
            print(f"seed {seed}: comes back, seconds to ready and to go on: {line.comes_back()}", flush=True)
            line.end()
            line.log.prove()
        finally:
            line.end()
    finally:
        server.kill()
    shutil.rmtree(folder, ignore_errors=True)
    return True


def one_case(line: Line, server: Postgres, case: str) -> str:
    began = time.monotonic()
    if case == SERVER:
        kill_server_under_load(line, server)
        told = f"{SERVER}: proven"
    else:
        crash = line.crash(case)
        ready = "died before ready" if crash.ready_s is None else f"ready {crash.ready_s:.1f} s"
        told = f"{crash.at}: {ready}, +{crash.gained} inputs, {crash.seq} in all, proven"
    return f"  {time.monotonic() - began:5.1f} s  {told}"


class Keep:
    """Writes down what is done."""

    def __init__(self, done: dict[str, list[str]]) -> None:
        self._done = done

    def __call__(self) -> None:
        write(STATE, self._done)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0, help="ends by itself after so long")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--again", action="store_true", help="forget what is done")
    options = parser.parse_args()
    until_s = time.monotonic() + 60 * options.minutes
    done = {} if options.again else read(STATE)
    cases = 0
    for seed in range(1, options.seeds + 1):
        finished = done.setdefault(str(seed), [])
        left = [case for case in [*all_points(random.Random(seed)), SERVER] if case not in finished]
        random.Random(seed).shuffle(left)
        print(f"seed {seed}: {len(finished)} done, {len(left)} left", flush=True)
        try:
            complete = not left or one_seed(seed, left, finished, until_s, Keep(done))
        except AssertionError as error:
            traceback.print_exc()
            print(f"FAILED with seed {seed} behind {finished}: {error}", flush=True)
            return FAILED
        cases += len(finished)
        if not complete:
            print(f"time is over; `make faults` goes on from here ({cases} cases done)", flush=True)
            return UNFINISHED
    print(f"all {cases} cases proven", flush=True)
    return DONE


if __name__ == "__main__":
    sys.exit(main())
