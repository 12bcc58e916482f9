"""The engine against a matcher so plain that it can be read, and the laws any exchange keeps."""

from collections import Counter
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polytraders.contracts.inputs import ASK, BID, PRICE_UNIT
from polytraders.venues.simulator.matching import Fill, OrderBook

SHARE = 1_000_000


class Wish(NamedTuple):
    """One thing somebody does: an order, or, with `size` 0, the cancel of the order with that number."""

    side: int
    price: int
    size: int
    rests: bool


wishes = st.lists(
    st.builds(Wish, st.sampled_from([BID, ASK]), st.integers(1, 12), st.integers(0, 5), st.booleans()), max_size=60
)


class PlainBook:
    """Orders in a list, searched from the start each time."""

    def __init__(self) -> None:
        self.resting: list[list[int]] = []  # number, side, price, left
        self.number = 0

    def place(self, wish: Wish) -> list[tuple[int, int, int]]:
        self.number += 1
        left = wish.size
        fills = []
        while left:
            others = [
                order
                for order in self.resting
                if order[1] != wish.side and (order[2] <= wish.price if wish.side == BID else order[2] >= wish.price)
            ]
            if not others:
                break
            first = min(others, key=lambda order: (order[2] if wish.side == BID else -order[2], order[0]))
            size = min(left, first[3])
            fills.append((first[0], first[2], size))
            first[3] -= size
            left -= size
            self.resting = [order for order in self.resting if order[3]]
        if left and wish.rests:
            self.resting.append([self.number, wish.side, wish.price, left])
        return fills

    def totals(self, side: int) -> dict[int, int]:
        found: Counter[int] = Counter()
        for _, its, price, left in self.resting:
            if its == side:
                found[price] += left
        return dict(found)


def test_the_better_price_is_met_first_and_at_one_price_who_came_first() -> None:
    book = OrderBook()
    book.place("late and dear", ASK, 5_200, 10 * SHARE)
    first = book.place("first", ASK, 5_100, 10 * SHARE)
    second = book.place("second", ASK, 5_100, 10 * SHARE)
    placed = book.place("buyer", BID, 5_200, 25 * SHARE)
    assert placed.fills == [
        Fill(first.number, "first", 5_100, 10 * SHARE),
        Fill(second.number, "second", 5_100, 10 * SHARE),
        Fill(1, "late and dear", 5_200, 5 * SHARE),
    ]
    assert placed.rested == 0
    assert book.levels(ASK) == [(5_200, 5 * SHARE)]


def test_what_does_not_trade_rests_at_its_price_or_is_gone() -> None:
    book = OrderBook()
    book.place("seller", ASK, 5_100, 10 * SHARE)
    assert book.place("taker", BID, 5_100, 4 * SHARE, rests=False).rested == 0
    assert book.place("buyer", BID, 5_100, 10 * SHARE).rested == 4 * SHARE
    assert (book.best(BID), book.best(ASK)) == (5_100, PRICE_UNIT)
    assert book.place("taker", ASK, 5_200, SHARE, rests=False) == (4, [], 0)


def test_a_cancelled_order_is_met_by_nobody_and_cancels_once() -> None:
    book = OrderBook()
    number = book.place("seller", ASK, 5_100, SHARE).number
    assert book.cancel(number) is not None
    assert book.cancel(number) is None
    assert book.place("buyer", BID, 5_200, SHARE, rests=False).fills == []


@pytest.mark.parametrize(("price", "size"), [(0, 1), (PRICE_UNIT, 1), (-1, 1), (5_000, 0), (5_000, -1)])
def test_an_order_out_of_range_is_refused_and_changes_nothing(price: int, size: int) -> None:
    book = OrderBook()
    with pytest.raises(ValueError, match="no such order"):
        book.place("nobody", BID, price, size)
    assert book.orders == {} and book.levels(BID) == []


@settings(max_examples=300)
@given(wishes)
def test_the_engine_and_the_plain_matcher_agree_in_every_fill_and_total(acts: list[Wish]) -> None:
    book, plain = OrderBook(), PlainBook()
    for wish in acts:
        if not wish.size:
            book.cancel(wish.price)
            plain.resting = [order for order in plain.resting if order[0] != wish.price]
            continue
        placed = book.place("x", wish.side, wish.price, wish.size, rests=wish.rests)
        assert [(fill.order, fill.price, fill.size) for fill in placed.fills] == plain.place(wish)
        for side, price in [(its, price) for its in (BID, ASK) for price in book.totals[its]]:
            waiting = [order[0] for order in plain.resting if (order[1], order[2]) == (side, price)]
            assert [order.number for order in book.queue(side, price)] == waiting
        for side in (BID, ASK):
            assert book.totals[side] == plain.totals(side) == dict(book.levels(side))


@settings(max_examples=300)
@given(wishes)
def test_nothing_is_made_or_lost_and_the_book_is_never_crossed(acts: list[Wish]) -> None:
    book = OrderBook()
    asked = traded = gone = 0
    for wish in acts:
        if not wish.size:
            cancelled = book.cancel(wish.price)
            gone += cancelled.left if cancelled else 0
            continue
        placed = book.place("x", wish.side, wish.price, wish.size, rests=wish.rests)
        filled = sum(fill.size for fill in placed.fills)
        asked += wish.size
        traded += 2 * filled  # a share bought is a share sold
        gone += wish.size - filled - placed.rested
        assert book.best(BID) < book.best(ASK)
        assert all(fill.price <= wish.price if wish.side == BID else fill.price >= wish.price for fill in placed.fills)
    resting = sum(order.left for order in book.orders.values())
    assert asked == traded + gone + resting
    assert resting == sum(sum(totals.values()) for totals in book.totals)
