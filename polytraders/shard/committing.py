"""One block from memory to the record: raw bytes, segment, then the database in one transaction, then the comparison.

Runs in the committer's thread while the loop steps what has arrived meanwhile. Whatever goes wrong here ends the
process: nothing of the block has been acted on, and the next start folds the log from its last commit.
"""

import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import psycopg

from apps.eventlog.faults import LogFault
from apps.eventlog.segments import RawSegment, Received
from apps.eventlog.store import Block, Head, Writer
from apps.ledger import comparison, posting
from apps.ledger.comparison import Sums
from polytraders.crashpoints import reach
from polytraders.journal import Journal
from polytraders.shard.pending import Ready

DRIFT: Final = "EXEC_LEDGER_POSITION_DRIFT"


class Drift(RuntimeError):  # noqa: N818  what it is
    """The loop's money and the ledger's differ."""

    code = DRIFT


class Committed(NamedTuple):
    """What a commit took.

    Attributes:
        head: Where the log ends now.
        seconds: From the beginning of the commit to its end.
        waited_s: From the end of the step to the end of the commit.
        rows: Inputs of the block.
        approved: It held an approval.
    """

    head: Head
    seconds: float
    waited_s: float
    rows: int
    approved: bool


Projection = Callable[[psycopg.Cursor[Any], Ready], None]


class Committer:
    """Commits blocks, one after the other, from one thread."""

    def __init__(self, writer: Writer, raw: RawSegment, journal: Journal, project: Projection, epoch_seq: int) -> None:
        """Commit with `writer`, whose thread this is from now on.

        Args:
            writer: Of the shard.
            raw: Segment of the raw frames.
            journal: Turns outputs into movements of money; restored to where the log ends.
            project: Brings the droppable tables up to date, in the block's transaction.
            epoch_seq: Input that opened the epoch.
        """
        self.epoch_seq = epoch_seq
        self._writer = writer
        self._raw = raw
        self._journal = journal
        self._project = project

    def commit(self, ready: Ready, sums: Sums | None) -> Committed:
        """Commit a block; with `sums`, the loop's money behind it is compared with the ledger's.

        Raises:
            Drift: They differ; nothing was committed.
            psycopg.Error: The database refused a row; nothing was committed.
        """
        began = time.perf_counter()
        stretch = self._raw.write(ready.raws)
        self._raw.sync()
        reach("raw written")
        block = Block(
            inputs=ready.inputs,
            controls=ready.controls,
            outs=ready.outs,
            details=ready.details,
            records=ready.records,
            epoch_seq=self.epoch_seq,
            raw_segment=stretch.segment,
            raw_from=stretch.start,
            raw_to=stretch.end,
            inbox_ids=ready.inbox_ids,
        )

        def follow(cursor: psycopg.Cursor[Any]) -> None:
            if ready.moved:
                posting.post(cursor, self._writer.head.shard, self._journal.block(ready.inputs, ready.outs))
                reach("ledger posted")
                found = comparison.difference(cursor, self._writer.head.shard, sums) if sums is not None else None
                if found is not None:
                    raise Drift(found)
            self._project(cursor, ready)

        head = self._writer.append(block, also=follow)
        ended = time.perf_counter()
        waited = (time.monotonic_ns() - ready.stepped_ns) / 1e9
        return Committed(head, ended - began, waited, len(ready.inputs), ready.approved)

    def set_aside(self, raws: Sequence[Received]) -> None:
        """Write frames behind the last committed ones; the next start finds them there and takes none of them in."""
        with contextlib.suppress(OSError, LogFault):
            self._raw.write(raws)
            self._raw.sync()

    def close(self) -> None:
        """Close the segments and give the shard back."""
        try:
            self._raw.close()
        finally:
            self._writer.close()
