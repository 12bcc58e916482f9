"""Stage 1: instrument truth."""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.registry.core import instruments
from polytraders.contracts.inputs import SIZE_UNIT, Fact, MarketStatus
from polytraders.contracts.state import MARKET

NS_PER_MS = 1_000_000
ALL_KNOWN = (1 << len(Fact)) - 1


def market(**fields: int) -> Any:
    made = np.zeros(1, MARKET).view(np.recarray)
    for name, value in fields.items():
        made[name] = value
    return made[0]


def test_worked_example() -> None:
    # 1,700,000,050,000 - 1,700,000,047,500 = 2,500 ms since the last sync.
    mk = market(synced_ts=1_700_000_047_500 * NS_PER_MS)
    assert instruments.age_ms(mk, 1_700_000_050_000 * NS_PER_MS) == 2_500


def test_a_started_millisecond_counts_as_a_whole() -> None:
    mk = market(synced_ts=1_000_000_000)
    assert instruments.age_ms(mk, 1_000_000_000) == 0
    assert instruments.age_ms(mk, 1_000_000_001) == 1
    assert instruments.age_ms(mk, 999_000_000) == -1


def test_a_market_that_was_never_synced_is_older_than_any_limit() -> None:
    assert instruments.age_ms(market(), 1_700_000_000_000 * NS_PER_MS) > 365 * 86_400_000


def test_every_required_fact_is_named_when_it_is_missing() -> None:
    nothing = instruments.missing(market())
    assert instruments.named(nothing) == (
        "VENUE", "MIN_SIZE", "FEE_RATE", "FEE_EXPONENT", "FEE_TAKER_ONLY", "TAKER_DELAY_MS", "CLOSE_TS", "CLUSTER",
        "TICK_SIZE",
    )  # fmt: skip
    assert instruments.missing(market(known=ALL_KNOWN, tick=100)) == 0
    assert instruments.named(0) == ()


@pytest.mark.parametrize("fact", [fact for fact in Fact if fact <= Fact.CLUSTER])
def test_one_missing_fact_is_enough(fact: Fact) -> None:
    mk = market(known=ALL_KNOWN & ~(1 << fact), tick=100)
    assert instruments.named(instruments.missing(mk)) == (fact.name,)


def test_a_market_without_a_tick_is_unknown_and_has_no_valid_price() -> None:
    mk = market(known=ALL_KNOWN)
    assert instruments.missing(mk) == instruments.TICK_MISSING
    assert not instruments.price_valid(mk, 5_000)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, ALL_KNOWN), st.sampled_from([0, 10, 100]))
def test_missing_and_known_never_overlap_and_together_cover_what_is_required(known: int, tick: int) -> None:
    bits = instruments.missing(market(known=known, tick=tick))
    facts = bits & ~instruments.TICK_MISSING
    assert facts & known == 0
    assert facts | known & instruments.REQUIRED == instruments.REQUIRED
    assert bool(bits & instruments.TICK_MISSING) is (tick == 0)


@pytest.mark.parametrize(
    ("tick", "price", "valid"),
    [
        (100, 6_400, True),
        (100, 6_410, False),
        (10, 6_410, True),
        (10, 6_411, False),
        (100, 0, False),
        (100, 10_000, False),
    ],
)
def test_a_price_follows_the_present_tick(tick: int, price: int, valid: bool) -> None:
    assert instruments.price_valid(market(tick=tick), price) == valid


def test_a_size_follows_the_markets_minimum() -> None:
    mk = market(min_size=5 * SIZE_UNIT)
    assert instruments.size_valid(mk, 5 * SIZE_UNIT)
    assert not instruments.size_valid(mk, 5 * SIZE_UNIT - 1)
    assert not instruments.size_valid(market(), 0)


@pytest.mark.parametrize("status", MarketStatus)
def test_only_an_open_market_may_be_increased(status: MarketStatus) -> None:
    assert instruments.is_open(market(status=status)) == (status is MarketStatus.OPEN)


def test_time_to_the_close_is_rounded_down() -> None:
    mk = market(close_ts=10 * NS_PER_MS)
    assert [instruments.close_in_ms(mk, now) for now in (0, 1, 10 * NS_PER_MS, 10 * NS_PER_MS + 1)] == [10, 9, 0, -1]


def test_the_furthest_status_wins_whatever_the_other_flags_say() -> None:
    flags = ("active", "accepting_orders", "halted", "closed", "resolution_begun", "resolved")
    for values in itertools.product((False, True), repeat=len(flags)):
        said = dict(zip(flags, values, strict=True))
        status = instruments.status(**said)
        assert (status is MarketStatus.RESOLVED) == said["resolved"]
        if status is MarketStatus.OPEN:
            assert said == dict.fromkeys(flags, False) | {"active": True, "accepting_orders": True}


@pytest.mark.parametrize(("version", "number"), [("", 1), ("v1", 1), ("v2", 2), ("v3", 0), ("V2", 0), ("2", 0)])
def test_an_unheard_of_protocol_is_unknown(version: str, number: int) -> None:
    assert instruments.protocol(version) == number
