"""Walks the books: balances against entries, entries against transfers, transfers against the log.

Read only, and for a transaction of its own (REPEATABLE READ), so that a loop that goes on booking does not disturb it.
Nothing here trusts the triggers that it checks the work of.
"""

from collections.abc import Callable, Iterator
from itertools import zip_longest
from typing import Any, Final

import numpy as np
import psycopg

from apps.eventlog.reading import unbody
from apps.ledger.posting import SELECT_MOVEMENTS, movement
from polytraders.contracts.inputs import INPUT, Kind
from polytraders.contracts.ledger import Movement
from polytraders.contracts.state import APPROVAL, DONE, FILL, OUT, SETTLED

Expected = Callable[[np.ndarray, np.ndarray], list[Movement]]
"""From INPUT and OUT rows of a stretch to the movements they must have led to: `Journal.block`."""

MOVING: Final = frozenset({APPROVAL, FILL, DONE, SETTLED})
"""Kinds of output rows that move or hold something; of the inputs it is CAPITAL alone."""
ROWS_AT_ONCE: Final = 2_000

CHECKS: Final = (
    (
        "EXEC_LEDGER_UNCAUSED",
        "transfer {}:{}:{} has not the two entries that it must have",
        """
        SELECT t.in_seq, t.ordinal, t.part
          FROM ledger_transfer t
         CROSS JOIN LATERAL (SELECT CASE WHEN t.phase IN ('posted', 'post_pending') THEN t.amount ELSE 0 END,
                                    CASE t.phase WHEN 'posted' THEN 0 WHEN 'pending' THEN t.amount ELSE -t.amount END
                            ) w (moved, held)
          LEFT JOIN ledger_entry f ON f.transfer_id = t.id AND f.leg = 0
          LEFT JOIN ledger_entry o ON o.transfer_id = t.id AND o.leg = 1
         WHERE t.shard = %(shard)s AND (
               (f.shard, f.in_seq, f.ordinal, f.account_id, f.asset, f.posted, f.incoming, f.outgoing) IS DISTINCT FROM
               (t.shard, t.in_seq, t.ordinal, t.from_account, t.asset, -w.moved, 0::bigint, w.held)
            OR (o.shard, o.in_seq, o.ordinal, o.account_id, o.asset, o.posted, o.incoming, o.outgoing) IS DISTINCT FROM
               (t.shard, t.in_seq, t.ordinal, t.to_account, t.asset, w.moved, w.held, 0::bigint))
         ORDER BY t.in_seq, t.ordinal, t.id LIMIT 1""",
    ),
    (
        "EXEC_LEDGER_UNBALANCED",
        "event {}:{} does not balance in {}",
        """
        SELECT in_seq, ordinal, asset FROM ledger_entry WHERE shard = %(shard)s
         GROUP BY in_seq, ordinal, asset HAVING sum(posted) <> 0 OR sum(incoming) <> sum(outgoing)
         ORDER BY in_seq, ordinal LIMIT 1""",
    ),
    (
        "EXEC_LEDGER_BALANCE_DRIFT",
        "{} {} says {}, {} in and {} out are pending; its entries add up to {}, {} and {}",
        """
        SELECT a.code, a.asset, a.balance, a.incoming, a.outgoing, coalesce(e.posted, 0), coalesce(e.incoming, 0),
               coalesce(e.outgoing, 0)
          FROM ledger_account a
          LEFT JOIN (SELECT account_id, sum(posted) AS posted, sum(incoming) AS incoming, sum(outgoing) AS outgoing
                       FROM ledger_entry GROUP BY account_id) e ON e.account_id = a.id
         WHERE a.shard = %(shard)s AND (a.balance, a.incoming, a.outgoing) IS DISTINCT FROM
               (coalesce(e.posted, 0)::bigint, coalesce(e.incoming, 0)::bigint, coalesce(e.outgoing, 0)::bigint)
         ORDER BY a.code, a.asset LIMIT 1""",
    ),
    (
        "EXEC_LEDGER_OVERDRAFT",
        "{} {} has {} free",
        """
        SELECT code, asset, balance - outgoing FROM ledger_account
         WHERE shard = %(shard)s AND NOT may_be_negative AND balance - outgoing < 0 ORDER BY code, asset LIMIT 1""",
    ),
    (
        "EXEC_LEDGER_PENDING_MISMATCH",
        "transfer {}:{}:{} ends a pending one that is not there or is another",
        """
        SELECT t.in_seq, t.ordinal, t.part
          FROM ledger_transfer t
          LEFT JOIN ledger_transfer p ON p.shard = t.shard AND p.in_seq = t.resolves_seq
                AND p.ordinal = t.resolves_ordinal AND p.part = t.resolves_part
         WHERE t.shard = %(shard)s AND t.resolves_seq IS NOT NULL AND
               (p.phase, p.amount, p.asset, p.from_account, p.to_account) IS DISTINCT FROM
               ('pending', t.amount, t.asset, t.from_account, t.to_account)
         ORDER BY t.in_seq, t.ordinal, t.id LIMIT 1""",
    ),
    (
        "EXEC_LEDGER_UNBOOKED",
        "event {}:{} of the log moved money and has no transfer",
        """
        SELECT s.in_seq, s.ordinal FROM (
               SELECT in_seq, ordinal::bigint FROM log_output WHERE shard = %(shard)s AND kind = ANY(%(moving)s)
               UNION ALL SELECT in_seq, 0 FROM log_control WHERE shard = %(shard)s AND kind = %(capital)s
               ) s (in_seq, ordinal)
         WHERE NOT EXISTS (SELECT 1 FROM ledger_transfer t WHERE t.shard = %(shard)s AND t.in_seq = s.in_seq
                              AND t.ordinal = s.ordinal)
         ORDER BY s.in_seq, s.ordinal LIMIT 1""",
    ),
    (
        "EXEC_LEDGER_UNCAUSED",
        "transfer {}:{}:{} has no event in the log",
        """
        SELECT t.in_seq, t.ordinal, t.part FROM ledger_transfer t
         WHERE t.shard = %(shard)s AND t.in_seq >= %(first)s
           AND NOT EXISTS (SELECT 1 FROM log_output o WHERE o.shard = t.shard AND o.in_seq = t.in_seq
                              AND o.ordinal = t.ordinal AND o.kind = ANY(%(moving)s))
           AND NOT EXISTS (SELECT 1 FROM log_control c WHERE c.shard = t.shard AND c.in_seq = t.in_seq
                              AND c.kind = %(capital)s AND t.ordinal = 0 AND t.part = 'capital')
         ORDER BY t.in_seq, t.ordinal, t.id LIMIT 1""",
    ),
)
"""Code, words for the first bad row, and the query that finds it."""


