"""What became of books and connections, as rows: from BOOK outputs, and from GAP, EPOCH and REFUSED inputs."""

from collections import Counter
from typing import Any, Final

import numpy as np
from psycopg import Cursor

from polytraders.contracts.inputs import Kind
from polytraders.contracts.state import BOOK, BOOK_NONE, BOOK_RESYNC
from polytraders.contracts.stretch import ORDINAL_BITS, Stretch, control_rows, row_id

TABLES: Final = ("ingest_change", "ingest_refusal")
CHANGED, MISSED, BEGAN = 0, 1, 2
"""`what` of a change: a book's state, a connection that missed something, a new run of the loop."""
OF_AN_INPUT: Final = (1 << ORDINAL_BITS) - 1
"""Stands where an output has its ordinal: an input's own row comes behind all that it caused."""

CHANGE: Final = """
INSERT INTO ingest_change (id, shard, ts, what, market, connection, state, why)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (id) DO NOTHING"""
REFUSAL: Final = """
INSERT INTO ingest_refusal (shard, connection, code, count, last_ts, last_seq) VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT (shard, connection, code) DO UPDATE SET count = ingest_refusal.count + excluded.count,
    last_ts = excluded.last_ts, last_seq = excluded.last_seq"""


def apply(cursor: Cursor[Any], stretch: Stretch) -> None:
    """Bring both tables up to the end of the stretch, in the caller's transaction."""
    changes = _books(stretch)
    counts: Counter[tuple[int, int]] = Counter()
    last: dict[tuple[int, int], tuple[int, int]] = {}
    for row in control_rows(stretch.controls):
        kind, in_seq, ts = int(row["kind"]), int(row["in_seq"]), int(row["recv_ts"])
        place = row_id(stretch.shard, in_seq, OF_AN_INPUT)
        if kind == Kind.GAP:
            whose = int(row["market"]), int(row["b"])
            changes.append((place, stretch.shard, ts, MISSED, *whose, BOOK_RESYNC, int(row["a"])))
        elif kind == Kind.EPOCH:
            changes.append((place, stretch.shard, ts, BEGAN, -1, -1, BOOK_NONE, 0))
        elif kind == Kind.REFUSED:
            key = int(row["b"]), int(row["a"])
            counts[key] += 1
            last[key] = ts, in_seq
    if changes:
        cursor.executemany(CHANGE, changes)
    for (connection, code), count in sorted(counts.items()):
        cursor.execute(REFUSAL, (stretch.shard, connection, code, count, *last[connection, code]))


def _books(stretch: Stretch) -> list[tuple[int, ...]]:
    outs = stretch.outs
    found = outs[np.flatnonzero(outs["kind"] == BOOK)]
    columns = (found[name].tolist() for name in ("in_seq", "ordinal", "ts", "market", "votes", "first"))
    return [
        (row_id(stretch.shard, in_seq, ordinal), stretch.shard, ts, CHANGED, market, -1, state, why)
        for in_seq, ordinal, ts, market, state, why in zip(*columns, strict=True)
    ]
