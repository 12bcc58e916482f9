"""Axes and lines. A picture is a box of WIDTH by HEIGHT units; templates draw what stands here and compute nothing."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

WIDTH: Final = 1_000
HEIGHT: Final = 260
TICKS: Final = 5
STEPS: Final = (1.0, 2.0, 2.5, 5.0, 10.0)


class Tick(NamedTuple):
    """A mark of an axis: place in units, and its words."""

    at: float
    text: str


class Scale:
    """Linear, from values to units; a range of one value gets some room on both sides.

    >>> Scale(0, 10, 0, 100)(2.5)
    25.0
    """

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        """`low` lies at `start`, `high` at `end`; `start` may be the larger (an axis that goes up)."""
        if not (math.isfinite(low) and math.isfinite(high)):
            raise ValueError("an axis has finite ends")
        if low == high:
            low, high = low - 0.5, high + 0.5
        self.low, self.high, self.start, self.end = low, high, start, end

    def __call__(self, value: float) -> float:
        """Place of a value, to a tenth of a unit, kept within the axis."""
        part = (value - self.low) / (self.high - self.low)
        return round(self.start + min(1.0, max(0.0, part)) * (self.end - self.start), 1)

    def ticks(self, words: Callable[[float], str], most: int = TICKS) -> list[Tick]:
        """Marks at round values, at most `most` + 1 of them."""
        raw = (self.high - self.low) / most
        power = 10.0 ** math.floor(math.log10(raw))
        step = next(each * power for each in STEPS if each * power >= raw * (1 - 1e-9))
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [Tick(self(index * step), words(index * step)) for index in range(first, last + 1)]


def around(values: Iterable[float], part: float = 0.06) -> tuple[float, float]:
    """Ends of an axis that shows all values with some air; (0, 1) for none."""
    found = [value for value in values if math.isfinite(value)]
    if not found:
        return 0.0, 1.0
    low, high = min(found), max(found)
    air = (high - low) * part
    return low - air, high + air


def line(points: Sequence[tuple[float, float]]) -> str:
    """Path through points."""
    return "M" + " L".join(f"{x:g} {y:g}" for x, y in points) if points else ""


def steps(points: Sequence[tuple[float, float]]) -> str:
    """Path that keeps a value until the next point, as prices and depth do."""
    if not points:
        return ""
    made = f"M{points[0][0]:g} {points[0][1]:g}"
    return made + "".join(f" H{x:g} V{y:g}" for x, y in points[1:])


def area(points: Sequence[tuple[float, float]], floor: float) -> str:
    """The steps, closed down to `floor`."""
    return f"{steps(points)} V{floor:g} H{points[0][0]:g} Z" if points else ""


def band(lower: Sequence[tuple[float, float]], upper: Sequence[tuple[float, float]]) -> str:
    """The closed area between two lines over the same points."""
    return line([*upper, *reversed(lower)]) + " Z" if upper and lower else ""


def thinned(points: Sequence[tuple[float, float]], most: int) -> list[tuple[float, float]]:
    """At most about `most` points, of which every run keeps its lowest and its highest: no peak is lost."""
    if len(points) <= most:
        return list(points)
    run = math.ceil(len(points) / max(1, most // 2))
    kept: list[tuple[float, float]] = []
    for start in range(0, len(points), run):
        part = points[start : start + run]
        ends = {min(range(len(part)), key=lambda i: part[i][1]), max(range(len(part)), key=lambda i: part[i][1])}
        kept += [part[index] for index in sorted(ends)]
    return kept
