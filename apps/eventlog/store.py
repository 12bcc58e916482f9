"""The one writer of a shard's log: a block is on disk, then in one transaction with all that follows from it, or not.

Nothing here needs Django or compiled code. The order of acts is: segment written and made durable, then the database's
transaction, which moves the head by compare-and-set. A writer whose place another has taken cannot move it.
"""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import psycopg

from apps.eventlog import blocks, reading, segments
from apps.eventlog.blocks import Block, Control, Record
from apps.eventlog.bodies import What
from apps.eventlog.core.chain import INPUT_GENESIS, OUTPUT_GENESIS, InputChain, InputState, OutputChain, OutputState
from apps.eventlog.faults import CommandTwice, Corrupt, Fenced, LogNewer, ShardTaken, Unavailable
from polytraders.contracts.inputs import GROUP

LOG_VERSION: Final = 1
"""Layout of rows, bodies and segments. A log with a higher one is refused."""
LOCK_CLASS: Final = 0x504F4C59
"""First half of the advisory lock's key; the second is the shard."""

__all__ = ["Block", "Control", "Head", "Record", "What", "Writer", "read_head"]


class Head(NamedTuple):
    """Where a shard's log ends.

    Attributes:
        shard: Number of the shard.
        seq: Last committed input.
        fence: Rises with every writer.
        epoch_seq: Input that opened the epoch in force.
        inputs: State of the input chain.
        outputs: State of the output chain.
        canonical_file: Segment with the last block, "" = none.
        canonical_bytes: Bytes of it that count.
    """

    shard: int
    seq: int
    fence: int
    epoch_seq: int
    inputs: InputState
    outputs: OutputState
    canonical_file: str
    canonical_bytes: int


HEAD: Final = """
SELECT version, seq, fence, epoch_seq, input_link, input_head, output_link, output_links, output_last_seq,
       canonical_file, canonical_bytes
FROM log_head WHERE shard = %s"""
FIRST: Final = """
INSERT INTO log_head (shard, version, seq, fence, epoch_seq, input_link, input_head, output_link, output_links,
                      output_last_seq, canonical_file, canonical_bytes)
VALUES (%s, %s, 0, 0, 0, %s, %s, %s, 0, 0, '', 0) ON CONFLICT DO NOTHING"""
ADVANCE: Final = """
WITH head AS (
    UPDATE log_head SET seq = %(seq)s, epoch_seq = %(epoch_seq)s, input_link = %(input_link)s,
        input_head = %(input_head)s, output_link = %(output_link)s, output_links = %(output_links)s,
        output_last_seq = %(output_last_seq)s, canonical_file = %(segment)s, canonical_bytes = %(byte_to)s,
        updated_at = clock_timestamp()
    WHERE shard = %(shard)s AND seq = %(before)s AND fence = %(fence)s
    RETURNING shard
)
INSERT INTO log_block (shard, first_seq, last_seq, epoch_seq, inputs, outputs, segment, byte_from, byte_to,
                       raw_segment, raw_from, raw_to, digest, output_link)
SELECT shard, %(first)s, %(seq)s, %(epoch_seq)s, %(inputs)s, %(outputs)s, %(segment)s, %(byte_from)s, %(byte_to)s,
       %(raw_segment)s, %(raw_from)s, %(raw_to)s, %(digest)s, %(block_link)s
FROM head"""


def nothing(point: str) -> None:
    """Does nothing at any point."""


def check_version(shard: int, version: int) -> None:
    """A log that a newer build wrote is not read by guess.

    Raises:
        LogNewer: It is.
    """
    if version > LOG_VERSION:
        raise LogNewer(f"shard {shard} has version {version}, this build knows {LOG_VERSION}")


def read_head(connection: psycopg.Connection[Any], home: Path, shard: int) -> Head | None:
    """Where a shard's log ends; None before its first writer.

    The rows of the chain's open group are read back from the segments and must give the recorded head.

    Raises:
        LogNewer: A newer build wrote the log.
        Corrupt: The last rows are not the ones that were committed.
    """
    found = connection.execute(HEAD, (shard,)).fetchone()
    if found is None:
        return None
    version, seq, fence, epoch_seq, link, head, output_link, links, last_seq, name, size = found
    check_version(shard, version)
    chain = InputChain(InputState(bytes(link), seq, _rest(connection, home, shard, seq)))
    if chain.head() != bytes(head):
        raise Corrupt(f"the last {seq % GROUP} inputs of shard {shard} do not give the head that was committed")
    outputs = OutputState(bytes(output_link), links, last_seq)
    return Head(shard, seq, fence, epoch_seq, chain.state(), outputs, name, size)


