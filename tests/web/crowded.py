"""A crowded database, made by the database itself: decisions, orders, markets and entries as a busy year leaves them.

It goes on top of a real log (`tests.written.busy`), whose few rows keep their bodies, so pages of detail have something
to open; what is made here has rows for lists and sums, and a ledger that the ledger's own triggers have booked.
"""

import time
from typing import Any, Final, NamedTuple

import psycopg
from psycopg import sql

from apps.ledger.marks import MINUTE_NS
from polytraders.contracts.stretch import ORDINAL_BITS

FIRST_SEQ: Final = 100_000
"""Inputs of the made rows begin here; the real log's are below."""
STEP: Final = 40
"""Inputs between two decisions."""
STRATEGIES: Final = 3
HOUR_NS: Final = 60 * MINUTE_NS
DAY_NS: Final = 24 * HOUR_NS
INDEXED: Final = ("risk_decision", "oms_order", "oms_fill", "risk_hour", "risk_minute")
CAPITAL: Final = 10_000_000_000_000

MARKETS: Final = """
INSERT INTO registry_market (shard, market, condition_id, token_yes, token_no, title, slug, cluster_name, venue,
    min_size, fee_rate, fee_exponent, fee_taker_only, taker_delay_ms, close_ts, cluster, neg_risk, fee_bps, status,
    allowed,    gap_p999_ms, reference, strike, connection, synced_ts, payout, resolved_seq, changed_seq)
SELECT 0, m, '0x' || lpad(to_hex(m), 64, '0'), m || '1', m || '2', 'Will crowd ' || m || ' go home before midnight?',
    'crowd-' || m, 'cluster ' || m %% 8, 0, 5000000, 50000, 1000, 1, 0, %(now)s + (m %% 400 - 100) * %(hour)s,
    m %% 8, 0, 0, CASE WHEN m %% 400 < 100 THEN 4 ELSE 0 END, 1, 60000, -1, 0, 0, %(now)s,
    CASE WHEN m %% 400 < 98 THEN 10000 * (m %% 2) END, CASE WHEN m %% 400 < 98 THEN 1 END, 1
FROM generate_series(2, %(markets)s - 1) m
ON CONFLICT DO NOTHING"""
DECISIONS: Final = """
INSERT INTO risk_decision (id, shard, in_seq, ordinal, ts, market, strategy, verdict, first, code, votes, action,
    outcome, p_hat, p_own, q_exec, fee, buffer, net_edge, price, approved_size, counted, counted_code)
SELECT s << %(bits)s, 0, s, 0, %(now)s - (%(decisions)s - i) * %(gap)s, i %% %(markets)s, i %% %(strategies)s,
    CASE WHEN i %% %(per)s = 0 THEN 0 WHEN i %% 17 = 0 THEN 2 ELSE 1 END, i %% 30, c.codes[1 + i %% c.many],
    CASE WHEN i %% %(per)s = 0 THEN 0 ELSE 1 << (i %% 30)::int END, (i / 3) %% 2, i %% 2, 0.5 + (i %% 100) / 400.0,
    500000000 + i %% 1000 * 100000, 500000000 + i %% 900 * 100000, 1000000, 5000000, (i %% 41 - 30) * 1000000,
    CASE WHEN i %% %(per)s = 0 THEN 5000 + i %% 900 END, CASE WHEN i %% %(per)s = 0 THEN 20000000 ELSE 0 END,
    i %% 60, c.codes[1 + (i + 1) %% c.many]
FROM generate_series(1::bigint, %(decisions)s) i
CROSS JOIN LATERAL (SELECT %(first)s + i * %(step)s AS s) q
CROSS JOIN (SELECT %(codes)s::smallint[] AS codes, %(many)s AS many) c"""
ORDERS: Final = """
INSERT INTO oms_order (id, shard, order_seq, market, strategy, action, outcome, price, size, filled, cancelled, held,
    spent, fee, status, code, is_open, created_ts, changed_ts, changed_seq)
SELECT id, 0, in_seq, market, strategy, action, outcome, price, approved_size, CASE WHEN n > %(open)s THEN f ELSE 0 END,
    CASE WHEN n > %(open)s THEN approved_size - f ELSE 0 END, CASE WHEN n > %(open)s THEN 0 ELSE 10000000 END,
    CASE WHEN n > %(open)s THEN f / 2 ELSE 0 END, 1000,
    CASE WHEN n <= 3 THEN 'unknown_pending' WHEN n <= %(open)s THEN 'resting' WHEN f < approved_size THEN 'cancelled'
         ELSE 'filled' END, CASE WHEN n <= 3 THEN %(unknown)s ELSE %(filled)s END, n <= %(open)s, ts, ts + 250000000,
    in_seq + 1
FROM (SELECT d.*, row_number() OVER (ORDER BY id DESC) AS n,
             CASE WHEN in_seq / %(step)s %% 5 = 0 THEN approved_size / 2 ELSE approved_size END AS f
      FROM risk_decision d WHERE shard = 0 AND in_seq > %(first)s AND verdict = 0) d"""
