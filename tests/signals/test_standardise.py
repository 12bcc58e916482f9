"""Stage 4: standardised features."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.signals.core.standardise import Z_MAX, scale_code, standardise
from polytraders.contracts.reasons import reason

FINITE = st.floats(-1e12, 1e12)
SCALES = st.floats(1e-9, 1e9)


def test_worked_example() -> None:
    # An imbalance of 0.35 where 0.05 is ordinary and 0.2 is far: one and a half scales.
    assert standardise(0.35, 0.05, 0.2) == pytest.approx(1.5)


def test_the_mean_is_zero_and_outliers_stop_at_eight() -> None:
    assert standardise(0.05, 0.05, 0.2) == 0.0
    assert standardise(100.0, 0.0, 1.0) == Z_MAX == 8.0
    assert standardise(-100.0, 0.0, 1.0) == -Z_MAX
    assert standardise(math.inf, 0.0, 1.0) == Z_MAX


def test_not_a_number_is_not_hidden() -> None:
    assert math.isnan(standardise(math.nan, 0.0, 1.0))


@pytest.mark.parametrize(
    ("mean", "scale"), [(0.0, 0.0), (0.0, -1.0), (0.0, math.nan), (0.0, math.inf), (math.nan, 1.0)]
)
def test_a_scale_that_cannot_divide_is_refused(mean: float, scale: float) -> None:
    assert reason(scale_code(mean, scale)).code == "INTEL_SCALE_INVALID"


def test_a_usable_scale_has_no_code() -> None:
    assert scale_code(-0.5, 1e-9) == ""


@settings(deadline=None)
@given(FINITE, FINITE, FINITE, SCALES)
def test_standardising_keeps_the_order_within_its_bounds(x: float, y: float, mean: float, scale: float) -> None:
    low, high = standardise(min(x, y), mean, scale), standardise(max(x, y), mean, scale)
    assert -Z_MAX <= low <= high <= Z_MAX
