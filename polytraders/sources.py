"""Where inputs come from in a replay: a capture's frames become numbered input rows with loop time and TICKs.

A capture without receive times uses the running maximum of its timestamps as receive time, and says so. Its set-up rows
(epoch, clock, limits, strategies, capital, registry) come first, at the time of the first frame.
"""

import gzip
import zlib
from collections.abc import Callable, Iterator
from io import BufferedReader
from pathlib import Path
from typing import IO, Any, Final, Protocol

import numpy as np
import zstandard

from polytraders.config import Row
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
