"""Where inputs come from in a replay: frames of a capture become numbered rows with loop time; a log has them already.

A capture without receive times uses the running maximum of its timestamps as receive time, and says so. Its set-up rows
(epoch, clock, limits, strategies, capital, registry) come first, at the time of the first frame.
"""

import gzip
import zlib
from collections.abc import Callable, Iterator
from io import BufferedReader
from pathlib import Path
from typing import IO, Any, Final, NamedTuple, Protocol

import msgspec
import numpy as np
import psycopg
import zstandard

from apps.eventlog import reading
from apps.eventlog.faults import Corrupt
from polytraders.config import Row
from polytraders.contracts.inputs import Kind
from polytraders.contracts.state import Sizes
from polytraders.quarantine import Quarantine
from polytraders.sequencing import BLOCK_ROWS, Sequencer

LINE_MAX: Final = 4 * 1024 * 1024 + 2
UNTIMED_MAX: Final = 256
ZSTD: Final = b"\x28\xb5\x2f\xfd"
SKIPPED: Final = b"\x50\x2a\x4d\x18"
"""Magic numbers of a zstd frame and of one to be passed over (its first byte varies)."""
RUN: Final = 1
"""Type of a zstd block that is one byte, repeated."""
EARLIEST_NS: Final = 1_577_836_800_000_000_000
"""2020-01-01: the clock of a capture that never tells a time."""


class FrameDecoder(Protocol):
    """What a venue's decoder must offer."""

    def decode(self, raw: bytes) -> Any:
        """(rows, source_ts, code) of one frame."""


def is_whole(file: IO[bytes]) -> bool:
    """Whether a capture's zstd frames all end where they should; other files tell for themselves.

    The decompressor takes an early end for the end. Frames are walked by their block headers, so little is read.

    Source: RFC 8878, section 3.1.
    """
    end = file.seek(0, 2)
    at = 0
    while at < end:
        file.seek(at)
        head = file.read(18)
        if head[:4] != ZSTD and head[1:4] != SKIPPED[1:]:
            # What another compressor wrote, or nothing that the decompressor has taken.
            return at == 0
        if head[:4] != ZSTD:
            at += 8 + int.from_bytes(head[4:8], "little")
            continue
        try:
            tail = 4 if zstandard.get_frame_parameters(head).has_checksum else 0
            at += zstandard.frame_header_size(head)
        except zstandard.ZstdError:
            return False
        last = False
        while not last:
            file.seek(at)
            block = int.from_bytes(file.read(3), "little")
            last = block & 1 == 1 or at + 3 > end
            at += 3 + (1 if block >> 1 & 3 == RUN else block >> 3)
        at += tail
    return at == end


def open_capture(file: IO[bytes]) -> IO[bytes]:
    """A capture's lines: plain, .gz or .zst by its first bytes, whatever its name says."""
    magic = file.read(4)
    file.seek(0)
    if magic[:2] == b"\x1f\x8b":
        return gzip.GzipFile(fileobj=file)  # type: ignore[return-value]
    if magic == ZSTD:
        reader = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True, closefd=False)
        return BufferedReader(reader, 1 << 20)
    return file


def lines(file: IO[bytes]) -> Iterator[bytes]:
    """Frames, one a line; of a line that is too long only its beginning, so memory stays bounded."""
    while line := file.readline(LINE_MAX):
        if len(line) == LINE_MAX and not line.endswith(b"\n"):
            while (more := file.readline(LINE_MAX)) and not more.endswith(b"\n"):
                continue
        line = line.rstrip(b"\r\n")
        if line:
            yield line


class Capture:
    """A capture as blocks of input rows.

    Attributes:
        frames: Frames read so far.
        read_bytes: Bytes of the file read so far.
        broken: Why reading ended before the end of the file, "" if it did not.
    """

    def __init__(
        self,
        path: Path,
        decoder: FrameDecoder,
        setup: Callable[[int], list[Row]],
        quarantine: Quarantine,
        *,
        block_rows: int = BLOCK_ROWS,
        frames_most: int | None = None,
    ) -> None:
        """Read `path` with `decoder`.

        Args:
            path: Capture file.
            decoder: Of the venue.
            setup: Set-up rows, given the time of the first frame.
            quarantine: Where refused frames are kept.
            block_rows: Rows of a block.
            frames_most: Stop after so many frames.
        """
        self.frames = 0
        self.read_bytes = 0
        self.broken = ""
        self._path = path
        self._decoder = decoder
        self._setup = setup
        self._quarantine = quarantine
        self._sequencer = Sequencer(block_rows)
        self._frames_most = frames_most

    def __iter__(self) -> Iterator[np.ndarray]:
        """Blocks of INPUT rows."""
        started = False
        waiting: list[tuple[int, list[Any]]] = []
        for number, decoded in self._decoded():
            if not started:
                waiting.append((number, decoded.rows))
                if decoded.source_ts == 0 and len(waiting) < UNTIMED_MAX:
                    continue
                started = True
                self._begin(decoded.source_ts or EARLIEST_NS, waiting)
                continue
            self._sequencer.frame(number, decoded.source_ts, decoded.rows)
            yield from self._sequencer.full()
        if not started:
            self._begin(EARLIEST_NS, waiting)
        yield from self._sequencer.rest()

    def _begin(self, now: int, waiting: list[tuple[int, list[Any]]]) -> None:
        self._sequencer.start(now, self._setup(now))
        for number, rows in waiting:
            self._sequencer.frame(number, now, rows)

    def _decoded(self) -> Iterator[tuple[int, Any]]:
        with self._path.open("rb") as file:
            reading = lines(open_capture(file))
            while self._frames_most is None or self.frames < self._frames_most:
                try:
                    raw = next(reading, None)
                except (EOFError, OSError, zlib.error, zstandard.ZstdError) as error:
                    self.broken = str(error)
                    return
                if raw is None:
                    self.broken = "" if is_whole(file) else "the compressed file ends in the middle"
                    return
                number = self.frames
                self.frames += 1
                self.read_bytes = file.tell()
                decoded = self._decoder.decode(raw)
                if decoded.code is not None:
                    self._quarantine.keep(decoded.code, number, raw)
                yield number, decoded


