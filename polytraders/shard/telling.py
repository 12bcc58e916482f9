"""What the loop process tells others with each block: projections, its own row, and a hint that there is news."""

import os
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import psycopg

from apps.eventlog.core.chain import chain_head
from apps.eventlog.store import Writer
from apps.ledger.marks import Mark, Marks, write_money
from apps.monitoring import projecting, status
from polytraders.contracts import state as s
from polytraders.contracts.inputs import NANO, MarketStatus, Scope
from polytraders.contracts.stretch import Stretch
from polytraders.crashpoints import reach
from polytraders.shard.directory import Directory
from polytraders.shard.meter import Meter
from polytraders.shard.pending import Ready

STATUS_S: Final = 0.2
"""The loop's own row is written at most so often."""
MARKS_S: Final = 1.0
"""What our holdings trade at is written at most so often."""
SILENT_NS: Final = 10 * NANO
BOOK_STATES: Final = {s.BOOK_OK: "ok", s.BOOK_NONE: "none", s.BOOK_RESYNC: "resync"}

MONEY: Final = (
    "cash", "reserved", "equity", "realised", "fees", "deposited", "exposure", "mark", "high_day", "high_week",
    "drawdown_day", "drawdown_week",
)  # fmt: skip
"""Fields of the portfolio that pages show: micro-pUSD, and the two drawdowns in ppm of their high."""


class Teller:
    """Projections and status of one shard."""

    def __init__(
        self,
        state: s.State,
        directory: Directory,
        writer: Writer,
        meter: Meter,
        *,
        build: bytes,
        venue: str,
        speed: int,
        epoch_seq: int,
        connections: Callable[[], dict[int, str]],
    ) -> None:
        """Tell of `state`.

        Args:
            state: The loop's, looked at between two rounds only.
            directory: Names.
            writer: Knows the heads.
            meter: Knows the delays.
            build: Build hash.
            venue: simulator or polymarket.
            speed: Of loop time.
            epoch_seq: Input that opened the epoch.
            connections: Names of the connections that are meant to be open, by number.
        """
        self._state = state
        self._directory = directory
        self._writer = writer
        self._meter = meter
        self._build = build
        self._venue = venue
        self._speed = speed
        self._epoch_seq = epoch_seq
        self._connections = connections
        self._next_s = 0.0
        self._status: status.Status | None = None
        self._marks_next_s = 0.0
        self._marks: list[Mark] | None = None
        self._writes_marks = Marks(writer.head.shard)
        meter.metrics.build.labels("", build.hex()[:12]).set(1)

    def look(self, ready: Ready) -> None:
        """In the loop's thread: what of the state is to be told with this block."""
        self._meter.metrics.said(ready.outs, list(self._directory.names.strategies), self._venue)
        now = time.monotonic()
        if now >= self._next_s:
            self._next_s = now + STATUS_S
            self._status = self._read(ready)
        if now >= self._marks_next_s:
            self._marks_next_s = now + MARKS_S
            self._marks = self._held()

    def project(self, cursor: psycopg.Cursor[Any], ready: Ready) -> None:
        """In the committer's thread, within the block's transaction."""
        last = int(ready.inputs["in_seq"][-1])
        shard = self._writer.head.shard
        controls = [(control.row, control.actor, control.key, control.payload) for control in ready.controls]
        stretch = Stretch(shard, last, len(ready.inputs), controls, ready.outs, ready.details)
        projecting.apply(cursor, stretch, reached=reach)
        told, self._status = self._status, None
        if told is not None:
            head = self._writer.head
            heads = (
                head.inputs.link.hex(),
                head.outputs.link.hex(),
                chain_head(head.inputs.link, head.outputs.link).hex(),
            )
            status.write(cursor, told._replace(input_head=heads[0], output_head=heads[1], chain_head=heads[2]))
            write_money(cursor, shard, told.loop_ts, told.money)
        marks, self._marks = self._marks, None
        if marks is not None:
            self._writes_marks.write(cursor, marks)

    def _held(self) -> list[Mark]:
        markets = self._state.markets
        held = np.flatnonzero((markets["exposure"] != 0) | (markets["qty_yes"] != 0) | (markets["qty_no"] != 0))
        names = ("bid_px", "ask_px", "state", "row_ts", "exposure", "worst")
        columns = [markets[name][held].tolist() for name in names]
        return [Mark(*row) for row in zip(held.tolist(), *columns, strict=True)]

    def _read(self, ready: Ready) -> status.Status:
        portfolio = self._state.portfolio[0]
        meter = self._meter
        markets = self._state.markets[: len(self._directory.names.markets)]
        live = markets["status"] < MarketStatus.RESOLVING
        books = Counter(markets["state"][live].tolist())
        rss = meter.rss_bytes()
        meter.metrics.rss.set(rss)
        told = {BOOK_STATES[state]: books.get(state, 0) for state in BOOK_STATES}
        for name, count in told.items():
            meter.metrics.book_state.labels("", name).set(count)
        self._tell_kills()
        return status.Status(
            shard=self._writer.head.shard,
            at_ns=time.time_ns(),
            state="running",
            mode="paper",
            venue=self._venue,
            speed=float(self._speed),
            pid=os.getpid(),
            build_hash=self._build.hex(),
            epoch_seq=self._epoch_seq,
            in_seq=int(ready.inputs["in_seq"][-1]),
            loop_ts=int(ready.inputs["recv_ts"][-1]),
            lag_ms=round(1_000 * meter.through_s),
            input_head="",
            output_head="",
            chain_head="",
            rss_bytes=rss,
            is_killed=bool(portfolio["killed"]),
            queues={"frames": meter.waiting, "commands": len(ready.inbox_ids), "block": len(ready.inputs)},
            books=told,
            feeds=self._feeds(int(portfolio["now"])),
            money={name: int(portfolio[name]) for name in MONEY} | self._drawdowns_most(),
            metrics=meter.metrics.text(),
        )

    def _drawdowns_most(self) -> dict[str, int]:
        """How far equity may fall below its high, ppm, by the limits in force."""
        limits = self._state.limits[0]
        return {f"drawdown_{span}_max": int(limits[f"drawdown_{span}_ppm_max"]) for span in ("day", "week")}

    def _feeds(self, now: int) -> list[status.Feed]:
        made = []
        for number, name in sorted(self._connections().items()):
            alive = int(self._state.connections["alive_ts"][number])
            made.append(_feed(name, number, alive, now))
            self._meter.metrics.feed_age.labels(self._venue, name).set(made[-1].age_ms / 1_000)
        told = int(self._state.references["ts"].max())
        made.append(_feed("reference", len(self._state.connections) - 1, told, now))
        return made

    def _tell_kills(self) -> None:
        kills = {
            Scope.GLOBAL: int(self._state.portfolio["killed"][0]),
            Scope.VENUE: int(np.count_nonzero(self._state.venues["killed"])),
            Scope.CLUSTER: int(np.count_nonzero(self._state.clusters["killed"])),
            Scope.MARKET: int(np.count_nonzero(self._state.markets["killed"])),
            Scope.STRATEGY: int(np.count_nonzero(self._state.strategies["killed"])),
        }
        for scope, count in kills.items():
            self._meter.metrics.kill_state.labels(scope.name.lower()).set(count)


def _feed(name: str, connection: int, alive_ts: int, now: int) -> status.Feed:
    age_ns = now - alive_ts
    state = "down" if not alive_ts else "silent" if age_ns > SILENT_NS else "up"
    return status.Feed(name, connection, state, min(age_ns // 1_000_000, 10**12))
