"""What the loop process hands over to be recorded, and its form as rows of the database."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import psycopg

from apps.eventlog import bodies
from apps.eventlog.core.lag import first_gap
from apps.eventlog.faults import OutOfOrder
from polytraders.contracts.inputs import INPUT
from polytraders.contracts.state import DETAIL, OUT

Rows = np.ndarray[Any, Any]

CONTROLS: Final = "COPY log_control (shard, in_seq, kind, market, actor, key, row, payload) FROM STDIN (FORMAT BINARY)"
CONTROL_TYPES: Final = ("int4", "int8", "int2", "int4", "text", "text", "bytea", "bytea")
OUTPUTS: Final = """
COPY log_output (shard, in_seq, ordinal, kind, market, strategy, first, votes, order_seq, body)
FROM STDIN (FORMAT BINARY)"""
OUTPUT_TYPES: Final = ("int4", "int8", "int4", "int2", "int4", "int4", "int4", "int8", "int8", "bytea")
RECORDS: Final = "COPY log_record (shard, what, index, in_seq, body) FROM STDIN (FORMAT BINARY)"
RECORD_TYPES: Final = ("int4", "int2", "int4", "int8", "bytea")
FIELDS: Final = ["in_seq", "ordinal", "kind", "market", "strategy", "first", "votes", "order_seq"]


class Record(NamedTuple):
    """Something in force from an input on.

    Attributes:
        what: Kind of record.
        which: Index of the market or strategy; 0 for LIMITS.
        in_seq: The input that changed it.
        body: Its bytes: a MARKET, STRATEGY or LIMITS record, or float64[PARAMS].
    """

    what: int
    which: int
    in_seq: int
    body: bytes


class Control(NamedTuple):
    """A control row and who caused it.

    Attributes:
        row: The 80 bytes of the INPUT row.
        actor: Who; "loop" when nobody else.
        key: Idempotency key of the command, "" = none.
        payload: JSON that says what the row cannot, None = nothing.
    """

    row: bytes
    actor: str = "loop"
    key: str = ""
    payload: bytes | None = None


class Block(NamedTuple):
    """A stepped stretch of inputs with everything that came out of it.

    Attributes:
        inputs: (n ≥ 1,) INPUT, `in_seq` going on by one from the head.
        controls: One for each control row among the inputs, in their order.
        outs: OUT rows of these inputs.
        details: DETAIL rows that `outs["detail"]` points into.
        records: What these inputs changed.
        epoch_seq: Input that opened the epoch.
        raw_segment: Raw segment of the frames, "" = none.
        raw_from: First byte in it.
        raw_to: Byte after the last.
        inbox_ids: Rows of the inbox that this block consumes.
    """

    inputs: Rows
    controls: Sequence[Control]
    outs: Rows
    details: Rows
    records: Sequence[Record]
    epoch_seq: int
    raw_segment: str = ""
    raw_from: int = 0
    raw_to: int = 0
    inbox_ids: Sequence[int] = ()


def check(block: Block, seq: int) -> None:
    """Whether a block goes on after input `seq` and fits itself.

    Raises:
        OutOfOrder: It does not.
    """
    rows = block.inputs
    if rows.dtype != INPUT or block.outs.dtype != OUT or block.details.dtype != DETAIL or not len(rows):
        raise OutOfOrder("a block holds at least one INPUT row, and OUT and DETAIL rows")
    gap = first_gap(rows["in_seq"], seq)
    if gap is not None:
        raise OutOfOrder(f"input {gap.expected} is due, {gap.found} came")
    if bodies.controls(rows).tobytes() != b"".join(control.row for control in block.controls):
        raise OutOfOrder("the controls of the block are not its control rows")
    made = block.outs["in_seq"]
    if len(made) and (made[0] < rows["in_seq"][0] or made[-1] > rows["in_seq"][-1] or (np.diff(made) < 0).any()):
        raise OutOfOrder("outputs of the block are not of its inputs, or not in their order")
    where = block.outs["detail"]
    if len(where) and int(where.max()) >= len(block.details):
        raise OutOfOrder("an output points at a detail that the block does not have")


def write(cursor: psycopg.Cursor[Any], shard: int, block: Block) -> None:
    """Put the controls, outputs and records of a block into the transaction that is open."""
    _copy(cursor, CONTROLS, CONTROL_TYPES, _control_rows(shard, block))
    _copy(cursor, OUTPUTS, OUTPUT_TYPES, _output_rows(shard, block))
    _copy(cursor, RECORDS, RECORD_TYPES, [(shard, *made[:3], bodies.pack(made.body)) for made in block.records])


def _copy(cursor: psycopg.Cursor[Any], statement: str, types: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    if not rows:
        return
    with cursor.copy(statement.encode()) as copy:
        copy.set_types(types)
        for row in rows:
            copy.write_row(row)


def _control_rows(shard: int, block: Block) -> list[tuple[Any, ...]]:
    rows = bodies.controls(block.inputs)
    told = zip(rows["in_seq"].tolist(), rows["kind"].tolist(), rows["market"].tolist(), block.controls, strict=True)
    return [(shard, seq, kind, market, c.actor, c.key, c.row, c.payload) for seq, kind, market, c in told]


def _output_rows(shard: int, block: Block) -> list[tuple[Any, ...]]:
    fields = block.outs[FIELDS].tolist()
    packed = bodies.many(block.outs, block.details)
    return [(shard, *told[:-1], told[-1] or None, body) for told, body in zip(fields, packed, strict=True)]
