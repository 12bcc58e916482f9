"""Every check of the list stops the trade that everything else allows, and a sale exactly when it is for all trades.

One strategy holds 100 YES bought at 0.64 and is killed. Then the kill ends, one thing is different, and it would buy
more (forecast 0.67) or sell what it has (forecast 0.55).
"""

from collections.abc import Callable
from typing import NamedTuple

import pytest

from polytraders.contracts import state as s
from polytraders.contracts.checks import ALL, BITS, CHECKS, INCREASING, MOST
from polytraders.contracts.inputs import (
    ASK,
    BID,
    NANO,
    SIZE_UNIT,
    YES,
    Fact,
    Kind,
    MarketStatus,
    Scope,
    Setting,
    Stage,
)  # fmt: skip
from polytraders.strategies import logit
from tests.scenario import START, Said, World, expects, makes, says, shares

Change = Callable[[World], None]

HELD = 64 * SIZE_UNIT
"""Cost of what is held, micro-pUSD."""
SMALLEST = 3_200_010
"""What the smallest order, 5 shares at 0.64, is held at, with ten micros for rounding."""
CAPITAL = 10_000 * SIZE_UNIT
BUYS, SELLS, HESITATES = 0.67, 0.55, 0.625
STRIKES = {BUYS: 100, SELLS: 101}
"""What a reference of 101.35 has to reach for these forecasts, about."""


def holding() -> World:
    """Strategy 0 holds 100 YES and is killed; strategy 1, a maker, may not order."""
    w = World(says(BUYS), makes(stage=Stage.SHADOW))
    w.snapshot()
    w.kill(Scope.STRATEGY)
    w.wait(1)
    w.touch()
    w.run()
    assert w.pair()["qty_yes"] == shares(100)
    return w


def fresh() -> World:
    """Strategy 0 holds nothing and is killed."""
    w = World(says(BUYS))
    w.kill(Scope.STRATEGY)
    w.snapshot()
    return w


def following() -> World:
    """As `holding`, but the forecast comes from a reference price."""
    w = World(expects(), facts={Fact.REFERENCE: 0, Fact.STRIKE: 100 * 10**8})
    for _ in range(25):
        w.reference(101.35)
        w.wait(1)
    w.snapshot()
    w.kill(Scope.STRATEGY)
    w.wait(1)
    w.touch()
    w.run()
    assert w.pair()["qty_yes"] == shares(100)
    return w


class Case(NamedTuple):
    """What stops a trade.

    Attributes:
        check: The check that is to reject.
        change: The one thing that is different.
        also: Checks that cannot approve when this one rejects.
        sell: What is different for the sale, where it is not the same thing.
        sell_also: As `also`, for the sale.
        start: What the purchase begins with.
        sell_start: What the sale begins with.
        sell_at: Forecast of the sale.
    """

    check: str
    change: Change
    also: frozenset[str] = frozenset()
    sell: Change | None = None
    sell_also: frozenset[str] = frozenset()
    start: Callable[[], World] = holding
    sell_start: Callable[[], World] = holding
    sell_at: float = SELLS


NO_ROOM = frozenset({"size"})
"""Where the smallest order finds no room, no size is large enough."""
NO_BOOK = frozenset({"features", "fair_value", "fillable", "net_edge", "price_collar", "size"})
"""Without a book there is nothing to see, to forecast from or to trade."""


def decided(start: Callable[[], World], forecast: float, change: Change) -> tuple[World, Said]:
    """The verdict of strategy 0 after the change."""
    w = start()
    if start is following:
        w.fact(Fact.STRIKE, STRIKES[forecast] * 10**8)
    else:
        w.opine(forecast)
    w.release(Scope.STRATEGY)
    change(w)
    if w.rows[-1][4] != Kind.TICK:
        w.wait(1)
        w.touch()
    return w, w.verdict()


def nothing(w: World) -> None:
    """The baseline."""


def limit(name: str, value: int) -> Change:
    return lambda w: w.limit(name, value)


def fact(which: Fact, value: int) -> Change:
    return lambda w: w.fact(which, value)


def setting(which: Setting, value: int) -> Change:
    return lambda w: w.setting(which, value)


def kill(scope: Scope) -> Change:
    return lambda w: w.kill(scope)


def withdrawal(left: int) -> Change:
    """Free cash is `left` afterwards."""
    return lambda w: w.row(Kind.CAPITAL, size=left + HELD - CAPITAL)


def forgets_a_fact(w: World) -> None:
    # No input takes a fact back, so this one thing is done to the memory itself.
    w.run()
    w.state.markets["known"][0] &= ~(1 << Fact.FEE_RATE)


def silent(seconds: float) -> Change:
    """Silence, and a TICK: no other row could show it, because every row of a market is a sign of life."""

    def change(w: World) -> None:
        w.wait(seconds)
        w.tick()

    return change


