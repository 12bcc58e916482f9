"""Files of the log: canonical segments hold input rows, raw segments the bytes as they came.

Both are overflow of the database: only what a committed block names is part of the log. What a file holds beyond that
is cut off and kept beside it as `<name>.orphan-N`, never read again.

A segment's name is `<fence>-<number>`, so a writer that has lost its fence never shares a file with the one after it.
"""

import errno
import os
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import zstandard

from apps.eventlog.faults import Corrupt, StorageFull

SEGMENT_BYTES: Final = 256 * 1024 * 1024
HOUR_S: Final = 3_600
TORN: Final = "GOV_SEGMENT_TORN"
"""Code of an orphan."""
CANONICAL: Final = ".rows"
RAW: Final = ".raw"

SIZE_BYTES: Final = 4
"""In front of a batch of the raw segment: how long its zstd frame is, little-endian."""
RECORD: Final = struct.Struct("<IqB")
"""In front of a frame: its length, receive time and connection."""
FRAME_MAX: Final = 4 * 1024 * 1024
BATCH_MAX: Final = 64 * 1024 * 1024
"""Largest batch that a reader will unpack; a torn length must not ask for all memory."""
LEVEL: Final = 6
"""Of zstd: a seventh smaller than level 3 for 4 microseconds more a message."""

Clock = Callable[[], float]


class Received(NamedTuple):
    """A frame as it came.

    Attributes:
        connection: Which connection, 0 to 255.
        recv_ts: When, ns UTC.
        raw: Its bytes.
    """

    connection: int
    recv_ts: int
    raw: bytes


class Stretch(NamedTuple):
    """Where bytes lie: a segment's name and [start, end) in it."""

    segment: str
    start: int
    end: int


def canonical_folder(home: Path, shard: int) -> Path:
    """Where a shard's canonical segments lie."""
    return home / "canonical" / str(shard)


def raw_folder(home: Path, shard: int) -> Path:
    """Where a shard's raw segments lie."""
    return home / "raw" / str(shard)


def sync_folder(folder: Path) -> None:
    """Make names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class _Segments:
    """Files of one kind, written one after the other by one process."""

    suffix = ""

    def __init__(self, folder: Path, fence: int, *, bytes_max: int = SEGMENT_BYTES, clock: Clock = time.time) -> None:
        """Write new files in `folder`, made if need be; nothing that is there is touched.

        Args:
            folder: Of this kind and shard.
            fence: Of the writer, the first part of every name.
            bytes_max: Size from which the next write begins a new file.
            clock: Seconds UTC; a new hour begins a new file too.
        """
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder = folder
        self.name = ""
        self.size = 0
        self._fence = fence
        self._number = 0
        self._bytes_max = bytes_max
        self._clock = clock
        self._hour = 0
        self._handle = -1
        self._unsynced = False

    def _write(self, *parts: bytes | memoryview) -> Stretch:
        hour = int(self._clock()) // HOUR_S
        if self._handle < 0 or self.size >= self._bytes_max or hour != self._hour:
            self._rotate(hour)
        start = self.size
        try:
            for part in parts:
                view = memoryview(part).cast("B")
                while len(view):
                    # At our own place, never at the file's end: whoever has cut the file is not overwritten.
                    count = os.pwrite(self._handle, view, self.size)
                    self.size += count
                    view = view[count:]
            self._unsynced = True
        except OSError as error:
            raise full(error, self.folder / self.name) from error
        return Stretch(self.name, start, self.size)

    def _rotate(self, hour: int) -> None:
        self.close()
        self._number += 1
        self.name = f"{self._fence:06d}-{self._number:06d}{self.suffix}"
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            self._handle = os.open(self.folder / self.name, flags, 0o600)
            sync_folder(self.folder)
        except OSError as error:
            raise full(error, self.folder / self.name) from error
        self.size = 0
        self._hour = hour

    def sync(self) -> None:
        """Make everything written durable."""
        if self._handle < 0 or not self._unsynced:
            return
        try:
            os.fdatasync(self._handle)
        except OSError as error:
            raise full(error, self.folder / self.name) from error
        self._unsynced = False

    def close(self) -> None:
        """Sync and close the file that is open; the next write begins a new one."""
        if self._handle >= 0:
            try:
                self.sync()
            finally:
                os.close(self._handle)
                self._handle = -1


class CanonicalSegment(_Segments):
    """Input rows, 80 bytes each, nothing else: a file is what a replay reads."""

    suffix = CANONICAL

    def write(self, rows: bytes | memoryview) -> Stretch:
        """Append the rows of one block; a block never crosses from one file to the next. Not durable before `sync`.

        Raises:
            StorageFull: No room; the bytes written so far do not count.
        """
        return self._write(rows)


class RawSegment(_Segments):
    """Frames as they came, compressed a batch at a time. A batch is u32 length and one zstd frame with its checksum.

    Unpacked, a batch is records: u32 length, i64 receive time, u8 connection, bytes; all little-endian.
    """

    suffix = RAW

    def __init__(
        self,
        folder: Path,
        fence: int,
        *,
        bytes_max: int = SEGMENT_BYTES,
        clock: Clock = time.time,
        level: int = LEVEL,
    ) -> None:
        """Like the other segments; `level` of zstd."""
        super().__init__(folder, fence, bytes_max=bytes_max, clock=clock)
        self._compressor = zstandard.ZstdCompressor(level=level, write_checksum=True)

    def write(self, frames: Sequence[Received]) -> Stretch:
        """Append a batch; no frames, no batch. Not durable before `sync`, which is due before the block's `append`.

        Raises:
            ValueError: A frame is longer than 4 MB or its connection is not a byte; the door should have refused it.
            StorageFull: No room.
        """
        if not frames:
            return Stretch(self.name, self.size, self.size)
        parts = []
        for connection, recv_ts, raw in frames:
            if len(raw) > FRAME_MAX or not 0 <= connection <= 255:
                raise ValueError(f"not a frame for the raw segment: connection {connection}, {len(raw)} bytes")
            parts += [RECORD.pack(len(raw), recv_ts, connection), raw]
        packed = self._compressor.compress(b"".join(parts))
        return self._write(len(packed).to_bytes(SIZE_BYTES, "little"), packed)


def full(error: OSError, path: Path) -> Exception:
    """What a failed write means: no room, or the error itself."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return StorageFull(f"{path.name}: {error.strerror}")
    return error


