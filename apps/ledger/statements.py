"""Statements: what each day of loop time brought, from the minutes of money; and the same as a line over time."""

from typing import Final, NamedTuple

from django.db import connection

DAY_NS: Final = 86_400_000_000_000
DAYS: Final = 14
POINTS: Final = 300
DAILY: Final = """
SELECT minute_ts / %(day)s AS day,
       (array_agg(equity ORDER BY minute_ts DESC))[1], (array_agg(deposited ORDER BY minute_ts DESC))[1],
       (array_agg(realised ORDER BY minute_ts DESC))[1], (array_agg(fees ORDER BY minute_ts DESC))[1],
       (array_agg(equity ORDER BY minute_ts))[1], (array_agg(deposited ORDER BY minute_ts))[1],
       (array_agg(realised ORDER BY minute_ts))[1], (array_agg(fees ORDER BY minute_ts))[1],
       min(low), max(high)
FROM ledger_money WHERE shard = %(shard)s AND minute_ts >= %(since)s GROUP BY 1 ORDER BY 1"""
SERIES: Final = """
SELECT max(minute_ts), (array_agg(equity - deposited ORDER BY minute_ts DESC))[1], min(low), max(high),
       (array_agg(exposure ORDER BY minute_ts DESC))[1]
FROM ledger_money WHERE shard = %s AND minute_ts > %s GROUP BY minute_ts / %s ORDER BY 1"""


class Day(NamedTuple):
    """One day, UTC, in micro-pUSD.

    Attributes:
        ts: Its beginning, ns.
        opening: Equity at its beginning.
        deposits: Capital that came in (negative: went out).
        earned: What the rest of the change is: profit or loss, unrealised parts and fees included.
        realised: Of it, by closed positions, net of fees.
        fees: Paid.
        closing: Equity at its end, or now.
        low: Lowest and highest profit since the beginning that was seen in it.
        high: The other end.
    """

    ts: int
    opening: int
    deposits: int
    earned: int
    realised: int
    fees: int
    closing: int
    low: int
    high: int


class Point(NamedTuple):
    """Profit since the beginning at a moment, its extremes since the point before, and exposure; micro-pUSD."""

    ts: int
    earned: int
    low: int
    high: int
    exposure: int


def days(shard: int, until_ts: int | None = None, count: int = DAYS) -> list[Day]:
    """The last days that anything is known of, newest first: one query, two without `until_ts`.

    The first day that is known begins with the first minute that was told of it, every other where the one before
    ended.
    """
    with connection.cursor() as cursor:
        if until_ts is None:
            cursor.execute("SELECT max(minute_ts) FROM ledger_money WHERE shard = %s", (shard,))
            until_ts = (cursor.fetchone() or (None,))[0]
            if until_ts is None:
                return []
        since = (until_ts // DAY_NS - count) * DAY_NS
        cursor.execute(DAILY, {"day": DAY_NS, "shard": shard, "since": since})
        rows = cursor.fetchall()
    made: list[Day] = []
    before: tuple[int, int, int, int] | None = None
    for day, equity, deposited, realised, fees, *first, low, high in rows:
        opening = before or tuple(first)
        deposits = deposited - opening[1]
        earned = equity - opening[0] - deposits
        made.append(
            Day(
                *(day * DAY_NS, opening[0], deposits, earned),
                *(realised - opening[2], fees - opening[3], equity, low, high),
            )
        )
        before = equity, deposited, realised, fees
    return made[::-1][:count]


def series(shard: int, until_ts: int, span_ns: int, points: int = POINTS) -> list[Point]:
    """Profit over the time before `until_ts`, oldest first, in at most about `points` steps: one query."""
    step = max(60_000_000_000, span_ns // points)
    with connection.cursor() as cursor:
        cursor.execute(SERIES, (shard, until_ts - span_ns, step))
        return [Point(*row) for row in cursor.fetchall()]
