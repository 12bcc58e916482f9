"""The naive book against recorded data, before it judges anything else."""

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polytraders.contracts.inputs import ASK, BID, NANO, NO_PRICE, Fact, Flag, Kind, empty
from polytraders.contracts.state import BOOK_NONE, BOOK_OK, BOOK_RESYNC
from tests.oracle import Oracle, differences
from tests.plain_wire import Reader, lines, read
from tests.recorded import CAPTURE, needs_capture


def made(*told: dict[str, int]) -> np.ndarray:
    """INPUT rows from the fields that matter; one frame each."""
    rows = empty(len(told))
    for number, fields in enumerate(told):
        for name, value in ({"market": 0, "frame": number, "in_seq": number + 1} | fields).items():
            rows[name][number] = value
    return rows


def snapshot(*levels: tuple[int, int, int], market: int = 0) -> list[dict[str, int]]:
    """A whole book as rows."""
    inner = [{"kind": Kind.SNAP_LEVEL, "market": market, "side": side, "price": p, "size": q} for side, p, q in levels]
    around = {"market": market, "size": len(levels)}
    return [{"kind": Kind.SNAP_OPEN} | around, *inner, {"kind": Kind.SNAP_CLOSE, "flags": Flag.LAST} | around]


def level(side: int, price: int, size: int, best: tuple[int, int] | None = None) -> dict[str, int]:
    """A new total at a price; with the venue's best prices when given."""
    flags = Flag.LAST | (Flag.BEST if best else 0)
    a, b = best or (0, 0)
    return {"kind": Kind.LEVEL, "side": side, "price": price, "size": size, "flags": flags, "a": a, "b": b}


BOOK = snapshot((BID, 4_600, 10), (BID, 4_700, 20), (ASK, 4_800, 30), (ASK, 4_900, 40))


def test_worked_example() -> None:
    """An aggressive buy takes the ask at 0.48 and rests: only the new bid is told, the trim removes the old ask."""
    oracle = Oracle().feed(made(*BOOK, level(BID, 4_800, 5, (4_800, 4_900))))
    assert oracle.mismatches == [(6, 0)]
    assert (oracle.repairs, oracle.best_mismatches) == (1, [])
    assert oracle.books[0].sides == ({4_600: 10, 4_700: 20, 4_800: 5}, {4_900: 40})


@needs_capture
def test_the_recorded_hours_reproduce_the_published_counts() -> None:
    reader = Reader()
    rows = read(lines(CAPTURE), reader)
    oracle = Oracle().feed(rows)
    assert (rows["frame"][-1] + 1, len(reader.markets)) == (77_712, 6)
    assert (reader.no_first, reader.mirrored) == (27_685, 77_360)
    assert (rows["kind"] == Kind.TRADE).sum() == 345
    assert (len(oracle.mismatches), oracle.mismatches[0][0]) == (114, 3_307)
    assert (oracle.repairs, oracle.best_mismatches, oracle.mirrored) == (144, [], 77_360)
    assert (oracle.snapshots, oracle.compared, oracle.snapshot_differences) == (18, 12, 0)


@needs_capture
def test_the_recorded_book_goes_wrong_where_the_trim_is_left_out() -> None:
    rows = read(lines(CAPTURE))
    told = (rows["flags"] & Flag.BEST) != 0
    untrimmed = rows.copy()
    untrimmed["flags"][told] &= ~np.uint16(Flag.BEST)
    oracle, wrong, crossed = Oracle(), 0, 0
    for row, best in zip(untrimmed, rows[["a", "b"]].tolist(), strict=True):
        oracle.take({name: int(row[name]) for name in rows.dtype.names or ()})
        if told[int(row["in_seq"]) - 1]:
            bid, ask = oracle.books[int(row["market"])].best()
            wrong += (bid, ask) != best
            crossed += bid >= ask
    assert (wrong, crossed) == (160, 26)


def test_a_side_told_empty_is_emptied() -> None:
    oracle = Oracle().feed(made(*BOOK, level(BID, 4_700, 1, (4_700, NO_PRICE))))
    assert oracle.books[0].best() == (4_700, NO_PRICE)
    assert oracle.repairs == 2


def test_a_missing_level_is_a_mismatch_that_no_trim_heals() -> None:
    oracle = Oracle().feed(made(*BOOK, level(BID, 4_500, 1, (4_750, 4_800))))
    assert oracle.best_mismatches == [(6, 0)]
    assert oracle.books[0].state == BOOK_RESYNC


def test_levels_before_the_first_snapshot_are_not_a_book() -> None:
    oracle = Oracle().feed(made(level(BID, 4_600, 10, (4_600, 4_700))))
    assert oracle.books[0].state == BOOK_NONE
    assert oracle.mismatches == []


def test_a_refused_frame_leaves_the_book_waiting_for_a_snapshot() -> None:
    oracle = Oracle().feed(made(*BOOK, {"kind": Kind.REFUSED}, level(BID, 4_600, 0, (4_700, 4_800))))
    assert oracle.books[0].state == BOOK_RESYNC
    oracle.feed(made(*BOOK[:1], *BOOK[2:]))
    assert oracle.books[0].state == BOOK_OK
    assert (oracle.compared, oracle.snapshot_differences) == (0, 0)


