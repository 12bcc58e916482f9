"""Stage 2: the compiled book, against drawings and against the naive book."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polytraders.contracts.inputs import ASK, BID, PRICE_UNIT
from polytraders.contracts.state import BOOK_OK, OVERFLOW, SLOTS
from tests.builders import Told, World, drawing, level, levels, px, shares, sides, snapshot, tick_size, trade
from tests.oracle import Book, Oracle

SPREAD_VALID_MOST = px("0.30")


def naive(world: World) -> Oracle:
    """The naive book of everything that the world was told."""
    oracle = Oracle()
    for rows in world.inputs:
        oracle.feed(rows)
    return oracle


def agrees(world: World) -> None:
    """Levels, best prices and five-level depths are those of the naive book; depth is of levels in the window."""
    book, mk = naive(world).books[0], world.mk
    assert (int(mk["state"]) == BOOK_OK) == (book.state == BOOK_OK)
    if book.state == BOOK_OK:
        assert sides(world.state) == book.sides
        assert (mk["bid_px"], mk["ask_px"]) == book.best()
        for side, depth, base in ((BID, "bid_depth", "bid_base"), (ASK, "ask_depth", "ask_base")):
            inside = range(int(mk[base]), int(mk[base]) + int(mk["slots"]))
            near = {price: size for price, size in book.sides[side].items() if price // book.tick in inside}
            assert mk[depth] == Book(sides=(near, near)).depth(side)


def test_worked_example() -> None:
    """Bid 0.62, ask 0.64: a spread of 0.02 is below the 0.30 that a valid book may have."""
    world = World("900 @ 0.62 | 0.64 @ 1500 | 0.65 @ 600")
    mk = world.mk
    assert (mk["bid_px"], mk["ask_px"]) == (px("0.62"), px("0.64"))
    assert mk["ask_px"] - mk["bid_px"] == px("0.02") <= SPREAD_VALID_MOST
    assert world.is_valid
    assert (mk["bid_depth"], mk["ask_depth"]) == (shares(900), shares(2_100))


def test_a_level_is_a_new_total_and_nothing_is_its_end() -> None:
    world = World("300 @ 0.63 | 0.65 @ 200 | 0.66 @ 500")
    world.feed(level("120 @ 0.63"), level("40 @ 0.64"))
    assert drawing(world.state) == "120 @ 0.63 | 40 @ 0.64 | 0.65 @ 200 | 0.66 @ 500"
    world.feed(level("0 @ 0.64"), level("0.65 @ 0"), level("0.70 @ 0"))
    assert drawing(world.state) == "120 @ 0.63 | 0.66 @ 500"
    assert (world.mk["bid_px"], world.mk["ask_px"]) == (px("0.63"), px("0.66"))


def test_a_side_can_run_empty_and_fill_again() -> None:
    world = World("300 @ 0.63 | 0.65 @ 200")
    world.feed(level("0 @ 0.63"))
    assert (world.mk["bid_px"], world.mk["bid_depth"], world.is_valid) == (-1, 0, True)
    world.feed(level("7 @ 0.01"))
    assert (world.mk["bid_px"], world.mk["bid_depth"]) == (px("0.01"), shares(7))


def test_the_depth_is_of_the_five_best_levels() -> None:
    bids = " | ".join(f"10 @ 0.{price}" for price in (50, 48, 47, 45, 44, 43, 42))
    world = World(f"{bids} | 0.60 @ 1")
    assert world.mk["bid_depth"] == shares(50)
    for told, expected in (("5 @ 0.43", 50), ("4 @ 0.44", 44), ("0 @ 0.47", 39), ("1 @ 0.49", 35), ("0 @ 0.50", 30)):
        world.feed(level(told))
        assert world.mk["bid_depth"] == shares(expected), told
        agrees(world)


def test_a_whole_book_replaces_ours_and_says_in_how_many_levels_they_differed() -> None:
    world = World("300 @ 0.63 | 0.65 @ 200 | 0.66 @ 500")
    world.feed(*snapshot("300 @ 0.63 | 0.65 @ 200 | 0.66 @ 500"))
    assert (world.mk["snapshots"], world.mk["snapshot_differences"]) == (2, 0)
    # One size differs, one level of ours is gone, one is new.
    world.feed(*snapshot("301 @ 0.63 | 0.66 @ 500 | 0.67 @ 1"))
    assert (world.mk["snapshots"], world.mk["snapshot_differences"]) == (3, 3)
    assert drawing(world.state) == "301 @ 0.63 | 0.66 @ 500 | 0.67 @ 1"


def test_a_level_of_nothing_in_a_whole_book_is_no_level() -> None:
    world = World("0 @ 0.64 | 300 @ 0.63 | 0.65 @ 200")
    assert drawing(world.state) == "300 @ 0.63 | 0.65 @ 200"
    assert world.mk["bid_px"] == px("0.63")


def test_the_trim_removes_what_is_better_than_told_on_both_sides() -> None:
    world = World("1 @ 0.61 | 2 @ 0.62 | 3 @ 0.63 | 0.65 @ 4 | 0.66 @ 5")
    world.feed(level("0.66 @ 9", best=("0.61", "0.66")))
    assert drawing(world.state) == "1 @ 0.61 | 0.66 @ 9"
    assert (world.mk["mismatches"], world.mk["repairs"], world.mk["best_mismatches"]) == (1, 3, 0)
    assert int(world.state.portfolio["first_mismatch_frame"][0]) == int(world.inputs[-1]["frame"][0])
    agrees(world)


def test_a_side_told_as_empty_is_emptied() -> None:
    world = World("1 @ 0.61 | 2 @ 0.62 | 0.65 @ 4 | 0.70 @ 5")
    world.feed(level("0.65 @ 0", best=(None, None)))
    assert (drawing(world.state), world.is_valid) == ("", True)
    agrees(world)


def test_a_new_tick_puts_the_same_levels_on_a_new_grid() -> None:
    world = World("300 @ 0.63 | 0.65 @ 200 | 0.97 @ 500")
    for tick in ("0.001", "0.0001", "0.01"):
        world.feed(tick_size(tick))
        assert drawing(world.state) == "300 @ 0.63 | 0.65 @ 200 | 0.97 @ 500", tick
        assert world.is_valid
        agrees(world)
    world.feed(tick_size("0.001"), level("5 @ 0.637"), tick_size("0.001"))
    assert drawing(world.state) == "300 @ 0.63 | 5 @ 0.637 | 0.65 @ 200 | 0.97 @ 500"
    agrees(world)


def test_far_levels_of_a_fine_grid_wait_outside_the_window() -> None:
    world = World("5 @ 0.0100 | 7 @ 0.4321 | 0.4330 @ 3 | 0.9999 @ 8", tick="0.0001")
    assert (world.mk["bid_overflow"], world.mk["ask_overflow"]) == (1, 1)
    assert (world.mk["slots"], world.mk["bid_depth"]) == (SLOTS, shares(7))
    # The near side runs empty: what waited comes in.
    world.feed(level("0 @ 0.4321"), level("0.4330 @ 0"))
    assert (world.mk["bid_px"], world.mk["ask_px"]) == (px("0.01"), px("0.9999"))
    assert (world.mk["bid_overflow"], world.mk["ask_overflow"]) == (0, 0)
    assert (world.mk["bid_depth"], world.mk["ask_depth"]) == (shares(5), shares(8))


def walk(tick: int, step: int, count: int, seed: int) -> list[Told]:
    """A market that wanders up and down over the whole price range, up to six levels a side around its middle."""
    rng = np.random.default_rng(seed)
    told: list[Told] = []
    kept: set[tuple[int, int]] = set()
    middle = 1_000
    for _ in range(count):
        middle += step
        if not 600 < middle < PRICE_UNIT - 600:
            step = -step
        away = rng.integers(tick, 60 * tick, 12).tolist()
        around = {(BID, (middle - far) // tick * tick) for far in away[:6]}
        around |= {(ASK, (middle + far) // tick * tick) for far in away[6:]}
        gone = {one for one in sorted(kept - around) if rng.random() < 0.9}
        told += [level_at(side, price, 0) for side, price in sorted(gone)]
        told += [level_at(side, price, int(rng.integers(1, 1_000))) for side, price in sorted(around)]
        kept = kept - gone | around
    return told


def level_at(side: int, price: int, size: int) -> Told:
    """A new total in shares at a price in units."""
    return level(f"{size} @ {price / PRICE_UNIT}" if side == BID else f"{price / PRICE_UNIT} @ {size}")


def test_the_window_follows_the_market_over_the_whole_range() -> None:
    world = World("1 @ 0.0999 | 0.1001 @ 1", tick="0.0001")
    told = walk(tick=1, step=130, count=150, seed=3)
    bases = [int(world.mk["bid_base"])]
    for start in range(0, len(told), 50):
        world.feed(*told[start : start + 50])
        bases.append(int(world.mk["bid_base"]))
        agrees(world)
    assert sum(a != b for a, b in pairwise(bases)) >= 10
    assert max(bases) - min(bases) > 4 * SLOTS


def test_a_book_with_more_far_levels_than_there_is_room_is_lost() -> None:
    far = [(ASK, 7_000 + number, shares(1)) for number in range(OVERFLOW)]
    world = World(tick="0.0001")
    world.feed(*snapshot([(BID, 100, shares(1)), (ASK, 101, shares(1)), *far]))
    assert (world.is_valid, int(world.mk["ask_overflow"])) == (True, OVERFLOW)
    world.feed(level("0.68 @ 1"))
    assert (world.is_valid, world.why) == (False, "INTEL_BOOK_OVERFLOW")
    # A level that only changes its size needs no room.
    world.feed(*snapshot([(BID, 100, shares(1)), (ASK, 101, shares(1)), *far]), level("0.70 @ 2"), level("0.70 @ 0"))
    assert (world.is_valid, int(world.mk["ask_overflow"])) == (True, OVERFLOW - 1)


def test_a_whole_book_without_room_is_no_book() -> None:
    far = [(BID, 1 + number, shares(1)) for number in range(OVERFLOW + 1)]
    world = World(tick="0.0001")
    world.feed(*snapshot([(BID, 9_000, shares(1)), *far, (ASK, 9_100, shares(1))]))
    assert (world.is_valid, world.why) == (False, "INTEL_BOOK_OVERFLOW")


def test_a_price_off_the_grid_loses_the_book() -> None:
    world = World("300 @ 0.63 | 0.65 @ 200")
    world.feed(level("1 @ 0.635"))
    assert (world.is_valid, world.why) == (False, "INTEL_PRICE_OFF_GRID")
    world.feed(*snapshot("300 @ 0.631 | 0.65 @ 200"))
    assert (world.is_valid, world.why) == (False, "INTEL_PRICE_OFF_GRID")
    world.feed(tick_size("0.001"), *snapshot("300 @ 0.631 | 0.65 @ 200"))
    assert world.is_valid


def test_a_tick_that_our_levels_do_not_fit_loses_the_book() -> None:
    world = World("300 @ 0.631 | 0.65 @ 200", tick="0.001")
    world.feed(tick_size("0.01"))
    assert (world.is_valid, world.why) == (False, "INTEL_TICK_CHANGED")
    world.feed(*snapshot("300 @ 0.63 | 0.65 @ 200"))
    assert world.is_valid


def test_books_of_two_markets_do_not_touch() -> None:
    world = World("300 @ 0.63 | 0.65 @ 200", markets=2)
    world.feed(*snapshot("5 @ 0.10 | 0.20 @ 6", market=1), level("0 @ 0.63"), level("7 @ 0.11", market=1))
    assert drawing(world.state) == "0.65 @ 200"
    assert drawing(world.state, 1) == "5 @ 0.1 | 7 @ 0.11 | 0.2 @ 6"


def test_trades_leave_the_book_alone() -> None:
    world = World("300 @ 0.63 | 0.65 @ 200")
    world.feed(trade(BID, "0.65", 150))
    assert drawing(world.state) == "300 @ 0.63 | 0.65 @ 200"


STEP = st.tuples(st.sampled_from((BID, ASK)), st.integers(1, 99), st.integers(0, 3))


@settings(max_examples=40, deadline=None)
@given(st.lists(STEP, max_size=60), st.sampled_from((1, 10, 25, 100)))
def test_any_levels_on_any_grid_give_the_naive_book(steps: list[tuple[int, int, int]], tick: int) -> None:
    world = World("5 @ 0.50 | 0.52 @ 5", tick=tick / PRICE_UNIT)
    world.feed(*(level_at(side, place * 100 // tick * tick, size) for side, place, size in steps))
    agrees(world)


@pytest.mark.parametrize("drawn", ["", "300 @ 0.63", "0.65 @ 200", "1 @ 0.01 | 2 @ 0.02 | 0.99 @ 3"])
def test_a_drawn_book_comes_back_as_drawn(drawn: str) -> None:
    world = World()
    world.feed(*snapshot(levels(drawn)))
    assert (drawing(world.state), world.is_valid) == (drawn, True)