FILLS: Final = """
INSERT INTO oms_fill (id, shard, in_seq, ordinal, ts, order_seq, market, strategy, action, outcome, price, size, money,
    fee, is_maker, code)
SELECT (order_seq + 1) << %(bits)s, 0, order_seq + 1, 0, changed_ts, order_seq, market, strategy, action, outcome,
    price, filled, CASE WHEN action = 0 THEN spent ELSE -spent END, fee, order_seq %% 2 = 0, %(filled)s
FROM oms_order WHERE shard = 0 AND order_seq > %(first)s AND filled > 0"""
MINUTES: Final = """
INSERT INTO risk_minute (shard, minute_ts, strategy, code, count)
SELECT 0, %(now)s - %(now)s %% %(minute)s - m * %(minute)s, s, c, 40 + (m * s + c) %% 50
FROM generate_series(0, %(minutes)s) m, generate_series(0, %(strategies)s - 1) s, unnest(%(codes)s::smallint[]) c
ON CONFLICT DO NOTHING"""
HOURS: Final = """
INSERT INTO risk_hour (shard, market, hour_ts, strategy, code, count)
SELECT 0, m, %(now)s - %(now)s %% %(hour)s - h * %(hour)s, h %% %(strategies)s, c, 7 + (m + h) %% 90
FROM generate_series(2, %(markets)s - 1) m, generate_series(0, %(hours)s) h,
     unnest((%(codes)s::smallint[])[1:2]) c ON CONFLICT DO NOTHING"""
