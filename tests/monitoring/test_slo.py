"""Stage 11: service levels."""

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.monitoring.core.slo import BREACH, BURNING, MET, UNAVAILABLE, Compliance, burn_code, compliance
from polytraders.contracts.reasons import reason

COUNTS = st.integers(0, 10**9)


def test_worked_example() -> None:
    # 99,640 of 100,000 are 0.9964, above 0.995: the target is met, and 72 % of the error budget is used.
    found = compliance(99_640, 100_000, 995_000)
    assert (found.ppm, found.code) == (996_400, MET)
    assert found.burn_rate == pytest.approx(0.72)


def test_the_target_itself_is_enough_and_one_event_less_is_not() -> None:
    assert compliance(99_500, 100_000, 995_000) == (995_000, 1.0, MET)
    below = compliance(99_499, 100_000, 995_000)
    assert (below.ppm, below.code) == (994_990, BREACH)


@pytest.mark.parametrize(
    ("healthy", "total", "target"),
    [(0, 0, 995_000), (1, 0, 995_000), (-1, 5, 995_000), (6, 5, 995_000), (5, 5, 0), (5, 5, 1_000_001)],
)
def test_nothing_to_judge_by_is_not_health(healthy: int, total: int, target: int) -> None:
    assert compliance(healthy, total, target) == (None, None, UNAVAILABLE)


def test_a_target_of_everything_allows_no_error() -> None:
    assert compliance(5, 5, 1_000_000) == (1_000_000, 0.0, MET)
    assert compliance(4, 5, 1_000_000) == (800_000, math.inf, BREACH)


def test_a_burning_budget_needs_both_windows() -> None:
    fast, slow, none = (Compliance(0, rate, BREACH) for rate in (14.5, 0.5, None))
    assert burn_code(fast, fast, 14.4) == BURNING
    assert burn_code(fast, slow, 14.4) == burn_code(slow, fast, 14.4) == MET
    assert burn_code(fast, none, 14.4) == UNAVAILABLE


@pytest.mark.parametrize("code", [MET, BREACH, UNAVAILABLE, BURNING])
def test_every_code_is_this_stages(code: str) -> None:
    assert reason(code).owner == "monitoring"


@given(COUNTS, COUNTS, st.integers(1, 1_000_000))
def test_compliance_is_the_exact_comparison(healthy: int, unhealthy: int, target: int) -> None:
    total = healthy + unhealthy
    found = compliance(healthy, total, target)
    if total:
        assert (found.code == MET) == (Fraction(healthy, total) >= Fraction(target, 10**6))
        assert found.burn_rate is not None
        # A burn rate above one and a breach are the same thing.
        if abs(found.burn_rate - 1) > 1e-9:
            assert (found.burn_rate > 1) == (found.code == BREACH)
