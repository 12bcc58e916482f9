"""Calibration: from a model's raw probability to one that was right that often, with the band around it.

A table is a monotone, piecewise linear map with at most `KNOTS_MAX` knots. It is fitted offline on resolved markets
(`fitting.py`) and enters the loop as parameters, flat in one float64 row: x of all knots, then y, then the lower, then
the upper bounds.
"""

import math
from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np

from polytraders.kernel.jit import kernel

KNOTS_MAX: Final = 32

Floats = np.ndarray[Any, np.dtype[np.float64]]


class Table(NamedTuple):
    """A calibration table; all four have one entry per knot.

    Attributes:
        x: Raw probabilities, strictly increasing, 0..1.
        y: Calibrated probabilities, never decreasing.
        lower: 10 % bound, never decreasing, <= y.
        upper: 90 % bound, never decreasing, >= y.
    """

    x: tuple[float, ...]
    y: tuple[float, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]

    def flat(self) -> Floats:
        """(4 * knots,) float64 as `calibrate` reads it."""
        return np.array([*self.x, *self.y, *self.lower, *self.upper], np.float64)


class Band(NamedTuple):
    """A calibrated probability and its bounds, lower <= p_hat <= upper."""

    p_hat: float
    lower: float
    upper: float


def identity(width: float = 0.0) -> Table:
    """The table that changes nothing and puts `width` / 2 on either side, cut off at 0 and 1."""
    half = width / 2.0
    # The cuts need knots of their own, or the band would narrow towards them on the whole way.
    x = tuple(sorted({0.0, min(half, 0.5), max(1.0 - half, 0.5), 1.0}))
    return Table(x, x, tuple(max(p - half, 0.0) for p in x), tuple(min(p + half, 1.0) for p in x))


def table_code(table: Table) -> str:
    """Reason code that refuses a table, "" when `calibrate` may use it."""
    x, y, lower, upper = table
    same_length = len(x) == len(y) == len(lower) == len(upper)
    if not same_length or not 1 <= len(x) <= KNOTS_MAX:
        return "STRAT_CALIBRATION_INVALID"
    in_range = all(0.0 <= value <= 1.0 for column in table for value in column)
    ordered = all(_never_decreases(column) for column in table) and len(set(x)) == len(x)
    around = all(low <= p <= high for low, p, high in zip(lower, y, upper, strict=True))
    return "" if in_range and ordered and around else "STRAT_CALIBRATION_INVALID"


def _never_decreases(column: tuple[float, ...]) -> bool:
    return all(a <= b for a, b in pairwise(column))


@kernel
def _between(params: Floats, at: int, t: float) -> float:
    # Held between the knots' values: a + t (b - a) may round past b.
    a: float = params[at]
    b: float = params[at + 1]
    value = a + t * (b - a)
    return b if value > b else value


@kernel
def calibrate(params: Floats, offset: int, knots: int, p: float) -> Band:
    """The calibrated probability and its band.

    Args:
        params: Row of parameters that holds a table at `offset` .. `offset + 4 * knots - 1`.
        offset: Index of the first knot's x.
        knots: 0 to KNOTS_MAX. Without a knot nothing is known about the model's errors: the band is 0..1.
        p: Raw probability. Beyond the outer knots their values hold; not a number stays not a number.
    """
    if knots == 0:
        return Band(p, 0.0, 1.0)
    ys = offset + knots
    lows = ys + knots
    highs = lows + knots
    if math.isnan(p):
        return Band(p, p, p)
    last = knots - 1
    if p <= params[offset]:
        return Band(params[ys], params[lows], params[highs])
    if p >= params[offset + last]:
        return Band(params[ys + last], params[lows + last], params[highs + last])
    low = 0
    high = last
    while high - low > 1:
        middle = (low + high) // 2
        if params[offset + middle] <= p:
            low = middle
        else:
            high = middle
    t = (p - params[offset + low]) / (params[offset + high] - params[offset + low])
    p_hat = _between(params, ys + low, t)
    lower = _between(params, lows + low, t)
    upper = _between(params, highs + low, t)
    return Band(p_hat, p_hat if lower > p_hat else lower, p_hat if upper < p_hat else upper)
