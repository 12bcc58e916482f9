"""Stage 6: the probability of a fill, and what makes an estimate doubtful."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.execution.core import fill
from polytraders.contracts.inputs import ASK, BID, DOWN, NANO, UP, Fact, Kind
from tests.builders import World, fact, shares, trade

BOOK = "900 @ 0.62 | 0.64 @ 1500 | 0.65 @ 600"
DELAY = 60


def predict(world: World, direction: int, *, maker: int, filled: float, wish: float) -> tuple[float, int]:
    """(P(fill), ms) for a wish in market 0; an order rests for 15 s."""
    levels = world.state.levels[0]
    return fill.predict(world.mk, levels, direction, maker, shares(filled), shares(wish), 15_000, DELAY)


def test_worked_example() -> None:
    """Taking 500 of 500 shown, while rivals take 100 a minute: 60 ms lose a tenth of a share, so it fills."""
    world = World(BOOK)
    world.feed(trade(BID, "0.64", 100))
    probability, ms = predict(world, UP, maker=0, filled=500, wish=500)
    assert probability == pytest.approx(math.exp(-0.1 / 500))
    assert ms == DELAY


def test_what_is_not_shown_does_not_fill() -> None:
    world = World(BOOK)
    assert predict(world, UP, maker=0, filled=500, wish=2_000) == (0.25, DELAY)
    assert predict(world, UP, maker=0, filled=0, wish=2_000) == (0.0, 0)
    assert predict(world, UP, maker=0, filled=0, wish=0) == (0.0, 0)


def test_rivals_of_a_taker_are_those_who_want_the_same_side() -> None:
    world = World(BOOK)
    world.feed(trade(BID, "0.64", 60_000))
    assert predict(world, DOWN, maker=0, filled=10, wish=10)[0] == 1.0
    assert predict(world, UP, maker=0, filled=10, wish=10)[0] == pytest.approx(math.exp(-6))
    world.feed({"kind": Kind.TICK}, trade(ASK, "0.62", 1), after=61.0)
    assert predict(world, UP, maker=0, filled=10, wish=10)[0] == 1.0


def test_a_resting_order_waits_behind_what_was_there_before() -> None:
    """9,000 sold in the last minute against 900 in front of us and 100 of ours: 2,241 expected in the time left."""
    world = World(BOOK)
    world.feed(trade(ASK, "0.62", 9_000))
    probability, ms = predict(world, UP, maker=1, filled=100, wish=100)
    assert probability == pytest.approx(1 - math.exp(-9_000 * 14.94 / 60 / 1_000))
    assert ms == DELAY + int(1_000 / 9_000 * 60_000)
    # Nobody has bought, so a resting sale has nobody to wait for.
    assert predict(world, DOWN, maker=1, filled=100, wish=100) == (0.0, 15_000)
    assert predict(world, UP, maker=1, filled=100, wish=0) == (0.0, 0)


def test_an_order_that_ends_before_it_arrives_does_not_fill() -> None:
    assert fill.resting(0.0, 10.0, 100.0, 50, DELAY)[0] == 0.0


def test_without_two_sides_there_is_no_place_to_rest() -> None:
    world = World("900 @ 0.62")
    world.feed(trade(ASK, "0.62", 9_000))
    assert predict(world, UP, maker=1, filled=100, wish=100) == (0.0, 15_000)


def warnings(world: World, filled: float, wish: float) -> int:
    """Bits of what is doubtful in market 0."""
    return fill.warnings(world.mk, shares(filled), shares(wish))


def test_each_doubt_has_a_bit_of_its_own() -> None:
    world = World(BOOK)
    assert warnings(world, 450, 450) == 0
    assert warnings(world, 451, 451) == fill.THIN
    assert warnings(world, 449, 450) == fill.PARTIAL
    assert warnings(World("900 @ 0.60 | 0.64 @ 1500"), 1, 1) == 0
    assert warnings(World("900 @ 0.59 | 0.64 @ 1500"), 1, 1) == fill.WIDE
    world.feed({"kind": Kind.GAP, "market": 0})
    assert warnings(world, 1, 1) == fill.STALE
    assert warnings(World("900 @ 0.62"), 0, 1) == fill.THIN | fill.PARTIAL


def test_the_venues_own_delay_is_for_takers() -> None:
    world = World(BOOK)
    world.feed(fact(Fact.TAKER_DELAY_MS, 250))
    assert (fill.delay_ms(world.mk, 60, 0), fill.delay_ms(world.mk, 60, 1)) == (310, 60)


def test_an_estimate_holds_for_a_second() -> None:
    assert fill.is_valid(5 * NANO, 6 * NANO)
    assert not fill.is_valid(5 * NANO, 6 * NANO + 1)


POSITIVE = st.floats(1e-6, 1e9)


@settings(max_examples=100, deadline=None)
@given(POSITIVE, POSITIVE, st.floats(0, 1e9), st.integers(0, 10_000))
def test_a_takers_chance_is_a_probability_that_falls_with_rivals(
    filled: float, wish: float, racing: float, delay_ms: int
) -> None:
    filled = min(filled, wish)
    calm, busy = (fill.taking(filled, wish, rivals, delay_ms)[0] for rivals in (racing, 2 * racing))
    assert 0.0 <= busy <= calm <= 1.0


@settings(max_examples=100, deadline=None)
@given(st.floats(0, 1e9), POSITIVE, POSITIVE, st.integers(0, 100_000))
def test_a_makers_chance_is_a_probability_that_rises_with_the_flow(
    queue: float, size: float, opposing: float, rest_ms: int
) -> None:
    calm, busy = (fill.resting(queue, size, flow, rest_ms, DELAY)[0] for flow in (opposing, 2 * opposing))
    assert 0.0 <= calm <= busy <= 1.0
