"""Resolution: orders end, each outcome is paid, nothing is left exposed."""

import pytest

from polytraders.contracts import state as s
from polytraders.contracts.inputs import PRICE_UNIT, SIZE_UNIT, Fact, MarketStatus
from tests.scenario import World, makes, says, shares


def holding_both() -> World:
    """Strategy 0 has 100 YES at 0.64, strategy 1 has 100 NO at 0.38, strategy 2 an order at rest."""
    w = World(says(0.67), says(0.5), makes(), limits={"orders_per_minute_max": 1})
    w.snapshot({6_200: 500, 6_100: 500}, {6_400: 110, 6_500: 500})
    w.wait(0.1)
    w.touch()
    w.run()
    assert (w.pair(0)["qty_yes"], w.pair(1)["qty_no"]) == (shares(100), shares(100))
    assert w.pair(2)["order"] == s.RESTING
    return w


@pytest.mark.parametrize(("payout", "yes", "no"), [(PRICE_UNIT, 100, 0), (0, 0, 100), (5_000, 50, 50)])
def test_each_outcome_is_paid_its_part(payout: int, yes: int, no: int) -> None:
    w = holding_both()
    cash = w.portfolio("cash")
    w.resolve(payout)
    w.run()
    settled = {(row.strategy, row.outcome): row.money // SIZE_UNIT for row in w.of_kind(s.SETTLED)}
    assert settled == {(0, 0): yes, (1, 1): no}
    assert w.portfolio("cash") == cash + 100 * SIZE_UNIT
    assert w.portfolio("exposure") == w.portfolio("reserved") == w.portfolio("mark") == 0
    assert w.portfolio("equity") == w.portfolio("cash")
    assert w.pair(0)["realised"] == (yes - 64) * SIZE_UNIT
    assert w.pair(1)["realised"] == (no - 38) * SIZE_UNIT


def test_an_open_order_ends_with_the_market() -> None:
    w = holding_both()
    w.resolve(PRICE_UNIT)
    w.run()
    (ended,) = w.of_kind(s.DONE)
    assert (ended.strategy, ended.code, ended.size) == (2, "EXEC_CANCELLED", shares(100))
    assert w.pair(2)["order"] == s.NO_ORDER


def test_a_second_resolution_pays_nothing_again() -> None:
    w = holding_both()
    w.resolve(PRICE_UNIT)
    w.run()
    before = len(w.said)
    w.resolve(PRICE_UNIT)
    w.run()
    assert len(w.said) == before


@pytest.mark.parametrize("payout", [-1, PRICE_UNIT + 1])
def test_a_payout_that_cannot_be_leaves_everything_as_it_was(payout: int) -> None:
    w = holding_both()
    before = w.portfolio("cash"), w.portfolio("exposure"), w.portfolio("reserved")
    w.resolve(payout)
    w.run()
    (refused,) = w.of_kind(s.SETTLED)
    assert (refused.code, refused.size, refused.money) == ("EXEC_LEDGER_PAYOUT_INVALID", 0, 0)
    assert (w.portfolio("cash"), w.portfolio("exposure"), w.portfolio("reserved")) == before


def test_nothing_is_bought_in_a_resolved_market() -> None:
    w = World(says(0.67))
    w.fact(Fact.STATUS, MarketStatus.RESOLVED)
    w.resolve(PRICE_UNIT)
    w.snapshot()
    assert w.verdict().rejecting == {"market_halt"}


def test_a_resolution_of_another_market_is_none_of_ours() -> None:
    w = World(says(0.67), markets=2)
    w.snapshot()
    w.wait(0.1)
    w.touch()
    w.resolve(0, market=1)
    w.run()
    assert w.of_kind(s.SETTLED) == []
    assert w.pair()["qty_yes"] > 0