def cut(path: Path, keep: int) -> Path | None:
    """Cut a file to its first `keep` bytes; what is cut off stays beside it.

    Returns:
        The orphan, None when there was nothing to cut.

    Raises:
        Corrupt: The file is shorter than `keep`, or not there while bytes of it count: committed bytes are gone.
    """
    size = path.stat().st_size if path.exists() else 0
    if size < keep:
        raise Corrupt(f"segment {path.name} has {size} bytes, but {keep} are committed")
    if size == keep:
        return None
    orphan = orphan_of(path)
    with path.open("r+b") as file:
        file.seek(keep)
        with orphan.open("xb") as beside:
            while piece := file.read(1 << 20):
                beside.write(piece)
            beside.flush()
            os.fsync(beside.fileno())
        sync_folder(path.parent)
        file.truncate(keep)
        os.fsync(file.fileno())
    return orphan


def orphan_of(path: Path) -> Path:
    """The next free name for bytes of `path` that do not count."""
    number = 0
    while (free := path.with_name(f"{path.name}.orphan-{number}")).exists():
        number += 1
    return free


def set_aside_after(folder: Path, suffix: str, last: str) -> list[Path]:
    """Set whole files aside that come after the last one with committed bytes.

    Args:
        folder: Of one kind of segment.
        suffix: CANONICAL or RAW.
        last: Name of the last file that counts, "" = none does.

    Returns:
        The orphans.
    """
    late = [path for path in sorted(folder.glob(f"*{suffix}")) if path.name > last]
    made = [path.rename(orphan_of(path)) for path in late]
    if made:
        sync_folder(folder)
    return made


def batches(path: Path, start: int = 0, end: int | None = None) -> Iterator[tuple[int, list[Received]]]:
    """The batches of a raw segment.

    Args:
        path: Its file.
        start: Byte at which a batch begins.
        end: Byte to stop at; None = at the end of the file.

    Yields:
        Byte after the batch, and its frames.

    Raises:
        Corrupt: A batch is cut short or damaged. Everything yielded before is whole.
    """
    unpack = zstandard.ZstdDecompressor()
    with path.open("rb") as file:
        at = file.seek(start)
        while end is None or at < end:
            head = file.read(SIZE_BYTES)
            if not head:
                if end is not None:
                    raise Corrupt(f"raw segment {path.name} ends at byte {at}, {end} are committed")
                return
            size = int.from_bytes(head, "little")
            packed = file.read(min(size, BATCH_MAX))
            if len(head) < SIZE_BYTES or len(packed) != size:
                raise Corrupt(f"raw segment {path.name} is cut in the middle of a batch at byte {at}")
            try:
                if zstandard.frame_content_size(packed) > BATCH_MAX:
                    raise Corrupt(f"raw segment {path.name}: the batch at byte {at} claims more than {BATCH_MAX} bytes")
                records = list(_records(unpack.decompress(packed), path, at))
            except zstandard.ZstdError as error:
                raise Corrupt(f"raw segment {path.name}: the batch at byte {at} is damaged: {error}") from error
            at += SIZE_BYTES + size
            yield at, records


def _records(data: bytes, path: Path, batch: int) -> Iterator[Received]:
    at = 0
    while at < len(data):
        begin = at + RECORD.size
        size, recv_ts, connection = RECORD.unpack(data[at:begin].ljust(RECORD.size, b"\xff"))
        end = begin + size
        if end > len(data):
            raise Corrupt(f"raw segment {path.name}: the batch at byte {batch} ends in the middle of a frame")
        yield Received(connection, recv_ts, data[begin:end])
        at = end


def whole(path: Path) -> int:
    """Bytes of a raw segment up to the end of its last whole batch: where a torn tail is cut."""
    end = 0
    try:
        for after, _ in batches(path):
            end = after
    except Corrupt:
        return end
    return end
