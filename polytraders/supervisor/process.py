"""What a supervised process is, and how one is waited for."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from polytraders.supervisor.healthy import healthy
from polytraders.supervisor.spawn import spawn

PYTHON: Final = sys.executable
POLL_S: Final = 0.05

Launch = Callable[[int], subprocess.Popen[bytes]]
"""Starts the process with its output going to a descriptor."""


@dataclass(frozen=True)
class Service:
    """One process of an installation."""

    name: str
    launch: Launch
    prepare: Callable[[], None] | None = None
    """Work before each start; it runs in a thread."""
    ready: Callable[[], Awaitable[None]] | None = None
    """Returns when the process answers; without one it is ready when it runs."""
    ready_s_max: float = 60.0
    needs: tuple[str, ...] = ()
    """Who must be ready before it is started."""
    falls_with: tuple[str, ...] = ()
    """Whose loss stops it; it comes back after them."""
    once: bool = False
    """A step: it has to end well, and is ready then."""
    stop: signal.Signals = signal.SIGTERM
    before_stop: Callable[[], None] | None = None
    """What makes its stop quicker, done in a thread while those who use it are still ending."""
    after_kill: Callable[[], None] | None = None
    """Ends what outlives its process when that had to be killed; in a thread."""
    grace_s: float = 3.0
    """Between `stop` and SIGKILL."""
    server: bool = False
    """Stopped after everybody who may use it."""
    quiet: bool = False
    """What it says goes to its file; on the terminal only trouble is shown."""


def command(
    argv: Sequence[str | Path],
    *,
    environ: Callable[[], Mapping[str, str]],
    folder: Path,
    death: signal.Signals = signal.SIGTERM,
) -> Launch:
    """A launcher of a program. The environment is asked for at each start: addresses are known only then."""

    def launch(output: int) -> subprocess.Popen[bytes]:
        return spawn(argv, death=death, environ=environ(), folder=folder, output=output)

    return launch


async def exited(process: subprocess.Popen[bytes]) -> int:
    """Wait for a process; what it left of its session is killed; returns the exit code, negative for a signal."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return process.wait()
    loop = asyncio.get_running_loop()
    ended = loop.create_future()

    def tell() -> None:
        if not ended.done():
            ended.set_result(None)

    loop.add_reader(descriptor, tell)
    try:
        await ended
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
    # Before it is waited for, its number cannot belong to anybody else.
    if process.returncode is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    return process.wait()


def file_there(path: Path) -> Callable[[], Awaitable[None]]:
    """Ready when the process has written this file."""

    async def wait() -> None:
        while not path.exists():
            await asyncio.sleep(POLL_S)

    return wait


def answers_http(port: int, path: str) -> Callable[[], Awaitable[None]]:
    """Ready when something on this loopback port answers a GET with anything but a failure of its own."""

    async def wait() -> None:
        while not await asyncio.to_thread(healthy, ("http", str(port), path)):
            await asyncio.sleep(POLL_S)

    return wait
