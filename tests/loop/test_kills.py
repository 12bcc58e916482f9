"""Kills: five scopes, orders off the books at once, and no end by itself."""

import pytest

from polytraders.contracts import state as s
from polytraders.contracts.inputs import ASK, NANO, Scope, Setting
from tests.scenario import World, makes, says

SCOPES = [(Scope.GLOBAL, 0), (Scope.VENUE, 0), (Scope.CLUSTER, 0), (Scope.MARKET, 0), (Scope.STRATEGY, 0)]
OTHERS = [(Scope.VENUE, 1), (Scope.CLUSTER, 1), (Scope.MARKET, 1), (Scope.STRATEGY, 1)]
NAMES = ("kill_global", "kill_venue", "kill_cluster", "kill_market", "kill_strategy")


def resting() -> World:
    """Strategy 0 has an order resting in market 0; market 1 is in a cluster of its own."""
    w = World(makes(), markets=2, clusters=(0, 1))
    w.snapshot({6_200: 500, 6_100: 500}, {6_400: 1, 6_500: 500})
    w.wait(0.1)
    w.touch()
    w.run()
    assert w.pair()["order"] == s.RESTING
    return w


@pytest.mark.parametrize(("scope", "index"), SCOPES, ids=lambda part: getattr(part, "name", ""))
def test_a_kill_stops_every_approval_of_its_scope(scope: Scope, index: int) -> None:
    w = World(says(0.67))
    w.kill(scope, index)
    w.snapshot()
    verdict = w.verdict()
    assert (verdict.code, verdict.rejecting) == ("RISK_KILL_SWITCH_ACTIVE", {NAMES[scope]})


@pytest.mark.parametrize(("scope", "index"), SCOPES, ids=lambda part: getattr(part, "name", ""))
def test_a_kill_takes_the_orders_of_its_scope_off_the_book(scope: Scope, index: int) -> None:
    w = resting()
    w.kill(scope, index)
    w.run()
    # No row of the market is needed: the order ends by itself, after our latency.
    w.wait(0.25)
    w.tick()
    (ended,) = w.run()[:1]
    assert (ended.kind, ended.code) == (s.DONE, "EXEC_CANCELLED")
    assert w.portfolio("reserved") == 0
    w.wait(1)
    w.touch()
    assert w.verdict().code == "RISK_KILL_SWITCH_ACTIVE"


@pytest.mark.parametrize(("scope", "index"), OTHERS, ids=lambda part: getattr(part, "name", ""))
def test_a_kill_elsewhere_leaves_the_order_where_it_is(scope: Scope, index: int) -> None:
    w = World(makes(), says(0.63), markets=2, clusters=(0, 1))
    w.snapshot({6_200: 500, 6_100: 500}, {6_400: 1, 6_500: 500})
    w.kill(scope, index)
    w.wait(1)
    w.touch()
    w.run()
    assert w.pair()["order"] == s.RESTING
    assert w.pair()["order_cancelled"] == 0


def test_a_killed_taker_on_its_way_cannot_be_called_back() -> None:
    w = World(says(0.67))
    w.snapshot()
    w.kill(Scope.GLOBAL)
    w.wait(0.1)
    w.touch()
    w.run()
    assert [said.kind for said in w.said] == [s.BOOK, s.APPROVAL, s.FILL, s.PACKET]
    assert w.said[-1].code == "RISK_KILL_SWITCH_ACTIVE"


def test_a_kill_stops_a_sale_too() -> None:
    w = World(says(0.67), limits={"orders_per_minute_max": 1})
    w.snapshot()
    w.wait(0.1)
    w.touch()
    w.kill(Scope.MARKET)
    w.opine(0.4)
    w.wait(0.1)
    w.touch()
    verdict = w.verdict()
    assert (verdict.action, verdict.rejecting) == (s.SELL, {"kill_market"})


def test_a_kill_ends_by_a_release_of_its_own_scope_and_by_nothing_else() -> None:
    w = World(says(0.67))
    w.kill(Scope.GLOBAL)
    w.kill(Scope.MARKET)
    w.snapshot()
    for _ in range(4):
        w.wait(3_600)
        w.tick()
        w.touch()
    assert w.verdict().rejecting == {"kill_global", "kill_market"}
    w.release(Scope.GLOBAL)
    w.touch()
    assert w.verdict().rejecting == {"kill_market"}
    w.release(Scope.STRATEGY)
    w.touch()
    assert w.verdict().rejecting == {"kill_market"}
    w.release(Scope.MARKET)
    w.touch()
    assert w.verdict().kind == s.APPROVAL


def test_a_release_does_not_bring_an_order_back() -> None:
    w = resting()
    w.setting(Setting.EDGE_MIN, NANO // 2)
    w.kill(Scope.STRATEGY)
    w.release(Scope.STRATEGY)
    w.wait(0.25)
    w.trade(ASK, 6_100, 5_000)
    w.run()
    assert [said.code for said in w.of_kind(s.DONE)] == ["EXEC_CANCELLED"]
    assert w.of_kind(s.FILL) == []
