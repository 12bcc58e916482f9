"""Stage 5: fitting calibration tables."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.fairvalue.core.calibration import KNOTS_MAX, calibrate, table_code
from apps.fairvalue.core.fitting import fit, sample_code


def test_worked_example() -> None:
    # Three groups of a hundred, of which 10, 55 and 90 paid.
    scores = np.repeat([0.2, 0.5, 0.8], 100)
    outcomes = np.concatenate([np.arange(100) < wins for wins in (10, 55, 90)]).astype(float)
    table = fit(scores, outcomes)
    assert table.x == pytest.approx((0.2, 0.5, 0.8))
    assert table.y == pytest.approx((0.1, 0.55, 0.9))
    # Beta(11, 91): its 10 % and 90 % quantiles.
    assert (table.lower[0], table.upper[0]) == pytest.approx((0.0700, 0.1479), abs=5e-3)


def test_groups_out_of_order_are_pooled() -> None:
    scores = np.repeat([0.4, 0.6], 10)
    outcomes = np.concatenate((np.arange(10) < 6, np.arange(10) < 4)).astype(float)
    table = fit(scores, outcomes)
    assert table.x == pytest.approx((0.5,))
    assert table.y == pytest.approx((0.5,))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 2_000), st.integers(0, 10**6))
def test_a_fit_is_a_valid_table_of_few_knots(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.random(count)
    outcomes = (rng.random(count) < scores).astype(float)
    table = fit(scores, outcomes)
    assert table_code(table) == ""
    assert all(0.0 <= calibrate(table.flat(), 0, len(table.x), p).p_hat <= 1.0 for p in scores[:50])


def test_a_well_calibrated_model_is_left_nearly_alone() -> None:
    rng = np.random.default_rng(7)
    scores = rng.random(20_000)
    table = fit(scores, (rng.random(len(scores)) < scores).astype(float))
    bands = [calibrate(table.flat(), 0, len(table.x), p) for p in np.linspace(0.05, 0.95, 91)]
    errors = [abs(band.p_hat - p) for band, p in zip(bands, np.linspace(0.05, 0.95, 91), strict=True)]
    assert max(errors) < 0.05
    assert np.mean([band.upper - band.lower for band in bands]) < 0.08


def test_more_blocks_than_knots_are_joined_where_it_costs_least() -> None:
    # 64 groups of a hundred whose frequency rises from group to group.
    group = np.repeat(np.arange(64), 100)
    outcomes = (np.tile(np.arange(100), 64) < group * 100 // 64).astype(float)
    table = fit(group / 64, outcomes)
    assert len(table.x) == KNOTS_MAX
    assert table_code(table) == ""
    assert all(abs(y - x) < 0.03 for x, y in zip(table.x, table.y, strict=True))


def test_more_data_narrows_the_band() -> None:
    def width(count: int) -> float:
        table = fit(np.full(count, 0.5), (np.arange(count) % 2).astype(float))
        return table.upper[0] - table.lower[0]

    assert width(1_000) < width(100) < width(10)


@pytest.mark.parametrize(
    ("scores", "outcomes"),
    [
        ([], []),
        ([0.5], [0.0, 1.0]),
        ([1.5], [1.0]),
        ([math.nan], [1.0]),
        ([0.5], [0.5]),
        ([0.5], [math.nan]),
        ([[0.5]], [[1.0]]),
    ],
)
def test_a_sample_that_says_nothing_is_refused(scores: list[float], outcomes: list[float]) -> None:
    sample = np.array(scores, float), np.array(outcomes, float)
    assert sample_code(*sample) == "STRAT_CALIBRATION_INVALID"
    with pytest.raises(ValueError, match="STRAT_CALIBRATION_INVALID"):
        fit(*sample)
