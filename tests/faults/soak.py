"""`make soak`: the loop process under ten times the usual rate for half an hour; memory, lag and queues are told.

How it is judged. The first third is warm-up and judged by nothing but its being alive. Memory is bounded when the
median of the last third is above the second third's by no more than 5 % and 16 MB: new markets come all the time and
touch room that is reserved for them. Lag and queues do not grow when their medians of the last third are at most 1.4
times the second third's (what grows steadily from nothing has 1.67), or small in themselves; a single sample may be bad
when the machine is busy elsewhere. It ends by itself: 0 when all is bounded, 1 when something grows or the loop ended.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import psycopg

from apps.eventlog.verify import verify
from polytraders import journal
from polytraders.supervisor.postgres import Postgres
from tests import servers
from tests.faults.exchange import Exchange
from tests.faults.proof import head
from tests.faults.shardprocess import LoopProcess

RATE = 10.0
MB = 1024 * 1024
MEMORY_PART, MEMORY_MB = 0.05, 16.0
GROWTH = 1.4
LAG_MS, FRAMES = 500.0, 2_000.0
"""Medians below these are small in themselves."""
TELL_S = 20.0
STATUS = "SELECT lag_ms, queues FROM monitoring_loop WHERE shard = 0"
INBOX = "SELECT count(*) FROM inbox"


class Sample(NamedTuple):
    """How the loop was at a moment.

    Attributes:
        at_s: Since the start.
        rss_mb: Resident memory of its process.
        lag_ms: The last block's time from the commit's beginning to its end, as the loop tells it.
        frames: Arrivals that waited for the last round.
        inbox: Commands that wait.
        files: Open file descriptors.
        inputs_s: Inputs committed a second since the sample before.
    """

    at_s: float
    rss_mb: float
    lag_ms: float
    frames: float
    inbox: float
    files: float
    inputs_s: float


HEADER = f"{'s':>6} {'RSS MB':>8} {'lag ms':>7} {'frames':>7} {'inbox':>6} {'files':>6} {'inputs/s':>9}"


def line_of(sample: Sample) -> str:
    return (
        f"{sample.at_s:6.0f} {sample.rss_mb:8.1f} {sample.lag_ms:7.0f} {sample.frames:7.0f} {sample.inbox:6.0f}"
        f" {sample.files:6.0f} {sample.inputs_s:9.0f}"
    )


def judge(samples: Sequence[Sample]) -> list[str]:
    """What grows; nothing when all is bounded. Fewer than six samples say nothing and are a complaint."""
    if len(samples) < 6:
        return [f"{len(samples)} samples are too few"]
    third = len(samples) // 3
    middle, last = samples[third : 2 * third], samples[2 * third :]

    def medians(field: str) -> tuple[float, float]:
        before, after = (statistics.median(getattr(one, field) for one in part) for part in (middle, last))
        return before, after

    complaints = []
    before, after = medians("rss_mb")
    if after > before * (1 + MEMORY_PART) + MEMORY_MB:
        complaints.append(f"memory grows: {before:.1f} MB, then {after:.1f} MB")
    for field, small in (("lag_ms", LAG_MS), ("frames", FRAMES), ("inbox", 50.0), ("files", 100.0)):
        before, after = medians(field)
        if after > max(small, GROWTH * before):
            complaints.append(f"{field} grows: {before:.0f}, then {after:.0f}")
    if min(one.inputs_s for one in samples[third:]) <= 0:
        complaints.append("it stood still")
    return complaints


def look(loop: LoopProcess, began: float, before: tuple[float, int]) -> tuple[Sample, tuple[float, int]]:
    """A sample, and the moment and input from which the next one counts."""
    process = Path(f"/proc/{loop.pid}")
    pages = int((process / "statm").read_text().split()[1])
    with psycopg.connect(loop.dsn, autocommit=True) as conn:
        status = conn.execute(STATUS).fetchone()
        inbox = conn.execute(INBOX).fetchone()
    lag, queues = status if status is not None else (0, {})
    now, seq = time.monotonic(), head(loop.dsn).seq
    sample = Sample(
        at_s=now - began,
        rss_mb=pages * 4_096 / MB,
        lag_ms=lag,
        frames=queues.get("frames", 0),
        inbox=inbox[0] if inbox else 0,
        files=len(list((process / "fd").iterdir())),
        inputs_s=(seq - before[1]) / max(now - before[0], 1e-9),
    )
    return sample, (now, seq)


def run(
    dsn: str, home: Path, *, for_s: float, step_s: float, rate: float = RATE, told: Callable[[str], None] = print
) -> list[Sample]:
    """Let the loop run under load and look at it every `step_s` seconds.

    Raises:
        AssertionError: It ended, or could not be ended in order.
    """
    exchange = Exchange(home, seed=5, speed=1, rate=rate)
    samples: list[Sample] = []
    try:
        loop = LoopProcess(dsn, home, exchange)
        try:
            loop.wait_ready()
            began = time.monotonic()
            before, tell_at = (began, head(dsn).seq), began
            told(HEADER)
            while time.monotonic() - began < for_s:
                if time.monotonic() >= tell_at:
                    exchange.tell_markets(dsn)
                    tell_at = time.monotonic() + TELL_S
                time.sleep(max(0.0, began + (len(samples) + 1) * step_s - time.monotonic()))
                assert loop.code is None, f"the loop ended with {loop.code}: {loop.said()[-2_000:]}"
                sample, before = look(loop, began, before)
                samples.append(sample)
                told(line_of(sample))
            assert loop.stop() == 0, loop.said()[-2_000:]
        finally:
            loop.end()
    finally:
        exchange.stop()
    return samples


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--step-s", type=float, default=30.0)
    parser.add_argument("--rate", type=float, default=RATE, help="factor on the exchange's messages")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-") as name:
        folder = Path(name)
        with Postgres(folder / "postgres", durable=True) as server:
            servers.migrate(server.owner_url, server.app_url)
            home = folder / "home"
            samples = run(
                server.app_url, home, for_s=60 * options.minutes, step_s=options.step_s, rate=options.rate,
                told=lambda text: print(text, flush=True),
            )  # fmt: skip
            complaints = judge(samples)
            began = time.monotonic()
            found = verify(server.app_url, home, deep=True, checks=(journal.verify,))
            print(f"{head(server.app_url).seq} inputs; verified in {time.monotonic() - began:.0f} s", flush=True)
            if found is not None:
                complaints.append(found.in_words())
    for complaint in complaints:
        print(f"FAILED: {complaint}")
    print("all is bounded" if not complaints else "", flush=True)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
