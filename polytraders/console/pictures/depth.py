"""The depth of a book: what is on offer up to each price, with the forecast and our own orders."""

from collections.abc import Sequence
from itertools import accumulate
from typing import Final, NamedTuple

from polytraders.console.pictures.scale import HEIGHT, WIDTH, Scale, Tick, area, steps

TOP, FLOOR, LEFT, RIGHT = 14.0, HEIGHT - 24.0, 56.0, WIDTH - 8.0
UNIT: Final = 10_000
SHARE: Final = 1_000_000

Levels = Sequence[tuple[int, int]]
"""(price, size), the best first."""


class Mark(NamedTuple):
    """An order of ours, or a forecast: where it lies and what it is."""

    x: float
    y: float
    text: str


class Depth(NamedTuple):
    """The picture: paths of both sides, axes, the forecast with its band (None = there is none) and our orders."""

    bids: str
    asks: str
    bid_area: str
    ask_area: str
    xs: list[Tick]
    ys: list[Tick]
    fair: Mark | None
    band: tuple[float, float] | None
    orders: list[Mark]


def depth(
    bids: Levels,
    asks: Levels,
    orders: Levels = (),
    fair: tuple[float, float, float] | None = None,
) -> Depth | None:
    """Draw a book.

    Args:
        bids: Of the book, price units and 1e-6 shares.
        asks: Likewise.
        orders: Our own, YES terms; what is left of each.
        fair: p_hat with the lower and upper end of its band, 0 to 1.

    Returns:
        None for a book that is empty on both sides.
    """
    if not bids and not asks:
        return None
    prices = [price for price, _ in (*bids, *asks, *orders)]
    if fair is not None:
        prices.append(round(fair[0] * UNIT))
    low, high = min(prices), max(prices)
    air = max(50, (high - low) // 20)
    x = Scale(max(0, low - air), min(UNIT, high + air), LEFT, RIGHT)
    sums = [list(accumulate(size for _, size in side)) for side in (bids, asks)]
    most = max((side[-1] for side in sums if side), default=1)
    y = Scale(0, most * 1.05 / SHARE, FLOOR, TOP)
    paths = []
    for side, (levels, totals) in enumerate(zip((bids, asks), sums, strict=True)):
        points = [(x(price), y(total / SHARE)) for (price, _), total in zip(levels, totals, strict=True)]
        if points:
            # From the best price the depth goes on to the end of the axis.
            points = [(points[0][0], FLOOR), *points, (x(x.low if side == 0 else x.high), points[-1][1])]
        paths.append(points)
    marks = [Mark(x(price), FLOOR, f"{size / SHARE:,.2f} at {price / UNIT:.4f}") for price, size in orders]
    return Depth(
        bids=steps(paths[0]),
        asks=steps(paths[1]),
        bid_area=area(paths[0], FLOOR),
        ask_area=area(paths[1], FLOOR),
        xs=x.ticks(lambda value: f"{value / UNIT:.3f}"),
        ys=y.ticks(lambda value: f"{value:,.0f}", 4),
        fair=None if fair is None else Mark(x(fair[0] * UNIT), TOP, f"p_hat {fair[0]:.4f}"),
        band=None if fair is None else (x(fair[1] * UNIT), x(fair[2] * UNIT)),
        orders=marks,
    )
