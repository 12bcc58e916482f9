"""A walk over a shard's log from its floor to its head, in which every block must follow from the one before it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import psycopg

from apps.eventlog import bodies, reading
from apps.eventlog.core.chain import InputChain, InputState, OutputChain, OutputState
from apps.eventlog.faults import Corrupt
from apps.eventlog.packed import Reader
from apps.eventlog.segments import batches, canonical_folder, raw_folder
from polytraders.contracts import checks as c
from polytraders.contracts.inputs import Kind
from polytraders.contracts.state import BUY, DETAIL, NONE, OUT

Rows = np.ndarray[Any, Any]

BROKEN: Final = "GOV_CHAIN_BROKEN"
ORDER: Final = "GOV_EVENT_ORDER"
UNAPPROVED: Final = "GOV_APPROVAL_MISSING"
PAGE: Final = 5_000

FLOOR: Final = """
SELECT first_seq, input_link, input_rest, output_link, output_links, output_last_seq
FROM log_floor WHERE shard = %s ORDER BY first_seq DESC LIMIT 1"""
CONTROLS: Final = """
SELECT in_seq, kind, market, row FROM log_control WHERE shard = %s AND (in_seq, 0) > (%s, %s)
ORDER BY in_seq LIMIT %s"""
OUTPUTS: Final = """
SELECT in_seq, ordinal, kind, market, strategy, first, votes, order_seq, body
FROM log_output WHERE shard = %s AND (in_seq, ordinal) > (%s, %s) ORDER BY in_seq, ordinal LIMIT %s"""
COLUMNS: Final = ("in_seq", "ordinal", "kind", "market", "strategy", "first", "votes", "order_seq")

_MOST: Final = np.array([check.side == c.MOST for check in c.CHECKS])
_ALWAYS: Final = np.array([check.applies == c.ALL for check in c.CHECKS])
_BITS: Final = np.int64(1) << np.arange(len(c.CHECKS), dtype=np.int64)


class Finding(NamedTuple):
    """The first row that is not what it should be.

    Attributes:
        code: Reason code.
        table: Table, or segment file.
        shard: Number of the shard.
        in_seq: Input of the row, or first input of the block.
        field: Column, or what of a file.
        words: What is wrong with it.
    """

    code: str
    table: str
    shard: int
    in_seq: int
    field: str
    words: str

    def in_words(self) -> str:
        """One line for a person."""
        return f"{self.code}: {self.table}, shard {self.shard}, input {self.in_seq}, {self.field}: {self.words}"


class Bad(Corrupt):
    """The walk ends here."""

    def __init__(self, finding: Finding) -> None:
        """With what was found."""
        super().__init__(finding.in_words())
        self.finding = finding


class _Pages:
    """Rows of one table in the order of the log, a page at a time."""

    def __init__(self, connection: psycopg.Connection[Any], query: str, shard: int, after: int) -> None:
        self._connection, self._query, self._shard = connection, query, shard
        self._last = (after, 2**31 - 1)
        self._rows: list[Any] = []
        self._more = True

    def until(self, last_seq: int) -> list[Any]:
        """The rows up to an input that were not handed out yet."""
        while self._more and (not self._rows or self._rows[-1][0] <= last_seq):
            found = self._connection.execute(self._query, (self._shard, *self._last, PAGE)).fetchall()
            self._more = len(found) == PAGE
            if found:
                self._last = (found[-1][0], found[-1][1] if self._query is OUTPUTS else 0)
            self._rows += found
        count = sum(row[0] <= last_seq for row in self._rows)
        due, self._rows = self._rows[:count], self._rows[count:]
        return due


class Walk:
    """Where a walk stands.

    Attributes:
        inputs: Chain of the inputs walked over.
        outputs: Chain of their outputs.
        seq: Last of them.
        last: Last block, None before the first.
    """

    def __init__(self, connection: psycopg.Connection[Any], home: Path, shard: int, *, deep: bool = False) -> None:
        """Stand before the first block that is kept.

        Args:
            connection: Of any role that may read; in one snapshot if the log is being written.
            home: Folder of the segments.
            shard: Number of the shard.
            deep: Unpack the raw segments too.
        """
        floor = connection.execute(FLOOR, (shard,)).fetchone()
        self.shard = shard
        self.seq = floor[0] - 1 if floor else 0
        self.inputs = InputChain(InputState(bytes(floor[1]), self.seq, bytes(floor[2])) if floor else None)
        self.outputs = OutputChain(OutputState(bytes(floor[3]), *floor[4:]) if floor else None)
        self.last: reading.Sealed | None = None
        self.floor = self.seq + 1
        self._deep = deep
        self._folder = canonical_folder(home, shard)
        self._raw = raw_folder(home, shard)
        self._blocks = reading.blocks(connection, shard, after=self.seq)
        self._controls = _Pages(connection, CONTROLS, shard, self.seq)
        self._made = _Pages(connection, OUTPUTS, shard, self.seq)
        self._reader: Reader | None = None
        self._epochs: set[int] = {0}

    def to(self, last_seq: int) -> None:
        """Walk until input `last_seq`, which must end a block.

        Raises:
            Bad: Something on the way is not what it should be.
        """
        for _ in self.steps():
            if self.seq >= last_seq:
                break
        if self.seq != last_seq:
            self._bad(ORDER, "log_block", last_seq, "last_seq", f"no block ends here; the last one ends at {self.seq}")

    def steps(self) -> Iterator[int]:
        """Walk block by block; yields the last input of each.

        Raises:
            Bad: The block, or something that belongs to it, is not what it should be.
        """
        try:
            for sealed in self._blocks:
                self._block(sealed)
                yield self.seq
        finally:
            if self._reader is not None:
                self._reader.close()
                self._reader = None

    def left_over(self) -> None:
        """After the last block: nothing may be recorded beyond it.

        Raises:
            Bad: Something is.
        """
        for table, pages in (("log_control", self._controls), ("log_output", self._made)):
            for row in pages.until(2**62):
                self._bad(ORDER, table, row[0], "in_seq", f"the last block ends at {self.seq}")

    def _bad(self, code: str, table: str, in_seq: int, field: str, words: str) -> None:
        raise Bad(Finding(code, table, self.shard, in_seq, field, words))

    def _block(self, sealed: reading.Sealed) -> None:
        first, last = sealed.first_seq, self.last
        if first != self.seq + 1:
            self._bad(ORDER, "log_block", first, "first_seq", f"a block from {self.seq + 1} is due")
        if last is not None:
            begins = last.byte_to if last.segment == sealed.segment else 0
            if sealed.segment < last.segment:
                self._bad(ORDER, "log_block", first, "segment", f"{sealed.segment} comes after {last.segment}")
            if sealed.byte_from != begins:
                self._bad(ORDER, "log_block", first, "byte_from", f"{sealed.byte_from} instead of {begins}")
        rows = self._rows(sealed)
        self.inputs.update(rows)
        self._epochs.update(rows["in_seq"][rows["kind"] == Kind.EPOCH].tolist())
        epoch = sealed.epoch_seq
        if epoch > sealed.last_seq or (epoch >= self.floor and epoch not in self._epochs):
            self._bad(ORDER, "log_block", first, "epoch_seq", f"input {epoch} opens no epoch")
        self._check_controls(bodies.controls(rows), sealed)
        self._check_outputs(sealed)
        if self._deep:
            self._check_raw(sealed)
        self.seq, self.last = sealed.last_seq, sealed

    def _rows(self, sealed: reading.Sealed) -> Rows:
        try:
            if self._reader is None or self._reader.name != sealed.segment:
                if self._reader is not None:
                    self._reader.close()
                self._reader = Reader(self._folder, sealed.segment)
            return reading.sealed_rows(self._reader, sealed)
        except Corrupt as error:
            table = f"segment {sealed.segment}"
            raise Bad(Finding(BROKEN, table, self.shard, sealed.first_seq, "digest", str(error.args[0]))) from error

    def _check_controls(self, rows: Rows, sealed: reading.Sealed) -> None:
        stored = {row[0]: row[1:] for row in self._controls.until(sealed.last_seq)}
        for row in rows:
            in_seq = int(row["in_seq"])
            found = stored.pop(in_seq, None)
            if found is None:
                self._bad(BROKEN, "log_control", in_seq, "in_seq", "the control row is in the segment only")
            due = (int(row["kind"]), int(row["market"]), row.tobytes())
            for field, is_there, should in zip(("kind", "market", "row"), found or (), due, strict=True):
                if is_there != should:
                    self._bad(BROKEN, "log_control", in_seq, field, "it differs from the segment")
        for in_seq in stored:
            self._bad(BROKEN, "log_control", in_seq, "in_seq", "the segment has no such control row")

    def _check_outputs(self, sealed: reading.Sealed) -> None:
        stored = self._made.until(sealed.last_seq)
        outs, details = np.empty(len(stored), OUT), np.empty(len(stored), DETAIL)
        count = 0
        for index, row in enumerate(stored):
            try:
                out, detail = bodies.unbody(row[-1])
            except Corrupt as error:
                raise Bad(Finding(BROKEN, "log_output", self.shard, row[0], "body", str(error.args[0]))) from error
            for field, is_there in zip(COLUMNS, row[:-1], strict=True):
                if (is_there or 0) != int(out[field]):
                    words = f"ordinal {row[1]}: {is_there} in the column, {int(out[field])} in the body"
                    self._bad(BROKEN, "log_output", row[0], field, words)
            outs[index] = out
            outs["detail"][index] = NONE if detail is None else count
            if detail is not None:
                details[count] = detail
                count += 1
        if len(stored) != sealed.outputs:
            words = f"{sealed.outputs} outputs are sealed, {len(stored)} are there"
            self._bad(BROKEN, "log_output", sealed.first_seq, "in_seq", words)
        if not stored:
            return
        self._check_votes(outs, details)
        self.outputs.update(outs, details)
        if self.outputs.head() != sealed.output_link:
            words = f"rows up to input {sealed.last_seq} do not give the link that was committed"
            self._bad(BROKEN, "log_output", sealed.first_seq, "body", words)

    def _check_votes(self, outs: Rows, details: Rows) -> None:
        """Each verdict's bits once more from the numbers that every check saw."""
        told = outs[outs["detail"] >= 0]
        seen = details[told["detail"]]
        rejects = np.where(_MOST, seen["values"] > seen["limits"], seen["values"] < seen["limits"])
        counts = _ALWAYS | (told["action"] == BUY)[:, None]
        for row in told[((rejects & counts) * _BITS).sum(axis=1) != told["votes"]]:
            self._bad(
                UNAPPROVED, "log_output", int(row["in_seq"]), "votes", "they are not what the checks' numbers give"
            )

    def _check_raw(self, sealed: reading.Sealed) -> None:
        before = self.last
        if before is not None and before.raw_segment == sealed.raw_segment and sealed.raw_from < before.raw_to:
            self._bad(ORDER, "log_block", sealed.first_seq, "raw_from", f"{sealed.raw_from} is before {before.raw_to}")
        if sealed.raw_from == sealed.raw_to:
            return
        table = f"segment {sealed.raw_segment}"
        try:
            for _ in batches(self._raw / sealed.raw_segment, sealed.raw_from, sealed.raw_to):
                continue
        except (Corrupt, OSError) as error:
            raise Bad(Finding(BROKEN, table, self.shard, sealed.first_seq, "frames", str(error.args[0]))) from error