POSITIONS: Final = """
INSERT INTO ledger_position (shard, market, strategy, outcome, size, cost, realised, fees, changed_ts, changed_seq)
SELECT 0, m, m %% %(strategies)s, o,
    CASE WHEN m %% 4 = 0 AND o = m / 4 %% 2 THEN 20000000 + m %% 90 * 1000000 ELSE 0 END,
    CASE WHEN m %% 4 = 0 AND o = m / 4 %% 2 THEN 11000000 + m %% 90 * 500000 ELSE 0 END, (m %% 21 - 10) * 100000, 5000,
    %(now)s - m::bigint * 1000000, %(first)s
FROM generate_series(2, %(markets)s - 1) m, generate_series(0, 1) o ON CONFLICT DO NOTHING"""
MARKS: Final = """
INSERT INTO ledger_mark (shard, market, bid, ask, state, row_ts, exposure, worst)
SELECT shard, market, 4800 + market %% 300, 5100 + market %% 300, CASE WHEN market %% 40 = 0 THEN 2 ELSE 0 END,
    %(now)s - 1000000000, sum(cost)::bigint, sum(cost)::bigint
FROM ledger_position WHERE shard = 0 AND size <> 0 GROUP BY shard, market ON CONFLICT DO NOTHING"""
MONEY: Final = """
INSERT INTO ledger_money (shard, minute_ts, equity, cash, reserved, realised, fees, deposited, exposure, low, high,
    fall)
SELECT 0, %(now)s - %(now)s %% %(minute)s - m * %(minute)s, 10000000000 + e, 5000000000, 20000000, e / 2, m,
    10000000000, 900000000 + m * 10, e - 3000000, e + 3000000, 2000000
FROM generate_series(0, %(minutes_money)s) m
CROSS JOIN LATERAL (SELECT ((%(minutes_money)s - m) * 4000 + 90000000 * sin(m / 200.0))::bigint AS e) x
ON CONFLICT DO NOTHING"""
ACCOUNTS: Final = """
INSERT INTO ledger_account (shard, code, asset)
SELECT 0, c, 'pUSD' FROM unnest(ARRAY['cash', 'held', 'fees', 'venue', 'outside']) c
UNION ALL SELECT 0, c, m || '1' FROM generate_series(0, %(markets)s - 1) m, unnest(ARRAY['venue', 'position:says']) c
ON CONFLICT DO NOTHING"""
DEPOSIT: Final = """
INSERT INTO ledger_transfer (shard, in_seq, ordinal, part, phase, from_account, to_account, asset, amount, ts,
    correlation)
SELECT 0, %(first)s - 1, 0, 'capital', 'posted', o.id, c.id, 'pUSD', %(capital)s, %(now)s, ''
FROM ledger_account o, ledger_account c WHERE o.shard = 0 AND o.code = 'outside' AND c.shard = 0 AND c.code = 'cash'"""
TRANSFERS: Final = """
INSERT INTO ledger_transfer (shard, in_seq, ordinal, part, phase, from_account, to_account, asset, amount, ts,
    correlation, resolves_seq, resolves_ordinal, resolves_part)
SELECT 0, CASE p.part WHEN 'hold' THEN o.order_seq ELSE o.order_seq + 1 END, 0, p.part, p.phase,
    CASE p.part WHEN 'shares' THEN v.id ELSE cash.id END,
    CASE p.part WHEN 'shares' THEN s.id WHEN 'money' THEN vm.id WHEN 'fee' THEN fees.id ELSE held.id END,
    CASE p.part WHEN 'shares' THEN v.asset ELSE 'pUSD' END,
    CASE p.part WHEN 'shares' THEN o.size WHEN 'fee' THEN 1000 ELSE 10000000 END, o.changed_ts,
    o.order_seq || ':' || o.market || ':' || o.strategy,
    CASE p.part WHEN 'void' THEN o.order_seq END, CASE p.part WHEN 'void' THEN 0 END,
    CASE p.part WHEN 'void' THEN 'hold' END
FROM (SELECT * FROM oms_order WHERE shard = 0 AND order_seq >= %(from)s AND order_seq < %(to)s AND NOT is_open) o
CROSS JOIN (VALUES (0, 'hold', 'pending'), (1, 'void', 'void_pending'), (2, 'money', 'posted'), (3, 'fee', 'posted'),
                   (4, 'shares', 'posted')) p (place, part, phase)
JOIN ledger_account v ON v.shard = 0 AND v.code = 'venue' AND v.asset = o.market || '1'
JOIN ledger_account s ON s.shard = 0 AND s.code = 'position:says' AND s.asset = o.market || '1'
JOIN ledger_account cash ON cash.shard = 0 AND cash.code = 'cash' AND cash.asset = 'pUSD'
JOIN ledger_account held ON held.shard = 0 AND held.code = 'held' AND held.asset = 'pUSD'
JOIN ledger_account fees ON fees.shard = 0 AND fees.code = 'fees' AND fees.asset = 'pUSD'
JOIN ledger_account vm ON vm.shard = 0 AND vm.code = 'venue' AND vm.asset = 'pUSD'
ORDER BY o.order_seq, p.place"""


FIRST_TRADE: Final = """
SELECT min(order_seq) FROM (SELECT order_seq FROM oms_order WHERE shard = 0 AND order_seq > %(first)s AND NOT is_open
                            ORDER BY id DESC LIMIT %(trades)s) o"""
BLOCK_TRADES: Final = 250


