"""Stage 4: the feature vector of a market's book."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.signals.core import features
from polytraders.contracts import state as s
from polytraders.contracts.inputs import ASK, BID, Kind
from tests.builders import World, level, snapshot, tick_size, trade


def test_worked_example() -> None:
    """Bid 0.62, ask 0.64: the mid is 0.63 and the spread 0.02; 1,500 on the ask pull the price below the mid."""
    x = World("900 @ 0.62 | 0.64 @ 1500 | 0.65 @ 600").x
    assert x[s.MID] == pytest.approx(0.63, abs=1e-12)
    assert x[s.SPREAD] == pytest.approx(0.02, abs=1e-12)
    assert x[s.IMBALANCE] == pytest.approx((900 - 1_500) / 2_400)
    assert x[s.MICRO] == pytest.approx((0.62 * 1_500 + 0.64 * 900) / 2_400)
    assert (x[s.BID_SIZE], x[s.ASK_SIZE]) == (900.0, 1_500.0)
    assert (x[s.BID_DEPTH], x[s.ASK_DEPTH]) == (900.0, 2_100.0)
    assert x[s.DEPTH_IMBALANCE] == pytest.approx(-0.4)
    assert x[s.LOG_ODDS] == pytest.approx(math.log(0.63 / 0.37), abs=1e-9)


def test_the_last_price_is_of_the_last_trade_and_nothing_before_the_first() -> None:
    world = World("900 @ 0.62 | 0.64 @ 1500")
    assert world.x[s.LAST_PRICE] == 0.0
    world.feed(trade(BID, "0.64", 10), trade(ASK, "0.62", 5))
    assert world.x[s.LAST_PRICE] == pytest.approx(0.62)


def test_features_follow_every_change_of_the_book() -> None:
    world = World("900 @ 0.62 | 0.64 @ 1500")
    world.feed(level("100 @ 0.63"))
    assert world.x[s.SPREAD] == pytest.approx(0.01)
    assert world.x[s.IMBALANCE] == pytest.approx((100 - 1_500) / 1_600)
    assert world.x[s.BID_DEPTH] == 1_000.0
    world.feed(*snapshot("5 @ 0.10 | 0.30 @ 15"))
    assert world.x[s.MID] == pytest.approx(0.20)
    assert world.x[s.MICRO] == pytest.approx(0.15)


def test_a_finer_tick_changes_no_feature() -> None:
    world = World("900 @ 0.62 | 0.64 @ 1500")
    before = world.x.copy()
    world.feed(tick_size("0.001"), level("900 @ 0.62"))
    assert world.x.tolist() == before.tolist()


@pytest.mark.parametrize("told", [[level("0 @ 0.62")], [level("0.64 @ 0")], [{"kind": Kind.GAP, "market": 0}]])
def test_without_a_valid_two_sided_book_there_are_no_features(told: list[dict[str, int]]) -> None:
    world = World("900 @ 0.62 | 0.64 @ 1500")
    world.feed(trade(BID, "0.64", 10))
    world.feed(*told)
    assert world.x.tolist() == [0.0] * s.N_FEATURES
    world.feed(*snapshot("900 @ 0.62 | 0.64 @ 1500"))
    assert world.x[s.MID] == pytest.approx(0.63)
    assert world.x[s.BUY_60S] == 10.0


def test_every_feature_has_a_place_of_its_own() -> None:
    assert len(set(s.FEATURES)) == s.N_FEATURES
    assert [s.FEATURES[place] for place in (s.SPREAD, s.MICRO, s.SELL_1H, s.VOLATILITY_5M, s.COMPLETE_1H)] == [
        "spread", "micro", "sell_flow_1h", "volatility_5m", "completeness_1h",
    ]  # fmt: skip


SIZES = st.integers(0, 10**13).map(lambda size: size * 1e-6)
PRICES = st.floats(1e-4, 0.9999)


@settings(max_examples=200, deadline=None)
@given(SIZES, SIZES)
def test_an_imbalance_is_within_one_and_turns_with_the_sides(bid: float, ask: float) -> None:
    found = features.imbalance(bid, ask)
    assert -1.0 <= found <= 1.0
    assert features.imbalance(ask, bid) == -found
    assert (found > 0) == (bid > ask and found != 0)


@settings(max_examples=200, deadline=None)
@given(PRICES, PRICES, SIZES, SIZES)
def test_the_micro_price_lies_between_bid_and_ask(one: float, other: float, bid_size: float, ask_size: float) -> None:
    bid, ask = min(one, other), max(one, other)
    found = features.micro(bid, ask, bid_size, ask_size)
    assert bid * (1 - 1e-9) <= found <= ask * (1 + 1e-9)


def test_sizes_of_nothing_divide_nothing() -> None:
    assert features.imbalance(0.0, 0.0) == 0.0
    assert features.micro(0.4, 0.6, 0.0, 0.0) == pytest.approx(0.5)
