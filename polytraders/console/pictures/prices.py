"""A market's prices over time: best bid and ask, the forecast with its band, our fills, and where the book was lost."""

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from polytraders.console.pictures.scale import HEIGHT, WIDTH, Scale, Tick, around, band, line, steps, thinned

TOP, FLOOR, LEFT, RIGHT = 10.0, HEIGHT - 24.0, 56.0, WIDTH - 8.0
UNIT: Final = 10_000
POINTS: Final = 480
"""Of a line; more cannot be told apart."""
SECOND_NS: Final = 1_000_000_000
GAP_NS_LEAST: Final = 30 * SECOND_NS
"""Samples farther apart than this, and than three times their usual distance, have a gap between them."""
SPANS_S: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 43_200, 86_400)
MARK_R: Final = 5.0


class Point(NamedTuple):
    """One sample: loop time, whether the book was valid, best prices in price units, p_hat and band or None."""

    ts: int
    valid: bool
    bid: int | None
    ask: int | None
    fair: tuple[float, float, float] | None


class Fill(NamedTuple):
    """One of ours: loop time, price units in YES terms, whether it bought YES (or sold NO), and whether it rested."""

    ts: int
    price: int
    is_up: bool
    is_maker: bool
    words: str


class Shape(NamedTuple):
    """A fill drawn: a triangle for a taker, a diamond for a maker, pointing where it traded."""

    path: str
    is_up: bool
    is_maker: bool
    words: str


class Prices(NamedTuple):
    """The picture."""

    bids: list[str]
    asks: list[str]
    fairs: list[str]
    bands: list[str]
    lost: list[tuple[float, float]]
    fills: list[Shape]
    xs: list[Tick]
    ys: list[Tick]


def prices(points: Sequence[Point], fills: Iterable[Fill] = (), lost: Sequence[tuple[int, int]] = ()) -> Prices | None:
    """Draw a stretch of time.

    Args:
        points: Samples, oldest first.
        fills: Ours; those from outside the stretch are left out.
        lost: Stretches (from, to) of loop time in which the book was not valid.

    Returns:
        None where no two samples are.
    """
    if len(points) < 2:
        return None
    first, last = points[0].ts, points[-1].ts
    inside = [fill for fill in fills if first <= fill.ts <= last]
    told = [p.bid for p in points if p.bid is not None] + [p.ask for p in points if p.ask is not None]
    told += [fill.price for fill in inside]
    told += [round(end * UNIT) for p in points if p.fair for end in p.fair]
    low, high = around(told)
    y = Scale(max(0, low) if told else 0, min(UNIT, high) if told else UNIT, FLOOR, TOP)
    x = Scale(first, last, LEFT, RIGHT)
    runs = _runs(points)
    fair_runs = [part for run in runs for part in _with_fair(run)]
    return Prices(
        bids=[_steps(x, y, [(p.ts, p.bid) for p in run if p.bid is not None]) for run in runs],
        asks=[_steps(x, y, [(p.ts, p.ask) for p in run if p.ask is not None]) for run in runs],
        fairs=[line(_path(x, y, run, 0)) for run in fair_runs],
        bands=[band(_path(x, y, run, 1), _path(x, y, run, 2)) for run in fair_runs],
        lost=[(x(start), max(1.0, x(end) - x(start))) for start, end in lost if end >= first and start <= last],
        fills=[_shape(x(fill.ts), y(fill.price), fill) for fill in inside],
        xs=time_ticks(x),
        ys=y.ticks(lambda value: f"{value / UNIT:.3f}"),
    )


def _runs(points: Sequence[Point]) -> list[list[Point]]:
    """Samples without a gap between them: no line is drawn over what was not seen."""
    usual = sorted(b.ts - a.ts for a, b in pairwise(points))[len(points) // 2 - 1]
    apart = max(GAP_NS_LEAST, 3 * usual)
    runs: list[list[Point]] = [[]]
    for point in points:
        if not point.valid or (runs[-1] and point.ts - runs[-1][-1].ts > apart):
            runs.append([])
        if point.valid:
            runs[-1].append(point)
    return [run for run in runs if len(run) > 1]


def _with_fair(run: list[Point]) -> list[list[Point]]:
    found: list[list[Point]] = [[]]
    for point in run:
        if point.fair is None:
            found.append([])
        else:
            found[-1].append(point)
    return [part for part in found if len(part) > 1]


def _steps(x: Scale, y: Scale, points: list[tuple[int, int]]) -> str:
    return steps(thinned([(x(ts), y(price)) for ts, price in points], POINTS))


def _path(x: Scale, y: Scale, run: list[Point], place: int) -> list[tuple[float, float]]:
    """Every so many-th point: the ends of a band must stay over the same moments."""
    every = max(1, len(run) // POINTS)
    return [(x(p.ts), y(p.fair[place] * UNIT)) for p in run[::every] if p.fair is not None]


def _shape(x: float, y: float, fill: Fill) -> Shape:
    r = MARK_R
    up = -r if fill.is_up else r
    path = (
        f"M{x:g} {y - r:g} L{x + r:g} {y:g} L{x:g} {y + r:g} L{x - r:g} {y:g} Z"
        if fill.is_maker
        else f"M{x:g} {y + up:g} L{x + r:g} {y - up:g} L{x - r:g} {y - up:g} Z"
    )
    return Shape(path, fill.is_up, fill.is_maker, fill.words)


def time_ticks(x: Scale, most: int = 8) -> list[Tick]:
    """Marks at round times of day, UTC; `x` is over ns."""
    span_s = (x.high - x.low) / SECOND_NS
    step = next((each for each in SPANS_S if span_s / each <= most), SPANS_S[-1]) * SECOND_NS
    words: Callable[[int], str] = _day_time if step >= 60 * SECOND_NS else _second_time
    first = -(-int(x.low) // step)
    return [Tick(x(at * step), words(at * step)) for at in range(first, int(x.high) // step + 1)]


def _day_time(ns: int) -> str:
    return f"{dt.datetime.fromtimestamp(ns // SECOND_NS, dt.UTC):%H:%M}"


def _second_time(ns: int) -> str:
    return f"{dt.datetime.fromtimestamp(ns // SECOND_NS, dt.UTC):%H:%M:%S}"
