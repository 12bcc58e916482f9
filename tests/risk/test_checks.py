"""Stage 7: each check's value and limit. That each of them stops a trade is in tests/loop/test_each_check.py."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.risk.core import checks
from polytraders.contracts import checks as c
from polytraders.contracts import state as s
from polytraders.contracts.inputs import DOWN, NANO, SIZE_UNIT, UP
from tests.scenario import START, record, shares

MS = 1_000_000
LIMITS = {
    "registry_age_ms_max": 86_400_000, "close_margin_ms": 30_000, "spread_max": 3_000, "depth_min": shares(50),
    "market_exposure_max": 500 * SIZE_UNIT, "portfolio_exposure_max": 5_000 * SIZE_UNIT,
    "cluster_exposure_max": 1_500 * SIZE_UNIT, "concentration_ppm_max": 100_000,
}  # fmt: skip


def market(**fields: int) -> Any:
    """The market of the worked example: bid 0.62, ask 0.64, synced 2.5 s ago, open for a day."""
    usual = {
        "bid_px": 6_200, "ask_px": 6_400, "mid2": 12_600, "tick": 100, "bid_depth": shares(2_000),
        "ask_depth": shares(2_100), "allowed": 1, "synced_ts": START - 2_500 * MS, "close_ts": START + 86_400 * NANO,
        "row_ts": START,
    }  # fmt: skip
    return record(s.MARKET, **(usual | fields))


def names(votes: int) -> set[str]:
    """Checks that reject."""
    return {check.name for bit, check in enumerate(c.CHECKS) if votes >> bit & 1}


def test_worked_example() -> None:
    """Spread 0.02 is within 0.30, 2,500 ms since the sync are fresh, nothing is killed: every market check approves."""
    mk, lim, venue = market(), record(s.LIMITS, **LIMITS), record(s.VENUE, allowed=1)
    pf, cluster, detail = record(s.PORTFOLIO), record(s.CLUSTER), record(s.DETAIL)
    assert checks.kills(None, pf, mk, cluster, venue) == 0
    assert checks.instrument(detail, mk, venue, lim, 0, START) == 0
    assert checks.book(detail, mk, lim, START + 10 * NANO, START) == 0
    assert checks.drawdowns(None, pf, lim) == 0
    assert detail["values"][c.MARKET_QUALITY] == 200
    assert detail["limits"][c.MARKET_QUALITY] == 3_000
    assert detail["values"][c.REGISTRY_FRESH] == 2_500
    assert detail["values"][c.LIQUIDITY] == shares(2_000)
    assert detail["values"][c.BOOK_STALE] == 10 * NANO


@given(st.integers(-(1 << 60), 1 << 60), st.integers(-(1 << 60), 1 << 60), st.integers(0, c.N_CHECKS - 1))
def test_a_vote_is_the_checks_bit_and_its_numbers_are_written_down(value: int, limit: int, bit: int) -> None:
    detail = record(s.DETAIL)
    assert checks.most(detail, bit, value, limit) == int(value > limit) << bit
    assert (detail["values"][bit], detail["limits"][bit]) == (value, limit)
    assert checks.least(detail, bit, value, limit) == int(value < limit) << bit
    assert checks.most(None, bit, value, limit) == int(value > limit) << bit
    assert checks.least(None, bit, value, limit) == int(value < limit) << bit


@pytest.mark.parametrize(("told", "counts"), [(0, 60), (1, 5), (5_000, 5), (5_001, 5.001), (700_000, 600)])
def test_a_markets_own_gap_is_bounded_and_a_minute_until_known(told: int, counts: float) -> None:
    assert checks.gap_ns(market(gap_p999_ms=told)) == round(counts * NANO)


def test_a_book_goes_stale_with_its_connection_or_with_its_market_unless_somebody_confirms_it() -> None:
    mk = market(gap_p999_ms=20_000)
    # A silent connection: 10 s.
    assert checks.stale_ts(mk, START, START) == START + 10 * NANO
    # A living connection, a market silent for longer than its own gap, no witness.
    assert checks.stale_ts(mk, START + 100 * NANO, 0) == START + 20 * NANO
    # A witness counts for 15 s.
    assert checks.stale_ts(mk, START + 100 * NANO, START + 50 * NANO) == START + 65 * NANO


@pytest.mark.parametrize(
    ("fields", "rejecting"),
    [
        ({"bid_px": s.NONE}, {"book_crossed", "market_quality"}),
        ({"ask_px": s.NONE}, {"book_crossed", "market_quality"}),
        ({"bid_px": 6_400}, {"book_crossed"}),
        ({"bid_px": 6_500}, {"book_crossed"}),
        ({"bid_px": 6_300}, set()),
        ({"bid_px": 3_400}, set()),
        ({"bid_px": 3_300}, {"market_quality"}),
        ({"state": s.BOOK_NONE}, {"book_valid"}),
        ({"state": s.BOOK_RESYNC}, {"book_valid"}),
        ({"bid_depth": shares(50) - 1}, {"liquidity"}),
        ({"ask_depth": 0}, {"liquidity"}),
    ],
)
def test_a_bad_book_is_refused_by_the_check_that_sees_it(fields: dict[str, int], rejecting: set[str]) -> None:
    votes = checks.book(None, market(**fields), record(s.LIMITS, **LIMITS), START + 1, START)
    assert names(votes) == rejecting


@pytest.mark.parametrize(
    ("fields", "missing", "rejecting"),
    [
        ({}, 1 << 3, {"instrument"}),
        ({"allowed": 0}, 0, {"compliance_market"}),
        ({"status": 3}, 0, {"market_halt"}),
        ({"synced_ts": 0}, 0, {"registry_fresh"}),
        ({"close_ts": 0}, 0, {"market_close"}),
        ({"close_ts": START + 30_000 * MS - 1}, 0, {"market_close"}),
        ({"close_ts": START + 30_000 * MS}, 0, set()),
    ],
)
def test_a_doubtful_instrument_is_refused(fields: dict[str, int], missing: int, rejecting: set[str]) -> None:
    venue, lim = record(s.VENUE, allowed=1), record(s.LIMITS, **LIMITS)
    assert names(checks.instrument(None, market(**fields), venue, lim, missing, START)) == rejecting


def test_the_room_left_is_that_of_the_tightest_cap() -> None:
    lim, mk = record(s.LIMITS, **LIMITS), market(exposure=100 * SIZE_UNIT)
    strat = record(s.STRATEGY, exposure=0, exposure_max=900 * SIZE_UNIT)
    cluster = record(s.CLUSTER, worst=1_200 * SIZE_UNIT)
    rich = record(s.PORTFOLIO, cash=9_900 * SIZE_UNIT, exposure=100 * SIZE_UNIT)
    assert checks.room(rich, mk, cluster, strat, lim) == 300 * SIZE_UNIT
    cluster["worst"] = 0
    assert checks.room(rich, mk, cluster, strat, lim) == 400 * SIZE_UNIT
    strat["exposure"] = 550 * SIZE_UNIT
    assert checks.room(rich, mk, cluster, strat, lim) == 350 * SIZE_UNIT
    rich["exposure"] = 4_900 * SIZE_UNIT
    assert checks.room(rich, mk, cluster, strat, lim) == 100 * SIZE_UNIT
    # A tenth of 2,000 pUSD, of which this market has half.
    small = record(s.PORTFOLIO, cash=1_950 * SIZE_UNIT, exposure=150 * SIZE_UNIT, reserved=100 * SIZE_UNIT)
    assert checks.room(small, mk, cluster, strat, lim) == 100 * SIZE_UNIT
    small["reserved"] = 1_940 * SIZE_UNIT
    assert checks.room(small, mk, cluster, strat, lim) < 0


def test_a_taker_meets_only_resting_orders_of_others_on_the_other_side_within_its_reach() -> None:
    orders = [
        {"order": s.RESTING, "order_direction": DOWN, "order_price": 6_400},
        {"order": s.RESTING, "order_direction": DOWN, "order_price": 6_500},
        {"order": s.RESTING, "order_direction": UP, "order_price": 6_200},
        {"order": s.SENT, "order_direction": DOWN, "order_price": 6_400},
        {"order": s.NO_ORDER, "order_direction": DOWN, "order_price": 6_400},
    ]
    pairs = [record(s.PAIR, **order) for order in orders]

    def met(own: int, direction: int, worst: int) -> int:
        return int(meets(pairs, own, direction, worst))

    assert met(4, UP, 6_400) == 1
    assert met(4, UP, 6_500) == 2
    assert met(4, UP, 6_300) == 0
    assert met(0, UP, 6_400) == 0, "its own resting order is no other's"
    assert met(4, DOWN, 6_200) == 1
    assert met(4, DOWN, 6_300) == 0


def meets(pairs: list[Any], own: int, direction: int, worst: int) -> int:
    """`meets_own` of a market whose row of pairs is this."""
    import numpy as np

    from polytraders.kernel.block import records
    from polytraders.kernel.jit import JIT_OFF

    made = np.zeros(len(pairs), s.PAIR)
    for place, pair in enumerate(pairs):
        made[place] = tuple(pair[name] for name in s.PAIR.names or ())
    row = records(made) if JIT_OFF else made
    return int(checks.meets_own(row, len(row), own, direction, worst))


def test_only_a_sale_reduces() -> None:
    assert not checks.is_sale(s.BUY)
    assert checks.is_sale(s.SELL)
