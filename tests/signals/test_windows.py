"""Stage 4: rolling windows, against sums over plain lists."""

import math
import statistics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.signals.core import windows as w
from polytraders.contracts import state as s
from polytraders.contracts.inputs import ASK, BID, NANO, Kind
from tests.builders import Told, World, level, snapshot, trade
from tests.oracle import Oracle

BOOK = "300 @ 0.63 | 0.65 @ 200"
GAP: Told = {"kind": Kind.GAP, "market": 0}
SECOND = 1.0


def flows(world: World) -> list[tuple[float, float]]:
    """(bought, sold) shares of the three windows, as the last row's features have them."""
    x = world.x
    return [(round(x[s.BUY_60S + 2 * n], 6), round(x[s.SELL_60S + 2 * n], 6)) for n in range(s.WINDOWS)]


def volatilities(world: World) -> list[float]:
    """Volatility of the three windows."""
    return [float(world.x[s.VOLATILITY_60S + n]) for n in range(s.WINDOWS)]


def completeness(world: World) -> list[float]:
    """Completeness of the three windows."""
    return [float(world.x[s.COMPLETE_60S + n]) for n in range(s.WINDOWS)]


def still(world: World, after: float) -> None:
    """Time passes, then a row that changes neither mid nor flow: a moment in which features are measured."""
    world.feed(level("1 @ 0.10"), after=after)


def check(world: World, oracle: Oracle) -> None:
    """Everything the windows tell is what the lists tell."""
    naive, now = oracle.windows[0], world.now
    told = zip(flows(world), volatilities(world), completeness(world), s.SPANS_S, strict=True)
    for window, (flow, volatility, complete, span) in enumerate(told):
        assert tuple(round(size * 1e6) for size in flow) == naive.flow(now, span), span
        assert volatility == pytest.approx(naive.volatility(now, span), rel=1e-9, abs=1e-12), span
        whole = naive.completeness(now, span)
        assert w.completeness(world.mk, window, now) == pytest.approx(whole, abs=1e-12), span
        # As a feature it is measured at least once a second, and never says more than there is.
        assert whole - 1 / span - 1e-12 <= complete <= whole + 1e-12, span


def test_worked_example() -> None:
    """A hundred bought now and forty sold 30 s later: at the 60th second the first has left the shortest window."""
    world = World(BOOK)
    world.feed(trade(BID, "0.65", 100))
    world.feed(trade(ASK, "0.63", 40), after=30.0)
    assert flows(world) == [(100.0, 40.0)] * 3
    still(world, after=29.999)
    assert flows(world) == [(100.0, 40.0)] * 3
    still(world, after=0.001)
    assert flows(world) == [(0.0, 40.0), (100.0, 40.0), (100.0, 40.0)]
    still(world, after=30.0)
    assert flows(world) == [(0.0, 0.0), (100.0, 40.0), (100.0, 40.0)]
    still(world, after=240.0)
    assert flows(world) == [(0.0, 0.0), (0.0, 0.0), (100.0, 40.0)]
    still(world, after=3_300.0)
    assert flows(world) == [(0.0, 0.0)] * 3


def test_a_window_holds_whole_seconds() -> None:
    world = World(BOOK)
    world.feed(trade(BID, "0.65", 1), after=0.999)
    world.feed(trade(BID, "0.65", 2), after=0.001)
    # The first second leaves as a whole, the one after it stays.
    still(world, after=59.0)
    assert flows(world)[0] == (2.0, 0.0)
    still(world, after=0.999)
    assert flows(world)[0] == (2.0, 0.0)
    still(world, after=0.001)
    assert flows(world)[0] == (0.0, 0.0)


def test_volatility_is_the_standard_deviation_of_the_mids_log_returns() -> None:
    world = World("1 @ 0.50 | 0.52 @ 1")
    mids, moves = [0.51], []
    for best in ("0.53", "0.54", "0.52", "0.55"):
        world.feed(level(f"{best} @ 1", best=("0.50", best)), after=SECOND)
        mids.append((0.50 + float(best)) / 2)
        moves.append(math.log(mids[-1] / mids[-2]))
        if best != "0.55":
            world.feed(level(f"{best} @ 0"), level("0.56 @ 1", best=("0.50", "0.56")))
            mids.append(0.53)
            moves.append(math.log(mids[-1] / mids[-2]))
    assert volatilities(world) == pytest.approx([statistics.pstdev(moves)] * 3, abs=2e-6)


