"""The paper venue, one function at a time; whole lives of orders are in test_takers.py and test_makers.py."""

from hypothesis import given
from hypothesis import strategies as st

from polytraders.contracts import state as s
from polytraders.contracts.inputs import ASK, BID, DOWN, UP
from polytraders.venues.paper import venue
from tests.scenario import World, record, says, shares
from tests.venues.paper.lives import ONCE, fills


def test_worked_example() -> None:
    """The ladder 0.64: 1,500 and 0.65: 600 fills 2,000 as 1,500 and 500."""
    w = World(says(0.67, size=shares(2_000)), limits=ONCE)
    w.snapshot({6_200: 2_000}, {6_400: 1_500, 6_500: 600})
    w.wait(0.1)
    w.touch()
    assert fills(w) == [(6_400, 1_500), (6_500, 500)]


ORDERS = {
    "order": st.just(s.RESTING), "order_direction": st.sampled_from((UP, DOWN)), "order_price": st.integers(1, 99),
    "order_left": st.integers(1, 1_000), "order_front": st.integers(0, 1_000),
}  # fmt: skip
PRINTS = st.lists(st.tuples(st.sampled_from((BID, ASK)), st.integers(1, 99), st.integers(1, 500)), max_size=20)


@given(st.fixed_dictionaries(ORDERS), PRINTS)
def test_fills_never_exceed_the_prints_that_can_reach_the_order(
    order: dict[str, int], prints: list[tuple[int, int, int]]
) -> None:
    pair = record(s.PAIR, **order)
    front, at, through = order["order_front"], 0, 0
    for aggressor, price, size in prints:
        filled = venue.print_fill(pair, aggressor, price, size)
        pair["order_left"] -= filled
        opposite = aggressor == (ASK if order["order_direction"] == UP else BID)
        beyond = (order["order_price"] - price) * order["order_direction"]
        at += size * (opposite and beyond == 0)
        through += size * (opposite and beyond > 0)
        assert 0 <= filled <= size * (opposite and beyond >= 0)
    done = order["order_left"] - int(pair["order_left"])
    assert 0 <= done <= order["order_left"]
    assert done <= through + (at if through else max(at - front, 0))


def test_a_slot_outside_of_the_window_is_none() -> None:
    mk = record(s.MARKET, tick=10, bid_base=100, ask_base=200, slots=1_024)
    assert venue.slot_of(mk, BID, 1_000) == 0
    assert venue.slot_of(mk, BID, 990) == s.NONE
    assert venue.slot_of(mk, ASK, 2_000) == 0
    assert venue.slot_of(mk, ASK, 2_000 + 10 * 1_024) == s.NONE
    assert venue.price_at(mk, UP, 3) == 2_030
    assert venue.price_at(mk, DOWN, 3) == 1_030
