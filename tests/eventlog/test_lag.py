"""Stage 3: lag and numbering."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.eventlog.core import lag
from polytraders.contracts.reasons import reason

NS_PER_MS = 1_000_000


def test_worked_example() -> None:
    # Sealed at 1,700,000,050,840, produced at 1,700,000,050,800: 40 ms.
    assert lag.lag_ms(1_700_000_050_800 * NS_PER_MS, 1_700_000_050_840 * NS_PER_MS) == 40


def test_no_venue_time_is_not_no_lag() -> None:
    assert lag.lag_ms(0, 1_700_000_050_840 * NS_PER_MS) is None


def test_a_started_millisecond_counts_and_a_fast_venue_clock_gives_a_negative_lag() -> None:
    assert lag.lag_ms(1, 1) == 0
    assert lag.lag_ms(1, 2) == 1
    assert lag.lag_ms(2_900 * NS_PER_MS, NS_PER_MS) == -2_899


@given(st.integers(1, 2**62), st.integers(0, 2**40))
def test_lag_is_never_understated(source_ts: int, late: int) -> None:
    found = lag.lag_ms(source_ts, source_ts + late)
    assert found is not None
    assert late <= found * NS_PER_MS < late + NS_PER_MS


def test_identifiers_go_up_by_one_and_end_with_their_range() -> None:
    assert lag.next_id(0) == 1
    assert lag.next_id(41, 3) == 44
    with pytest.raises(OverflowError):
        lag.next_id(2**63 - 1)


@pytest.mark.parametrize(
    ("numbers", "last", "gap"),
    [
        ([], 7, None),
        ([8, 9, 10], 7, None),
        ([8, 10, 11], 7, (1, 9, 10)),
        ([8, 9, 9], 7, (2, 10, 9)),
        ([7, 8], 7, (0, 8, 7)),
        ([9], 7, (0, 8, 9)),
    ],
)
def test_a_missing_repeated_or_older_identifier_is_named(
    numbers: list[int], last: int, gap: tuple[int, int, int] | None
) -> None:
    found = lag.first_gap(np.array(numbers, np.int64), last)
    assert (found and found[:3]) == gap
    assert found is None or reason(found.code).owner == "eventlog"
