"""Stage 10: how good forecasts and estimates were."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.replay.core.metrics import (
    Bin,
    Drawdown,
    brier,
    calibration,
    hash_parity,
    log_loss,
    max_drawdown,
    sharpe,
    slippage_rmse,
    wilson,
)

UNIT = st.floats(0, 1)
RESOLVED = st.lists(st.tuples(UNIT, st.integers(0, 1)), min_size=1, max_size=40)


def test_worked_example() -> None:
    # N = 500 with a Brier score of 0.181: 362 even forecasts and 138 that were sure and right.
    assert brier([0.5] * 362 + [1.0] * 138, [0, 1] * 181 + [1] * 138) == pytest.approx(0.181)


def test_the_worked_slippage_is_eleven_basis_points() -> None:
    # N = 120, RMSE 0.0011.
    predicted = [0.6425] * 120
    realised = [0.6425 + 0.0011 * (-1) ** index for index in range(120)]
    assert slippage_rmse(predicted, realised) == pytest.approx(0.0011)


def test_no_data_is_no_score() -> None:
    assert brier([], []) is None
    assert slippage_rmse([], []) is None
    assert hash_parity([], []) is None
    assert max_drawdown([]) is None
    assert sharpe([0.1]) is None
    assert sharpe([0.1, 0.1, 0.1]) is None
    assert calibration([], []) == ()


@pytest.mark.parametrize(("p_hats", "outcomes"), [([0.5], []), ([1.1], [1]), ([math.nan], [1]), ([0.5], [2])])
def test_a_sample_that_cannot_be_is_a_fault(p_hats: list[float], outcomes: list[int]) -> None:
    with pytest.raises(ValueError, match="outcomes"):
        brier(p_hats, outcomes)
    with pytest.raises(ValueError, match="outcomes"):
        calibration(p_hats, outcomes)


def test_predictions_and_fills_come_in_pairs() -> None:
    with pytest.raises(ValueError, match="predictions"):
        slippage_rmse([0.5], [])


@given(RESOLVED, st.randoms(use_true_random=False))
def test_the_score_lies_between_perfect_and_wrong_and_ignores_the_order(
    sample: list[tuple[float, int]], order: random.Random
) -> None:
    score = brier(*map(list, zip(*sample, strict=True)))
    assert score is not None
    assert 0.0 <= score <= 1.0
    assert brier([float(y) for _, y in sample], [y for _, y in sample]) == 0.0
    order.shuffle(sample)
    assert brier(*map(list, zip(*sample, strict=True))) == score


@given(RESOLVED)
def test_the_calibration_table_holds_every_forecast_once(sample: list[tuple[float, int]]) -> None:
    rows = calibration([p for p, _ in sample], [y for _, y in sample])
    assert sum(row.forecasts for row in rows) == len(sample)
    assert sum(row.forecasts * row.frequency for row in rows) == pytest.approx(sum(y for _, y in sample))
    assert all(row.low - 1e-12 <= row.mean_p <= row.high + 1e-12 for row in rows)


def test_a_certain_forecast_is_in_the_last_bin() -> None:
    assert calibration([1.0, 0.05], [1, 0]) == (Bin(0.0, 0.1, 1, 0.05, 0.0), Bin(0.9, 1.0, 1, 1.0, 1.0))


def test_parity_counts_a_missing_hash_as_a_difference() -> None:
    assert hash_parity([b"a", b"b", b"c", b"d"], [b"a", b"x", b"c"]) == 50.0
    assert hash_parity([b"a"], [b"a"]) == 100.0


def test_the_sharpe_ratio_scales_with_the_root_of_time() -> None:
    daily = sharpe([0.01, -0.01, 0.02, 0.0])
    assert daily == pytest.approx(0.005 / math.sqrt(0.0005 / 3))
    assert sharpe([0.01, -0.01, 0.02, 0.0], 365) == pytest.approx((daily or 0.0) * math.sqrt(365))


def test_a_drawdown_is_measured_from_the_high_before_it() -> None:
    assert max_drawdown([100, 120, 90, 130, 105]) == Drawdown(30, 250_000, 1, 2)
    assert max_drawdown([1, 2, 3]) == Drawdown(0, 0, 0, 0)
    assert max_drawdown([3, 2]) == Drawdown(1, 333_334, 0, 1)
    assert max_drawdown([0, -5]) == Drawdown(5, None, 0, 1)


@given(st.lists(st.integers(-(10**12), 10**12), min_size=1, max_size=30))
def test_no_fall_is_deeper_than_the_drawdown(equity: list[int]) -> None:
    found = max_drawdown(equity)
    assert found is not None
    falls = [equity[i] - equity[j] for i in range(len(equity)) for j in range(i, len(equity))]
    assert found.amount == max(falls)
    assert found.amount == equity[found.peak] - equity[found.trough]


def test_wilsons_interval_is_the_published_one_and_never_leaves_zero_to_one() -> None:
    # 81 of 263 (Newcombe 1998, table I, method 3) and 0 of 20.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson(29, 29)[1] == 1.0
    assert wilson(0, 0) == (0.0, 1.0)


def test_a_log_loss_is_of_what_happened_and_stays_finite() -> None:
    assert log_loss(0.8, 1) == pytest.approx(0.2231, abs=1e-4)
    assert log_loss(0.8, 0) == pytest.approx(1.6094, abs=1e-4)
    assert log_loss(1.0, 0) == pytest.approx(13.8155, abs=1e-4)
    assert log_loss(1.0, 1) == 0.0