class Epoch(NamedTuple):
    """What an EPOCH input of a log says.

    Attributes:
        seq: Its number.
        build: Hash of the build whose run it opens, hex.
        sizes: Room of the state.
        state_hash: Of the state handed over, hex; "" = there was none.
    """

    seq: int
    build: str
    sizes: Sizes
    state_hash: str


class Ending(NamedTuple):
    """What the head of a log says: last input, and where both chains stand behind it."""

    seq: int
    input_head: bytes
    output_link: bytes


class LogMissing(LookupError):  # noqa: N818  what is said of the log
    """The shard has no log, or it does not reach as far."""

    code = "GOV_NOT_FOUND"


class Log:
    """A stored log as blocks of input rows, each within one epoch.

    Attributes:
        shard: Which log.
        after: The input before the first one.
        until: The last one.
        head: Where the log ended when it was opened; a running loop goes on.
        epochs: Those with an input in it, in order.
    """

    def __init__(
        self,
        connection: "psycopg.Connection[Any]",
        home: Path,
        shard: int,
        *,
        after: int = 0,
        until: int | None = None,
        block_rows: int = BLOCK_ROWS,
    ) -> None:
        """Read the log of `shard` through `connection` and the segments in `home`.

        Raises:
            LogMissing: There is none, or `until` is not in it.
            Corrupt: What an EPOCH input carries cannot be read.
        """
        head = connection.execute(
            "SELECT seq, input_head, output_link FROM log_head WHERE shard = %s AND seq > 0", (shard,)
        ).fetchone()
        if head is None:
            raise LogMissing(f"shard {shard} has no log")
        self.head = Ending(head[0], bytes(head[1]), bytes(head[2]))
        self.shard = shard
        self.after = after
        self.until = self.head.seq if until is None else until
        if not after < self.until <= self.head.seq:
            raise LogMissing(f"the log of shard {shard} ends at input {self.head.seq:,}; there is no {self.until:,}")
        self._connection = connection
        self._home = home
        self._block_rows = block_rows
        told = connection.execute(
            "SELECT in_seq, payload FROM log_control WHERE shard = %s AND kind = %s AND in_seq <= %s ORDER BY in_seq",
            (shard, int(Kind.EPOCH), self.until),
        ).fetchall()
        epochs = [_epoch(seq, payload) for seq, payload in told]
        behind = [epoch for epoch in epochs if epoch.seq > after + 1]
        self.epochs = tuple(epochs[len(epochs) - len(behind) - 1 :] if len(behind) < len(epochs) else epochs)
        if not self.epochs or self.epochs[0].seq > after + 1:
            raise Corrupt(f"log_control of shard {shard} has no epoch for input {after + 1}")

    def __iter__(self) -> Iterator[np.ndarray]:
        """Blocks of INPUT rows, read-only; the first row of an epoch begins a block.

        Raises:
            Corrupt: The log is not what was committed.
            Dropped: The first inputs are no longer kept.
        """
        begins = [epoch.seq for epoch in self.epochs]
        rows = reading.inputs(
            self._connection, self._home, self.shard, self.after, self.until, block_rows=self._block_rows
        )
        for block in rows:
            first, last = int(block["in_seq"][0]), int(block["in_seq"][-1])
            cuts = [seq - first for seq in begins if first < seq <= last]
            yield from (part for part in np.split(block, cuts) if len(part))

    def epoch_of(self, in_seq: int) -> Epoch:
        """The epoch that an input lies in."""
        return next(epoch for epoch in reversed(self.epochs) if epoch.seq <= in_seq)


def _epoch(seq: int, payload: bytes | None) -> Epoch:
    try:
        told = msgspec.json.decode(bytes(payload or b""))
        return Epoch(seq, str(told["build"]), Sizes(*map(int, told["sizes"])), str(told["state_hash"]))
    except (msgspec.DecodeError, LookupError, TypeError, ValueError) as error:
        raise Corrupt(f"log_control, input {seq}: what the epoch says cannot be read: {error}") from error
