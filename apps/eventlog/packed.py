"""Closed canonical segments, packed: a few bytes a row instead of 80, any stretch still readable by its old place.

Rows are packed 65,536 at a time, byte column after byte column, because a column hardly changes from row to row. The
file is one zstd frame for each of these pieces and a skippable frame with their sizes. The bytes that digests and the
chain are made of come back unchanged; a packed file takes the plain one's place only after it was read back.
"""

import os
import struct
from pathlib import Path
from typing import Final, Self

import numpy as np
import zstandard

from apps.eventlog.faults import Corrupt
from apps.eventlog.segments import CANONICAL, sync_folder
from polytraders.contracts.inputs import INPUT

PACKED: Final = ".zst"
ROW: Final = INPUT.itemsize
PIECE: Final = 65_536 * ROW
LEVEL: Final = 3
SKIPPABLE: Final = 0x184D2A50
FOOT: Final = struct.Struct("<QI4s")
MAGIC: Final = b"PTR1"
"""Last bytes of a packed file; the digit is the version."""


class Reader:
    """Bytes of a canonical segment by their place, packed or not."""

    def __init__(self, folder: Path, name: str, *, packed: bool = False) -> None:
        """Open segment `name` in its folder; with `packed` only in its packed form.

        Raises:
            Corrupt: It is not there, or not a packed segment.
        """
        self.name = name
        self._packed = packed or not (folder / name).exists()
        self._sizes: list[int] = []
        self._starts: list[int] = []
        self._piece = (-1, b"")
        try:
            # The plain file goes only after the packed one is whole, so one of them is always there.
            if self._packed:
                self._file = (folder / f"{name}{PACKED}").open("rb")
                self._index()
            else:
                self._file = (folder / name).open("rb")
        except OSError as error:
            raise Corrupt(f"segment {name} is not there") from error

    def _index(self) -> None:
        try:
            self._file.seek(-FOOT.size, os.SEEK_END)
            total, count, magic = FOOT.unpack(self._file.read())
            if magic != MAGIC or count != -(-total // PIECE):
                raise ValueError("wrong ending")
            self._file.seek(-FOOT.size - 4 * count, os.SEEK_END)
            self._sizes = list(struct.unpack(f"<{count}I", self._file.read(4 * count)))
        except (OSError, ValueError, struct.error) as error:
            self._file.close()
            raise Corrupt(f"segment {self.name} is packed and damaged: {error}") from error
        self._starts = np.concatenate(([0], np.cumsum(self._sizes))).tolist()

    def read(self, start: int, end: int) -> bytes:
        """Bytes [start, end) of the segment; fewer when it ends before.

        Raises:
            Corrupt: A piece cannot be unpacked.
        """
        if not self._packed:
            self._file.seek(start)
            return self._file.read(end - start)
        first, last = start // PIECE, max(start, end - 1) // PIECE
        data = b"".join(self._unpacked(piece) for piece in range(first, min(last + 1, len(self._sizes))))
        return data[start - first * PIECE : end - first * PIECE]

    def _unpacked(self, piece: int) -> bytes:
        if self._piece[0] != piece:
            self._file.seek(self._starts[piece])
            try:
                data = zstandard.ZstdDecompressor().decompress(self._file.read(self._sizes[piece]), PIECE)
                rows = np.frombuffer(data, np.uint8).reshape(ROW, -1)
            except (zstandard.ZstdError, ValueError) as error:
                raise Corrupt(f"segment {self.name}: packed piece {piece} is damaged: {error}") from error
            self._piece = (piece, rows.T.tobytes())
        return self._piece[1]

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def pack(folder: Path, name: str, *, level: int = LEVEL) -> int:
    """Pack one closed segment in place of the plain one.

    Args:
        folder: Of the shard's canonical segments.
        name: The segment.
        level: Of zstd.

    Returns:
        Bytes of the packed file.

    Raises:
        Corrupt: The file is not whole rows, or does not read back.
        OSError: It cannot be read or written; the plain one stays.
    """
    plain, target = folder / name, folder / f"{name}{PACKED}"
    partial = target.with_suffix(f"{PACKED}.partial")
    total = plain.stat().st_size
    if total % ROW:
        raise Corrupt(f"segment {name} has {total} bytes, which are not whole rows")
    compressor = zstandard.ZstdCompressor(level=level, write_checksum=True)
    sizes = []
    with plain.open("rb") as file, partial.open("wb") as made:
        while piece := file.read(PIECE):
            columns = np.frombuffer(piece, np.uint8).reshape(-1, ROW).T
            sizes.append(made.write(compressor.compress(columns.tobytes())))
        foot = struct.pack(f"<{len(sizes)}I", *sizes) + FOOT.pack(total, len(sizes), MAGIC)
        made.write(struct.pack("<II", SKIPPABLE, len(foot)) + foot)
        made.flush()
        os.fsync(made.fileno())
    partial.replace(target)
    sync_folder(folder)
    _compare(plain, target, name)
    plain.unlink()
    return target.stat().st_size


def _compare(plain: Path, target: Path, name: str) -> None:
    with Reader(target.parent, name, packed=True) as reader, plain.open("rb") as file:
        at = 0
        while piece := file.read(PIECE):
            if reader.read(at, at + len(piece)) != piece:
                target.unlink()
                raise Corrupt(f"segment {name} does not come back from its packed form")
            at += len(piece)


def pack_closed(folder: Path, last: str) -> list[str]:
    """Pack every plain segment before the one that is being written.

    Args:
        folder: Of the shard's canonical segments.
        last: Name of the segment with the last committed block; it and later ones stay as they are.

    Returns:
        Names of those packed.
    """
    done = []
    for path in sorted(folder.glob(f"*{CANONICAL}")):
        if path.name < last:
            pack(folder, path.name)
            done.append(path.name)
    return done
