"""Pauses grow, stay bounded, and differ."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polytraders.venues.backoff import Backoff


def test_worked_example() -> None:
    backoff = Backoff(first_s=1.0, most_s=5.0)
    longest = [0.0] * 5
    for seed in range(200):
        chance = random.Random(seed)
        longest = [max(most, backoff.pause_s(attempt + 1, chance)) for attempt, most in enumerate(longest)]
    assert [round(most, 1) for most in longest] == [1.0, 2.0, 4.0, 5.0, 5.0]


@given(st.integers(1, 10**9), st.integers(0, 2**32))
def test_a_pause_is_between_half_of_the_bound_and_all_of_it(attempt: int, seed: int) -> None:
    pause = Backoff(first_s=0.5, most_s=30.0).pause_s(attempt, random.Random(seed))
    bound = min(30.0, 0.5 * 2 ** min(attempt - 1, 40))
    assert bound / 2 <= pause <= bound


@pytest.mark.parametrize("attempt", [1, 4, 100])
def test_two_clients_do_not_come_back_at_the_same_moment(attempt: int) -> None:
    backoff = Backoff(first_s=1.0, most_s=30.0)
    assert backoff.pause_s(attempt, random.Random(1)) != backoff.pause_s(attempt, random.Random(2))
