"""Gains and losses of scenarios as bars on both sides of nothing."""

from collections.abc import Sequence
from typing import NamedTuple

from polytraders.console.pictures.scale import WIDTH, Scale, Tick
from polytraders.console.stress import Scenario

LEFT = 190
ROW = 26


class Bar(NamedTuple):
    """One scenario: place and length of its bar, and where its name stands."""

    y: float
    x: float
    width: float
    css: str
    title: str


class Picture(NamedTuple):
    """What the template draws."""

    height: int
    zero: float
    bars: list[Bar]
    ticks: list[Tick]


def picture(found: Sequence[Scenario]) -> Picture:
    """Bars in the order given; the axis holds nothing and every result."""
    results = [one.result / 1e6 for one in found] or [0.0]
    scale = Scale(min(0.0, *results, -1.0), max(0.0, *results, 1.0), LEFT, WIDTH - 10)
    bars = []
    for place, one in enumerate(found):
        ends = sorted((scale(0.0), scale(one.result / 1e6)))
        css = "loss" if one.result < 0 else "gain"
        bars.append(Bar(8 + place * ROW, ends[0], max(1.0, round(ends[1] - ends[0], 1)), css, one.title))
    return Picture(len(found) * ROW + 34, scale(0.0), bars, scale.ticks(lambda value: f"{value:,.0f}"))
