"""Statements: what each day of loop time brought, from the minutes of money; and the same as a line over time."""

from typing import Final, NamedTuple

from django.db import connection

DAY_NS: Final = 86_400_000_000_000
MINUTE_NS: Final = 60_000_000_000
DAYS: Final = 14
POINTS: Final = 300
COLUMNS: Final = "equity, deposited, realised, fees"
DAILY: Final = f"""
SELECT d.day / %(day)s, l.equity, l.deposited, l.realised, l.fees, f.equity, f.deposited, f.realised, f.fees
FROM generate_series(%(since)s::bigint, %(until)s::bigint, %(day)s::bigint) d (day)
CROSS JOIN LATERAL (SELECT {COLUMNS} FROM ledger_money WHERE shard = %(shard)s AND minute_ts >= d.day
    AND minute_ts < d.day + %(day)s ORDER BY minute_ts DESC LIMIT 1) l
CROSS JOIN LATERAL (SELECT {COLUMNS} FROM ledger_money WHERE shard = %(shard)s AND minute_ts >= d.day
    AND minute_ts < d.day + %(day)s ORDER BY minute_ts LIMIT 1) f
ORDER BY 1"""  # noqa: S608
"""The last and the first row of each day by the primary key: what lies between is not read."""
SERIES: Final = """
WITH minutes AS (
    SELECT minute_ts, low, high, fall,
           max(high) OVER (ORDER BY minute_ts ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS highest
    FROM ledger_money WHERE shard = %(shard)s AND minute_ts > %(since)s
), steps AS (
    SELECT max(minute_ts) AS last, min(low) AS low, max(high) AS high,
           max(greatest(fall, coalesce(highest - low, 0))) AS fall
    FROM minutes GROUP BY minute_ts / %(step)s
)
SELECT s.last, l.equity - l.deposited, s.low, s.high, s.fall, l.exposure
FROM steps s JOIN ledger_money l ON l.shard = %(shard)s AND l.minute_ts = s.last ORDER BY 1"""


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
    """

    ts: int
    opening: int
    deposits: int
    earned: int
    realised: int
    fees: int
    closing: int


class Point(NamedTuple):
    """Profit since the beginning at a moment, its extremes and its deepest fall since the point before; micro-pUSD.

    `fall` is measured from the highest that was seen before it.
    """

    ts: int
    earned: int
    low: int
    high: int
    fall: int
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
        cursor.execute(DAILY, {"day": DAY_NS, "shard": shard, "since": since, "until": until_ts})
        rows = cursor.fetchall()
    made: list[Day] = []
    before: tuple[int, int, int, int] | None = None
    for day, equity, deposited, realised, fees, *first in rows:
        opening = before or tuple(first)
        deposits = deposited - opening[1]
        earned = equity - opening[0] - deposits
        earned_by_closing, paid = realised - opening[2], fees - opening[3]
        made.append(Day(day * DAY_NS, opening[0], deposits, earned, earned_by_closing, paid, equity))
        before = equity, deposited, realised, fees
    return made[::-1][:count]


def series(shard: int, until_ts: int, span_ns: int, points: int = POINTS) -> list[Point]:
    """Profit over the time before `until_ts`, oldest first, in at most about `points` steps: one query."""
    step = max(MINUTE_NS, span_ns // points // MINUTE_NS * MINUTE_NS)
    with connection.cursor() as cursor:
        cursor.execute(SERIES, {"shard": shard, "since": until_ts - span_ns, "step": step})
        return [Point(*row) for row in cursor.fetchall()]
