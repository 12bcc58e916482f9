"""A Valkey server of our own, on a Unix socket with a password. It carries hints and jobs; losing it loses nothing."""

import contextlib
import hashlib
import os
import signal
import tempfile
import time
from pathlib import Path
from typing import Final
from urllib.parse import quote

import redis

from polytraders.supervisor.binaries import valkey_server
from polytraders.supervisor.secret import kept_secret, private_folder, write_private
from polytraders.supervisor.server import Server
from polytraders.supervisor.spawn import spawn

READY_S_MAX: Final = 10.0
STOP_S_MAX: Final = 3.0
SOCKET_PATH_MAX: Final = 100
"""Bytes; the kernel takes 107, and clients add nothing."""


class ValkeyError(RuntimeError):
    """The server does not start; the text says what its log said."""


class Valkey(Server):
    """One server and its folder, which gets `valkey/` and a secret. Use as `Postgres` is used."""

    ENDS_BY = signal.SIGTERM
    END_S_MAX = STOP_S_MAX

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self._program = valkey_server()
        self._place = self.folder / "valkey"
        self.log = self._place / "valkey.log"
        self.socket = self._place / "socket"
        if len(os.fsencode(self.socket)) > SOCKET_PATH_MAX:
            # A deep folder makes a path that the kernel does not take for a socket.
            digest = hashlib.sha256(os.fsencode(self.socket)).hexdigest()[:16]
            self.socket = Path(tempfile.gettempdir()) / f"polytraders-{os.getuid()}-{digest}" / "socket"

    @property
    def url(self) -> str:
        """Address with its password: for connecting, never for showing."""
        return f"unix://:{quote(kept_secret(self.folder, 'valkey'))}@{quote(str(self.socket))}"

    def start(self, output: int | None = None) -> None:
        """Start it and wait until it answers.

        Raises:
            ValkeyError: It does not come up.
        """
        self.launch(output)
        self.await_ready()

    def launch(self, output: int | None = None) -> None:
        """Start the server and return at once. From the main thread."""
        private_folder(self.folder)
        private_folder(self._place)
        private_folder(self.socket.parent)
        self.socket.unlink(missing_ok=True)
        # In a file, because a command line can be read by everybody on the machine.
        settings = self._place / "valkey.conf"
        lines = (
            f"requirepass {kept_secret(self.folder, 'valkey')}", "port 0", f'unixsocket "{self.socket}"',
            "unixsocketperm 600", f'dir "{self._place}"', "daemonize no", 'save ""', "appendonly yes",
            "appendfsync everysec",
        )  # fmt: skip
        write_private(settings, "\n".join(lines) + "\n")
        with contextlib.ExitStack() as stack:
            sink = output
            if sink is None:
                sink = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
                stack.callback(os.close, sink)
            self.process = spawn([self._program, settings], death=self.ENDS_BY, output=sink)

    def await_ready(self) -> None:
        """Wait until the server answers. May be called from any thread.

        Raises:
            ValkeyError: It ended, or did not answer in ten seconds.
        """
        deadline = time.monotonic() + READY_S_MAX
        with redis.Redis.from_url(self.url, socket_timeout=2.0) as client:
            while True:
                process = self.process
                if process is None or process.poll() is not None:
                    raise ValkeyError("Valkey ended at once; its log says why")
                try:
                    client.ping()
                    return
                except redis.RedisError as error:
                    if time.monotonic() > deadline:
                        raise ValkeyError(f"Valkey does not answer: {error}") from error
                    time.sleep(0.02)
