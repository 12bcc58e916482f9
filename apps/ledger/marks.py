"""What the loop says of its money and of what its holdings trade at: rows for pages, made by nothing but the loop.

The mids and best prices that equity hangs on are not in the log as rows, so these are no projections and a rebuild does
not make them: what is lost of them is a picture, never a fact.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

import psycopg

MINUTE_NS: Final = 60_000_000_000
HOUR_NS: Final = 60 * MINUTE_NS
MONEY: Final = ("equity", "cash", "reserved", "realised", "fees", "deposited", "exposure")
WRITE_MONEY: Final = f"""
INSERT INTO ledger_money (shard, minute_ts, {", ".join(MONEY)}, low, high, fall)
VALUES (%(shard)s, %(minute_ts)s, {", ".join(f"%({name})s" for name in MONEY)}, %(earned)s, %(earned)s, 0)
ON CONFLICT (shard, minute_ts) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in MONEY)},
low = least(ledger_money.low, excluded.low), high = greatest(ledger_money.high, excluded.high),
fall = greatest(ledger_money.fall, ledger_money.high - excluded.low)"""  # noqa: S608
FOLD: Final = """
WITH old AS (
    DELETE FROM ledger_money WHERE shard = %(shard)s AND minute_ts < %(before)s AND minute_ts %% %(hour)s <> 0
    RETURNING *
), hours AS (
    SELECT minute_ts - minute_ts %% %(hour)s AS hour_ts, min(low) AS low, max(high) AS high, max(fall) AS fall,
           max(minute_ts) AS last
    FROM old GROUP BY 1
)
INSERT INTO ledger_money AS kept
SELECT o.shard, h.hour_ts, o.equity, o.cash, o.reserved, o.realised, o.fees, o.deposited,
    o.exposure, h.low, h.high, h.fall
FROM hours h JOIN old o ON o.minute_ts = h.last
ON CONFLICT (shard, minute_ts) DO UPDATE SET equity = excluded.equity, cash = excluded.cash,
reserved = excluded.reserved, realised = excluded.realised, fees = excluded.fees, deposited = excluded.deposited,
exposure = excluded.exposure, low = least(kept.low, excluded.low), high = greatest(kept.high, excluded.high),
fall = greatest(kept.fall, excluded.fall)"""
"""Minutes before a moment become their hour: its last values, and the extremes of all of it.

A fall from one minute to the next of an hour is kept no more than as its high and low.
"""


class Mark(NamedTuple):
    """One market that something is held in: as `models.MarkRecord` says it."""

    market: int
    bid: int
    ask: int
    state: int
    row_ts: int
    exposure: int
    worst: int


def write_money(cursor: psycopg.Cursor[Any], shard: int, ts: int, money: Mapping[str, int]) -> None:
    """Put what there is at loop time `ts` into its minute, in the caller's transaction.

    Args:
        cursor: Of the app role.
        shard: Whose money.
        ts: Loop time, ns.
        money: Micro-pUSD by the names in MONEY; more are not looked at.
    """
    earned = money["equity"] - money["deposited"]
    told = {name: money[name] for name in MONEY}
    cursor.execute(WRITE_MONEY, {"shard": shard, "minute_ts": ts - ts % MINUTE_NS, "earned": earned, **told})


def fold(cursor: psycopg.Cursor[Any], shard: int, before_ts: int) -> None:
    """Make hours of the minutes before `before_ts` (ns, cut down to a whole hour). Twice changes nothing."""
    cursor.execute(FOLD, {"shard": shard, "before": before_ts - before_ts % HOUR_NS, "hour": HOUR_NS})


class Marks:
    """The marks of a shard, written where they have changed."""

    def __init__(self, shard: int) -> None:
        """Nothing is known of what stands in the table."""
        self._shard = shard
        self._told: dict[int, Mark] | None = None

    def write(self, cursor: psycopg.Cursor[Any], marks: Iterable[Mark]) -> None:
        """Bring the table to `marks`, in the caller's transaction."""
        now = {mark.market: mark for mark in marks}
        if self._told is None:
            cursor.execute("DELETE FROM ledger_mark WHERE shard = %s", (self._shard,))
            self._told = {}
        gone = sorted(self._told.keys() - now.keys())
        if gone:
            cursor.execute("DELETE FROM ledger_mark WHERE shard = %s AND market = ANY(%s)", (self._shard, gone))
        changed = [mark for market, mark in sorted(now.items()) if self._told.get(market) != mark]
        if changed:
            cursor.execute(
                "INSERT INTO ledger_mark (shard, market, bid, ask, state, row_ts, exposure, worst) SELECT %s, *"
                " FROM unnest(%s::int[], %s::bigint[], %s::bigint[], %s::int[], %s::bigint[], %s::bigint[],"
                " %s::bigint[]) ON CONFLICT (shard, market) DO UPDATE SET bid = excluded.bid, ask = excluded.ask,"
                " state = excluded.state, row_ts = excluded.row_ts, exposure = excluded.exposure,"
                " worst = excluded.worst",
                (self._shard, *(list(column) for column in zip(*changed, strict=True))),
            )
        self._told = now
