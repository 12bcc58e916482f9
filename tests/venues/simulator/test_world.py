"""An hour of the simulated exchange in virtual time: what it tells is consistent, fair, and the same every time."""

import hashlib
import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polytraders.contracts.inputs import ASK, BID, NANO, PRICE_UNIT, SIZE_UNIT
from polytraders.kernel.money import fee_micros
from polytraders.venues.polymarket.bookhash import rest_hash
from polytraders.venues.polymarket.wire import Decoder
from polytraders.venues.simulator import frames
from polytraders.venues.simulator.bitcoin import up_probability
from polytraders.venues.simulator.fees import CRYPTO, POLITICS, SPORTS
from polytraders.venues.simulator.floor import Told
from polytraders.venues.simulator.listing import Market
from polytraders.venues.simulator.world import Plan, World, winner
from tests.venues.simulator.following import Followed, follow

START_MS = 1_780_272_000_000
HOUR = Plan(seed=11, start_ms=START_MS, rate=0.06, slow=2, step_ms=1_000)
SECONDS = 3_600


class Run:
    """An hour, remembered."""

    def __init__(self) -> None:
        self.world = World(HOUR)
        self.told: list[Told] = []
        self.values: list[tuple[float, ...]] = []
        known = Decoder()

        def heard() -> Iterator[bytes]:
            for second in range(1, SECONDS + 1):
                told = self.world.run_until(self.world.start_ns + second * NANO)
                self.told += told
                self.values.append(tuple(self.rivals()))
                for market in self.world.markets.values():
                    known.register(market.condition, market.tokens, min_size="5", neg_risk=market.event.neg_risk)
                yield from (one.raw for one in told if one.market)

        self.followed: Followed = follow(heard(), known)

    def rivals(self) -> list[float]:
        return [market.value for market in self.world.markets.values() if market.event.neg_risk]

    def markets(self) -> list[Market]:
        return list(self.world.markets.values())


@pytest.fixture(scope="module")
def hour() -> Run:
    return Run()


def digest(plan: Plan, seconds: int, stride_ns: int) -> str:
    world, made = World(plan), hashlib.sha256()
    end = world.start_ns + seconds * NANO
    for until in itertools.chain(range(world.start_ns, end, stride_ns), [end]):
        for told in world.run_until(until):
            made.update(told.raw)
    return made.hexdigest()


def test_everything_told_is_understood_and_agrees_with_the_books(hour: Run) -> None:
    followed = hour.followed
    assert followed.counters["frames"] > 15_000
    assert followed.counters["refused"] == followed.counters["mirror_broken"] == followed.counters["unpaired"] == 0
    assert followed.after == 0, "after the trim every frame's best prices are ours"
    assert followed.differences == 0, "and every whole book equals ours at every level"
    unknown = [name for name in followed.counters if name.startswith("unknown")]
    assert unknown == []
    for market in hour.markets():
        assert followed.books.get(market.condition, ({}, {})) == market.book.totals


def test_every_habit_of_the_channel_shows_within_an_hour(hour: Run) -> None:
    counters = hour.followed.counters
    assert counters["duplicates"] > 10
    assert counters["trades"] > 100
    assert counters["tick_sizes"] > len(hour.markets()), "the first books tell a tick each, changes come on top"
    assert counters["twins"] == counters["snapshots"] / 2
    assert counters["resolved"] == len(hour.world.outcomes)
    assert counters["event:new_market"] > 10 and counters["event:best_bid_ask"] > 1_000
    assert len(hour.followed.mismatched) > 20, "orders that took out levels and rested"
    told = [msgspec.json.decode(one.raw) for one in hour.told if one.event == "price_change"]
    yes = {market.tokens[0] for market in hour.markets()}
    known = [one for one in told if one["market"] in hour.world.markets]
    no_first = sum(one["price_changes"][0]["asset_id"] not in yes for one in known) / len(known)
    assert 0.30 < no_first < 0.37
    times = [int(one["timestamp"]) for one in told]
    worst = min(after - before for before, after in itertools.pairwise(times))
    assert -3_000 < worst < -2_000


