"""Judges what was predicted by what came: forecasts of markets that have resolved, and fills of orders that are over.

Each market and each order is judged once, in one transaction with the sums that pages read. Doing it twice, or dying
in the middle, changes nothing.

One forecast counts for a market, a strategy and a horizon: the last one before the end of that horizon. A restless
market has thousands of decisions, which all come true together; counted one by one they would look like evidence.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import numpy as np
import psycopg

from apps.eventlog import reading
from apps.eventlog.faults import LogFault
from apps.replay.core.metrics import log_loss
from polytraders.contracts.inputs import INPUT, NANO, PRICE_UNIT
from polytraders.contracts.state import MID, SELL

MINUTE_NS: Final = 60 * NANO
HORIZONS_NS: Final = tuple(minutes * MINUTE_NS for minutes in (1, 5, 15, 60, 360, 1_440))
HORIZONS: Final = ("under 1 min", "1 to 5 min", "5 to 15 min", "15 to 60 min", "1 to 6 h", "6 to 24 h", "over 1 day")
"""Time from a forecast to its market's end."""
BINS: Final = 20
"""Of probabilities, each a twentieth wide."""
MODEL, MARKET = 0, 1
SLIPPAGE, FILLING = 0, 1
SLIP_STEP: Final = 2_000_000
"""Width of a bin of slippage, 1e-9 a share: a fifth of a cent."""
SLIP_MOST: Final = 10
"""Bins on either side of none; the outermost hold everything beyond."""
FILL_BINS: Final = 10
MARKETS_AT_ONCE: Final = 200
ORDERS_AT_ONCE: Final = 500

RESOLVED: Final = """
SELECT m.market, m.payout, m.close_ts, (SELECT row FROM log_control AS told WHERE told.shard = m.shard
    AND told.in_seq = m.resolved_seq) FROM registry_market AS m LEFT JOIN replay_scored AS s USING (shard, market)
WHERE m.shard = %s AND m.payout IS NOT NULL AND s.market IS NULL ORDER BY m.resolved_seq LIMIT %s"""
TAKE: Final = """
INSERT INTO replay_scored (shard, market, payout, forecasts) VALUES (%s, %s, %s, 0) ON CONFLICT DO NOTHING"""
LAST: Final = """
SELECT DISTINCT ON (strategy, horizon) id, strategy, horizon, ts, p_hat,
    (SELECT body FROM log_output AS told WHERE told.shard = d.shard AND told.in_seq = d.in_seq
        AND told.ordinal = d.ordinal)
FROM (SELECT *, width_bucket(%(end)s - ts, %(horizons)s::bigint[]) AS horizon FROM risk_decision
    WHERE shard = %(shard)s AND market = %(market)s AND p_hat IS NOT NULL AND ts < %(end)s) AS d
ORDER BY strategy, horizon, id DESC"""
FORECAST: Final = """
INSERT INTO replay_forecast (shard, strategy, market, horizon, decision, ts, p_hat, mid, pays)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)"""
SCORE: Final = """
INSERT INTO replay_score (shard, strategy, horizon, who, bin, count, hits, forecast, brier, loss)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (shard, strategy, horizon, who, bin) DO UPDATE SET
    count = replay_score.count + excluded.count, hits = replay_score.hits + excluded.hits,
    forecast = replay_score.forecast + excluded.forecast, brier = replay_score.brier + excluded.brier,
    loss = replay_score.loss + excluded.loss"""

OVER: Final = """
SELECT o.id, o.strategy, o.action, o.size, o.filled, o.spent, o.changed_ts, d.q_exec,
    (SELECT bool_or(f.is_maker) FROM oms_fill AS f WHERE f.shard = o.shard AND f.order_seq = o.order_seq
        AND f.market = o.market AND f.strategy = o.strategy),
    (SELECT body FROM log_output AS told WHERE told.shard = d.shard AND told.in_seq = d.in_seq
        AND told.ordinal = d.ordinal)
FROM oms_order AS o JOIN risk_decision AS d ON d.id = o.id LEFT JOIN replay_executed AS e ON e.id = o.id
WHERE o.shard = %s AND o.id >= %s AND NOT o.is_open AND e.id IS NULL AND d.q_exec IS NOT NULL ORDER BY o.id LIMIT %s"""
EXECUTED: Final = """
INSERT INTO replay_executed (id, shard, strategy, ts, q_exec, price, slippage, p_fill, size, filled, is_maker)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"""
EXECUTION: Final = """
INSERT INTO replay_execution (shard, strategy, what, bin, count, expected, came, whole)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (shard, strategy, what, bin) DO UPDATE SET
    count = replay_execution.count + excluded.count, expected = replay_execution.expected + excluded.expected,
    came = replay_execution.came + excluded.came, whole = replay_execution.whole + excluded.whole"""
FIRST_OPEN: Final = """
SELECT coalesce((SELECT min(id) FROM oms_order WHERE is_open AND shard = %(shard)s),
    (SELECT max(id) + 1 FROM oms_order WHERE shard = %(shard)s), 0)"""
REACHED: Final = "SELECT at FROM replay_reached WHERE shard = %s AND what = 'orders'"
REACH: Final = """
INSERT INTO replay_reached (shard, what, at) VALUES (%s, 'orders', %s)
ON CONFLICT (shard, what) DO UPDATE SET at = greatest(replay_reached.at, excluded.at)"""


class Judged(NamedTuple):
    """A forecast with what came."""

    strategy: int
    horizon: int
    decision: int
    ts: int
    p_hat: float
    mid: float | None
    pays: int


def bin_of(p: float) -> int:
    """The bin of a probability; 1 falls into the last."""
    return min(int(p * BINS), BINS - 1)


