"""Decisions and counts as rows, from the loop's output rows."""

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from psycopg import Cursor

from polytraders.contracts import checks as c
from polytraders.contracts import state as s
from polytraders.contracts.reasons import number
from polytraders.contracts.stretch import Stretch, row_id

TABLES: Final = ("risk_decision", "risk_minute", "risk_hour")
MINUTE_NS: Final = 60_000_000_000
HOUR_NS: Final = 60 * MINUTE_NS
APPROVE, REJECT, WAIT = range(3)
"""A verdict's number: its place in contracts/decision.py's Verdict."""
COLUMNS: Final = (
    "id", "shard", "in_seq", "ordinal", "ts", "market", "strategy", "verdict", "first", "code", "votes", "action",
    "outcome", "p_hat", "p_own", "q_exec", "fee", "buffer", "net_edge", "price", "approved_size", "counted",
    "counted_code",
)  # fmt: skip
NUMBERS: Final = {bit: number(c.code_of(bit)) for bit in (*range(c.N_CHECKS), c.APPROVED)}
"""Reason-code number of each check's bit."""


def apply(cursor: Cursor[Any], stretch: Stretch) -> None:
    """Bring the tables up to the end of the stretch, in the caller's transaction."""
    outs = stretch.outs
    decided = outs[(outs["kind"] == s.PACKET) | (outs["kind"] == s.APPROVAL)]
    if len(decided):
        with cursor.copy(f"COPY risk_decision ({', '.join(COLUMNS)}) FROM STDIN") as copy:
            for row in _decisions(stretch.shard, decided, stretch.details):
                copy.write_row(row)
    counted = outs[(outs["counted"] > 0) & (outs["counted_first"] != s.NONE)]
    if len(counted):
        _count(cursor, stretch.shard, counted)


def _decisions(shard: int, outs: np.ndarray, details: np.ndarray) -> Iterator[tuple[Any, ...]]:
    numbers = details[outs["detail"]]
    names = ("in_seq", "ordinal", "ts", "kind", "market", "strategy", "first", "votes", "action", "outcome", "price",
             "size", "counted", "counted_first")  # fmt: skip
    terms = ("p_hat", "p_own", "q_exec", "fee", "buffer", "net_edge", "filled")
    plain = zip(*(outs[name].tolist() for name in names), strict=True)
    exact = zip(*(numbers[name].tolist() for name in terms), strict=True)
    for out, detail in zip(plain, exact, strict=True):
        in_seq, ordinal, ts, kind, market, strategy, first, votes, action, outcome, price, size, counted, before = out
        p_hat, p_own, q_exec, fee, buffer, net_edge, filled = detail
        approved = kind == s.APPROVAL
        verdict = APPROVE if approved else WAIT if votes == 1 << c.RANK else REJECT
        # The same two conditions under which the packet has a forecast and an estimate.
        opinion, priced = not votes >> c.FAIR_VALUE & 1, filled > 0
        yield (
            row_id(shard, in_seq, ordinal), shard, in_seq, ordinal, ts, market, strategy, verdict, first,
            NUMBERS[first], votes, action, outcome,
            p_hat if opinion else None, p_own if opinion else None,
            q_exec if priced else None, fee if priced else None, buffer if opinion else None,
            net_edge if opinion and priced else None,
            price if approved else None, size if approved else 0,
            counted, None if before == s.NONE else NUMBERS[before],
        )  # fmt: skip


def _count(cursor: Cursor[Any], shard: int, outs: np.ndarray) -> None:
    minutes: Counter[tuple[int, int, int]] = Counter()
    hours: Counter[tuple[int, int, int, int]] = Counter()
    columns = (outs[name].tolist() for name in ("ts", "market", "strategy", "counted_first", "counted"))
    for ts, market, strategy, first, counted in zip(*columns, strict=True):
        code = NUMBERS[first]
        minutes[ts - ts % MINUTE_NS, strategy, code] += counted
        hours[market, ts - ts % HOUR_NS, strategy, code] += counted
    _add(cursor, shard, "risk_minute", ("minute_ts", "strategy", "code"), minutes)
    _add(cursor, shard, "risk_hour", ("market", "hour_ts", "strategy", "code"), hours)


def _add(cursor: Cursor[Any], shard: int, table: str, key: tuple[str, ...], counts: Counter[Any]) -> None:
    keys = sorted(counts)
    arrays = [list(column) for column in zip(*keys, strict=True)]
    wide = ", ".join("%s::bigint[]" for _ in (*key, "count"))
    names = ", ".join(key)
    cursor.execute(
        f"INSERT INTO {table} (shard, {names}, count) SELECT %s, * FROM unnest({wide})"  # noqa: S608
        f" ON CONFLICT (shard, {names}) DO UPDATE SET count = {table}.count + excluded.count",
        (shard, *arrays, [counts[which] for which in keys]),
    )
