"""Frames the door had something against, kept so that a person can read them: the newest in memory, more in a file.

The file is JSON lines with the bytes in base64, cut at a size: when it is full it becomes the one older file, in place
of the older file before it. Nothing here is an input of the loop; losing it loses evidence, never state.
"""

import base64
import json
from collections import Counter, deque
from pathlib import Path
from typing import Final, NamedTuple

FILE: Final = "quarantine.jsonl"
OLDER: Final = "quarantine.1.jsonl"


class Kept(NamedTuple):
    """A frame that was put aside.

    Attributes:
        code: Why, a reason code.
        frame: 0-based number of the raw frame.
        size: Bytes it had.
        raw: Its bytes, or the first of them.
    """

    code: str
    frame: int
    size: int
    raw: bytes


class Quarantine:
    """Puts frames aside within bounds of memory and disk.

    Attributes:
        counts: Frames put aside by code, those no longer kept included.
        newest: The newest of them, oldest first.
    """

    def __init__(
        self,
        folder: Path | None,
        kept_bytes: int = 64 * 1024,
        memory_max: int = 100,
        file_bytes_max: int = 64 * 1024 * 1024,
    ) -> None:
        """Open a quarantine, going on with the file that is there.

        Args:
            folder: Where to write, made if need be; None keeps in memory only.
            kept_bytes: Bytes kept of a frame.
            memory_max: Frames kept in memory.
            file_bytes_max: Size at which the file becomes the older one; the disk holds at most twice that, and the
                frame that went over it, twice.
        """
        self.counts: Counter[str] = Counter()
        self.newest: deque[Kept] = deque(maxlen=memory_max)
        self._folder = folder
        self._kept_bytes = kept_bytes
        self._file_bytes_max = file_bytes_max
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)

    def keep(self, code: str, frame_number: int, raw: bytes) -> None:
        """Put a frame aside.

        Args:
            code: Why, a reason code.
            frame_number: 0-based number of the raw frame.
            raw: The frame.

        Raises:
            OSError: The folder cannot be written.
        """
        kept = Kept(code, frame_number, len(raw), raw[: self._kept_bytes])
        self.counts[code] += 1
        self.newest.append(kept)
        if self._folder is not None:
            self._append(self._folder, kept)

    def _append(self, folder: Path, kept: Kept) -> None:
        line = json.dumps(
            {
                "code": kept.code,
                "frame": kept.frame,
                "size": kept.size,
                "raw": base64.b64encode(kept.raw).decode("ascii"),
            },
            separators=(",", ":"),
        )
        path = folder / FILE
        with path.open("ab") as file:
            start = file.tell()
            # A process that died in the middle of a line must not take the next one with it.
            if start and not _ends_line(path):
                file.write(b"\n")
            file.write(line.encode("ascii") + b"\n")
            full = file.tell() >= self._file_bytes_max
        if full:
            path.replace(folder / OLDER)


def _ends_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, 2)
        return file.read(1) == b"\n"


def read_back(folder: Path) -> list[Kept]:
    """What the folder's files hold, oldest first. A line that was cut short is left out.

    Args:
        folder: A quarantine's folder; an empty or missing one holds nothing.
    """
    found: list[Kept] = []
    for path in (folder / OLDER, folder / FILE):
        if not path.exists():
            continue
        for line in path.read_bytes().splitlines():
            kept = _parse(line)
            if kept is not None:
                found.append(kept)
    return found


def _parse(line: bytes) -> Kept | None:
    try:
        entry = json.loads(line)
        raw = base64.b64decode(entry["raw"], validate=True)
        return Kept(str(entry["code"]), int(entry["frame"]), int(entry["size"]), raw)
    except (ValueError, KeyError, TypeError):
        return None
