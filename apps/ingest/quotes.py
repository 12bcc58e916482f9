"""The loop's word about books: quotes, samples and feeds, written by a thread of its process, read by pages.

All three are small and bounded: one quote a market, one row a connection, and `KEPT` samples of each market that moves.
They are not logged by the database: after a crash they are empty, and the loop tells them again.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from psycopg import Cursor

SAMPLE_S: Final = 5.0
"""On the wall between two samples of a market."""
KEPT: Final = 1_440
"""Samples of a market that are kept: two hours."""
LEVELS: Final = 20
"""Levels of each side in a quote, the best first."""
TRADES: Final = 20
"""Last trades of a market in its quote."""
LAG_EDGES_MS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000)


class Quote(msgspec.Struct):
    """A row of `ingest_quote`; `models.QuoteRecord` says what is what."""

    shard: int
    market: int
    in_seq: int
    ts: int
    at_ns: int
    state: int
    why: int
    code: int
    votes: int
    connection: int
    tick: int
    bid: int | None
    ask: int | None
    bid_size: int
    ask_size: int
    spread: int | None
    depth: int
    last_price: int | None
    row_ts: int
    witness_ts: int
    source_ts: int
    events: int
    snapshots: int
    snapshot_differences: int
    mismatches: int
    repairs: int
    best_mismatches: int
    resyncs: int
    witness_differences: int
    bid_prices: list[int]
    bid_sizes: list[int]
    ask_prices: list[int]
    ask_sizes: list[int]
    trade_ts: list[int]
    trade_prices: list[int]
    trade_sizes: list[int]
    features: list[float]
    completeness_ppm: list[int]
    p_hats: list[float | None]
    lowers: list[float | None]
    uppers: list[float | None]
    forecast_ts: list[int | None]


class Sample(msgspec.Struct):
    """A row of `ingest_sample`."""

    shard: int
    market: int
    ts: int
    state: int
    bid: int | None
    ask: int | None
    p_hats: list[float | None]
    lowers: list[float | None]
    uppers: list[float | None]
    features: list[float]


class Feed(msgspec.Struct):
    """A row of `ingest_feed`."""

    shard: int
    connection: int
    at_ns: int
    ts: int
    alive_ts: int
    rows: int
    lags: list[int]


def _statement(table: str, of: type[msgspec.Struct], key: int) -> str:
    """One INSERT for all rows that a JSON array holds; the first `key` fields are the primary key."""
    fields = of.__struct_fields__
    names = ", ".join(fields)
    updates = ", ".join(f"{name} = excluded.{name}" for name in fields[key:])
    return (
        f"INSERT INTO {table} ({names}) SELECT {names} FROM json_populate_recordset(NULL::{table}, %s::json)"  # noqa: S608
        f" ON CONFLICT ({', '.join(fields[:key])}) DO UPDATE SET {updates}"
    )


QUOTES: Final = _statement("ingest_quote", Quote, 2)
SAMPLES: Final = _statement("ingest_sample", Sample, 3)
FEEDS: Final = _statement("ingest_feed", Feed, 2)
FORGET: Final = "DELETE FROM ingest_sample WHERE shard = %s AND ts < %s"
_encode = msgspec.json.Encoder().encode


def write(cursor: Cursor[Any], quotes: Sequence[Quote], samples: Sequence[Sample], feeds: Sequence[Feed]) -> None:
    """Overwrite these rows, one statement a table."""
    for statement, rows in ((QUOTES, quotes), (SAMPLES, samples), (FEEDS, feeds)):
        if rows:
            cursor.execute(statement, (_encode(rows).decode(),))


def forget(cursor: Cursor[Any], shard: int, before_ts: int) -> None:
    """Delete the samples from before `before_ts`."""
    cursor.execute(FORGET, (shard, before_ts))
