"""How long the loop process takes: from a frame's arrival to its verdicts, from an approval to its commit.

python -m benchmarks.latency [--seconds 20] [--rate 2000]        one JSON line

Frames of a generated capture arrive at the rate, on the wall's clock; the database is a PostgreSQL of our own with
fsync on; beside it stand an empty durable commit and the spin loop of the same run.
"""

import argparse
import asyncio
import json
import shutil
import time
import tomllib
from typing import Any, Final

import msgspec
import psycopg

from apps.eventlog.inbox import InboxRow
from apps.eventlog.store import Writer
from benchmarks.measure import CACHE, durable_commit_us, spin
from polytraders import fence
from polytraders.shard.assembly import Basis, open_parts, shard_loop
from polytraders.shard.clock import Clock
from polytraders.shard.meter import quantile
from polytraders.shard.process import ShardLoop
from polytraders.supervisor.postgres import Postgres
from polytraders.venues.polymarket.listing import Listing
from polytraders.venues.simulator import capture
from tests.servers import migrate
from tests.sessions import strategies

SEED: Final = 7
BURST: Final = 4
"""Frames that arrive together: the venue's own bursts are larger, and cheaper a frame."""
FIRST_NS: Final = capture.START_MS * 1_000_000
"""The capture's own beginning: frames that arrive long after they were stamped are not believed."""


def commands(close_ts: int) -> list[InboxRow]:
    """What the registry would ask for: the capture's markets."""
    made = []
    for number, one in enumerate(tomllib.loads(capture.registry_toml(seed=SEED))["market"]):
        listing = Listing(
            condition_id=one["id"], tokens=tuple(one["tokens"]), outcomes=("Yes", "No"), protocol="v1",
            min_size=5_000_000, min_size_text="5", tick=100, fee_rate=40_000, fee_exponent=1_000, fee_taker_only=True,
            taker_delay_ms=0, open_ts=None, close_ts=close_ts, neg_risk=False, event_id="", cluster=one["cluster"],
            title="", slug=f"market-{number}", active=True, closed=False, accepting_orders=True, reference=None,
            strike_ts=None,
        )  # fmt: skip
        made.append(InboxRow(-1 - number, "market", "bench", "registry", "", msgspec.to_builtins(listing), None))
    return made


async def paced(loop: ShardLoop, clock: Clock, frames: list[bytes], rate: int) -> float:
    """Let the frames arrive at `rate` a second; seconds it took."""
    running = asyncio.create_task(loop.run())
    began = time.perf_counter()
    for number in range(0, len(frames), BURST):
        due = began + number / rate
        while (ahead := due - time.perf_counter()) > 0:
            await asyncio.sleep(ahead)
        for raw in frames[number : number + BURST]:
            loop.frame(0, clock(), raw)
        await asyncio.sleep(0)
    took = time.perf_counter() - began
    loop.stop()
    await running
    return took


def measure(seconds: int = 20, rate: int = 2_000) -> dict[str, Any]:
    """One run, printed as one JSON line."""
    folder = CACHE / "latency"
    shutil.rmtree(folder, ignore_errors=True)
    frames = list(capture.frames(seed=SEED, count=seconds * rate))
    control = spin()
    commit_p50_us, commit_p99_us = durable_commit_us()
    with Postgres(folder / "server") as server:
        migrate(server.owner_url, server.app_url)
        home = folder / "home"
        home.mkdir()
        fence.create(home / fence.FILE)
        basis = Basis(server.app_url, home, 0, "simulator", 1, strategies(home))
        clock = Clock(FIRST_NS)
        writer = Writer.open(server.app_url, 0, home)
        with psycopg.connect(server.app_url, autocommit=True) as conn:
            parts = open_parts(basis, writer, conn, clock)
        loop = shard_loop(parts, clock, committed=lambda ids: None)
        for row in commands(clock() + 10**18):
            asked = row
            loop.arrive(lambda intake, now, asked=asked: register(intake, asked, now))  # type: ignore[misc]
        cpu = time.process_time()
        took = asyncio.run(paced(loop, clock, frames, rate))
        cpu = time.process_time() - cpu
        parts.keeper.close(None)
        parts.committer.close()
    meter = loop.meter
    line = {
        "task": "loop process",
        "frames": len(frames),
        "rate": round(len(frames) / took),
        "cpu_part": round(cpu / took, 3),
        "blocks": meter.blocks,
        "decided_p50_ms": _ms(quantile(meter.decided_s, 0.5)),
        "decided_p99_ms": _ms(quantile(meter.decided_s, 0.99)),
        "approvals": len(meter.recorded_s),
        "recorded_p50_ms": _ms(quantile(meter.recorded_s, 0.5)),
        "recorded_p99_ms": _ms(quantile(meter.recorded_s, 0.99)),
        "empty_commit_p50_ms": round(commit_p50_us / 1e3, 3),
        "empty_commit_p99_ms": round(commit_p99_us / 1e3, 3),
        "spin_s": round(control, 3),
    }
    print(json.dumps(line), flush=True)
    return line


def register(intake: Any, row: InboxRow, now: int) -> None:
    """The registry's rows without an inbox to delete them from."""
    rows, identity = intake.directory.tell(msgspec.convert(row.payload, Listing), now)
    intake.rows(rows, now, "bench", payload=identity)


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1e3, 3)


if __name__ == "__main__":
    wanted = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    wanted.add_argument("--seconds", type=int, default=20)
    wanted.add_argument("--rate", type=int, default=2_000)
    said = wanted.parse_args()
    measure(said.seconds, said.rate)
