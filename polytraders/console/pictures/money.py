"""Profit over time, and below it how far it is under its highest: deposits are no profit, so neither knows of them."""

import datetime as dt
from collections.abc import Sequence
from typing import Final, NamedTuple

from apps.ledger.statements import Point
from polytraders.console.pictures.scale import WIDTH, Scale, Tick, around, band, line

LEFT: Final = 62
RIGHT: Final = WIDTH - 8
TOP: Final = 8
MIDDLE: Final = 132
"""Where profit ends; drawdown hangs from GAP below it."""
GAP: Final = 20
FLOOR: Final = 190
HEIGHT: Final = 212
ROWS: Final = 24
"""Of the table beside the picture."""
DAY_NS: Final = 86_400_000_000_000


class Row(NamedTuple):
    """One line of the table: time in words, profit, drawdown and exposure in micro-pUSD."""

    at: str
    earned: int
    drawdown: int
    exposure: int


class Picture(NamedTuple):
    """The picture: paths, axes, and the figures that its text names (micro-pUSD)."""

    earned: str
    extremes: str
    drawdown: str
    ticks: tuple[Tick, ...]
    falls: tuple[Tick, ...]
    times: tuple[Tick, ...]
    zero: float | None
    hanging: float
    last: int
    deepest: int
    rows: tuple[Row, ...]


def drawn(points: Sequence[Point], span_ns: int) -> Picture | None:
    """The picture of points, oldest first; None for fewer than two."""
    if len(points) < 2:
        return None
    time = Scale(points[0].ts, points[-1].ts, LEFT, RIGHT)
    profit = Scale(*around([value / 1e6 for each in points for value in (each.low, each.high)]), MIDDLE, TOP)
    falls = [each.fall for each in points]
    deepest = max(falls)
    fall = Scale(0.0, max(deepest / 1e6, 0.01), MIDDLE + GAP, FLOOR)
    xs = [time(each.ts) for each in points]
    places = range(len(points))
    step = max(1, len(points) // ROWS)
    shown = [*places[::step]][: ROWS + 1]
    if shown[-1] != len(points) - 1:
        shown.append(len(points) - 1)
    in_days = span_ns > DAY_NS
    return Picture(
        earned=line([(xs[at], profit(points[at].earned / 1e6)) for at in places]),
        extremes=band(
            [(xs[at], profit(points[at].low / 1e6)) for at in places],
            [(xs[at], profit(points[at].high / 1e6)) for at in places],
        ),
        drawdown=band([(x, float(MIDDLE + GAP)) for x in xs], [(xs[at], fall(falls[at] / 1e6)) for at in places]),
        ticks=tuple(profit.ticks(lambda value: f"{value:+,.10g}" if value else "0", 4)),
        falls=tuple(fall.ticks(lambda value: f"{-value:,.10g}" if value else "0", 2)),
        times=tuple(Tick(time(ts), words(ts, in_days)) for ts in _spread(points[0].ts, points[-1].ts)),
        zero=profit(0.0) if profit.low <= 0 <= profit.high else None,
        hanging=MIDDLE + GAP,
        last=points[-1].earned,
        deepest=deepest,
        rows=tuple(
            Row(words(points[at].ts, True), points[at].earned, falls[at], points[at].exposure) for at in reversed(shown)
        ),
    )


def _spread(first: int, last: int, parts: int = 6) -> list[int]:
    """Times of marks, evenly, without the ends, where words would not fit."""
    return [first + (last - first) * part // parts for part in range(1, parts)]


def words(ts: int, in_days: bool) -> str:
    """A time for an axis."""
    at = dt.datetime.fromtimestamp(ts // 1_000_000_000, dt.UTC)
    return f"{at:%d %b %H:%M}" if in_days else f"{at:%H:%M}"
