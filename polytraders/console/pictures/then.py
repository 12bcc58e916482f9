"""The book as a decision saw it: a ladder around the spread, and depth on both sides with what the trade would walk."""

from typing import Any, Final, NamedTuple

from polytraders.console.pictures.scale import HEIGHT, Scale, Tick, area, steps
from polytraders.contracts.decision import DecisionPacket
from polytraders.contracts.inputs import NANO, PRICE_UNIT, SIZE_UNIT
from polytraders.contracts.market import Action, Outcome

ROWS: Final = 10
"""Levels of each side that the ladder shows."""
LEFT, RIGHT, TOP, BOTTOM = 60, 990, 12, HEIGHT - 24


class Level(NamedTuple):
    """A line of the ladder; `share` of the largest, `taken` what our paper orders had of it, `is_walked` by us."""

    price: int
    size: int
    total: int
    share: float
    taken: int
    is_walked: bool


class Drawn(NamedTuple):
    """Picture and ladder; asks from the highest down, then bids, as ladders are read.

    Attributes:
        bids: Path of the depth of bids; "" = none.
        bids_area: The same, closed.
        asks: Path of asks.
        asks_area: The same, closed.
        x_ticks: Prices.
        y_ticks: Sizes.
        marks: Lines across: name, place, price in words, class.
        ask_rows: Of the ladder.
        bid_rows: Of the ladder.
    """

    bids: str
    bids_area: str
    asks: str
    asks_area: str
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    marks: list[tuple[str, float, str, str]]
    ask_rows: list[Level]
    bid_rows: list[Level]


def drawn(result: dict[str, Any], packet: DecisionPacket) -> Drawn | None:
    """What a job found, with the forecast and the price of the packet; None for an empty book.

    Args:
        result: Of the job `book`: sides as [price, size, taken], best first.
        packet: The decision.
    """
    bids, asks = result["bids"], result["asks"]
    if not bids and not asks:
        return None
    levels = [*bids, *asks]
    prices = [level[0] for level in levels]
    marks = _marks(packet)
    low = min([*prices, *(price for _, price, _ in marks)])
    high = max([*prices, *(price for _, price, _ in marks)])
    air = max(round((high - low) * 0.03), int(result["tick"]) or 1)
    x = Scale(max(0, low - air), min(PRICE_UNIT, high + air), LEFT, RIGHT)
    totals = {name: _totals(side) for name, side in (("bids", bids), ("asks", asks))}
    most = max(total for side in totals.values() for total in [0, *side])
    y = Scale(0, most / SIZE_UNIT, BOTTOM, TOP)
    paths = {name: _path(side, totals[name], x, y) for name, side in (("bids", bids), ("asks", asks))}
    walks_asks = (packet.action is Action.BUY) == (packet.outcome is Outcome.YES)
    filled = packet.execution.available if packet.execution is not None else 0
    shown = max([level[1] for side in (bids[:ROWS], asks[:ROWS]) for level in side], default=1) or 1
    return Drawn(
        steps(paths["bids"]),
        area(paths["bids"], BOTTOM),
        steps(paths["asks"]),
        area(paths["asks"], BOTTOM),
        x.ticks(lambda price: f"{price / PRICE_UNIT:.4g}", 8),
        y.ticks(lambda size: f"{size:,.0f}", 4),
        [(name, x(price), f"{price / PRICE_UNIT:.4f}", mark) for name, price, mark in marks],
        _rows(asks, shown, filled if walks_asks else 0)[::-1],
        _rows(bids, shown, 0 if walks_asks else filled),
    )


def _marks(packet: DecisionPacket) -> list[tuple[str, float, str]]:
    """Forecast and price in terms of YES, price units."""
    found: list[tuple[str, float, str]] = []
    if packet.fair_value is not None:
        found.append(("p_hat", packet.fair_value.p_hat * PRICE_UNIT, "ours"))
    if packet.execution is not None:
        own = packet.execution.q_exec
        q = own if packet.outcome is Outcome.YES else NANO - own
        found.append(("q_exec", q * PRICE_UNIT / NANO, "walked"))
    return found


def _totals(side: list[list[int]]) -> list[int]:
    total, found = 0, []
    for _, size, _ in side:
        total += size
        found.append(total)
    return found


def _path(side: list[list[int]], totals: list[int], x: Scale, y: Scale) -> list[tuple[float, float]]:
    """From the best price outwards: the size that can be had up to each price."""
    points = [(x(level[0]), y(total / SIZE_UNIT)) for level, total in zip(side, totals, strict=True)]
    return [(points[0][0], y(0)), *points] if points else []


def _rows(side: list[list[int]], most: int, filled: int) -> list[Level]:
    found = []
    total = 0
    for price, size, taken in side[:ROWS]:
        found.append(Level(price, size, total + size, size / most, taken, total < filled))
        total += size - taken
    return found
