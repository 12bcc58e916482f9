"""Stage 5: buffer and suppression."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.fairvalue.core.uncertainty import (
    band_nano,
    buffer_nano,
    completeness_ppm,
    is_opinion,
    suppressed,
)
from polytraders.contracts.inputs import NANO

UNIT = st.floats(0, 1)
SHARE = st.one_of(UNIT, st.just(math.nan))


@pytest.mark.parametrize(
    ("lower", "upper", "milli"),
    [
        (0.498, 0.526, 14),
        (0.624, 0.652, 14),
        (0.594, 0.630, 18),
        (0.228, 0.254, 13),
        (0.408, 0.460, 26),
        (0.512, 0.596, 42),
        (0.262, 0.288, 13),
        (0.342, 0.406, 32),
    ],
)
def test_worked_example(lower: float, upper: float, milli: int) -> None:
    # The eight rows of the specification's fair-value table.
    assert buffer_nano(lower, upper, 1.0) == milli * 1_000_000


def test_caution_scales_the_buffer() -> None:
    assert buffer_nano(0.64, 0.71, 1.0) == 35_000_000
    assert buffer_nano(0.64, 0.71, 2.0) == 70_000_000
    assert buffer_nano(0.64, 0.71, 0.0) == 0


@pytest.mark.parametrize(("lower", "upper"), [(0.7, 0.6), (-0.1, 0.5), (0.5, 1.1), (math.nan, 0.5), (0.5, math.nan)])
def test_a_band_that_is_none_leaves_no_edge(lower: float, upper: float) -> None:
    assert band_nano(lower, upper) == NANO
    assert buffer_nano(lower, upper, 2.0) == NANO


@pytest.mark.parametrize("kappa", [-0.1, 100.1, math.inf, math.nan])
def test_a_caution_that_is_none_leaves_no_edge(kappa: float) -> None:
    assert buffer_nano(0.5, 0.5, kappa) == NANO


@settings(deadline=None)
@given(UNIT, UNIT, UNIT, st.floats(0, 100))
def test_a_wider_band_never_costs_less(a: float, b: float, c: float, kappa: float) -> None:
    lower, middle, upper = sorted((a, b, c))
    assert 0 <= buffer_nano(lower, middle, kappa) <= buffer_nano(lower, upper, kappa)
    assert band_nano(lower, upper) == pytest.approx((upper - lower) * 1e9, abs=1.5)


@pytest.mark.parametrize(
    ("p_hat", "lower", "upper", "usable"),
    [
        (0.67, 0.64, 0.71, True),
        (0.0, 0.0, 0.0, True),
        (1.0, 1.0, 1.0, True),
        (0.63, 0.64, 0.71, False),
        (0.72, 0.64, 0.71, False),
        (0.5, -0.1, 0.6, False),
        (0.5, 0.4, 1.1, False),
        (math.nan, 0.4, 0.6, False),
        (0.5, math.nan, 0.6, False),
        (0.5, 0.4, math.nan, False),
    ],
)
def test_a_forecast_is_an_opinion_only_within_its_band(p_hat: float, lower: float, upper: float, usable: bool) -> None:
    assert is_opinion(p_hat, lower, upper) is usable


@pytest.mark.parametrize(
    ("windows", "ppm"),
    [(0, 1_000_000), (1, 970_000), (2, 940_000), (4, 500_000), (3, 940_000), (5, 500_000), (7, 500_000)],
)
def test_only_the_windows_a_strategy_reads_count(windows: int, ppm: int) -> None:
    assert completeness_ppm(windows, 0.97, 0.94, 0.5) == ppm


def test_an_unobserved_window_is_not_complete() -> None:
    assert completeness_ppm(1, math.nan, 1.0, 1.0) == 0
    assert completeness_ppm(1, -0.5, 1.0, 1.0) == 0
    assert completeness_ppm(1, 1.5, 1.0, 1.0) == 1_000_000


@settings(deadline=None)
@given(st.integers(0, 7), SHARE, SHARE, SHARE)
def test_completeness_is_the_least_of_what_is_read(windows: int, a: float, b: float, c: float) -> None:
    read = [0.0 if math.isnan(share) else share for bit, share in enumerate((a, b, c)) if windows >> bit & 1]
    assert completeness_ppm(windows, a, b, c) == int(min(read, default=1.0) * 1_000_000)


def test_a_forecast_is_withheld_below_the_limit_and_used_on_it() -> None:
    assert suppressed(949_999, 950_000, True)
    assert not suppressed(950_000, 950_000, True)
    assert suppressed(1_000_000, 950_000, False)
