"""Stage 5: reference prices and their volatility."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.fairvalue.core import reference
from polytraders.contracts.inputs import NANO, Kind
from polytraders.contracts.state import REFERENCE_RING
from tests.builders import World

UNIT = 100_000_000
"""Price units of a reference price of one."""


class Feed:
    """A reference price and what the kernel makes of it."""

    def __init__(self) -> None:
        world = World()
        self._kept = world
        self.ref = world.state.references[0]
        self.ring = world.state.reference_ring[0]
        self.now = world.now

    def note(self, price: float, after: float = 1.0) -> None:
        """A price, `after` seconds later."""
        self.now += round(after * NANO)
        reference.note(self.ref, self.ring, round(price * UNIT), self.now)

    def sigma(self, after: float = 0.0) -> float:
        """Volatility per square root of a second, `after` seconds after the last price."""
        return reference.sigma(self.ref, self.now + round(after * NANO))

    def observed_s(self) -> float:
        """Seconds observed."""
        return reference.observed_s(self.ref, self.now)


def moves(feed: Feed, count: int, size: float = 1e-4, after: float = 1.0) -> None:
    """`count` prices, each `size` above or below the last in turn."""
    price = 95_000.0
    for number in range(count):
        feed.note(price * math.exp(size * (number % 2)), after)


def test_worked_example() -> None:
    """One basis point a second is a sigma of 1e-4, after ten seconds as after ten minutes."""
    feed = Feed()
    moves(feed, 11)
    assert feed.observed_s() == 10.0
    assert feed.sigma() == pytest.approx(1e-4, rel=1e-6)
    moves(feed, 600)
    assert feed.observed_s() == 300.0
    assert feed.sigma() == pytest.approx(1e-4, rel=1e-6)


@pytest.mark.parametrize("count", [2, 3, 30, 150, 299, 300, 301, 302, 450])
def test_sigma_is_right_before_the_window_is_full(count: int) -> None:
    feed = Feed()
    moves(feed, count + 1)
    assert feed.sigma() == pytest.approx(1e-4, rel=1e-6)


def test_before_anything_moved_there_is_no_volatility() -> None:
    feed = Feed()
    assert (feed.sigma(), feed.observed_s()) == (0.0, 0.0)
    feed.note(95_000.0)
    assert (feed.sigma(), feed.sigma(after=10.0)) == (0.0, 0.0)


def test_several_prices_a_second_all_count() -> None:
    feed = Feed()
    moves(feed, 41, after=0.25)
    assert feed.observed_s() == 10.0
    assert feed.sigma() == pytest.approx(2e-4, rel=1e-6)


def test_calm_after_a_storm_forgets_it_after_five_minutes() -> None:
    feed = Feed()
    moves(feed, 100, size=1e-2)
    for _ in range(150):
        feed.note(95_000.0)
    assert feed.sigma() > 5e-3
    for _ in range(160):
        feed.note(95_000.0)
    assert feed.sigma() == 0.0


def test_a_silence_longer_than_the_window_leaves_the_one_move_across_it() -> None:
    feed = Feed()
    moves(feed, 100)
    feed.note(95_000.0, after=3_600.0)
    feed.note(95_000.0 * math.exp(0.003))
    assert feed.sigma() == pytest.approx(math.sqrt((1e-4**2 + 0.003**2) / 300), rel=1e-3)


def test_one_wrong_print_counts_as_thirty_percent_and_back() -> None:
    feed = Feed()
    for price in (95_000.0, 95_000_000.0, 95_000.0):
        feed.note(price)
    assert feed.sigma() == pytest.approx(0.3, rel=1e-9)


def test_a_price_of_nothing_is_none() -> None:
    feed = Feed()
    feed.note(95_000.0)
    before = feed.ref.copy()
    for price in (0.0, -1.0):
        feed.note(price)
    assert feed.ref == before


def test_prints_that_jump_without_end_are_no_reference_and_never_overflow() -> None:
    feed = Feed()
    for number in range(2_000):
        feed.note(95_000.0 if number % 2 else 9.5, after=0.5)
        assert 0 <= int(feed.ref["squares"]) - int(feed.ref["squares_base"]) <= reference.SQUARES_MOST
        assert int(feed.ref["squares"]) < 1 << 62
        assert feed.observed_s() < 15.0
    # When they have ended, time is counted from the last of them, and what is left is what is true.
    moves(feed, 302)
    assert feed.sigma() == pytest.approx(1e-4, rel=1e-6)


def test_the_ring_holds_more_seconds_than_the_window() -> None:
    assert REFERENCE_RING > reference.SPAN_S + 2
    assert REFERENCE_RING & reference.MASK == 0


def test_a_reference_input_arrives_here() -> None:
    world = World()
    world.feed({"kind": Kind.REFERENCE, "market": 1, "price": 95_000 * UNIT})
    assert world.state.references["price"].tolist() == [0, 95_000 * UNIT]
    assert int(world.state.references["ts"][1]) == world.now


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.floats(0.0, 400.0), st.floats(1.0, 1e6)), min_size=1, max_size=40))
def test_any_feed_gives_the_sum_over_a_plain_list(prints: list[tuple[float, float]]) -> None:
    feed, squares, first, before = Feed(), [], 0, 0
    for after, price in prints:
        feed.note(price, after)
        units = round(price * UNIT)
        if before:
            move = math.floor(math.log(units / before) * 1e9 + 0.5)
            squares.append((feed.now // NANO, min(abs(move), reference.RETURN_MOST) ** 2))
        first, before = first or feed.now, units
    inside = sum(square for second, square in squares if second > feed.now // NANO - reference.SPAN_S)
    seconds = min(reference.SPAN_S, (feed.now - first) / NANO)
    expected = math.sqrt(inside * 1e-18 / seconds) if seconds > 0 else 0.0
    assert feed.sigma() == pytest.approx(expected, rel=1e-9, abs=1e-15)
