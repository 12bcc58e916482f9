"""The compiled book and windows against the naive ones, on recorded and on generated frames."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.signals.core import windows as compiled
from polytraders import loop
from polytraders.contracts.inputs import ASK, BID, NANO, NO_PRICE, Flag, Kind, empty
from polytraders.contracts.state import BOOK_OK, DETAIL, OUT, SPANS_S, Sizes, State
from polytraders.kernel.block import new_block, views
from polytraders.venues.simulator import capture
from tests.oracle import Book, Oracle, Windows
from tests.plain_wire import lines, read
from tests.recorded import CAPTURE, needs_capture

STRETCHES = 40


def sides(state: State, market: int) -> tuple[dict[int, int], dict[int, int]]:
    """The compiled book of a market as two dicts: window and overflow list."""
    mk = state.markets[market]
    found: tuple[dict[int, int], dict[int, int]] = ({}, {})
    for side, base, count in ((BID, "bid_base", "bid_overflow"), (ASK, "ask_base", "ask_overflow")):
        slots = np.flatnonzero(state.levels[market, side, : mk["slots"]])
        sizes = state.levels[market, side, slots]
        found[side].update(zip(((slots + mk[base]) * mk["tick"]).tolist(), sizes.tolist(), strict=True))
        found[side].update(state.overflow[market, side, : mk[count]].tolist())
    return found


def check_book(state: State, market: int, naive: Book) -> None:
    """Same levels, best prices and five-level depths."""
    mk = state.markets[market]
    assert (mk["state"] == BOOK_OK) == (naive.state == BOOK_OK)
    if naive.state == BOOK_OK:
        assert sides(state, market) == naive.sides
        assert (mk["bid_px"], mk["ask_px"]) == naive.best()
        for side, depth, base in ((BID, "bid_depth", "bid_base"), (ASK, "ask_depth", "ask_base")):
            # On grids finer than the window, depth counts the levels inside of it: within 512 ticks of the best price.
            low = int(mk[base] * mk["tick"])
            near = {p: q for p, q in naive.sides[side].items() if low <= p < low + mk["slots"] * mk["tick"]}
            assert mk[depth] == Book(sides=(near, near)).depth(side)


def check_windows(state: State, market: int, naive: Windows) -> None:
    """Same flows, volatility and completeness in all three windows at the last moment at which they moved on."""
    mk = state.markets[market]
    now = max(int(mk["row_ts"]), int(mk["second"]) - NANO)
    for window, span_s in enumerate(SPANS_S):
        flow = mk["buy"] - mk["buy_base"][window], mk["sell"] - mk["sell_base"][window]
        assert flow == naive.flow(now, span_s)
        sums = [int(mk[total] - mk[base][window]) for total, base in SUMS]
        assert compiled.volatility(*sums) == pytest.approx(naive.volatility(now, span_s), rel=1e-9, abs=1e-12)
        assert naive.completeness(now, span_s) == pytest.approx(complete(mk, window, now), abs=1e-12)


SUMS = (("moves", "moves_base"), ("move_sum", "sum_base"), ("move_squares", "squares_base"))


def complete(mk: np.void, window: int, now: int) -> float:
    """The compiled record's completeness, computed from its fields."""
    lost = int(mk["lost_ns"] - mk["lost_base"][window]) + (now - int(mk["lost_ts"]) if mk["lost_ts"] else 0)
    span = SPANS_S[window] * NANO
    return max(min(span, now - int(mk["observed_ts"])) - lost, 0) / span if mk["observed_ts"] else 0.0


def both(rows: np.ndarray, markets: int) -> tuple[State, Oracle]:
    """Run rows through the loop and the oracle, comparing everything at `STRETCHES` moments."""
    block = new_block(Sizes(markets=markets, strategies=1))
    state, oracle = views(block), Oracle()
    out, details = np.zeros(4_096, OUT).view(np.uint8), np.zeros(4_096, DETAIL).view(np.uint8)
    for stretch in np.array_split(rows, STRETCHES):
        at = 0
        while at < len(stretch):
            at = loop.run(block, stretch.view(np.uint8), at, len(stretch), out, details)
            assert state.portfolio["fault"][0] == 0
        oracle.feed(stretch)
        for market, naive in oracle.books.items():
            check_book(state, market, naive)
            check_windows(state, market, oracle.windows[market])
    return state, oracle