def test_a_gap_without_a_market_concerns_one_connection_only() -> None:
    other = [row | {"market": 1} for row in BOOK]
    place = {"kind": Kind.FACT, "market": 1, "price": Fact.CONNECTION, "size": 1}
    oracle = Oracle().feed(made(*BOOK, place, *other, {"kind": Kind.GAP, "market": -1, "b": 1}))
    assert (oracle.books[0].state, oracle.books[1].state) == (BOOK_OK, BOOK_RESYNC)


def test_a_tick_that_no_longer_fits_makes_the_book_wait() -> None:
    finer = Oracle().feed(made(*BOOK, {"kind": Kind.TICK_SIZE, "price": 10}))
    coarser = Oracle().feed(made(*BOOK, {"kind": Kind.TICK_SIZE, "price": 1_000}))
    assert (finer.books[0].state, coarser.books[0].state) == (BOOK_OK, BOOK_RESYNC)


def test_a_later_snapshot_counts_every_level_that_differs() -> None:
    later = snapshot((BID, 4_600, 11), (BID, 4_700, 20), (ASK, 4_900, 40), (ASK, 5_000, 1))
    oracle = Oracle().feed(made(*BOOK, *later))
    assert (oracle.compared, oracle.snapshot_differences) == (1, 3)
    assert oracle.books[0].sides[ASK] == {4_900: 40, 5_000: 1}


def test_two_tokens_that_tell_different_books_leave_none() -> None:
    twin = [row | {"flags": Flag.TWIN} for row in snapshot((BID, 4_600, 11), (ASK, 4_900, 40))]
    oracle = Oracle().feed(made(*BOOK, *twin))
    assert oracle.snapshot_differences == 3
    assert oracle.books[0].state == BOOK_RESYNC


def test_a_level_or_a_book_off_the_grid_is_not_believed() -> None:
    cents = {"kind": Kind.TICK_SIZE, "price": 100}
    single = Oracle().feed(made(cents, *BOOK, level(BID, 4_650, 1)))
    whole = Oracle().feed(made(cents, *snapshot((BID, 4_650, 1))))
    assert (single.books[0].state, whole.books[0].state) == (BOOK_RESYNC, BOOK_RESYNC)


def test_a_window_holds_its_current_second_and_the_ones_before() -> None:
    trade = {"kind": Kind.TRADE, "size": 5}
    rows = made(*BOOK, trade, trade | {"side": ASK, "size": 2}, trade | {"size": 1})
    rows["recv_ts"] = 100 * NANO
    rows["recv_ts"][-2:] = 130 * NANO, 159 * NANO + 999_999_999
    windows = Oracle().feed(rows).windows[0]
    assert windows.flow(159 * NANO, 60) == (6, 2)
    assert windows.flow(160 * NANO, 60) == (1, 2)
    assert windows.flow(160 * NANO, 300) == (6, 2)


def test_a_window_tells_the_volatility_of_the_moves_in_it() -> None:
    rows = made(*BOOK, level(BID, 4_750, 1), level(BID, 4_750, 0), level(BID, 4_750, 1))
    rows["recv_ts"] = 100 * NANO
    rows["recv_ts"][-1] = 130 * NANO
    windows = Oracle().feed(rows).windows[0]
    moves = [math.floor(math.log(ratio) * 1e6 + 0.5) for ratio in (9_550 / 9_500, 9_500 / 9_550, 9_550 / 9_500)]
    assert windows.volatility(130 * NANO, 60) == pytest.approx(statistics.pstdev(moves) / 1e6, rel=1e-12)
    assert windows.volatility(160 * NANO, 60) == 0.0


def test_time_without_a_valid_book_is_missing_from_the_window() -> None:
    rows = made(*BOOK, {"kind": Kind.GAP}, *BOOK)
    rows["recv_ts"] = 100 * NANO
    rows["recv_ts"][len(BOOK) :] = 110 * NANO
    rows["recv_ts"][len(BOOK) + 1 :] = 125 * NANO
    windows = Oracle().feed(rows[: len(BOOK) + 1]).windows[0]
    assert windows.completeness(115 * NANO, 60) == 10 / 60
    windows = Oracle().feed(rows).windows[0]
    assert windows.completeness(160 * NANO, 60) == 45 / 60
    assert windows.completeness(184 * NANO, 60) == 45 / 60
    assert windows.completeness(185 * NANO, 60) == 1.0


@given(st.dictionaries(st.integers(1, 99), st.integers(1, 9)), st.integers(-1, 100), st.integers(-1, 100))
def test_after_the_trim_nothing_is_better_than_told(held: dict[int, int], bid: int, ask: int) -> None:
    oracle = Oracle().feed(made(*snapshot(*[(p % 2, p, q) for p, q in held.items()])))
    book = oracle.books[0]
    before = (dict(book.sides[BID]), dict(book.sides[ASK]))
    removed = book.trim(bid, ask)
    assert removed == differences(before, book.sides)
    assert all(price <= bid for price in book.sides[BID])
    assert all(ask != NO_PRICE and price >= ask for price in book.sides[ASK])