def _rest(connection: psycopg.Connection[Any], home: Path, shard: int, seq: int) -> bytes:
    if seq % GROUP == 0:
        return b""
    return b"".join(
        rows.tobytes() for rows in reading.inputs(connection, home, shard, after=seq - seq % GROUP, until=seq)
    )


class Writer:
    """The one writer of a shard: holds the advisory lock and the fence.

    Attributes:
        head: Where the log ends.
        orphans: Files into which `open` has set bytes aside that no commit vouches for.
    """

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        dsn: str,
        home: Path,
        head: Head,
        orphans: Sequence[Path],
        reached: Callable[[str], None],
        segment: segments.CanonicalSegment,
    ) -> None:
        """For `open` only."""
        self.head = head
        self.orphans = tuple(orphans)
        self._connection = connection
        self._dsn = dsn
        self._home = home
        self._inputs = InputChain.from_state(head.inputs)
        self._outputs = OutputChain.from_state(head.outputs)
        self._segment = segment
        self._reached = reached
        self._broken = ""

    @classmethod
    def open(
        cls,
        dsn: str,
        shard: int,
        home: Path,
        *,
        reached: Callable[[str], None] = nothing,
        bytes_max: int = segments.SEGMENT_BYTES,
    ) -> "Writer":
        """Become the writer of a shard.

        Args:
            dsn: Of the application's role.
            shard: Number of the shard.
            home: Folder that holds `canonical/`.
            reached: Told the name of each point that a crash may fall on; for tests.
            bytes_max: Size at which a canonical segment ends.

        Raises:
            ShardTaken: Another process is the writer.
            LogNewer: A newer build wrote the log.
            Corrupt: Committed bytes are missing or changed.
            Unavailable: The database cannot be reached.
        """
        try:
            connection = psycopg.connect(dsn, autocommit=True, application_name=f"polytraders-loop-{shard}")
        except psycopg.OperationalError as error:
            raise Unavailable(str(error)) from error
        try:
            return cls._take(connection, dsn, shard, home, reached, bytes_max)
        except BaseException:
            connection.close()
            raise

    @classmethod
    def _take(
        cls,
        connection: psycopg.Connection[Any],
        dsn: str,
        shard: int,
        home: Path,
        reached: Callable[[str], None],
        bytes_max: int,
    ) -> "Writer":
        # Recorded means on disk: a server that was told otherwise is told here.
        connection.execute("SET synchronous_commit = on")
        locked = connection.execute("SELECT pg_try_advisory_lock(%s, %s)", (LOCK_CLASS, shard)).fetchone()
        if locked != (True,):
            raise ShardTaken(f"shard {shard} has a writer already")
        first = (shard, LOG_VERSION, INPUT_GENESIS, INPUT_GENESIS, OUTPUT_GENESIS)
        connection.execute(FIRST, first)
        read_head(connection, home, shard)
        # From here on a writer that has lost its lock without knowing can commit no more.
        connection.execute("UPDATE log_head SET fence = fence + 1, version = %s WHERE shard = %s", (LOG_VERSION, shard))
        head = read_head(connection, home, shard)
        if head is None:
            raise Corrupt(f"shard {shard} has no head")
        folder = segments.canonical_folder(home, shard)
        segment = segments.CanonicalSegment(folder, head.fence, bytes_max=bytes_max)
        orphans = segments.set_aside_after(folder, segments.CANONICAL, head.canonical_file)
        if head.canonical_file:
            tail = segments.cut(folder / head.canonical_file, head.canonical_bytes)
            orphans += [tail] if tail else []
        return cls(connection, dsn, home, head, orphans, reached, segment)

    def notices(self) -> list[tuple[str, str]]:
        """Code and words about what `open` had to set aside."""
        return [
            (segments.TORN, f"{path.name}: {path.stat().st_size} bytes that no commit vouches for")
            for path in self.orphans
        ]

    def append(self, block: Block, *, also: Callable[[psycopg.Cursor[Any]], None] | None = None) -> Head:
        """Commit one block with everything that follows from it, or nothing.

        After any error but OutOfOrder this writer accepts no further block, because what was committed is not known
        here: the process ends, and the next one reads the head.

        Args:
            block: Stepped inputs and what came of them; the raw segment they name is already durable.
            also: Called with a cursor inside the transaction, after the log's own rows: ledger, projections.

        Returns:
            The new head.

        Raises:
            OutOfOrder: The block does not go on where the log ends, or does not fit itself; nothing was written.
            Fenced: Another writer has taken over; nothing was committed.
            CommandTwice: A consumed row of the inbox was not there; nothing was committed.
            StorageFull: No room for the segment.
            Unavailable: The database did not answer; the block may or may not be committed.
        """
        if self._broken:
            raise Fenced(f"this writer ended with an earlier fault ({self._broken})")
        blocks.check(block, self.head.seq)
        try:
            return self._append(block, also)
        except psycopg.OperationalError as error:
            self._broken = type(error).__name__
            if self._fence_elsewhere():
                raise Fenced(f"shard {self.head.shard} has another writer") from error
            raise Unavailable(str(error)) from error
        except BaseException as error:
            self._broken = type(error).__name__
            raise

    def _append(self, block: Block, also: Callable[[psycopg.Cursor[Any]], None] | None) -> Head:
        data = np.ascontiguousarray(block.inputs).view(np.uint8).data
        self._inputs.update(block.inputs)
        self._outputs.update(block.outs, block.details)
        stretch = self._segment.write(data)
        self._reached("segment written")
        self._segment.sync()
        self._reached("segment synced")
        seq = self.head.seq + len(block.inputs)
        head = self.head._replace(
            seq=seq,
            epoch_seq=block.epoch_seq,
            inputs=self._inputs.state(),
            outputs=self._outputs.state(),
            canonical_file=stretch.segment,
            canonical_bytes=stretch.end,
        )
        with self._connection.transaction(), self._connection.cursor() as cursor:
            cursor.execute(ADVANCE, self._advance(block, head, stretch, hashlib.sha256(data).digest()), prepare=True)
            if cursor.rowcount != 1:
                raise Fenced(f"shard {head.shard} does not stand at {self.head.seq} with fence {head.fence} any more")
            blocks.write(cursor, head.shard, block)
            if block.inbox_ids:
                cursor.execute("DELETE FROM inbox WHERE shard = %s AND id = ANY(%s)", (head.shard, [*block.inbox_ids]))
                if cursor.rowcount != len(block.inbox_ids):
                    raise CommandTwice(f"of inbox rows {list(block.inbox_ids)} only {cursor.rowcount} were there")
            self._reached("log rows written")
            if also is not None:
                also(cursor)
            self._reached("before commit")
        self._reached("committed")
        self.head = head
        return head

    def _advance(self, block: Block, head: Head, stretch: segments.Stretch, digest: bytes) -> dict[str, object]:
        return {
            "shard": head.shard,
            "before": self.head.seq,
            "fence": head.fence,
            "first": self.head.seq + 1,
            "seq": head.seq,
            "epoch_seq": head.epoch_seq,
            "input_link": head.inputs.link,
            "input_head": self._inputs.head(),
            "output_link": head.outputs.link,
            "output_links": head.outputs.links,
            "output_last_seq": head.outputs.last_seq,
            "block_link": head.outputs.link if len(block.outs) else None,
            "inputs": len(block.inputs),
            "outputs": len(block.outs),
            "segment": stretch.segment,
            "byte_from": stretch.start,
            "byte_to": stretch.end,
            "raw_segment": block.raw_segment,
            "raw_from": block.raw_from,
            "raw_to": block.raw_to,
            "digest": digest,
        }

    def _fence_elsewhere(self) -> bool:
        """Whether the connection was lost to another writer; False when that cannot be told."""
        try:
            with psycopg.connect(self._dsn, autocommit=True, connect_timeout=2) as other:
                now = other.execute("SELECT fence FROM log_head WHERE shard = %s", (self.head.shard,)).fetchone()
        except psycopg.OperationalError:
            return False
        return now is not None and now[0] != self.head.fence

    def close(self) -> None:
        """Give the shard back."""
        try:
            self._segment.close()
        finally:
            self._connection.close()

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
