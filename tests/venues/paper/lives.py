"""Orders at the paper venue, from the approval to where a test begins to look."""

from typing import Any

from polytraders.config import Strategy
from polytraders.contracts import state as s
from polytraders.contracts.inputs import UP
from tests.scenario import World, makes, says

ONCE = {"orders_per_minute_max": 1}
"""Each strategy orders once, so that its order's life is seen undisturbed."""


def taking(bids: dict[int, float] | None = None, asks: dict[int, float] | None = None, **options: Any) -> World:
    """A taker's order for 100 YES is on its way to this book."""
    w = World(says(0.67), limits=ONCE | {"depth_min": 0}, **options)
    w.snapshot(bids, asks)
    assert w.verdict().kind == s.APPROVAL
    return w


def resting(queue: float = 500, *, more: tuple[Strategy, ...] = (), **changed: int) -> World:
    """A maker's order for 100 YES rests at 0.62 behind `queue` shares."""
    w = World(makes(**changed), *more, limits=ONCE)
    w.snapshot({6_200: queue, 6_100: 500}, {6_400: 1, 6_500: 500})
    w.wait(0.1)
    w.touch()
    w.run()
    assert w.pair()["order"] == s.RESTING
    assert (w.pair()["order_price"], w.pair()["order_direction"]) == (6_200, UP)
    return w


def fills(w: World) -> list[tuple[int, float]]:
    """(price, shares) of every fill."""
    w.run()
    return [(said.price, said.size / 1e6) for said in w.of_kind(s.FILL)]


def ended(w: World) -> list[tuple[str, float]]:
    """(reason, shares left) of every order that ended unfilled."""
    w.run()
    return [(said.code, said.size / 1e6) for said in w.of_kind(s.DONE)]