def speechless(w: World) -> None:
    """A parameter that is not a number: whatever the model computes is no probability."""
    w.row(Kind.PARAM, 0, price=logit.TABLE + 2, size=0x7FF8 << 48)
    w.row(Kind.PARAM, 0, price=logit.TABLE + 3, size=0x7FF8 << 48)


def has_ordered(w: World) -> None:
    w.limit("order_latency_ms", 2_000)
    w.wait(0.5)
    w.touch()


def meets_itself(side: int, price: int) -> Change:
    """The maker rests where strategy 0 would take."""

    def change(w: World) -> None:
        w.kill(Scope.STRATEGY)
        w.level(side, price, 90_000)
        w.rollout(Stage.PAPER, 1)
        w.setting(Setting.EDGE_MIN, -NANO, 1)
        w.wait(1)
        w.touch()
        w.wait(1)
        w.touch()
        w.run()
        assert w.pair(1)["order"] == s.RESTING
        w.release(Scope.STRATEGY)

    return change


def unreferenced(seconds: float) -> Change:
    """The reference price stays silent; the decision comes a second later."""

    def change(w: World) -> None:
        w.reference(101.35)
        w.wait(seconds - 1)

    return change


CASES = (
    Case("kill_global", kill(Scope.GLOBAL)),
    Case("kill_venue", kill(Scope.VENUE)),
    Case("kill_cluster", kill(Scope.CLUSTER)),
    Case("kill_market", kill(Scope.MARKET)),
    Case("kill_strategy", kill(Scope.STRATEGY)),
    Case("flatten", lambda w: w.flatten(Scope.STRATEGY), start=fresh),
    Case("instrument", forgets_a_fact),
    Case("compliance_venue", lambda w: w.row(Kind.VENUE, price=0, size=0)),
    Case("compliance_market", fact(Fact.ALLOWED, 0)),
    Case("registry_fresh", fact(Fact.SYNCED_TS, START + 2 * NANO - 86_400_001 * 1_000_000)),
    Case("market_halt", fact(Fact.STATUS, MarketStatus.PAUSED)),
    Case("market_close", fact(Fact.CLOSE_TS, START + 32 * NANO - 1)),
    Case("book_valid", lambda w: w.row(Kind.REFUSED, 0), NO_BOOK, None, NO_BOOK),
    Case("book_stale", silent(10)),
    Case("book_crossed", lambda w: w.level(BID, 6_400, 10)),
    Case("market_quality", limit("spread_max", 199)),
    Case("liquidity", limit("depth_min", shares(9_000) + 1)),
    Case("features", setting(Setting.WINDOWS, 1)),
    Case("reference", unreferenced(5.001), start=following, sell_start=following),
    Case("fair_value", speechless, start=fresh),
    Case("band", setting(Setting.BAND_MAX, NANO // 100)),
    Case("fillable", setting(Setting.SIZE, shares(4)), frozenset({"size"}), None, frozenset({"size"})),
    Case("intent_open", has_ordered),
    Case("net_edge", setting(Setting.EDGE_MIN, NANO // 10)),
    Case("hold", nothing, sell_at=HESITATES),
    Case("market_exposure", limit("market_exposure_max", HELD + SMALLEST - 1), NO_ROOM),
    Case("strategy_exposure", setting(Setting.EXPOSURE_MAX, HELD + SMALLEST - 1), NO_ROOM),
    Case("portfolio_exposure", limit("portfolio_exposure_max", HELD + SMALLEST - 1), NO_ROOM),
    Case("capital", withdrawal(SMALLEST - 1), NO_ROOM),
    Case("drawdown_day", limit("drawdown_day_ppm_max", 99)),
    Case("drawdown_week", limit("drawdown_week_ppm_max", 99)),
    Case("correlation", limit("cluster_exposure_max", HELD + SMALLEST - 1), NO_ROOM),
    Case("concentration", limit("concentration_ppm_max", 6_720), NO_ROOM),
    Case("rollout_stage", lambda w: w.rollout(Stage.SHADOW)),
    Case("order_rate", limit("orders_per_minute_max", 1)),
    Case("price_collar", setting(Setting.COLLAR, 99)),
    Case("self_trade", meets_itself(ASK, 6_400), sell=meets_itself(BID, 6_200)),
    Case(
        "size", limit("liquidity_take_ppm_max", 49_900), frozenset(),
        setting(Setting.SIZE, shares(4)), frozenset({"fillable"}),
    ),
    Case("rank", setting(Setting.IMMEDIATE, 0)),
)  # fmt: skip

ONLY_SALES = {"hold"}
"""A purchase without an edge is stopped by `net_edge`, whose limit is never lower."""

JUST_WITHIN: dict[str, Change] = {
    "registry_fresh": fact(Fact.SYNCED_TS, START + 2 * NANO - 86_400_000 * 1_000_000),
    "market_close": fact(Fact.CLOSE_TS, START + 32 * NANO),
    "market_quality": limit("spread_max", 200),
    "liquidity": limit("depth_min", shares(9_000)),
    "reference": unreferenced(5),
    "fillable": setting(Setting.SIZE, shares(5)),
    "market_exposure": limit("market_exposure_max", HELD + SMALLEST),
    "strategy_exposure": setting(Setting.EXPOSURE_MAX, HELD + SMALLEST),
    "portfolio_exposure": limit("portfolio_exposure_max", HELD + SMALLEST),
    "capital": withdrawal(SMALLEST),
    "drawdown_day": limit("drawdown_day_ppm_max", 100),
    "drawdown_week": limit("drawdown_week_ppm_max", 100),
    "correlation": limit("cluster_exposure_max", HELD + SMALLEST),
    "concentration": limit("concentration_ppm_max", 6_721),
    "rollout_stage": lambda w: w.rollout(Stage.CANARY),
    "order_rate": limit("orders_per_minute_max", 2),
    "price_collar": setting(Setting.COLLAR, 100),
    "size": limit("liquidity_take_ppm_max", 50_000),
}


def shown_is_what_decided(w: World, verdict: Said) -> None:
    """Each check's vote follows from the value and limit in the packet."""
    detail = w.detail(verdict)
    for bit, check in enumerate(CHECKS):
        value, bound = int(detail["values"][bit]), int(detail["limits"][bit])
        beyond = value > bound if check.side == MOST else value < bound
        counts = verdict.action == s.BUY or check.applies != INCREASING
        assert (verdict.votes >> bit & 1 == 1) == (beyond and counts), check.name


def test_the_cases_are_the_list_of_checks() -> None:
    assert [case.check for case in CASES] == [check.name for check in CHECKS]


@pytest.mark.parametrize(("start", "forecast"), [(holding, BUYS), (holding, SELLS), (following, BUYS), (fresh, BUYS)])
def test_nothing_stops_the_trade_when_nothing_is_different(start: Callable[[], World], forecast: float) -> None:
    w, verdict = decided(start, forecast, nothing)
    action = s.BUY if forecast == BUYS else s.SELL
    assert (verdict.code, verdict.kind, verdict.action) == ("STRAT_EDGE_DETECTED", s.APPROVAL, action)
    assert (verdict.outcome, verdict.size, verdict.votes) == (YES, shares(100), 0)
    shown_is_what_decided(w, verdict)


@pytest.mark.parametrize("case", [case for case in CASES if case.check not in ONLY_SALES], ids=lambda case: case.check)
def test_the_check_alone_stops_a_purchase(case: Case) -> None:
    w, verdict = decided(case.start, BUYS, case.change)
    assert verdict.rejecting == {case.check} | case.also
    assert verdict.code == CHECKS[BITS[case.check]].code
    assert (verdict.kind, verdict.action) == (s.PACKET, s.BUY)
    shown_is_what_decided(w, verdict)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.check)
def test_a_sale_is_stopped_exactly_by_the_checks_for_all_trades(case: Case) -> None:
    w, verdict = decided(case.sell_start, case.sell_at, case.sell or case.change)
    if CHECKS[BITS[case.check]].applies == ALL:
        assert verdict.rejecting == {case.check} | case.sell_also
        assert verdict.kind == s.PACKET
        # Without a book nobody knows yet which trade it would be.
        assert verdict.action == s.SELL or case.check == "book_valid"
    else:
        assert (verdict.kind, verdict.action, verdict.rejecting) == (s.APPROVAL, s.SELL, set())
    shown_is_what_decided(w, verdict)


@pytest.mark.parametrize("check", JUST_WITHIN)
def test_a_value_at_its_limit_is_let_through(check: str) -> None:
    start = next(case.start for case in CASES if case.check == check)
    _, verdict = decided(start, BUYS, JUST_WITHIN[check])
    assert (verdict.kind, verdict.action) == (s.APPROVAL, s.BUY)


def test_a_book_is_not_stale_until_the_moment_it_is() -> None:
    for seconds, code in ((9.999_999_999, "RISK_KILL_SWITCH_ACTIVE"), (10.0, "RISK_STALE_BOOK")):
        # The last verdict before the silence is the kill's; nothing is due before the book goes stale.
        _, verdict = decided(holding, BUYS, silent(seconds))
        assert verdict.code == code


def test_the_first_of_several_rejections_gives_the_code() -> None:
    def change(w: World) -> None:
        w.setting(Setting.EDGE_MIN, NANO // 10)
        w.limit("spread_max", 199)
        w.kill(Scope.MARKET)

    _, verdict = decided(holding, BUYS, change)
    assert verdict.rejecting == {"kill_market", "market_quality", "net_edge"}
    assert verdict.code == "RISK_KILL_SWITCH_ACTIVE"