def totals(state: State) -> dict[str, int]:
    """The counters of all markets."""
    names = ("mismatches", "repairs", "best_mismatches", "snapshots", "snapshot_differences", "mirrored")
    return {name: int(state.markets[name].sum()) for name in names}


def told(oracle: Oracle) -> dict[str, int]:
    """The same of the oracle."""
    return {
        "mismatches": len(oracle.mismatches),
        "repairs": oracle.repairs,
        "best_mismatches": len(oracle.best_mismatches),
        "snapshots": oracle.snapshots,
        "snapshot_differences": oracle.snapshot_differences,
        "mirrored": oracle.mirrored,
    }


def test_worked_example() -> None:
    """Twelve thousand generated frames: every book equal at every stretch, at least four repairs among them."""
    state, oracle = both(read(capture.frames(seed=7, count=12_000)), markets=8)
    assert totals(state) == told(oracle)
    assert oracle.repairs >= 4
    assert oracle.best_mismatches == []
    assert state.portfolio["first_mismatch_frame"][0] == oracle.mismatches[0][0]


@needs_capture
def test_the_recorded_books_are_equal_level_by_level() -> None:
    state, oracle = both(read(lines(CAPTURE)), markets=6)
    assert totals(state) == told(oracle)
    assert (totals(state)["mismatches"], state.portfolio["first_mismatch_frame"][0]) == (114, 3_307)
    assert (totals(state)["repairs"], totals(state)["best_mismatches"]) == (144, 0)
    assert (totals(state)["snapshot_differences"], totals(state)["mirrored"]) == (0, 77_360)


def invented(seed: int, tick: int) -> np.ndarray:
    """A market on any grid: a snapshot, then random levels, trades, gaps, snapshots and told best prices."""
    rng = np.random.default_rng(seed)
    rows = empty(800)
    rows["market"] = 0
    rows["in_seq"] = np.arange(1, len(rows) + 1)
    rows["recv_ts"] = NANO + np.cumsum(rng.integers(0, 2 * NANO, len(rows)))
    rows["kind"], rows["flags"] = Kind.LEVEL, Flag.LAST
    kinds = rng.random(len(rows))
    rows["kind"][kinds < 0.1] = Kind.TRADE
    rows["kind"][kinds < 0.01] = Kind.GAP
    rows["side"] = rng.integers(0, 2, len(rows))
    middle = 5_000 + np.cumsum(rng.integers(-40, 41, len(rows)))
    away = np.abs(rng.normal(0, 300, len(rows))).astype(np.int64)
    prices = np.where(rows["side"] == BID, middle - away, middle + away + 1)
    rows["price"] = np.clip(prices, tick, 10_000 - tick) // tick * tick
    rows["size"] = rng.integers(0, 4, len(rows)) * 1_000_000
    for at in (1, *(100 * np.flatnonzero(rng.random(8) < 0.6) + 20).tolist()):
        rows["kind"][at : at + 5] = Kind.SNAP_OPEN, *[Kind.SNAP_LEVEL] * 3, Kind.SNAP_CLOSE
        rows["flags"][at : at + 4] = 0
        rows["size"][at + 1 : at + 4] = 1_000_000
        rows["price"][at + 1 : at + 4] = rng.choice(np.arange(tick, 10_000, tick), 3, replace=False)
    best = (rows["kind"] == Kind.LEVEL) & (rng.random(len(rows)) < 0.02)
    rows["flags"][best] = Flag.LAST | Flag.BEST
    rows["a"] = np.where(best, np.where(rng.random(len(rows)) < 0.1, NO_PRICE, rows["price"] - tick), 0)
    rows["b"] = np.where(best, rows["price"] + tick, 0)
    rows["kind"][0], rows["price"][0] = Kind.TICK_SIZE, tick
    return rows


@given(st.integers(0, 2**32), st.sampled_from((1, 10, 25, 100)))
@settings(max_examples=60, deadline=None)
def test_any_rows_on_any_grid_give_equal_books(seed: int, tick: int) -> None:
    state, oracle = both(invented(seed, tick), markets=1)
    assert totals(state) == told(oracle)