class Size(NamedTuple):
    """How crowded."""

    decisions: int = 1_000_000
    orders: int = 100_000
    markets: int = 5_000
    trades: int = 20_000
    """Orders whose bookings are in the ledger too: five movements, ten entries each."""


FULL: Final = Size()
SMALL: Final = Size(10_000, 1_000, 300, 200)


def fill(owner_dsn: str, size: Size = FULL) -> dict[str, float]:
    """Crowd the database; needs a log with its projections in shard 0.

    Args:
        owner_dsn: Of the owner of the tables.
        size: How much.

    Returns:
        Seconds by what took them.
    """
    took: dict[str, float] = {}
    with psycopg.connect(owner_dsn, autocommit=True) as connection:
        given = _given(connection, size)
        indexes = _indexes(connection)
        for name in indexes:
            connection.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(name)))
        steps = {
            "markets": MARKETS, "decisions": DECISIONS, "orders": ORDERS, "fills": FILLS, "minutes": MINUTES,
            "hours": HOURS, "positions": POSITIONS, "marks": MARKS, "money": MONEY,
        }  # fmt: skip
        for name, statement in steps.items():
            took[name] = _timed(connection, statement, given)
        began = time.perf_counter()
        for definition in indexes.values():
            connection.execute(definition)
        took["indexes"] = time.perf_counter() - began
        took["ledger"] = sum(_timed(connection, each, given) for each in (ACCOUNTS, DEPOSIT)) + _book(connection, given)
        took["analyze"] = _timed(connection, "ANALYZE", None)
    return took


def _book(connection: psycopg.Connection[Any], given: dict[str, Any]) -> float:
    """In blocks, as the loop books: the triggers are made for a thousand movements at a time."""
    began = time.perf_counter()
    connection.execute("ANALYZE ledger_account, ledger_transfer, ledger_entry, ledger_batch, oms_order")
    (first,) = connection.execute(FIRST_TRADE, given).fetchone() or (0,)
    (last,) = connection.execute("SELECT max(order_seq) FROM oms_order WHERE NOT is_open").fetchone() or (0,)
    width = given["step"] * given["per"] * BLOCK_TRADES
    for start in range(first, last + 1, width):
        connection.execute(TRANSFERS, given | {"from": start, "to": start + width})
    return time.perf_counter() - began


def _given(connection: psycopg.Connection[Any], size: Size) -> dict[str, Any]:
    row = connection.execute("SELECT max(ts) FROM risk_decision").fetchone()
    now = int(row[0]) if row and row[0] else 1_780_315_274_000_000_000
    found = connection.execute("SELECT DISTINCT code FROM risk_decision ORDER BY code").fetchall()
    codes = [code for (code,) in found] or [701]
    filled = connection.execute("SELECT code FROM oms_order LIMIT 1").fetchone()
    code = filled[0] if filled else 801
    return {
        "now": now, "codes": codes, "many": len(codes), "bits": ORDINAL_BITS, "first": FIRST_SEQ, "step": STEP,
        "strategies": STRATEGIES, "hour": HOUR_NS, "minute": MINUTE_NS, "gap": 500_000_000, "minutes": 7 * 1_440,
        "minutes_money": 30 * 1_440, "hours": 30, "per": size.decisions // size.orders,
        "open": min(1_000, size.orders // 16), "unknown": code, "filled": code, "capital": CAPITAL, **size._asdict(),
    }  # fmt: skip


def _timed(connection: psycopg.Connection[Any], statement: str, given: dict[str, Any] | None) -> float:
    began = time.perf_counter()
    connection.execute(statement, given)
    return time.perf_counter() - began


def _indexes(connection: psycopg.Connection[Any]) -> dict[str, str]:
    """What is quicker made again than kept while a million rows come: name and definition."""
    rows = connection.execute(
        "SELECT i.indexname, i.indexdef FROM pg_indexes i LEFT JOIN pg_constraint c ON c.conname = i.indexname"
        " WHERE i.schemaname = 'public' AND i.tablename = ANY(%s) AND c.conname IS NULL",
        (list(INDEXED),),
    )
    return dict(rows.fetchall())
