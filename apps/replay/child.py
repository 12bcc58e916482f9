"""The process that does one job: started with its arguments, listened to, and ended with whoever started it."""

import json
import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final, Protocol

from django.conf import settings

from polytraders.contracts import job as j
from polytraders.tied import tied_to

NICE: Final = 10
READ: Final = 1 << 16
LAST_WORDS: Final = 2_000
Said = j.Progress | j.Result | j.Refusal


class Child(Protocol):
    """Somebody who does a job."""

    def said(self, wait_s: float) -> list[Said]:
        """What it has said since the last time; waits at most so long for something. An end is always said."""


Starts = Callable[[str, dict[str, Any]], AbstractContextManager[Child]]


class Process:
    """A child process of our own; everything it writes to its standard output is a line of JSON."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        """Listen to a process that has been started."""
        self._process = process
        self._rest = b""
        self._words = b""
        self._selector = selectors.DefaultSelector()
        for stream in (process.stdout, process.stderr):
            assert stream is not None  # noqa: S101  both are pipes
            os.set_blocking(stream.fileno(), False)
            self._selector.register(stream, selectors.EVENT_READ)

    def said(self, wait_s: float) -> list[Said]:
        """See `Child`."""
        found: list[Said] = []
        for key, _ in self._selector.select(wait_s):
            data = os.read(key.fd, READ)
            if not data:
                self._selector.unregister(key.fileobj)
            elif key.fileobj is self._process.stderr:
                self._words = (self._words + data)[-LAST_WORDS:]
            else:
                *lines, self._rest = (self._rest + data).split(b"\n")
                found += [_understood(line) for line in lines]
                if len(self._rest) > j.LINE_MAX:
                    found.append(j.Refusal(j.BROKEN, "it said more than a line may hold"))
        if not self._selector.get_map():
            code = self._process.wait()
            last = self._words.decode("utf-8", "replace").strip().rpartition("\n")[2]
            found.append(j.Refusal(j.BROKEN, f"its process ended with {code}: {last}"))
        return found


def _understood(line: bytes) -> Said:
    try:
        told = json.loads(line)
        if "result" in told:
            return j.Result(dict(told["result"]))
        if "code" in told:
            return j.Refusal(str(told["code"]), str(told["words"]))
        return j.Progress(float(told["part"]), str(told["words"]))
    except (ValueError, TypeError, KeyError):
        return j.Refusal(j.BROKEN, f"it said what nobody understands: {line[:80]!r}")


@contextmanager
def started(runner: str, arguments: dict[str, Any]) -> Iterator[Child]:
    """`polytraders.working` in a process of its own, which ends with this block, or with us, however we end."""
    environ = {**os.environ, "DATABASE_URL": settings.DATABASE_URL or "", "POLYTRADERS_HOME": str(settings.HOME)}
    with subprocess.Popen(  # noqa: S603  our own command
        [sys.executable, "-m", "polytraders.working", runner],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environ,
        cwd=settings.BASE_DIR,
        preexec_fn=tied_to(os.getpid(), signal.SIGKILL),  # noqa: PLW1509  one system call and nothing else
    ) as process:
        try:
            os.setpriority(os.PRIO_PROCESS, process.pid, NICE)
            assert process.stdin is not None  # noqa: S101  it is a pipe
            process.stdin.write(json.dumps(arguments).encode())
            process.stdin.close()
            yield Process(process)
        finally:
            process.kill()
