"""Flattening: only trades that reduce a position of the scope may pass, and they take, whatever they lose."""

import pytest

from polytraders.contracts import state as s
from polytraders.contracts.inputs import Scope, Setting
from tests.scenario import World, makes, says, shares

SCOPES = [(Scope.GLOBAL, 0), (Scope.VENUE, 0), (Scope.CLUSTER, 0), (Scope.MARKET, 0), (Scope.STRATEGY, 0)]


def holding(p: float = 0.67) -> World:
    """100 shares of the outcome that a forecast of p buys."""
    w = World(says(p), limits={"orders_per_minute_max": 1})
    w.snapshot()
    w.wait(0.1)
    w.touch()
    w.run()
    assert w.pair()["qty_yes"] + w.pair()["qty_no"] == shares(100)
    return w


@pytest.mark.parametrize(("scope", "index"), SCOPES, ids=lambda part: getattr(part, "name", ""))
def test_what_is_held_is_sold_although_the_forecast_would_keep_it(scope: Scope, index: int) -> None:
    w = holding()
    w.flatten(scope, index)
    w.wait(0.1)
    w.touch()
    verdict = w.verdict()
    assert (verdict.kind, verdict.action, verdict.outcome) == (s.APPROVAL, s.SELL, 0)
    assert w.detail(verdict)["net_edge"] < 0
    w.wait(0.1)
    w.touch()
    w.wait(0.1)
    w.touch()
    verdict = w.verdict()
    assert (verdict.action, verdict.rejecting) == (s.BUY, {"flatten", "order_rate"})
    assert w.pair()["qty_yes"] == 0


def test_no_shares_are_sold_too() -> None:
    w = holding(0.5)
    assert w.pair()["qty_no"] == shares(100)
    w.flatten(Scope.GLOBAL)
    for _ in range(2):
        w.wait(0.1)
        w.touch()
    w.run()
    assert w.pair()["qty_no"] == 0
    (sale,) = [fill for fill in w.of_kind(s.FILL) if fill.action == s.SELL]
    assert (sale.outcome, sale.price, sale.money) == (1, 3_600, -36_000_000)


def test_a_position_larger_than_the_strategys_size_goes_in_one_order() -> None:
    w = World(says(0.67, size=shares(40)))
    w.snapshot()
    for _ in range(5):
        w.wait(0.1)
        w.touch()
    w.run()
    held = int(w.pair()["qty_yes"])
    assert held > shares(120)
    w.flatten(Scope.STRATEGY)
    w.wait(0.1)
    w.touch()
    w.wait(0.1)
    w.touch()
    sales = [said for said in w.run() if said.kind == s.APPROVAL and said.action == s.SELL]
    assert sales[0].size >= held


def test_a_maker_takes_when_it_has_to_get_out() -> None:
    w = World(makes(), limits={"orders_per_minute_max": 1})
    w.snapshot({6_200: 500, 6_100: 500}, {6_400: 1, 6_500: 500})
    w.wait(0.1)
    w.touch()
    w.trade(1, 6_100, 500)
    w.run()
    assert w.pair()["qty_yes"] == shares(100)
    w.flatten(Scope.MARKET)
    for _ in range(2):
        w.wait(0.1)
        w.touch()
    w.run()
    assert w.pair()["qty_yes"] == 0
    assert w.of_kind(s.FILL)[-1].votes == 0, "a taker's fill"


def test_the_end_of_the_command_lets_the_scope_buy_again() -> None:
    w = World(says(0.67))
    w.flatten(Scope.VENUE)
    w.snapshot()
    assert w.verdict().rejecting == {"flatten"}
    w.flatten(Scope.VENUE, on=False)
    w.touch()
    assert w.verdict().kind == s.APPROVAL


def test_flattening_elsewhere_changes_nothing() -> None:
    w = World(says(0.67))
    for scope, index in ((Scope.VENUE, 1), (Scope.CLUSTER, 1)):
        w.flatten(scope, index)
    w.snapshot()
    assert w.verdict().kind == s.APPROVAL


def test_a_kill_stops_flattening_as_well() -> None:
    w = holding()
    w.flatten(Scope.GLOBAL)
    w.kill(Scope.STRATEGY)
    w.wait(0.1)
    w.touch()
    assert w.verdict().rejecting == {"kill_strategy"}


def test_the_price_collar_holds_while_flattening() -> None:
    w = holding()
    w.setting(Setting.COLLAR, 99)
    w.flatten(Scope.GLOBAL)
    w.wait(0.1)
    w.touch()
    assert w.verdict().rejecting == {"price_collar"}


def test_an_order_at_rest_is_taken_back_and_then_the_position_goes() -> None:
    w = World(makes(), limits={"orders_per_minute_max": 2})
    w.snapshot({6_200: 500, 6_100: 500}, {6_400: 1, 6_500: 500})
    w.wait(0.1)
    w.touch()
    w.trade(1, 6_200, 530)
    w.run()
    assert (w.pair()["qty_yes"], w.pair()["order_left"]) == (shares(30), shares(70))
    w.flatten(Scope.MARKET)
    for _ in range(3):
        w.wait(0.1)
        w.touch()
    w.run()
    assert [said.code for said in w.of_kind(s.DONE)] == ["EXEC_CANCELLED"]
    assert w.pair()["qty_yes"] == 0
