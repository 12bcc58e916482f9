"""Stage 7: the edge after everything it costs."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.risk.core import edge
from polytraders.contracts.inputs import DOWN, NANO, UP


def test_worked_example() -> None:
    """0.67 - 0.645 - 0.003225 - 0.012775 = +0.009: BUY YES."""
    assert edge.net_edge(UP, 670_000_000, 645_000_000, 3_225_000, 12_775_000) == 9_000_000


def test_selling_is_the_mirror_of_buying() -> None:
    # The bid is 0.62 and YES is worth 0.58: selling YES (or buying NO at 0.38) gains 0.04 before costs.
    assert edge.net_edge(DOWN, 580_000_000, 620_000_000, 3_000_000, 10_000_000) == 27_000_000


def test_fees_and_buffer_are_taken_off_on_either_side() -> None:
    for direction in (UP, DOWN):
        assert edge.net_edge(direction, 500_000_000, 500_000_000, 7, 5) == -12


@given(st.integers(0, NANO), st.integers(0, NANO), st.integers(0, NANO), st.integers(0, NANO))
def test_buying_no_is_worth_what_selling_yes_is(p: int, q: int, fee: int, buffer: int) -> None:
    assert edge.net_edge(DOWN, p, q, fee, buffer) == edge.net_edge(UP, NANO - p, NANO - q, fee, buffer)


@given(st.floats(0, 1))
def test_a_probability_is_rounded_against_the_trade(p: float) -> None:
    assert edge.nano(UP, p) <= p * NANO < edge.nano(DOWN, p) <= p * NANO + 1


@pytest.mark.parametrize("p", [math.nan, math.inf, -math.inf, -0.001, 1.001])
def test_what_is_no_probability_counts_as_nothing(p: float) -> None:
    assert edge.nano(UP, p) == edge.nano(DOWN, p) == 0


def test_no_edge_is_below_every_edge_there_can_be() -> None:
    assert edge.net_edge(UP, 0, NANO, 0, 0) >= edge.NO_EDGE