def test_without_two_moves_there_is_no_volatility() -> None:
    world = World(BOOK)
    assert volatilities(world) == [0.0] * 3
    world.feed(level("1 @ 0.64"))
    assert volatilities(world) == [0.0] * 3
    assert w.volatility(1, 5, 25) == 0.0


def test_a_side_that_was_empty_for_a_while_keeps_the_last_mid() -> None:
    world = World(BOOK)
    world.feed(level("0 @ 0.63"), level("5 @ 0.61"))
    # From 0.64 to 0.63 in one move, not by way of nothing.
    assert int(world.mk["moves"]) == 1
    assert int(world.mk["move_sum"]) == math.floor(math.log(0.63 / 0.64) * 1e6 + 0.5)


def test_a_window_fills_with_the_time_observed() -> None:
    world = World(BOOK)
    still(world, after=15.0)
    assert completeness(world) == [15 / 60, 15 / 300, 15 / 3_600]
    still(world, after=45.0)
    assert completeness(world) == [1.0, 60 / 300, 60 / 3_600]


def test_time_without_a_valid_book_is_missing_until_the_window_has_passed_it() -> None:
    world = World(BOOK)
    still(world, after=100.0)
    world.feed(GAP)
    world.feed(*snapshot(BOOK), after=12.0)
    assert completeness(world) == [48 / 60, 100 / 300, 100 / 3_600]
    still(world, after=59.0)
    assert completeness(world)[0] == 48 / 60
    still(world, after=1.0)
    assert completeness(world) == [1.0, 160 / 300, 160 / 3_600]


def test_a_second_loss_before_a_snapshot_does_not_begin_anew() -> None:
    world = World(BOOK)
    still(world, after=600.0)
    world.feed(GAP)
    world.feed(GAP, after=10.0)
    world.feed(*snapshot(BOOK), after=5.0)
    assert completeness(world)[:2] == [45 / 60, 285 / 300]


def test_before_the_first_book_nothing_was_observed() -> None:
    world = World()
    world.feed(trade(BID, "0.65", 100), after=500.0)
    assert [w.completeness(world.mk, n, world.now) for n in range(s.WINDOWS)] == [0.0] * 3
    world.feed(*snapshot(BOOK))
    # Trades are told whether there is a book or not; what was seen of the time is another question.
    assert (flows(world)[0], completeness(world)) == ((100.0, 0.0), [0.0] * 3)


def test_days_of_silence_leave_empty_windows() -> None:
    world = World(BOOK)
    world.feed(trade(BID, "0.65", 100), level("1 @ 0.64"), level("0 @ 0.64"))
    still(world, after=3 * 86_400.0)
    assert (flows(world), volatilities(world), completeness(world)) == ([(0.0, 0.0)] * 3, [0.0] * 3, [1.0] * 3)
    world.feed(trade(ASK, "0.63", 7))
    assert flows(world) == [(0.0, 7.0)] * 3


def test_more_busy_seconds_than_the_ring_has_rows_leave_the_sums_right() -> None:
    world = World(BOOK)
    seconds = s.RING + 500
    told = [trade(BID, "0.65", 1 + number % 7) for number in range(seconds)]
    rows = world.rows(*told)
    rows["recv_ts"] = world.now + NANO * (1 + rows["in_seq"] - rows["in_seq"][0])
    world.run(rows)
    expected = [sum(1 + number % 7 for number in range(seconds - span, seconds)) for span in s.SPANS_S]
    assert [bought for bought, _ in flows(world)] == expected
    held = int(world.mk["head"]) + 1 - int(world.mk["tail"][-1])
    assert held == s.SPANS_S[-1] < s.RING


GAPS_S = st.sampled_from([0.0, 0.4, 1.0, 7.5, 59.0, 60.0, 61.0, 240.0, 299.5, 1_800.0, 3_600.0, 9_000.0])
ACTS = st.one_of(
    st.builds(trade, st.sampled_from((BID, ASK)), st.just("0.64"), st.integers(1, 50)).map(lambda told: [told]),
    st.integers(1, 98).map(lambda cents: snapshot(f"5 @ 0.{cents:02} | 0.{cents + 1:02} @ 5")),
    st.just([GAP]),
    st.just([level("1 @ 0.01")]),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(GAPS_S, ACTS), max_size=25))
def test_any_history_gives_the_sums_of_the_lists(history: list[tuple[float, list[Told]]]) -> None:
    world, oracle = World(BOOK), Oracle()
    for after, told in history:
        world.feed(*told, after=after)
        if world.is_valid:
            still(world, after=0.0)
            while world.inputs:
                oracle.feed(world.inputs.pop(0))
            check(world, oracle)
