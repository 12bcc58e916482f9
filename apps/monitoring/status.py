"""The loop's own row: how it is, written by its process a few times a second, read by pages, commands and health."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from psycopg import Cursor


class Feed(NamedTuple):
    """One connection to a venue: `state` is up, down or silent; `age_ms` since the last sign of life."""

    name: str
    connection: int
    state: str
    age_ms: int


class Status(NamedTuple):
    """What the loop's process says about itself.

    Attributes:
        shard: Which loop.
        at_ns: Wall clock, ns UTC.
        state: starting, running, stopping.
        mode: paper; live is refused in this version.
        venue: simulator or polymarket.
        speed: How fast loop time runs; 1 with a real venue.
        pid: Process.
        build_hash: Of the compiled sources, hex.
        epoch_seq: Input that opened this run.
        in_seq: Last committed input.
        loop_ts: Loop time of it, ns.
        lag_ms: From receiving a frame to its commit, of the last block.
        input_head: Hex, like the two below.
        output_head: Chain of the outputs.
        chain_head: Both.
        rss_bytes: Resident memory.
        is_killed: Whether the global scope is killed in the loop's own memory.
        queues: Length by name: frames, inbox, commits.
        books: Books by state: ok, none, resync.
        feeds: Connections.
        money: Micro-pUSD by name: cash, reserved, equity, realised, fees, deposited, exposure, mark, high_day;
            drawdown_day and drawdown_week, and the most that each may be (drawdown_day_max, drawdown_week_max), in ppm.
        metrics: The Prometheus text of the process.
    """

    shard: int
    at_ns: int
    state: str
    mode: str
    venue: str
    speed: float
    pid: int
    build_hash: str
    epoch_seq: int
    in_seq: int
    loop_ts: int
    lag_ms: int
    input_head: str
    output_head: str
    chain_head: str
    rss_bytes: int
    is_killed: bool
    queues: Mapping[str, int]
    books: Mapping[str, int]
    feeds: Sequence[Feed]
    money: Mapping[str, int]
    metrics: str


COLUMNS: Final = Status._fields
WRITE: Final = (
    f"INSERT INTO monitoring_loop ({', '.join(COLUMNS)}) VALUES ({', '.join(['%s'] * len(COLUMNS))})"  # noqa: S608
    f" ON CONFLICT (shard) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in COLUMNS[1:])}"
)


def write(cursor: Cursor[Any], status: Status) -> None:
    """Overwrite the shard's row, in the caller's transaction."""
    plain = status._replace(
        queues=json.dumps(dict(status.queues)),  # type: ignore[arg-type]
        books=json.dumps(dict(status.books)),  # type: ignore[arg-type]
        feeds=json.dumps([feed._asdict() for feed in status.feeds]),  # type: ignore[arg-type]
        money=json.dumps(dict(status.money)),  # type: ignore[arg-type]
    )
    cursor.execute(WRITE, plain)
