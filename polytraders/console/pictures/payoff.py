"""What positions pay when their markets resolve: one line a market, from the worse outcome to the better one."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from polytraders.console.pictures.scale import WIDTH, Scale, Tick, around

LEFT: Final = 300
ROW: Final = 24
TOP: Final = 24
LINES: Final = 10
"""Markets in the picture; the table has all of them."""


class Payoff(NamedTuple):
    """One market: profit or loss in micro-pUSD if it resolves YES, if NO, and at what could be had now (None = ?)."""

    name: str
    if_yes: int
    if_no: int
    now: int | None


class Bar(NamedTuple):
    """One line of the picture; `yes` and `no` are the ends, `now` the mark between (None = no price)."""

    name: str
    y: float
    x: float
    width: float
    yes: float
    no: float
    now: float | None


class Picture(NamedTuple):
    """The whole of it; `zero` is where nothing is won or lost."""

    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    zero: float
    height: int


def drawn(payoffs: Sequence[Payoff]) -> Picture | None:
    """The picture of the first LINES markets; None for none."""
    shown = payoffs[:LINES]
    if not shown:
        return None
    ends = [0.0, *(float(value) for each in shown for value in (each.if_yes, each.if_no))]
    scale = Scale(*around(ends), LEFT, WIDTH - 10)
    bars = []
    for place, each in enumerate(shown):
        yes, no = scale(each.if_yes), scale(each.if_no)
        now = None if each.now is None else scale(each.now)
        left = min(yes, no)
        width = round(max(2.0, abs(yes - no)), 1)
        bars.append(Bar(each.name, TOP + place * ROW, left, width, yes, no, now))
    ticks = tuple(scale.ticks(lambda value: f"{value / 1e6:+,.0f}" if value else "0"))
    return Picture(tuple(bars), ticks, scale(0.0), TOP + len(bars) * ROW + 20)
