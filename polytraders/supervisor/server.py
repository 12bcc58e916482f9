"""What both servers of an installation have in common: one process, ended in order or killed."""

import signal
import subprocess
from abc import ABC, abstractmethod
from types import TracebackType
from typing import ClassVar, Final, Self

KILLED_S_MAX: Final = 10.0
"""A process that has been killed is gone in no time; one in a disk's wait takes a moment."""


class Server(ABC):
    """A server's process, as a context manager.

    Attributes:
        process: The running one, None before `start` and after its end.
        ENDS_BY: What asks it to end in order.
        END_S_MAX: Seconds that it may take for that; then it is killed.
    """

    ENDS_BY: ClassVar[signal.Signals]
    END_S_MAX: ClassVar[float]
    process: "subprocess.Popen[bytes] | None" = None

    @abstractmethod
    def start(self, output: int | None = None) -> None:
        """Start it, its output going to the descriptor, and wait until it answers."""

    def stop(self) -> None:
        """End it in order; what it has promised to keep is kept."""
        self._end(self.ENDS_BY)

    def kill(self) -> None:
        """SIGKILL, as a crash would. The next `start` recovers."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        process, self.process = self.process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(how)
        try:
            process.wait(self.END_S_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(KILLED_S_MAX)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
