"""One log whose loop process is killed again and again: what the tests and the long campaign share."""

import os
import random
import signal
import time
from pathlib import Path
from typing import NamedTuple

from polytraders.crashpoints import POINTS
from tests.faults.exchange import Exchange
from tests.faults.proof import Log, head
from tests.faults.shardprocess import LoopProcess, command
from tests.supervisor.processes import until

SEED = int(os.environ.get("FAULTS_SEED", "1"))
"""Another one each run of the tests (`tests/conftest.py`); a failure shows it, and the variable repeats it."""
SPEED, RATE = 10, 1.0
CRASH_S_MAX = 40.0
LOOKS_PER_S = 20
PASSINGS: dict[str, tuple[int, int]] = {
    "frame read": (20, 400),
    "command taken": (1, 25),
    "rows sequenced": (2, 80),
    "stepped": (1, 80),
    "ledger posted": (1, 12),
    "checkpoint written": (1, 2),
    "checkpoint named": (1, 2),
}
"""At which passing of a point the process dies, where the range is not BLOCKS."""
BLOCKS = 1, 15
CHECKPOINT_INPUTS = 1_000


class Crash(NamedTuple):
    """What one crash came to.

    Attributes:
        at: Point and passing.
        ready_s: From the start of the process that was to die to its being ready; None = it died before.
        seq: Where the log ended afterwards.
        gained: Inputs since the crash before.
    """

    at: str
    ready_s: float | None
    seq: int
    gained: int


class Line:
    """A shard's log, its exchange, and the loop processes that came and went."""

    def __init__(self, dsn: str, home: Path, *, seed: int, rate: float = RATE) -> None:
        self.dsn = dsn
        self.home = home
        self.rng = random.Random(seed)
        self.exchange = Exchange(home, seed=seed % 1_000 + 1, speed=SPEED, rate=rate)
        self.log = Log(dsn, home)
        self._loop: LoopProcess | None = None

    def start(self, crash_at: str = "") -> LoopProcess:
        """A loop process under load: markets, commands, frames."""
        self._loop = LoopProcess(
            self.dsn, self.home, self.exchange, crash_at=crash_at, checkpoint_inputs=CHECKPOINT_INPUTS
        )
        self.exchange.tell_markets(self.dsn, again=True)
        for _ in range(3):
            command(self.dsn, "limit", "limits", {"name": "orders_per_minute_max", "value": self.rng.randint(100, 200)})
        return self._loop

    def choose(self, point: str) -> str:
        """A passing of a point, by chance."""
        return f"{point}:{self.rng.randint(*PASSINGS.get(point, BLOCKS))}"

    def crash(self, point: str) -> Crash:
        """Start a loop that dies at `point`, watch it die, and prove what it has left."""
        at = self.choose(point)
        before = head(self.dsn).seq
        loop = self.start(at)
        ready_s = loop.wait_ready(or_dead=True)
        self._watch(loop)
        assert loop.wait_end(1.0) == -signal.SIGKILL, f"{at}: ended with {loop.code}: {loop.said()}"
        seen = self.log.prove()
        return Crash(at, ready_s if loop.is_ready else None, seen.seq, seen.seq - before)

    def _watch(self, loop: LoopProcess) -> None:
        """Note every head that is seen while the process lives."""
        deadline = time.monotonic() + CRASH_S_MAX
        while loop.code is None:
            assert time.monotonic() < deadline, f"it does not die: {loop.said()[-1_000:]}"
            self.log.see()
            time.sleep(1 / LOOKS_PER_S)

    def comes_back(self) -> tuple[float, float]:
        """Start a loop that is to live: seconds until it is ready, and until it has committed something new."""
        before = head(self.dsn).seq
        began = time.monotonic()
        loop = self.start()
        ready_s = loop.wait_ready()
        until(lambda: self.log.see().seq > before, "the log goes on", 20.0, loop.said)
        return ready_s, time.monotonic() - began

    def end(self) -> None:
        if self._loop is not None:
            self._loop.end()
        self.exchange.stop()


def all_points(rng: random.Random) -> list[str]:
    """Every point, in an order of chance: after which crash a restart happens matters as much as where it crashed."""
    return rng.sample(POINTS, len(POINTS))
