"""A loop process without sockets: its own log, frames handed in by the test, commands through the real inbox."""

import asyncio
import tomllib
import uuid
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
import psycopg

from apps.eventlog import inbox
from apps.eventlog.store import Head, Writer
from polytraders.crashpoints import reach
from polytraders.shard.assembly import Basis, Parts, open_parts, shard_loop
from polytraders.shard.clock import Clock
from polytraders.shard.keeping import INPUTS
from polytraders.venues.polymarket.listing import Listing
from polytraders.venues.simulator import capture
from tests.sessions import strategies

SEED = 11
START = 1_780_000_000_000_000_000


def listings(seed: int = SEED, close_ts: int = START + 10**18) -> list[Listing]:
    """What the registry tells of a capture's markets."""
    told = tomllib.loads(capture.registry_toml(seed=seed))["market"]
    return [
        Listing(
            condition_id=one["id"], tokens=tuple(one["tokens"]), outcomes=("Yes", "No"), protocol="v1",
            min_size=5_000_000, min_size_text="5", tick=100, fee_rate=40_000, fee_exponent=1_000, fee_taker_only=True,
            taker_delay_ms=0, open_ts=None, close_ts=close_ts, neg_risk=False, event_id="", cluster=one["cluster"],
            title=f"Market {number}?", slug=f"market-{number}", active=True, closed=False, accepting_orders=True,
            reference=None, strike_ts=None,
        )
        for number, one in enumerate(told)
    ]  # fmt: skip


def frames(count: int, seed: int = SEED) -> list[tuple[int, bytes]]:
    """(receive time, bytes) of a capture; receive times are the running maximum of the venue's."""
    made: list[tuple[int, bytes]] = []
    now = 0
    for raw in capture.frames(seed=seed, count=count):
        told = msgspec.json.decode(raw)
        first = told[0] if isinstance(told, list) else told
        now = max(now, int(first["timestamp"]) * 1_000_000)
        made.append((now, raw))
    return made


class Rig(AbstractContextManager["Rig"]):
    """One run of a shard over a database."""

    def __init__(
        self,
        dsn: str,
        home: Path,
        *,
        start: int | None = None,
        checkpoint_inputs: int = INPUTS,
        turned: bool = False,
    ) -> None:
        """Open the shard, which may have a log already; `turned` names its strategies in the other order."""
        self.dsn = dsn
        self.home = home
        folder = home / "strategies"
        folder.mkdir(parents=True, exist_ok=True)
        templates = strategies(folder)[:: -1 if turned else 1]
        self.basis = Basis(dsn, home, 0, "simulator", 1, templates, checkpoint_inputs=checkpoint_inputs)
        self.writer = Writer.open(dsn, 0, home, reached=reach)
        clock = Clock(frames(1)[0][0] if start is None else start)
        try:
            with psycopg.connect(dsn, autocommit=True) as conn:
                self.parts: Parts = open_parts(self.basis, self.writer, conn, clock)
        except BaseException:
            self.writer.close()
            raise
        self.done: list[int] = []
        self.handed: set[int] = set()
        self.loop = shard_loop(self.parts, clock, committed=self.done.extend)

    @property
    def head(self) -> Head:
        """Where the log ends."""
        return self.writer.head

    def ask(self, kind: str, permission: str, payload: dict[str, Any], *, expires_s: float = 60.0) -> None:
        """Put a command into the inbox and hand what waits there to the loop, as its watcher would."""
        with psycopg.connect(self.dsn, autocommit=True) as conn:
            inbox.put(conn, kind, "tester", permission, uuid.uuid4().hex, payload, expires_s)
        self.look()

    def look(self) -> None:
        """Hand what waits in the inbox to the loop."""
        with psycopg.connect(self.dsn, autocommit=True) as conn:
            for row in inbox.take(conn, 0, held=self.handed):
                self.handed.add(row.id)
                self.loop.command(row)

    def list_markets(self) -> None:
        """Tell all markets."""
        for listing in listings():
            self.ask("market", "registry", msgspec.to_builtins(listing))

    def play(self, what: Iterable[tuple[int, bytes]], *, together: int = 64) -> None:
        """Frames arrive, `together` between two rounds of the loop; at the end all is committed."""

        async def feed() -> None:
            running = asyncio.create_task(self.loop.run())
            for number, (recv_ts, raw) in enumerate(what):
                self.loop.frame(0, recv_ts, raw)
                if number % together == together - 1:
                    await asyncio.sleep(0.0)
                if running.done():
                    break
            self.loop.stop()
            await running

        asyncio.run(feed())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.parts.keeper.close(self.loop.last_state() if kind is None else None)
        self.parts.committer.close()

    def __enter__(self) -> Self:
        return self