def test_every_book_carries_the_hash_the_venue_would_have_sent(hour: Run) -> None:
    assert hour.followed.counters["hash_ok"] == hour.followed.counters["snapshots"] > 1_000
    for market in hour.markets():
        page = frames.rest_book(market, 1, hour.world.now_ns // 1_000_000)
        assert rest_hash(page) == page["hash"]


def test_the_same_plan_gives_the_same_hour_in_another_process_and_in_other_strides(hour: Run) -> None:
    made = hashlib.sha256()
    for one in hour.told:
        made.update(one.raw)
    code = (
        "from tests.venues.simulator.test_world import HOUR, SECONDS, digest\n"
        "print(digest(HOUR, SECONDS, 7_654_321_987))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=90, env=environment)
    assert other.stdout.strip() == made.hexdigest(), other.stderr
    assert digest(Plan(seed=12, start_ms=START_MS, slow=1), 5, NANO) != digest(
        Plan(seed=13, start_ms=START_MS, slow=1), 5, NANO
    )


def test_windows_are_listed_ahead_begin_end_and_settle(hour: Run) -> None:
    outcomes = list(hour.world.outcomes.values())
    assert [one["slug"] for one in outcomes if "-5m-" in str(one["slug"])] == [
        f"btc-updown-5m-{START_MS // 1_000 + place * 300}" for place in range(11)
    ]
    assert sum("-15m-" in str(one["slug"]) for one in outcomes) == 3
    resolved = {
        frame["market"]: frame
        for frame in (msgspec.json.decode(one.raw) for one in hour.told if one.event == "market_resolved")
    }
    for one in outcomes:
        up = one["settled"] >= one["strike"]  # type: ignore[operator]
        assert one["payout_yes"] == int(up)
        assert resolved[str(one["market"])]["winning_outcome"] == ("Up" if up else "Down")
        assert resolved[str(one["market"])]["winning_asset_id"] == one["tokens"][int(not up)]  # type: ignore[index]
        market = hour.world.markets[str(one["market"])]
        assert market.closed and not market.book.orders
        after_s = (int(one["resolved_ns"]) - market.close_ns) / NANO  # type: ignore[call-overload]
        assert 5 <= after_s <= 20
    ahead = [market for market in hour.markets() if market.start_ns > hour.world.now_ns]
    assert len(ahead) == 3 and all(market.strike_cents is None for market in ahead)


@pytest.mark.parametrize(
    ("strike", "settled", "token"), [(6_000_000, 6_000_001, 0), (6_000_000, 6_000_000, 0), (6_000_000, 5_999_999, 1)]
)
def test_up_wins_above_the_strike_and_at_a_tie(strike: int, settled: int, token: int) -> None:
    assert winner(strike, settled) == token


def test_values_of_outcomes_that_exclude_each_other_sum_to_one_always(hour: Run) -> None:
    assert len(hour.values[0]) == 4
    assert all(abs(sum(values) - 1) < 1e-9 for values in hour.values)
    assert len(set(hour.values)) > SECONDS * 0.9, "they move"
    middles = [market.middle / PRICE_UNIT for market in hour.markets() if market.event.neg_risk]
    assert 0.9 < sum(middles) < 1.1, "and so do the markets about them"


@given(st.integers(1, 9_999), st.integers(1, 10**10), st.sampled_from([CRYPTO, SPORTS, POLITICS]))
def test_the_fee_table_and_the_kernel_agree_to_the_micro(price: int, size: int, schedule: Any) -> None:
    fee = schedule.taker_fee(Decimal(price) / PRICE_UNIT, Decimal(size) / SIZE_UNIT)
    assert int(fee * 1_000_000) == fee_micros(size, price, int(Decimal(schedule.rate) * 1_000_000), 1_000, 0)


def test_a_fee_worked_out_by_hand() -> None:
    assert CRYPTO.taker_fee(Decimal("0.5"), Decimal(100)) == Decimal("1.75")
    assert CRYPTO.taker_fee(Decimal("0.01"), Decimal("0.01")) == 0, "below a thousandth of a cent nothing is taken"


def test_a_book_of_the_past_is_what_was_told_until_then(hour: Run) -> None:
    world = World(Plan(seed=5, start_ms=START_MS, slow=1, history_s=50))
    books: list[tuple[int, dict[str, Any]]] = []
    for second in range(1, 151, 3):
        world.run_until(world.start_ns + second * NANO)
        books.append(
            (world.now_ns, {m.condition: (dict(m.book.totals[0]), dict(m.book.totals[1])) for m in markets(world)})
        )
    for ts_ns, then in books[-20:]:
        for market in markets(world):
            assert market.history.at(ts_ns) == then[market.condition]
    assert any(market.history.at(world.start_ns + NANO) is None for market in markets(world)), "it is bounded"
    live = next(market for market in markets(world) if market.updown)
    sides = live.history.at(books[-2][0])
    assert sides is not None
    for _, side, price, size in live.history.changes(books[-2][0], books[-1][0], 10_000):
        sides[side].pop(price, None)
        if size:
            sides[side][price] = size
    assert sides == live.book.totals


def markets(world: World) -> list[Market]:
    return list(world.markets.values())


@settings(max_examples=4, deadline=None)
@given(st.integers(0, 2**32))
def test_no_book_is_ever_crossed_and_values_are_chances(seed: int) -> None:
    world = World(Plan(seed=seed, start_ms=START_MS + 250_000, slow=2))
    for half in range(1, 130):
        world.run_until(world.start_ns + half * NANO // 2)
        for market in world.markets.values():
            assert market.best(BID) < market.best(ASK)
            assert 0 <= market.value <= 1
            assert all(price % market.tick == 0 for totals in market.book.totals for price in totals)


def gains(lag_ms: int) -> list[float]:
    """What a share bought at each ask is worth more than it costs with its fee, 60 ms after the price was seen."""
    world = World(Plan(seed=3, start_ms=START_MS, rate=0.1, slow=1, maker_lag_ms=lag_ms))
    found = []
    for step in range(1, 150 * 5):
        world.run_until(world.start_ns + step * NANO // 5 + 60_000_000)
        for market in (market for market in markets(world) if market.best(ASK) < PRICE_UNIT and not market.emptied):
            ask = market.best(ASK) / PRICE_UNIT
            found.append(market.value - ask - float(market.fees.rate) * ask * (1 - ask))
    return found


def test_late_makers_can_be_beaten_and_punctual_ones_cannot() -> None:
    late, punctual = gains(lag_ms=4_000), gains(lag_ms=0)
    assert len(punctual) > 5_000
    assert max(punctual) <= 0, "not one quote is worth taking"
    assert sum(gain > 0.01 for gain in late) > 30


@pytest.mark.parametrize(
    ("cents", "strike", "variance", "least", "most"),
    [(100, None, 1e-6, 0.499, 0.5), (100, 100, 1e-6, 0.499, 0.5), (101, 100, 1e-8, 0.999, 1.0), (99, 100, 0.0, 0, 0)],
)
def test_the_chance_of_up(cents: int, strike: int | None, variance: float, least: float, most: float) -> None:
    assert least <= up_probability(cents, strike, variance) <= most


@pytest.mark.parametrize("wrong", [{"start_ms": 1}, {"step_ms": 300}, {"rate": 0.0}, {"maker_lag_ms": -1}])
def test_a_plan_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"start|rate"):
        Plan(**{"seed": 1, "start_ms": START_MS} | wrong)
