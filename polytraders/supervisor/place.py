"""The folder of one installation: taken by one supervisor at a time, which says there where its servers are."""

import fcntl
import json
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from polytraders.supervisor.postgres import free_port
from polytraders.supervisor.secret import private_folder, write_private

RUNNING_FILE: Final = "run.json"
"""There while `polytraders up` runs; holds passwords, so only its owner can read it."""
LOCK_FILE: Final = "lock"


def kept_port(home: Path, name: str) -> int:
    """The loopback port of this installation for `name`: the one it had, so that pages and bookmarks stay right.

    Where somebody else listens on that one now, another that is free, from now on.
    """
    path = private_folder(home / "ports") / name
    try:
        had = int(path.read_text(encoding="ascii"))
        if had == 0:
            raise ValueError("0 would be another port each time")
        with socket.socket() as probe:
            # As servers do: connections that have just ended are in nobody's way.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", had))
        return had
    except (OSError, OverflowError, ValueError):
        made = free_port()
        write_private(path, f"{made}\n")
        return made


class TakenError(RuntimeError):
    """Another supervisor runs in the folder."""


class Place:
    """The folder while it is held. A context manager: inside, nobody else can hold it."""

    def __init__(self, home: Path) -> None:
        self.home = home.resolve()
        self._lock: int | None = None

    def __enter__(self) -> Self:
        private_folder(self.home)
        lock = os.open(self.home / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            # Held by the open file, so the kernel gives it back however this process ends; children do not inherit it.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(lock, 32).decode(errors="replace").strip() or "unknown"
            os.close(lock)
            raise TakenError(
                f"process {holder} already runs in {self.home}: stop it, or set POLYTRADERS_HOME to another folder"
            ) from error
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        self._lock = lock
        (self.home / RUNNING_FILE).unlink(missing_ok=True)
        return self

    def tell(self, environ: Mapping[str, str], web_url: str) -> None:
        """Say where everything is, for commands from another terminal."""
        told = {"process": os.getpid(), "web": web_url, "environ": dict(environ)}
        write_private(self.home / RUNNING_FILE, json.dumps(told, indent=1))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        (self.home / RUNNING_FILE).unlink(missing_ok=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
