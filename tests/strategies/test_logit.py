"""The logistic model."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polytraders import config
from polytraders.contracts import state as s
from polytraders.strategies import logit, parameters

IDENTITY = {"x": [0.0, 1.0], "y": [0.0, 1.0], "lower": [0.0, 0.9], "upper": [0.1, 1.0]}


def row(**given: Any) -> np.ndarray:
    """A row of parameters; by default the model repeats the market."""
    usual = {"bias": 0.0, "log_odds_weight": 1.0, "kappa": 1.0, "calibration": IDENTITY}
    made = np.zeros(s.PARAMS)
    values = parameters.layout("logit", usual | given)
    made[: len(values)] = values
    return made


def features(mid: float, **more: float) -> np.ndarray:
    """A feature vector with this mid."""
    x = np.zeros(s.N_FEATURES)
    x[s.MID], x[s.LOG_ODDS] = mid, math.log(mid / (1 - mid))
    for name, value in more.items():
        x[s.FEATURES.index(name)] = value
    return x


def test_worked_example() -> None:
    """A score of 0.71 is a probability of 0.670; calibrated it lies between 0.64 and 0.71."""
    calibration = {"x": [0.0, 0.67, 1.0], "y": [0.0, 0.67, 1.0], "lower": [0.0, 0.64, 1.0], "upper": [0.0, 0.71, 1.0]}
    found = logit.propose(features(0.63), row(bias=0.71, log_odds_weight=0.0, calibration=calibration))
    assert found.p_hat == pytest.approx(0.670, abs=5e-4)
    assert (found.lower, found.upper) == pytest.approx((0.64, 0.71), abs=5e-4)
    assert found.buffer == pytest.approx(35_000_000, rel=2e-2)
    assert (found.opinion, found.reference_age_ms) == (1, 0)


def test_without_weights_it_repeats_the_market() -> None:
    for mid in (0.01, 0.37, 0.5, 0.99):
        assert logit.propose(features(mid, imbalance=0.9), row()).p_hat == pytest.approx(mid, abs=1e-12)


def test_a_weight_moves_the_score_by_standardised_units() -> None:
    x = features(0.5, imbalance=0.35)
    params = row(weights={"imbalance": 0.2}, means={"imbalance": 0.05}, scales={"imbalance": 0.1})
    assert logit.score(x, params) == pytest.approx(0.2 * 3.0)
    # Eight scales is the most that one feature can say.
    assert logit.score(features(0.5, imbalance=1e6), params) == pytest.approx(0.2 * 8.0)


def test_a_feature_that_is_not_a_number_gives_a_forecast_that_is_none() -> None:
    found = logit.propose(features(0.5, imbalance=math.nan), row(weights={"imbalance": 0.2}))
    assert math.isnan(found.p_hat)
    # One without a weight is not read.
    assert logit.propose(features(0.5, imbalance=math.nan), row()).p_hat == pytest.approx(0.5)


def test_a_strategy_without_parameters_knows_nothing() -> None:
    found = logit.propose(features(0.63), np.zeros(s.PARAMS))
    assert (found.p_hat, found.lower, found.upper) == (0.5, 0.0, 1.0)


def test_the_shipped_weights_lean_towards_the_heavier_side_by_a_little() -> None:
    params = np.zeros(s.PARAMS)
    shipped = config.load_strategy(Path("logit")).params
    params[: len(shipped)] = shipped
    calm = logit.propose(features(0.63), params)
    assert calm.p_hat == pytest.approx(0.63, abs=1e-9)
    assert (calm.upper - calm.lower) == pytest.approx(0.04, abs=1e-9)
    heavy = logit.propose(features(0.63, imbalance=1.0, depth_imbalance=1.0, buy_flow_60s=500.0), params)
    assert 0.64 < heavy.p_hat < 0.67


@settings(max_examples=60, deadline=None)
@given(st.floats(0.001, 0.999), st.floats(-1, 1), st.floats(-3, 3))
def test_any_forecast_lies_in_its_band(mid: float, imbalance: float, weight: float) -> None:
    found = logit.propose(features(mid, imbalance=imbalance), row(weights={"imbalance": weight}))
    assert 0.0 <= found.lower <= found.p_hat <= found.upper <= 1.0
    assert found.buffer >= 0
