"""A reliability diagram: what was forecast against how often it came, with Wilson's intervals; and who is how sure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from apps.replay.core.metrics import wilson
from polytraders.console.pictures.scale import Scale, Tick, line

SIDE: Final = 400
"""The diagram is a square: a forecast and a frequency are the same kind of number."""
LEFT, TOP = 46, 10
BOTTOM, RIGHT = SIDE - 34, SIDE - 10
RADIUS: Final = (3.0, 9.0)
"""Of a dot: the fewest and the most forecasts."""
WIDE_LEFT, WIDE_RIGHT, WIDE_BOTTOM = 46, 590, 216
"""A histogram has 600 by 240 units: two stand side by side, and its words are to be read."""


@dataclass(frozen=True, order=True)
class Row:
    """Forecasts of one bin: how many, the sum of them, and how often YES paid."""

    bin: int
    count: int
    forecast: float
    hits: int


@dataclass(frozen=True)
class Dot:
    """One bin as drawn and as a line of the table."""

    bin: int
    low: float
    high: float
    count: int
    mean: float
    frequency: float
    lower: float
    upper: float
    x: float
    y: float
    radius: float
    y_lower: float
    y_upper: float


class Diagram(NamedTuple):
    """Ours and the market's dots with the lines through them, ticks of both axes, and the diagonal."""

    ours: tuple[Dot, ...]
    market: tuple[Dot, ...]
    ours_line: str
    market_line: str
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    diagonal: str


def diagram(ours: Iterable[Row], market: Iterable[Row], bins: int) -> Diagram | None:
    """The picture; None without a forecast.

    Args:
        ours: A row for each bin that has one.
        market: The same forecasts' market prices.
        bins: How many bins there are.
    """
    mine, theirs = sorted(ours), sorted(market)
    most = max((row.count for row in [*mine, *theirs]), default=0)
    if not most:
        return None
    x, y = Scale(0, 1, LEFT, RIGHT), Scale(0, 1, BOTTOM, TOP)
    dots = [tuple(_dot(row, bins, most, x, y) for row in side if row.count) for side in (mine, theirs)]

    def words(value: float) -> str:
        return f"{value:.1f}"

    return Diagram(
        dots[0],
        dots[1],
        line([(dot.x, dot.y) for dot in dots[0]]),
        line([(dot.x, dot.y) for dot in dots[1]]),
        x.ticks(words),
        y.ticks(words),
        line([(x(0), y(0)), (x(1), y(1))]),
    )


def _dot(row: Row, bins: int, most: int, x: Scale, y: Scale) -> Dot:
    mean, frequency = row.forecast / row.count, row.hits / row.count
    lower, upper = wilson(row.hits, row.count)
    size = round(RADIUS[0] + (RADIUS[1] - RADIUS[0]) * (row.count / most) ** 0.5, 1)
    ends = row.bin / bins, (row.bin + 1) / bins
    return Dot(
        row.bin, *ends, row.count, mean, frequency, lower, upper, x(mean), y(frequency), size, y(lower), y(upper)
    )


@dataclass(frozen=True)
class Column:
    """A column of a histogram; `kind` is a class."""

    x: float
    y: float
    width: float
    height: float
    count: int
    label: str
    kind: str


class Histogram(NamedTuple):
    """Columns, ticks of the counts, and marks below."""

    columns: tuple[Column, ...]
    y_ticks: list[Tick]
    x_ticks: list[Tick]


def histogram(counts: Sequence[tuple[str, int, str]], marks: Sequence[int]) -> Histogram | None:
    """Columns side by side; None where all are empty.

    Args:
        counts: Label, count and class of each column.
        marks: Columns whose label stands below.
    """
    most = max((count for _, count, _ in counts), default=0)
    if not most:
        return None
    y = Scale(0, most, WIDE_BOTTOM, TOP)
    width = (WIDE_RIGHT - WIDE_LEFT) / len(counts)
    columns = tuple(
        Column(
            round(WIDE_LEFT + index * width + 1, 1),
            y(count),
            round(width - 2, 1),
            round(WIDE_BOTTOM - y(count), 1),
            count,
            label,
            kind,
        )
        for index, (label, count, kind) in enumerate(counts)
    )
    below = [Tick(round(WIDE_LEFT + (index + 0.5) * width, 1), counts[index][0]) for index in marks]
    return Histogram(columns, y.ticks(lambda value: f"{value:,.0f}" if value == int(value) else "", 4), below)
