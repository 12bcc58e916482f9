"""Stage 5: probabilities."""

import math
from statistics import NormalDist

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.fairvalue.core.probability import gbm_up, logistic, normal_cdf

YEAR_S = 365.25 * 86_400


def test_worked_example() -> None:
    assert logistic(0.71) == pytest.approx(0.670, abs=5e-4)


@pytest.mark.parametrize(("z", "p"), [(0.0, 0.5), (800.0, 1.0), (-800.0, 0.0), (math.inf, 1.0), (-math.inf, 0.0)])
def test_a_large_score_does_not_overflow(z: float, p: float) -> None:
    assert logistic(z) == p


def test_a_small_probability_keeps_its_digits() -> None:
    assert logistic(-700.0) == pytest.approx(math.exp(-700.0))
    assert normal_cdf(-10.0) == pytest.approx(7.619853024160527e-24)


@settings(deadline=None)
@given(st.floats(-50, 50), st.floats(-50, 50))
def test_the_logistic_keeps_order_and_mirrors(a: float, b: float) -> None:
    low, high = logistic(min(a, b)), logistic(max(a, b))
    assert 0.0 <= low <= high <= 1.0
    assert logistic(-a) == pytest.approx(1.0 - logistic(a), abs=1e-15)


@settings(deadline=None)
@given(st.floats(-8, 8))
def test_the_normal_distribution_is_the_textbooks(x: float) -> None:
    assert normal_cdf(x) == pytest.approx(NormalDist().cdf(x), abs=1e-12)


def test_the_documented_error_of_a_sister_system_is_not_repeated() -> None:
    # S = 95,800, K = 95,000, 13.6 minutes, sigma 45 % a year: d2 = 3.664 and 0.99988. They print 0.72.
    sigma = 0.45 / math.sqrt(YEAR_S)
    found = gbm_up(95_800.0, 95_000.0, sigma, 13.6 * 60)
    assert found == pytest.approx(0.99988, abs=5e-6)
    assert NormalDist().inv_cdf(found) == pytest.approx(3.664, abs=1e-3)
    # Their number would need a volatility of about 280 %.
    assert gbm_up(95_800.0, 95_000.0, 2.8 / math.sqrt(YEAR_S), 13.6 * 60) == pytest.approx(0.72, abs=0.005)


@pytest.mark.parametrize(("sigma", "seconds"), [(0.0, 60.0), (1e-4, 0.0), (1e-4, -1.0), (0.0, 0.0)])
def test_when_nothing_can_move_the_present_price_decides_and_a_tie_is_up(sigma: float, seconds: float) -> None:
    assert gbm_up(101.0, 100.0, sigma, seconds) == 1.0
    assert gbm_up(100.0, 100.0, sigma, seconds) == 1.0
    assert gbm_up(99.0, 100.0, sigma, seconds) == 0.0


def test_at_the_money_with_little_time_it_is_even() -> None:
    assert gbm_up(100.0, 100.0, 1e-6, 1e-6) == pytest.approx(0.5)


@pytest.mark.parametrize(
    "arguments",
    [
        (0.0, 100.0, 1e-4, 60.0),
        (-1.0, 100.0, 1e-4, 60.0),
        (100.0, 0.0, 1e-4, 60.0),
        (100.0, 100.0, -1e-4, 60.0),
        (math.nan, 100.0, 1e-4, 60.0),
        (100.0, 100.0, math.nan, 60.0),
        (100.0, 100.0, 1e-4, math.nan),
    ],
)
def test_without_prices_there_is_no_opinion(arguments: tuple[float, float, float, float]) -> None:
    assert math.isnan(gbm_up(*arguments))


@settings(deadline=None)
@given(st.floats(1, 1e6), st.floats(1, 1e6), st.floats(1e-6, 1e-2), st.floats(0, 1e5), st.floats(1, 2))
def test_a_higher_price_is_never_less_likely_to_end_up(
    price: float, strike: float, sigma: float, seconds: float, factor: float
) -> None:
    here, higher = gbm_up(price, strike, sigma, seconds), gbm_up(price * factor, strike, sigma, seconds)
    assert 0.0 <= here <= 1.0
    assert higher >= here - 1e-12


@settings(deadline=None)
@given(st.floats(-40, 40), st.floats(0.5, 2.0), st.floats(0, 1e-2), st.floats(0, 1e5))
def test_compiled_and_plain_code_agree_to_the_last_bit(z: float, ratio: float, sigma: float, seconds: float) -> None:
    for function, arguments in ((logistic, (z,)), (normal_cdf, (z,)), (gbm_up, (ratio, 1.0, sigma, seconds))):
        plain = getattr(function, "py_func", function)
        assert function(*arguments) == plain(*arguments)
