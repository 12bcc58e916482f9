"""How late a row is, and whether the log's numbering is whole."""

from typing import Any, Final, NamedTuple

import numpy as np

EVENT_ORDER: Final = "GOV_EVENT_ORDER"

NS_PER_MS: Final = 1_000_000

ID_MAX: Final = 2**63 - 1


class Gap(NamedTuple):
    """Where a stretch of the log does not go on by one.

    Attributes:
        at: Row in the stretch.
        expected: Identifier that should stand there.
        found: Identifier that does.
        code: Reason code.
    """

    at: int
    expected: int
    found: int
    code: str


def lag_ms(source_ts: int, proc_ts: int) -> int | None:
    """Milliseconds from the venue's own time to the sealing of the row, a started one counting as a whole.

    Args:
        source_ts: The venue's time, ns UTC; 0 when it gave none.
        proc_ts: When the row was sealed, ns UTC.

    Returns:
        lag_ms of the specification (stage 3, formula 1), negative when the venue's clock is ahead of ours; None when
        the venue gave no time, which is not the same as no lag.
    """
    return None if source_ts == 0 else -((source_ts - proc_ts) // NS_PER_MS)


def next_id(last: int, count: int = 1) -> int:
    """The identifier `count` rows after `last`; identifiers are gapless, start at 1 and stay within int64.

    Raises:
        OverflowError: The 64-bit range is used up.
    """
    made = last + count
    if made > ID_MAX:
        raise OverflowError("event identifiers are used up")
    return made


def first_gap(in_seq: np.ndarray[Any, Any], last: int) -> Gap | None:
    """The first row that does not follow its predecessor by exactly one.

    Args:
        in_seq: (n,) int64 in log order.
        last: The identifier before the first row; 0 at the start of a log.

    Returns:
        None when the stretch is gapless. A repeated or older number counts like a missing one: the log never drops
        and never reorders, so either is damage.
    """
    expected = last + 1 + np.arange(len(in_seq), dtype=np.int64)
    wrong = np.flatnonzero(in_seq != expected)
    if not len(wrong):
        return None
    index = int(wrong[0])
    return Gap(index, int(expected[index]), int(in_seq[index]), EVENT_ORDER)