def score_markets(connection: "psycopg.Connection[Any]", shard: int) -> int:
    """Judge the forecasts of every market that has resolved since the last time; how many markets.

    Args:
        connection: Of the application's role, in autocommit.
        shard: Of which log.
    """
    done = 0
    while found := connection.execute(RESOLVED, (shard, MARKETS_AT_ONCE)).fetchall():
        for market, payout, close_ts, row in found:
            ends = [close_ts] if close_ts is not None else []
            ends += [int(np.frombuffer(row, INPUT)[0]["recv_ts"])] if row is not None else []
            with connection.transaction():
                if connection.execute(TAKE, (shard, market, payout)).rowcount:
                    done += 1
                    _score_market(connection, shard, market, payout, min(ends, default=0))
    return done


def _score_market(connection: "psycopg.Connection[Any]", shard: int, market: int, payout: int, end: int) -> None:
    if payout not in (0, PRICE_UNIT):
        # Half a payout makes a forecast neither true nor false.
        return
    wanted = {"shard": shard, "market": market, "end": end, "horizons": list(HORIZONS_NS)}
    judged = [
        Judged(strategy, horizon, decision, ts, p_hat, _mid(body), int(payout == PRICE_UNIT))
        for decision, strategy, horizon, ts, p_hat, body in connection.execute(LAST, wanted).fetchall()
    ]
    with connection.cursor() as cursor:
        cursor.executemany(
            FORECAST,
            [
                (shard, one.strategy, market, one.horizon, one.decision, one.ts, one.p_hat, one.mid, one.pays)
                for one in judged
            ],
        )
        cursor.executemany(SCORE, [(shard, *key, *sums) for key, sums in sorted(sums_of(judged).items())])
        cursor.execute(
            "UPDATE replay_scored SET forecasts = %s WHERE shard = %s AND market = %s", (len(judged), shard, market)
        )


def sums_of(judged: Iterable[Judged]) -> dict[tuple[int, int, int, int], list[float]]:
    """count, hits, forecast, squared error and log loss by (strategy, horizon, who, bin)."""
    found: dict[tuple[int, int, int, int], list[float]] = defaultdict(lambda: [0, 0, 0.0, 0.0, 0.0])
    for one in judged:
        for who, p in ((MODEL, one.p_hat), (MARKET, one.mid)):
            if p is None:
                continue
            sums = found[one.strategy, one.horizon, who, bin_of(p)]
            for place, value in enumerate((1, one.pays, p, (p - one.pays) ** 2, log_loss(p, one.pays))):
                sums[place] += value
    return dict(found)


def _detail(body: Any) -> Any:
    """The recorded numbers of an output; None where the log no longer holds them."""
    if body is None:
        return None
    try:
        return reading.unbody(bytes(body))[1]
    except LogFault:
        return None


def _mid(body: Any) -> float | None:
    detail = _detail(body)
    mid = None if detail is None else float(detail["features"][MID])
    return mid if mid is not None and 0.0 <= mid <= 1.0 else None


def score_orders(connection: "psycopg.Connection[Any]", shard: int) -> int:
    """Judge every order that has ended since the last time; how many.

    Args:
        connection: Of the application's role, in autocommit.
        shard: Of which log.
    """
    first_open = (connection.execute(FIRST_OPEN, {"shard": shard}).fetchone() or (0,))[0]
    since = (connection.execute(REACHED, (shard,)).fetchone() or (0,))[0]
    done = 0
    while found := connection.execute(OVER, (shard, since, ORDERS_AT_ONCE)).fetchall():
        with connection.transaction(), connection.cursor() as cursor:
            rows = [_executed(shard, *one) for one in found]
            cursor.executemany(EXECUTED, rows)
            cursor.executemany(EXECUTION, [(shard, *key, *sums) for key, sums in sorted(executions(rows).items())])
        done += len(rows)
    # Whatever lies before the oldest order that was open is over, and has been judged above.
    connection.execute(REACH, (shard, first_open))
    return done


def _executed(
    shard: int, order: int, strategy: int, action: int, size: int, filled: int, spent: int, ts: int, q_exec: int,
    is_maker: bool | None, body: Any,
) -> tuple[Any, ...]:  # fmt: skip
    price = abs(spent) * NANO // filled if filled > 0 else None
    slippage = None if price is None else (q_exec - price if action == SELL else price - q_exec)
    detail = _detail(body)
    p_fill = None if detail is None else float(detail["p_fill"])
    return (order, shard, strategy, ts, q_exec, price, slippage, p_fill, size, filled, bool(is_maker))


def slip_bin(slippage: int) -> int:
    """The bin whose middle is nearest; the outermost hold everything beyond."""
    nearest = (slippage + SLIP_STEP // 2) // SLIP_STEP
    return max(-SLIP_MOST, min(SLIP_MOST, nearest))


def executions(rows: Iterable[tuple[Any, ...]]) -> dict[tuple[int, int, int], list[float]]:
    """count, expected, came and whole by (strategy, what, bin), of rows as `replay_executed` has them."""
    found: dict[tuple[int, int, int], list[float]] = defaultdict(lambda: [0, 0.0, 0.0, 0])
    for _, _, strategy, _, _, _, slippage, p_fill, size, filled, _ in rows:
        if slippage is not None:
            _add(found[strategy, SLIPPAGE, slip_bin(slippage)], 1, slippage, float(slippage) ** 2, 0)
        if p_fill is not None:
            place = min(int(p_fill * FILL_BINS), FILL_BINS - 1)
            _add(found[strategy, FILLING, place], 1, p_fill, filled / size, int(filled >= size))
    return dict(found)


def _add(sums: list[float], *values: float) -> None:
    for place, value in enumerate(values):
        sums[place] += value
