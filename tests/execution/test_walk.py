"""Stage 6: what a walk through the book would cost."""

from fractions import Fraction
from math import ceil, floor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.execution.core import walk
from polytraders.contracts.inputs import ASK, BID, DOWN, NANO, PRICE_UNIT, SIZE_UNIT, UP, Fact
from polytraders.contracts.state import NONE
from tests.builders import World, fact, px, shares

LADDER = "900 @ 0.62 | 300 @ 0.61 | 0.64 @ 1500 | 0.65 @ 600"


def nano(text: str) -> int:
    """A price in 1e-9."""
    return int(Fraction(text) * NANO)


def take(world: World, direction: int, wish: float) -> walk.Estimate:
    """Estimate of taking `wish` shares in market 0."""
    return walk.take(world.mk, world.state.levels[0], world.state.taken[0], direction, shares(wish))


def priced(drawn: str, **facts: int) -> World:
    """A book and its fee schedule."""
    world = World(drawn)
    world.feed(*(fact(Fact[name], value) for name, value in facts.items()))
    return world


def test_worked_example() -> None:
    """Buying 2,000 from 1,500 at 0.64 and 600 at 0.65 costs 0.6425 a share."""
    found = take(World(LADDER), UP, 2_000)
    assert found.q_exec == nano("0.6425")
    assert (found.filled, found.worst_px) == (shares(2_000), px("0.65"))
    assert walk.slippage(UP, found.q_exec, px("0.62") + px("0.64")) == nano("0.0125")


def test_the_no_side_is_the_mirror() -> None:
    """Buying NO takes the bids for YES: 900 at 1 - 0.62 and 300 at 1 - 0.61."""
    found = take(World(LADDER), DOWN, 1_200)
    assert NANO - found.q_exec == (900 * nano("0.38") + 300 * nano("0.39")) // 1_200
    assert (found.filled, PRICE_UNIT - found.worst_px) == (shares(1_200), px("0.39"))
    assert walk.slippage(DOWN, found.q_exec, px("0.62") + px("0.64")) == nano("0.0125")


def test_a_mirrored_book_costs_the_same() -> None:
    mirrored = World("600 @ 0.35 | 1500 @ 0.36 | 0.38 @ 900 | 0.39 @ 300")
    for wish in (1.0, 900.0, 1_000.0, 1_700.0, 5_000.0):
        for direction in (UP, DOWN):
            here, there = take(World(LADDER), direction, wish), take(mirrored, -direction, wish)
            assert here.q_exec + there.q_exec == NANO, (wish, direction)
            assert (here.filled, here.worst_px) == (there.filled, PRICE_UNIT - there.worst_px)


def test_more_than_there_is_fills_what_there_is() -> None:
    found = take(World(LADDER), UP, 3_000)
    assert (found.filled, found.worst_px) == (shares(2_100), px("0.65"))
    assert found.q_exec == -(-(1_500 * nano("0.64") + 600 * nano("0.65")) // 2_100)


@pytest.mark.parametrize(("drawn", "direction"), [("900 @ 0.62", UP), ("0.64 @ 5", DOWN), ("", UP), ("", DOWN)])
def test_an_empty_side_has_nothing(drawn: str, direction: int) -> None:
    assert take(World(drawn), direction, 10) == walk.Estimate(0, 0, 0, NONE)


def test_nothing_wished_is_nothing_had() -> None:
    assert take(World(LADDER), UP, 0).filled == 0


def test_what_our_own_takers_have_had_is_not_there_again() -> None:
    world = World(LADDER)
    slot = px("0.64") // 100
    world.state.taken[0, ASK, slot] = shares(1_000)
    world.mk["taken"] = shares(1_000)
    found = take(world, UP, 600)
    assert found.q_exec == (500 * nano("0.64") + 100 * nano("0.65")) // 600 + 1
    world.state.taken[0, ASK, slot] = shares(1_500)
    assert take(world, UP, 600)[:1] == (nano("0.65"),)
    assert take(world, UP, 601).filled == shares(600)
    assert take(world, DOWN, 900).filled == shares(900)


def test_the_fee_is_of_the_average_price_and_rounded_up() -> None:
    # 0.07 * 0.5 * 0.5 = 1.75 cents a share, and 50 basis points of 0.50 on top.
    world = priced("9 @ 0.50 | 0.51 @ 9", FEE_RATE=70_000, FEE_EXPONENT=1_000)
    assert take(world, DOWN, 5).fee == nano("0.0175")
    world = priced("9 @ 0.50 | 0.51 @ 9", FEE_RATE=70_000, FEE_EXPONENT=1_000, FEE_BPS=50)
    assert take(world, DOWN, 5).fee == nano("0.0200")
    assert take(world, UP, 5).fee == ceil(
        Fraction(7, 100) * Fraction(51 * 49, 10_000) * NANO + nano("0.51") * 50 / 10_000
    )
    assert take(World(LADDER), UP, 5).fee == 0


def test_resting_joins_the_best_price_of_our_own_side() -> None:
    world = priced(LADDER, FEE_RATE=50_000, FEE_EXPONENT=1_000, FEE_TAKER_ONLY=1)
    assert walk.rest(world.mk, UP, shares(20)) == walk.Estimate(nano("0.62"), 0, shares(20), px("0.62"))
    assert walk.rest(world.mk, DOWN, shares(20)) == walk.Estimate(nano("0.64"), 0, shares(20), px("0.64"))
    world.feed(fact(Fact.FEE_TAKER_ONLY, 0))
    assert walk.rest(world.mk, UP, shares(20)).fee == nano("0.01178")


def exact(ladder: list[tuple[int, int]], wish: int) -> tuple[Fraction, int]:
    """Average price and size of a walk along (price, size), by fractions."""
    got, paid = 0, Fraction(0)
    for price, size in ladder:
        part = min(size, wish - got)
        got += part
        paid += Fraction(price, PRICE_UNIT) * part
    return (paid / got if got else Fraction(0)), got


SIDE = st.dictionaries(st.integers(1, 99), st.integers(1, 10_000_000_000), max_size=8)


@settings(max_examples=60, deadline=None)
@given(SIDE, st.integers(1, 10_000_000 * SIZE_UNIT), st.sampled_from((UP, DOWN)))
def test_any_walk_is_the_exact_average_rounded_against_us(side: dict[int, int], wish: int, direction: int) -> None:
    world = World()
    told = BID if direction == DOWN else ASK
    for cents, size in side.items():
        world.state.levels[0, told, cents] = size
    prices = sorted(side, reverse=direction == DOWN)
    if prices:
        world.mk["best_bid" if direction == DOWN else "best_ask"] = prices[0]
    found = walk.take(world.mk, world.state.levels[0], world.state.taken[0], direction, wish)
    average, got = exact([(cents * 100, side[cents]) for cents in prices], wish)
    assert found.filled == got
    assert found.q_exec == (ceil if direction == UP else floor)(average * NANO)
    reached = [cents * 100 for n, cents in enumerate(prices) if sum(side[p] for p in prices[:n]) < wish]
    assert found.worst_px == (reached[-1] if got else NONE)
