"""Stage 5: calibration tables."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.fairvalue.core.calibration import (
    KNOTS_MAX,
    Table,
    calibrate,
    identity,
    table_code,
)
from polytraders.contracts.reasons import reason

UNIT = st.floats(0, 1)
EXAMPLE = Table((0.5, 0.67, 0.9), (0.5, 0.67, 0.9), (0.46, 0.64, 0.86), (0.54, 0.71, 0.93))


@st.composite
def tables(draw: st.DrawFn) -> Table:
    knots = draw(st.integers(1, KNOTS_MAX))
    x = sorted(draw(st.lists(UNIT, min_size=knots, max_size=knots, unique=True)))
    rows = [sorted(draw(st.lists(UNIT, min_size=knots, max_size=knots))) for _ in range(3)]
    lower, y, upper = (
        tuple(sorted(column)) for column in zip(*(sorted(row) for row in zip(*rows, strict=True)), strict=True)
    )
    return Table(tuple(x), y, lower, upper)


def test_worked_example() -> None:
    # p = 0.670 with LB 0.64 and UB 0.71, in the middle of a larger row of parameters.
    params = np.concatenate((np.full(5, 9.0), EXAMPLE.flat(), np.full(3, 9.0)))
    assert calibrate(params, 5, 3, 0.67) == (0.67, 0.64, 0.71)
    assert calibrate(params, 5, 3, 0.585) == pytest.approx((0.585, 0.55, 0.625))


def test_beyond_the_outer_knots_their_values_hold() -> None:
    params = EXAMPLE.flat()
    assert calibrate(params, 0, 3, 0.1) == (0.5, 0.46, 0.54)
    assert calibrate(params, 0, 3, 1.0) == (0.9, 0.86, 0.93)
    assert calibrate(np.array([0.3, 0.4, 0.2, 0.6]), 0, 1, 0.99) == (0.4, 0.2, 0.6)


def test_without_a_table_the_band_is_as_wide_as_it_can_be() -> None:
    assert calibrate(np.zeros(4), 0, 0, 0.67) == (0.67, 0.0, 1.0)


def test_not_a_number_stays_none() -> None:
    assert all(math.isnan(value) for value in calibrate(EXAMPLE.flat(), 0, 3, math.nan))


@pytest.mark.parametrize("width", [0.0, 0.07, 1.0])
@settings(deadline=None)
@given(p=UNIT)
def test_the_identity_changes_nothing_and_adds_its_band(width: float, p: float) -> None:
    table = identity(width)
    assert table_code(table) == ""
    found = calibrate(table.flat(), 0, len(table.x), p)
    expected = (p, max(p - width / 2, 0.0), min(p + width / 2, 1.0))
    assert found == pytest.approx(expected, abs=1e-12)


@settings(max_examples=200, deadline=None)
@given(tables(), UNIT, UNIT)
def test_calibration_never_decreases_and_the_band_holds_the_probability(table: Table, a: float, b: float) -> None:
    assert table_code(table) == ""
    params, knots = table.flat(), len(table.x)
    low, high = calibrate(params, 0, knots, min(a, b)), calibrate(params, 0, knots, max(a, b))
    for band in (low, high):
        assert 0.0 <= band.lower <= band.p_hat <= band.upper <= 1.0
    assert low.p_hat <= high.p_hat
    assert low.lower <= high.lower + 1e-15
    assert low.upper <= high.upper + 1e-15


@pytest.mark.parametrize(
    "table",
    [
        Table((), (), (), ()),
        Table((0.1, 0.2), (0.1,), (0.0, 0.1), (0.2, 0.3)),
        Table((0.2, 0.1), (0.1, 0.2), (0.0, 0.1), (0.2, 0.3)),
        Table((0.1, 0.1), (0.1, 0.2), (0.0, 0.1), (0.2, 0.3)),
        Table((0.1, 0.2), (0.2, 0.1), (0.0, 0.1), (0.2, 0.3)),
        Table((0.1, 0.2), (0.1, 0.2), (0.15, 0.16), (0.2, 0.3)),
        Table((0.1, 0.2), (0.1, 0.2), (0.0, 0.1), (0.05, 0.3)),
        Table((0.1, 1.2), (0.1, 0.2), (0.0, 0.1), (0.2, 0.3)),
        Table((0.1, 0.2), (0.1, math.nan), (0.0, 0.1), (0.2, 0.3)),
        Table(*([tuple(float(i) / 40 for i in range(33))] * 4)),
    ],
)
def test_a_table_that_is_no_monotone_map_is_refused(table: Table) -> None:
    assert reason(table_code(table)).code == "STRAT_CALIBRATION_INVALID"
