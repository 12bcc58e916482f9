"""The whole platform as a test has it: everything runs, ten times as fast as the wall, with small strategies."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final, NamedTuple

import psycopg

from polytraders.contracts.inputs import Kind
from tests.supervisor.installation import ROOT, Installation

SPEED: Final = 10
STRATEGIES: Final = ("logit", "gbm_updown")
FILL, APPROVAL, PACKET, SETTLED = 3, 1, 0, 6


class Counts(NamedTuple):
    """What has been committed at some moment."""

    at: float
    seq: int
    packets: int
    approvals: int
    fills: int
    paid_out: int


class Platform(Installation):
    """`polytraders up --speed 10`.

    Attributes:
        ready_s: From each start to its ready line.
        ready_at: Of the last one, seconds of the monotonic clock.
    """

    def __init__(self, home: Path) -> None:
        super().__init__(home, without=(), options=("--speed", str(SPEED), "--seed", "7"))
        self.ready_s: list[float] = []
        self.ready_at = 0.0

    def run(self) -> float:
        """Start and wait; seconds to the ready line."""
        began = time.monotonic()
        self.start(POLYTRADERS_STRATEGIES=",".join(str(path) for path in small_strategies(self.home.parent)))
        self.wait_ready()
        self.ready_at = time.monotonic()
        self.ready_s.append(self.ready_at - began)
        print(f"\nready after {self.ready_s[-1]:.1f} s: {self.steps()}")
        return self.ready_s[-1]

    def steps(self) -> str:
        """Where the seconds of the last start went."""
        return ", ".join(
            f"{name} {s}" for name, s in re.findall(r"\| (\w+) (?:ready|done) after ([\d.]+) s", self.said())
        )

    def interrupt(self) -> float:
        """Ctrl-C; seconds until the supervisor has ended."""
        assert self.process is not None
        asked = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(15)
        assert code == 0, self.said()[-3_000:]
        return time.monotonic() - asked

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A verb of `polytraders`, asked about this installation from another terminal."""
        environ = {**os.environ, "POLYTRADERS_HOME": str(self.home)}
        return subprocess.run(
            [sys.executable, "-m", "polytraders.cli", *words], cwd=ROOT, env=environ, capture_output=True, text=True,
            timeout=120, check=False,
        )  # fmt: skip

    def counts(self) -> Counts:
        """What is committed now."""
        with psycopg.connect(self.told()["DATABASE_URL"]) as conn:
            head = conn.execute("SELECT seq FROM log_head WHERE shard = 0").fetchone()
            kinds = dict(conn.execute("SELECT kind, count(*) FROM log_output GROUP BY kind").fetchall())
        found = (kinds.get(kind, 0) for kind in (PACKET, APPROVAL, FILL, SETTLED))
        return Counts(time.monotonic(), head[0] if head else 0, *found)

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """Rows of the database, as the application's role."""
        with psycopg.connect(self.told()["DATABASE_URL"]) as conn:
            return conn.execute(query.encode()).fetchall()

    def epochs(self) -> int:
        """How many runs of the loop the log has."""
        (found,) = self.rows(f"SELECT count(*) FROM log_control WHERE kind = {int(Kind.EPOCH)}")
        return int(str(found[0]))

    def process_of(self, name: str) -> int:
        """The one process whose command line holds `name`."""
        return min(self.processes(name))


def small_strategies(folder: Path) -> list[Path]:
    """The shipped templates with a tenth of their size: no single market can lose enough to end the day's trading."""
    made = []
    for name in STRATEGIES:
        text = (ROOT / "polytraders/strategies" / f"{name}.toml").read_text(encoding="utf-8")
        text = re.sub(r"(?m)^size = .*$", "size = 10", re.sub(r"(?m)^exposure_max = .*$", "exposure_max = 100", text))
        path = folder / f"{name}.toml"
        path.write_text(text, encoding="utf-8")
        made.append(path)
    return made
