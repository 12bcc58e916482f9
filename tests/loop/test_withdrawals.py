"""Permission withdrawn: what rests on the book goes at once, without a row of its market."""

from collections.abc import Callable

import pytest

from polytraders.contracts import state as s
from polytraders.contracts.inputs import Fact, Kind, MarketStatus, Stage
from tests.scenario import World, makes

WITHDRAWALS: dict[str, Callable[[World], None]] = {
    "the strategy steps down": lambda w: w.rollout(Stage.SHADOW),
    "the market leaves the allow-list": lambda w: w.fact(Fact.ALLOWED, 0),
    "the market halts": lambda w: w.fact(Fact.STATUS, MarketStatus.HALTED),
    "the venue leaves the allow-list": lambda w: w.control((Kind.VENUE, 0, 0, -1, 0, 0, 0, 0)),
}
HARMLESS: dict[str, Callable[[World], None]] = {
    "the strategy steps up": lambda w: w.rollout(Stage.CANARY),
    "an order of before is pulled": lambda w: w.pull(int(w.pair()["order_seq"]) - 1),
    "another fact is told": lambda w: w.fact(Fact.NEG_RISK, 1),
    "another venue leaves": lambda w: w.control((Kind.VENUE, 0, 0, -1, 1, 0, 0, 0)),
}


def resting() -> World:
    w = World(makes())
    w.snapshot({6_200: 500, 6_100: 500}, {6_400: 1, 6_500: 500})
    w.wait(0.1)
    w.touch()
    w.run()
    assert w.pair()["order"] == s.RESTING
    return w


@pytest.mark.parametrize("withdraw", WITHDRAWALS.values(), ids=WITHDRAWALS)
def test_the_order_ends_after_our_latency(withdraw: Callable[[World], None]) -> None:
    w = resting()
    withdraw(w)
    w.wait(0.25)
    w.tick()
    ended = w.run()[0]
    assert (ended.kind, ended.code) == (s.DONE, "EXEC_CANCELLED")
    assert w.portfolio("reserved") == 0


@pytest.mark.parametrize("act", HARMLESS.values(), ids=HARMLESS)
def test_anything_else_leaves_the_order_alone(act: Callable[[World], None]) -> None:
    w = resting()
    act(w)
    w.wait(0.25)
    w.tick()
    w.run()
    assert (w.pair()["order"], w.pair()["order_cancelled"]) == (s.RESTING, 0)


def test_an_order_that_a_person_pulls_ends_and_its_strategy_may_order_again() -> None:
    w = resting()
    seq = int(w.pair()["order_seq"])
    w.pull(seq)
    w.wait(0.25)
    w.tick()
    ended, *after = w.run()
    assert (ended.kind, ended.code, int(ended.row["order_seq"])) == (s.DONE, "EXEC_CANCELLED", seq)
    assert [one.kind for one in after] == [s.APPROVAL], "nobody took its permission away"
    assert int(w.pair()["order_seq"]) > seq
