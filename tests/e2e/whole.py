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
        ready_s: From the last start to its ready line.
        own_s: The same without the time in which others had the processors: what it takes on a machine of its own.
    """

    def __init__(self, home: Path) -> None:
        super().__init__(home, without=(), options=("--speed", str(SPEED), "--seed", "7"))
        self.ready_s = self.own_s = 0.0

    def run(self) -> None:
        """Start and wait."""
        began, busy = time.monotonic(), busy_s()
        process = self.start(POLYTRADERS_STRATEGIES=",".join(str(path) for path in small_strategies(self.home.parent)))
        self.wait_ready()
        self.ready_s = time.monotonic() - began
        ours = used_s(process.pid) + sum(used_s(number) for number in self.processes())
        self.own_s = self.ready_s - max(busy_s() - busy - ours, 0.0) / (os.cpu_count() or 1)
        print(
            f"\nready after {self.ready_s:.1f} s, {self.own_s:.1f} s without the others, {ours:.1f} s of processor time"
        )
        print(self.steps())

    def bear_losses(self) -> None:
        """Let an hour of the exchange's time lose what it likes: what is tested last has to trade, too."""
        for limit in ("drawdown_day_ppm_max", "drawdown_week_ppm_max"):
            done = self.command("limits", limit, "900000", "--reason", "tests trade to the end")
            assert done.returncode == 0, done.stdout + done.stderr

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
            kinds: dict[int, int] = dict(conn.execute("SELECT kind, count(*) FROM log_output GROUP BY kind").fetchall())
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


def busy_s() -> float:
    """Seconds that all processors together have worked since the machine came up."""
    user, nice, system, _, _, irq, softirq, steal = (int(word) for word in _words("/proc/stat")[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def used_s(process: int) -> float:
    """Seconds of processor that a process, and those it has waited for, have used; 0 for one that is gone."""
    try:
        after_name = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(int(word) for word in after_name[11:15]) / os.sysconf("SC_CLK_TCK")


def _words(path: str) -> list[str]:
    return Path(path).read_text().split()


def small_strategies(folder: Path) -> list[Path]:
    """The shipped templates with a tenth of their size, so that there is money for as many markets as there will be."""
    made = []
    for name in STRATEGIES:
        text = (ROOT / "polytraders/strategies" / f"{name}.toml").read_text(encoding="utf-8")
        text = re.sub(r"(?m)^size = .*$", "size = 10", re.sub(r"(?m)^exposure_max = .*$", "exposure_max = 100", text))
        path = folder / f"{name}.toml"
        path.write_text(text, encoding="utf-8")
        made.append(path)
    return made
