"""Proves the stored log from its first kept block to its head, or names the first row that is wrong."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import psycopg

from apps.eventlog import bodies, store
from apps.eventlog.faults import Corrupt
from apps.eventlog.walk import BROKEN, ORDER, UNAPPROVED, Bad, Finding, Walk
from polytraders.contracts.checks import APPROVED
from polytraders.contracts.state import APPROVAL, DONE, FILL, LIMITS, MARKET, PARAMS, STRATEGY

__all__ = ["Check", "Finding", "prove", "verify"]

Check = Callable[[psycopg.Connection[Any], int], Finding | None]
"""A further proof of one shard, in the same snapshot: the ledger's, a projection's."""
Progress = Callable[[int, int, int], None]

ROWS: Final = {"approval": APPROVAL, "fill": FILL, "done": DONE, "approved": APPROVED}
VOTED: Final = """
SELECT in_seq, 'votes' FROM log_output
WHERE shard = %(shard)s AND kind = %(approval)s AND (votes <> 0 OR first <> %(approved)s OR order_seq <> in_seq)
ORDER BY in_seq LIMIT 1"""
REFERRED: Final = """
SELECT o.in_seq, 'order_seq' FROM log_output o
WHERE o.shard = %(shard)s AND o.kind IN (%(fill)s, %(done)s) AND coalesce(o.order_seq, 0) >= %(floor)s
  AND NOT EXISTS (
    SELECT FROM log_output a WHERE a.shard = o.shard AND a.in_seq = o.order_seq AND a.kind = %(approval)s
        AND a.market = o.market AND a.strategy = o.strategy AND a.votes = 0 AND a.in_seq <= o.in_seq)
ORDER BY o.in_seq LIMIT 1"""
RECORDS: Final = "SELECT what, index, in_seq, body FROM log_record WHERE shard = %s ORDER BY in_seq"
SIZES: Final = {
    bodies.What.MARKET: MARKET.itemsize,
    bodies.What.STRATEGY: STRATEGY.itemsize,
    bodies.What.LIMITS: LIMITS.itemsize,
    bodies.What.PARAMS: 8 * PARAMS,
}


def verify(
    dsn: str, home: Path, deep: bool = False, *, checks: Sequence[Check] = (), progress: Progress | None = None
) -> Finding | None:
    """Prove every shard's log: numbers, digests, segments, both chains, controls, outputs, records, approvals, head.

    It reads one snapshot, so it may run beside the writer; rows that wait in the inbox and bytes after the last
    committed ones are no fault.

    Args:
        dsn: Of any role that may read.
        home: Folder of the segments.
        deep: Unpack every raw frame too.
        checks: Further proofs.
        progress: Told shard, input reached and last input, after each block.

    Returns:
        The first thing found wrong, None = the log is whole.

    Raises:
        LogNewer: A newer build wrote the log.
        psycopg.OperationalError: The database cannot be reached.
    """
    with psycopg.connect(dsn) as connection:
        connection.read_only = True
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        return prove(connection, home, deep, checks=checks, progress=progress)


def prove(
    connection: psycopg.Connection[Any],
    home: Path,
    deep: bool = False,
    *,
    checks: Sequence[Check] = (),
    progress: Progress | None = None,
) -> Finding | None:
    """`verify` on what a connection sees, in its open transaction."""
    for (shard,) in connection.execute("SELECT shard FROM log_head ORDER BY shard").fetchall():
        try:
            floor = _walk(connection, home, shard, deep, progress)
        except Bad as error:
            return error.finding
        found = _approvals(connection, shard, floor) or _records(connection, shard)
        for check in checks:
            found = found or check(connection, shard)
        if found is not None:
            return found
    return None


def _walk(connection: psycopg.Connection[Any], home: Path, shard: int, deep: bool, progress: Progress | None) -> int:
    row = connection.execute(store.HEAD, (shard,)).fetchone()
    if row is None:
        return 1
    store.check_version(shard, row[0])
    walk = Walk(connection, home, shard, deep=deep)
    for seq in walk.steps():
        if progress is not None:
            progress(shard, seq, row[1])
    walk.left_over()
    _head(walk, row)
    return walk.floor


def _head(walk: Walk, row: Sequence[Any]) -> None:
    _, seq, _, epoch_seq, link, head, output_link, links, last_seq, name, size = row
    inputs, outputs, last = walk.inputs.state(), walk.outputs.state(), walk.last
    pairs = [
        ("seq", seq, walk.seq),
        ("input_link", bytes(link), inputs.link),
        ("input_head", bytes(head), walk.inputs.head()),
        ("output_link", bytes(output_link), outputs.link),
        ("output_links", links, outputs.links),
        ("output_last_seq", last_seq, outputs.last_seq),
    ]
    if last is not None:
        pairs += [
            ("epoch_seq", epoch_seq, last.epoch_seq),
            ("canonical_file", name, last.segment),
            ("canonical_bytes", size, last.byte_to),
        ]
    for field, told, walked in pairs:
        if told != walked:
            shown = [value.hex()[:16] if isinstance(value, bytes) else value for value in (told, walked)]
            words = f"{shown[0]} is recorded, the log gives {shown[1]}"
            raise Bad(Finding(ORDER if field == "seq" else BROKEN, "log_head", walk.shard, walk.seq, field, words))


def _approvals(connection: psycopg.Connection[Any], shard: int, floor: int) -> Finding | None:
    """Each approval has no rejecting vote, and each fill and end of an order belongs to an approval."""
    asked = {**ROWS, "shard": shard, "floor": max(floor, 1) if floor > 1 else 0}
    for query, words in (
        (VOTED, "an approval that not every vote approves"),
        (REFERRED, "it belongs to an order that no approval made"),
    ):
        found = connection.execute(query, asked).fetchone()
        if found is not None:
            return Finding(UNAPPROVED, "log_output", shard, found[0], found[1], words)
    return None


def _records(connection: psycopg.Connection[Any], shard: int) -> Finding | None:
    head = connection.execute("SELECT seq FROM log_head WHERE shard = %s", (shard,)).fetchone()
    with connection.cursor(name="records") as cursor:
        for what, which, in_seq, packed in cursor.execute(RECORDS, (shard,)):
            where = f"record {what}:{which}"
            if head is None or in_seq > head[0]:
                return Finding(ORDER, "log_record", shard, in_seq, "in_seq", f"{where} is of an input after the head")
            try:
                size = len(bodies.unpack(packed))
            except Corrupt as error:
                return Finding(BROKEN, "log_record", shard, in_seq, "body", f"{where}: {error.args[0]}")
            if SIZES.get(what) != size:
                return Finding(BROKEN, "log_record", shard, in_seq, "body", f"{where} has {size} bytes")
    return None
