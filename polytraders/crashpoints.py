"""Places where a test can have the process die: SIGKILL at the n-th passing. Without the variable they do nothing.

`POLYTRADERS_CRASH_AT=name:n`. The names are the points between which a crash could lose or double something.
"""

import os
import signal
from collections import Counter
from typing import Final, NamedTuple

VARIABLE: Final = "POLYTRADERS_CRASH_AT"

POINTS: Final = (
    "frame read",  # a message is taken from the socket, nothing is numbered
    "command taken",  # a row of the inbox is numbered, its block is not committed
    "rows sequenced",  # everything that has arrived has its number
    "stepped",  # the loop has decided, nobody knows
    "handed over",  # the block is closed, the committer has it
    "raw written",  # raw frames are on disk
    "segment written",  # the canonical segment has bytes that nothing vouches for
    "segment synced",  # they are on disk
    "log rows written",  # the transaction holds the log's rows
    "ledger posted",  # and the movements of money
    "mid projection",  # and some of the projections
    "before commit",  # and all of them
    "committed",  # the record is made, the loop does not know
    "committed noted",  # the loop knows
    "checkpoint written",  # under its temporary name
    "checkpoint named",  # the file is there, its row is not
)


class Wanted(NamedTuple):
    """Where the process is to die, and at the how many-th passing."""

    point: str
    nth: int


def read(text: str | None) -> Wanted | None:
    """What the variable says; None when it is not set.

    Raises:
        ValueError: There is no such point, or it does not say at which passing, from 1.
    """
    if text is None:
        return None
    point, _, nth = text.partition(":")
    if point not in POINTS or not (nth.isascii() and nth.isdigit()) or int(nth) < 1:
        raise ValueError(f"{VARIABLE} is {text!r}: it must be one of {', '.join(POINTS)}, then a colon and a count")
    return Wanted(point, int(nth))


_wanted = read(os.environ.get(VARIABLE))
passed: Counter[str] = Counter()
"""How often each point was passed; counted only where a point is wanted."""


def reach(name: str) -> None:
    """Pass a point; the process ends here if a test has asked for it."""
    if _wanted is None:
        return
    passed[name] += 1
    if name == _wanted.point and passed[name] >= _wanted.nth:
        os.kill(os.getpid(), signal.SIGKILL)
