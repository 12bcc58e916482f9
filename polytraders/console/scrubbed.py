"""A place in the log: what was committed there, what people did around it, and the heads as they are recorded."""

import datetime as dt
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from django.db import connection

from polytraders.contracts.inputs import INPUT, Kind
from polytraders.contracts.reasons import by_number

AROUND: Final = 12
SEQ_MOST: Final = 1 << 40
HEAD: Final = """
SELECT seq, encode(input_head, 'hex'), encode(output_link, 'hex'), output_links, epoch_seq,
       (SELECT first_seq FROM log_block WHERE shard = %(shard)s ORDER BY first_seq LIMIT 1)
FROM log_head WHERE shard = %(shard)s"""
BLOCK: Final = """
SELECT first_seq, last_seq, epoch_seq, committed_at, inputs, outputs, segment, encode(digest, 'hex'),
       encode(output_link, 'hex')
FROM log_block WHERE shard = %s AND first_seq <= %s ORDER BY first_seq DESC LIMIT 1"""
CONTROLS: Final = """
(SELECT row, actor FROM log_control
 WHERE shard = %(shard)s AND in_seq <= %(seq)s ORDER BY in_seq DESC LIMIT %(around)s)
UNION ALL
(SELECT row, actor FROM log_control
 WHERE shard = %(shard)s AND in_seq > %(seq)s ORDER BY in_seq LIMIT %(around)s)"""
OUTPUTS: Final = "SELECT count(*) FROM log_output WHERE shard = %s AND in_seq = %s"
BY_TIME: Final = """
WITH RECURSIVE halved (low, high, step) AS (
    SELECT %(low)s::bigint, %(high)s::bigint + 1, 0
    UNION ALL
    SELECT CASE WHEN b.committed_at <= %(at)s THEN m.middle ELSE h.low END,
           CASE WHEN b.committed_at <= %(at)s THEN h.high ELSE m.middle END, h.step + 1
    FROM halved h, LATERAL (SELECT (h.low + h.high) / 2 AS middle) m,
         LATERAL (SELECT committed_at FROM log_block WHERE shard = %(shard)s AND first_seq <= m.middle
                  ORDER BY first_seq DESC LIMIT 1) b
    WHERE h.high - h.low > 1 AND h.step < 64
)
SELECT low FROM halved ORDER BY step DESC LIMIT 1"""
"""Blocks are committed in the order of their numbers, so a moment is found by halving, without an index on it."""


@dataclass(frozen=True)
class Control:
    """One control row: number, loop time, what, by whom; `is_here` = the place that was asked for."""

    in_seq: int
    ts: int
    kind: str
    words: str
    actor: str
    is_here: bool


@dataclass(frozen=True)
class Place:
    """An input of the log and what lies around it; `block` None = it lies before what is kept."""

    in_seq: int
    head: dict[str, Any]
    block: dict[str, Any] | None
    controls: tuple[Control, ...]
    outputs: int


def head(shard: int = 0) -> dict[str, Any] | None:
    """Where the log ends and begins; None = there is no log."""
    with connection.cursor() as cursor:
        cursor.execute(HEAD, {"shard": shard})
        row = cursor.fetchone()
    names = ("seq", "input_head", "output_head", "output_links", "epoch_seq", "first_seq")
    return dict(zip(names, row, strict=True)) if row and row[0] else None


def at_time(told: dict[str, Any], moment: dt.datetime, shard: int = 0) -> int:
    """The last input whose block was committed at or before a moment; the first one that is kept if none was."""
    with connection.cursor() as cursor:
        cursor.execute(BY_TIME, {"low": told["first_seq"], "high": told["seq"], "at": moment, "shard": shard})
        found: int = cursor.fetchone()[0]
    return max(found, 1)


def around(told: dict[str, Any], in_seq: int, shard: int = 0) -> Place:
    """What is at an input and around it; three questions, each by a key."""
    with connection.cursor() as cursor:
        cursor.execute(BLOCK, (shard, in_seq))
        row = cursor.fetchone()
        cursor.execute(CONTROLS, {"shard": shard, "seq": in_seq, "around": AROUND})
        found = cursor.fetchall()
        cursor.execute(OUTPUTS, (shard, in_seq))
        outputs: int = cursor.fetchone()[0]
    names = (
        "first_seq",
        "last_seq",
        "epoch_seq",
        "committed_at",
        "inputs",
        "outputs",
        "segment",
        "digest",
        "output_link",
    )
    block = dict(zip(names, row, strict=True)) if row else None
    rows = np.frombuffer(b"".join(bytes(raw) for raw, _ in found), INPUT)
    controls = [_control(one, actor, in_seq) for one, (_, actor) in zip(rows, found, strict=True)]
    return Place(in_seq, told, block, tuple(sorted(controls, key=lambda each: each.in_seq)), outputs)


def _control(row: np.void, actor: str, in_seq: int) -> Control:
    kind = Kind(int(row["kind"]))
    where = f"market {int(row['market'])}" if row["market"] >= 0 and kind is not Kind.SETTING else ""
    said = [where]
    if kind in (Kind.REFUSED, Kind.GAP) and row["a"] > 0:
        said.append(_code(int(row["a"])))
    if kind is Kind.COMMAND and row["b"] > 0:
        said.append(f"refused: {_code(int(row['b']))}")
    words = ", ".join(part for part in said if part)
    number = int(row["in_seq"])
    return Control(number, int(row["recv_ts"]), kind.name.lower(), words, actor, number == in_seq)


def _code(number: int) -> str:
    try:
        return by_number(number).code
    except KeyError:
        return str(number)