def check(conn: psycopg.Connection[Any], shard: int, expected: Expected | None = None) -> str | None:
    """The first thing that is wrong with the books, as code and words; None when all is well.

    Args:
        conn: May read log and ledger; rows are tuples.
        shard: Whose books.
        expected: When given, every movement is derived again from the log and compared as a whole.
    """
    told = {"shard": shard, "moving": sorted(MOVING), "capital": int(Kind.CAPITAL), "first": first_kept(conn, shard)}
    for code, words, query in CHECKS:
        found = conn.execute(query, told).fetchone()
        if found is not None:
            return f"{code}: {words.format(*found)}"
    return _against(conn, shard, expected) if expected is not None else None


def first_kept(conn: psycopg.Connection[Any], shard: int) -> int:
    """First input that the log still has; what retention has dropped before it cannot be compared any more."""
    found = conn.execute("SELECT min(first_seq) FROM log_block WHERE shard = %s", (shard,)).fetchone()
    first: int | None = found[0] if found else None
    return first or 0


def holds_before(conn: psycopg.Connection[Any], shard: int, in_seq: int) -> list[Movement]:
    """Holds that were open when input `in_seq` came: where a comparison that begins there starts from."""
    rows = conn.execute(
        f"{SELECT_MOVEMENTS} LEFT JOIN ledger_transfer e ON e.shard = t.shard AND e.resolves_seq = t.in_seq"
        " AND e.resolves_ordinal = t.ordinal AND e.resolves_part = t.part"
        " WHERE t.shard = %(shard)s AND t.phase = 'pending' AND t.in_seq < %(at)s"
        " AND coalesce(e.in_seq, %(at)s) >= %(at)s"
        " ORDER BY t.in_seq, t.id",
        {"shard": shard, "at": in_seq},
    )
    return [movement(row) for row in rows]


def _against(conn: psycopg.Connection[Any], shard: int, expected: Expected) -> str | None:
    """Every movement of the log against every movement of the books, both in the order of their events."""
    for due, booked in zip_longest(_due(conn, shard, expected), _booked(conn, shard)):
        if due == booked:
            continue
        if booked is None or (due is not None and due.source_event < booked.source_event):
            return f"EXEC_LEDGER_UNBOOKED: {_named(due)} is not booked"
        if due is None or booked.source_event < due.source_event:
            return f"EXEC_LEDGER_UNCAUSED: {_named(booked)} is booked, and the log does not say so"
        return f"EXEC_LEDGER_UNBOOKED: the log says {_named(due)}, booked is {_named(booked)}"
    return None


def _named(made: Movement | None) -> str:
    if made is None:
        return "nothing"
    where = f"{made.source_event[0]}:{made.source_event[1]}:{made.part}"
    return f"{where} {made.phase.value} {made.amount} {made.asset} from {made.from_account} to {made.to_account}"


def _due(conn: psycopg.Connection[Any], shard: int, expected: Expected) -> Iterator[Movement]:
    at = 0
    while True:
        rows = conn.execute(
            "SELECT * FROM (SELECT in_seq, ordinal, body FROM log_output"
            " WHERE shard = %(shard)s AND in_seq > %(at)s AND kind = ANY(%(moving)s)"
            " UNION ALL SELECT in_seq, -1, row FROM log_control"
            " WHERE shard = %(shard)s AND in_seq > %(at)s AND kind = %(capital)s) s"
            " ORDER BY in_seq FETCH FIRST %(most)s ROWS WITH TIES",
            {"shard": shard, "at": at, "moving": sorted(MOVING), "capital": int(Kind.CAPITAL), "most": ROWS_AT_ONCE},
        ).fetchall()
        if not rows:
            return
        rows.sort(key=lambda row: row[:2])
        at = rows[-1][0]
        inputs = np.frombuffer(b"".join(bytes(body) for _, ordinal, body in rows if ordinal < 0), INPUT)
        outs = [unbody(bytes(body))[0] for _, ordinal, body in rows if ordinal >= 0]
        yield from expected(inputs, np.array(outs, OUT))


def _booked(conn: psycopg.Connection[Any], shard: int) -> Iterator[Movement]:
    with conn.transaction(), conn.cursor("ledger_verify") as cursor:
        cursor.itersize = ROWS_AT_ONCE
        cursor.execute(
            f"{SELECT_MOVEMENTS} WHERE t.shard = %s AND t.in_seq >= %s ORDER BY t.in_seq, t.ordinal, t.id",
            (shard, first_kept(conn, shard)),
        )
        yield from map(movement, cursor)
