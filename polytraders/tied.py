"""A child process that cannot outlive the one that started it, however that one ends."""

import ctypes
import os
import signal
from collections.abc import Callable
from typing import Final

PR_SET_PDEATHSIG: Final = 1


def tied_to(parent: int, death: signal.Signals) -> Callable[[], None]:
    """What a child runs between fork and exec: it is sent `death` when the thread that forked it is gone.

    Args:
        parent: Our own process id.
        death: The signal.
    """
    # Looked up before the fork: between fork and exec a child must not load anything.
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def tie() -> None:
        prctl(PR_SET_PDEATHSIG, int(death), 0, 0, 0)
        # The parent may have died before the line above took hold.
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)

    return tie
