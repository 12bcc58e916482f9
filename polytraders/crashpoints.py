"""Places where a test can have the process die: SIGKILL at the n-th passing. Without the variable they do nothing.

`POLYTRADERS_CRASH_AT=name:n`. The names are the points between which a crash could lose or double something.
"""

import os
import signal
from typing import Final

VARIABLE: Final = "POLYTRADERS_CRASH_AT"

POINTS: Final = (
    "frame_read",
    "raw_written",
    "rows_sequenced",
    "stepped",
    "handed_over",
    "segment_written",
    "segment_synced",
    "transaction_open",
    "log_written",
    "ledger_posted",
    "projections_written",
    "committed",
    "compared",
    "checkpoint_written",
    "command_taken",
)

_passed: dict[str, int] = {}


def reach(name: str) -> None:
    """Pass a point; the process ends here if a test has asked for it."""
    wanted = os.environ.get(VARIABLE)
    if wanted is None:
        return
    point, _, count = wanted.partition(":")
    if point == name:
        _passed[name] = _passed.get(name, 0) + 1
        if _passed[name] >= int(count or 1):
            os.kill(os.getpid(), signal.SIGKILL)
