"""The micro-price model."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polytraders.contracts import state as s
from polytraders.strategies import microprice, parameters


def row(**given: float) -> np.ndarray:
    """A row of parameters, as shipped unless said otherwise."""
    usual = {"pull": 0.002, "half_band": 0.002, "volatility_band": 0.5, "kappa": 1.0}
    made = np.zeros(s.PARAMS)
    values = parameters.layout("microprice", usual | given)
    made[: len(values)] = values
    return made


def features(**told: float) -> Any:
    """A feature vector."""
    x = np.zeros(s.N_FEATURES)
    for name, value in told.items():
        x[s.FEATURES.index(name)] = value
    return x


def test_worked_example() -> None:
    """Micro-price 0.632, 300 bought and 100 sold in the last minute: half of the pull upwards, 0.633."""
    found = microprice.propose(features(micro=0.632, mid=0.63, buy_flow_60s=300.0, sell_flow_60s=100.0), row())
    assert found.p_hat == pytest.approx(0.633)
    assert (found.lower, found.upper) == pytest.approx((0.631, 0.635))
    assert found.buffer == pytest.approx(2_000_000, abs=1)
    assert (found.opinion, found.reference_age_ms) == (1, 0)


def test_without_flow_there_is_no_pull() -> None:
    assert microprice.propose(features(micro=0.632, mid=0.63), row()).p_hat == pytest.approx(0.632)


def test_a_nervous_minute_widens_the_band() -> None:
    found = microprice.propose(features(micro=0.5, mid=0.5, volatility_60s=0.02), row())
    assert found.upper - found.lower == pytest.approx(2 * (0.002 + 0.5 * 0.02 * 0.5))


@pytest.mark.parametrize(("micro", "p_hat"), [(0.0001, 0.001), (0.9999, 0.999)])
def test_it_is_never_certain(micro: float, p_hat: float) -> None:
    found = microprice.propose(features(micro=micro, mid=micro), row(half_band=0.01))
    assert found.p_hat == p_hat
    assert 0.0 <= found.lower <= found.p_hat <= found.upper <= 1.0


@settings(max_examples=60, deadline=None)
@given(st.floats(0.0001, 0.9999), st.floats(0, 1e6), st.floats(0, 1e6), st.floats(0, 1))
def test_any_forecast_lies_in_its_band(micro: float, bought: float, sold: float, volatility: float) -> None:
    x = features(micro=micro, mid=micro, buy_flow_60s=bought, sell_flow_60s=sold, volatility_60s=volatility)
    found = microprice.propose(x, row())
    assert 0.0 <= found.lower <= found.p_hat <= found.upper <= 1.0
    assert abs(found.p_hat - micro) <= 0.003
