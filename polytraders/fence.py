"""The kill fence: a small mapped file that says which scopes are killed, whatever else is up or down.

It is written before anything else when somebody kills, and read before every block of the loop (later: before every
send). Slot 0 is the global scope; the others are taken by the first kill that names them. A file that is missing, cut
short or of another form means that everything is killed, and so does a kill that finds no free slot.

Writers hold an exclusive lock, readers a shared one, so nobody sees half a change. The header's epoch moves with every
change: a reader that has seen it before need not look again.
"""

import fcntl
import mmap
import os
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from polytraders.contracts.control import EVERYTHING, Killed
from polytraders.contracts.scope import Scope

FILE: Final = "kill.fence"
MAGIC: Final = b"PTFENCE1"
HEAD: Final = struct.Struct("<8sQQ")
"""Magic, epoch, number of slots."""
SLOT: Final = struct.Struct("<BBxxI Q 80s")
"""Killed 0 or 1, scope, bytes of the name, epoch of the slot's last change, name in UTF-8."""
SLOTS: Final = 1_024
SHARE_TRIES, SHARE_PAUSE_S = 20, 0.001
NAME_MAX: Final = 80
SIZE: Final = HEAD.size + SLOTS * SLOT.size


class FenceError(ValueError):
    """A scope that cannot be written down."""

    code = "GOV_COMMAND_INVALID"


def create(path: Path) -> None:
    """Make a fence in which nothing is killed. A file that is already there stays as it is."""
    made = path.with_name(f"{path.name}.{os.getpid()}.new")
    made.write_bytes(
        HEAD.pack(MAGIC, 1, SLOTS) + SLOT.pack(0, Scope.GLOBAL, 0, 1, b"") + bytes(SIZE - HEAD.size - SLOT.size)
    )
    made.chmod(0o600)
    try:
        # A link, unlike a rename, never replaces a fence that somebody has killed by meanwhile.
        os.link(made, path)
    except FileExistsError:
        pass
    finally:
        made.unlink()
    _sync_folder(path)


def _sync_folder(path: Path) -> None:
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def kill(path: Path, scope: Scope, name: str = "") -> None:
    """Kill a scope. A fence that is missing or broken is left so: it says that everything is killed already.

    Raises:
        FenceError: The name is too long, or missing where one is needed; nothing was written.
    """
    encoded = _encoded(scope, name)
    with _mapped(path) as view:
        if view is not None:
            _set(view, scope, encoded, 1)


def epoch(path: Path) -> int:
    """Moves with every change; 0 = there is no fence, or none that can be read."""
    try:
        with path.open("rb") as file:
            magic, found, slots = HEAD.unpack(file.read(HEAD.size))
    except (OSError, struct.error):
        return 0
    return int(found) if (magic, slots) == (MAGIC, SLOTS) else 0


def release(path: Path, scope: Scope, name: str = "", *, at: int | None = None) -> bool:
    """Let a scope trade again as far as the fence goes; whether it stands so now.

    A missing or broken fence is made anew only by a release of the global scope. With `at`, an epoch, nothing is
    released when anything has changed since: a kill that came after the release was asked for wins.

    Raises:
        FenceError: The name is too long, or missing where one is needed; nothing was written.
    """
    encoded = _encoded(scope, name)
    with _mapped(path) as view:
        if view is not None:
            if at is not None and HEAD.unpack_from(view)[1] != at:
                return False
            _set(view, scope, encoded, 0)
            return True
    if scope is not Scope.GLOBAL:
        return False
    path.unlink(missing_ok=True)
    create(path)
    return True


def killed(path: Path) -> frozenset[Killed]:
    """Every scope that the fence says is killed; EVERYTHING when it cannot be read."""
    return Fence(path).killed()


class Fence:
    """A reader that looks again only when something has changed."""

    def __init__(self, path: Path) -> None:
        """Read `path`, which need not exist."""
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._killed = EVERYTHING

    def killed(self) -> frozenset[Killed]:
        """Every scope that is killed now; EVERYTHING when the file cannot be read."""
        try:
            with self._path.open("rb") as file:
                head = file.read(HEAD.size)
                magic, epoch, slots = HEAD.unpack(head)
                status = os.fstat(file.fileno())
                if magic != MAGIC or slots != SLOTS or status.st_size != SIZE:
                    raise ValueError("not a fence")
                seen = (status.st_dev, status.st_ino, epoch)
                if seen != self._seen:
                    _share(file)
                    file.seek(0)
                    data = file.read(SIZE)
                    self._killed = frozenset(_read(data))
                    self._seen = (status.st_dev, status.st_ino, HEAD.unpack_from(data)[1])
        except (OSError, ValueError, struct.error):
            self._seen = None
            self._killed = EVERYTHING
        return self._killed


def _share(file: IO[bytes]) -> None:
    """The shared lock, soon or not at all: a writer that was stopped in the middle must not stop the loop."""
    for _ in range(SHARE_TRIES):
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            time.sleep(SHARE_PAUSE_S)
    raise OSError("somebody holds the fence")


def _encoded(scope: Scope, name: str) -> bytes:
    encoded = name.encode()
    if (scope is Scope.GLOBAL) != (not encoded):
        raise FenceError("the global scope has no name, every other has one")
    if len(encoded) > NAME_MAX:
        raise FenceError(f"a name of {len(encoded)} bytes is longer than {NAME_MAX}")
    return encoded


@contextmanager
def _mapped(path: Path) -> Iterator[mmap.mmap | None]:
    """The file under an exclusive lock, written through on the way out; None when it is no fence."""
    try:
        file = path.open("r+b")
    except OSError:
        yield None
        return
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file.fileno()).st_size != SIZE:
            yield None
            return
        with mmap.mmap(file.fileno(), SIZE) as view:
            if HEAD.unpack_from(view)[0::2] != (MAGIC, SLOTS):
                yield None
                return
            yield view
            view.flush()


def _slots(data: bytes | mmap.mmap) -> Iterator[tuple[int, int, int, int, int, bytes]]:
    """(offset, killed, scope, bytes of the name, epoch, name) of each slot."""
    for slot in range(SLOTS):
        at = HEAD.size + slot * SLOT.size
        yield (at, *SLOT.unpack_from(data, at))


def _read(data: bytes) -> Iterator[Killed]:
    for _, is_killed, scope, length, epoch, name in _slots(data):
        if epoch and is_killed:
            yield Killed(Scope(scope), name[:length].decode())


def _set(view: mmap.mmap, scope: Scope, name: bytes, is_killed: int) -> None:
    epoch = HEAD.unpack_from(view)[1] + 1
    free = 0
    for at, was, kind, length, changed, told in _slots(view):
        if changed and kind == scope and told[:length] == name:
            break
        # A slot whose scope trades again is anybody's; the global one stays where it is.
        if not free and at > HEAD.size and not was:
            free = at
    else:
        if not is_killed:
            return
        # No room left: rather everything than nothing.
        at, scope, name = (free, scope, name) if free else (HEAD.size, Scope.GLOBAL, b"")
    SLOT.pack_into(view, at, is_killed, scope, len(name), epoch, name)
    HEAD.pack_into(view, 0, MAGIC, epoch, SLOTS)
