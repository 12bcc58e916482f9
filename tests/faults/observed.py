"""What the log says about a stretch of inputs: reason codes, books, and approvals that nothing should have approved."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import psycopg

from apps.eventlog import reading
from polytraders.contracts import state as s
from polytraders.contracts.checks import BITS, CHECKS
from polytraders.contracts.inputs import INPUT, Kind
from polytraders.contracts.reasons import by_number

SHARD = 0
MARKET_CONNECTION = 0
"""The connection that carries all markets here; the reference feed has another."""
MARKETS_MAX = 2_048
VERDICTS = s.PACKET, s.APPROVAL
OUTS = """
SELECT in_seq, kind, market, strategy, first, votes FROM log_output
WHERE shard = %s AND in_seq > %s ORDER BY in_seq, ordinal"""
STANDING = """
SELECT DISTINCT ON (market, strategy) votes FROM log_output
WHERE shard = %s AND kind = ANY(%s) AND market = ANY(%s) ORDER BY market, strategy, in_seq DESC, ordinal DESC"""
LAST_BOOKS = """
SELECT DISTINCT ON (market) market, first FROM log_output WHERE shard = %s AND kind = %s AND in_seq <= %s
ORDER BY market, in_seq DESC, ordinal DESC"""
CONTROLS = "SELECT row FROM log_control WHERE shard = %s AND kind = ANY(%s) AND in_seq > %s ORDER BY in_seq"

Said = Counter[tuple[str, str]]
"""(where it is said: refused, gap, book or packet; reason code) to how often."""


def said(dsn: str, after: int, market: int | None = None) -> Said:
    """Every reason code in the log behind an input; of one market, and of what concerns all."""
    found: Said = Counter()
    with psycopg.connect(dsn, autocommit=True) as conn:
        for (raw,) in conn.execute(CONTROLS, (SHARD, [int(Kind.REFUSED), int(Kind.GAP)], after)):
            row = np.frombuffer(raw, INPUT)[0]
            if row["b"] != MARKET_CONNECTION and row["market"] < 0:
                continue
            if market in (None, int(row["market"])) or row["market"] < 0:
                found["refused" if row["kind"] == Kind.REFUSED else "gap", code_of(int(row["a"]))] += 1
        for _, kind, where, _, first, votes in conn.execute(OUTS, (SHARD, after)):
            if market not in (None, where):
                continue
            if kind == s.BOOK and first:
                found["book", code_of(first)] += 1
            if kind in VERDICTS:
                found.update(("packet", code) for code in {c.code for bit, c in enumerate(CHECKS) if votes >> bit & 1})
    return found


def code_of(number: int) -> str:
    return by_number(number).code


def stands(dsn: str, check: str, markets: list[int]) -> bool:
    """Whether a check votes against any of the markets now."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        rows = conn.execute(STANDING, (SHARD, list(VERDICTS), markets)).fetchall()
    return any(votes >> BITS[check] & 1 for (votes,) in rows)


def broken_books(dsn: str, markets: list[int]) -> list[int]:
    """Those of the markets whose book does not count now."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        last: dict[int, int] = dict(conn.execute(LAST_BOOKS, (SHARD, s.BOOK, 2**62)).fetchall())
    return [market for market in markets if last.get(market, 1)]


def approvals_on_broken_books(dsn: str, home: Path, after: int) -> tuple[int, list[tuple[int, int]]]:
    """(approvals looked at, (input, market) of those whose book did not count), behind an input.

    A book counts from a whole book on, and until a refused frame, a gap, or the loop itself says otherwise.
    """
    with psycopg.connect(dsn, autocommit=True) as conn:
        bad = {market for market, first in conn.execute(LAST_BOOKS, (SHARD, s.BOOK, after)) if first}
        outs: dict[int, list[tuple[Any, ...]]] = {}
        for row in conn.execute(OUTS, (SHARD, after)):
            outs.setdefault(row[0], []).append(row)
        found, looked_at = [], 0
        for rows in reading.inputs(conn, home, SHARD, after=after):
            kept = np.isin(rows["kind"], [Kind.REFUSED, Kind.GAP, Kind.SNAP_CLOSE]) | np.isin(
                rows["in_seq"], list(outs) or [0]
            )
            for row in rows[kept]:
                _input(row, bad)
                for in_seq, kind, market, _, first, _ in outs.get(int(row["in_seq"]), ()):
                    if kind == s.BOOK:
                        (bad.add if first else bad.discard)(market)
                    elif kind == s.APPROVAL:
                        looked_at += 1
                        found += [(in_seq, market)] if market in bad else []
    return looked_at, found


def _input(row: np.void, bad: set[int]) -> None:
    market = int(row["market"])
    if row["kind"] == Kind.SNAP_CLOSE:
        bad.discard(market)
    elif row["kind"] in (Kind.REFUSED, Kind.GAP):
        # Everything is on connection 0 here, so what names no market concerns all of them.
        bad.update([market] if market >= 0 else range(MARKETS_MAX) if row["b"] == MARKET_CONNECTION else [])
