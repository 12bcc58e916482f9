"""Stage 1: registry facts as inputs."""

import pytest

from apps.registry.core import facts
from polytraders.contracts import state as s
from polytraders.contracts.inputs import BID, NANO, SIZE_UNIT, Fact, Flag
from tests.scenario import FACTS, START, World, record, says, shares

REQUIRED = [fact for fact in Fact if fact <= Fact.CLUSTER]
FIELDS = {fact: fact.name.lower() for fact in Fact}


def test_worked_example() -> None:
    """A flat fee of 50 basis points, told by the venue."""
    mk = record(s.MARKET)
    facts.apply(mk, int(Fact.FEE_BPS), 50, 0)
    assert mk["fee_bps"] == 50
    assert mk["known"] == 1 << Fact.FEE_BPS
    assert mk["assumed"] == 0


@pytest.mark.parametrize("fact", Fact, ids=lambda fact: fact.name)
def test_a_fact_sets_its_field_and_no_other(fact: Fact) -> None:
    mk = record(s.MARKET)
    facts.apply(mk, int(fact), 123, int(Flag.ASSUMED))
    changed = {name for name in s.MARKET.names or () if (mk[name] != 0).any()}
    assert changed == {FIELDS[fact], "known", "assumed"}
    assert mk[FIELDS[fact]] == 123
    assert mk["known"] == mk["assumed"] == 1 << fact


def test_the_venues_word_ends_an_assumption_and_a_new_assumption_begins_one() -> None:
    mk = record(s.MARKET)
    facts.apply(mk, int(Fact.MIN_SIZE), 5, int(Flag.ASSUMED))
    facts.apply(mk, int(Fact.MIN_SIZE), 5, 0)
    assert mk["assumed"] == 0
    facts.apply(mk, int(Fact.MIN_SIZE), 6, int(Flag.ASSUMED | Flag.LAST))
    assert (mk["assumed"], mk["min_size"]) == (1 << Fact.MIN_SIZE, 6)


def test_an_unknown_fact_changes_no_field() -> None:
    mk = record(s.MARKET)
    facts.apply(mk, 40, 7, 0)
    assert {name for name in s.MARKET.names or () if (mk[name] != 0).any()} == {"known"}


@pytest.mark.parametrize("fact", REQUIRED, ids=lambda fact: fact.name)
def test_without_a_required_fact_nothing_is_traded(fact: Fact) -> None:
    w = World(says(0.67), without=fact)
    w.snapshot()
    verdict = w.verdict()
    assert (verdict.kind, verdict.code) == (s.PACKET, "GOV_INSTRUMENT_UNKNOWN")
    assert "instrument" in verdict.rejecting
    w.fact(fact, FACTS[fact])
    w.touch()
    assert w.verdict().kind == s.APPROVAL


def test_an_untold_allowance_is_no_allowance() -> None:
    w = World(says(0.67), without=Fact.ALLOWED)
    w.snapshot()
    assert w.verdict().rejecting == {"compliance_market"}


def test_a_fact_is_in_force_from_its_own_input_on() -> None:
    w = World(says(0.67))
    w.snapshot()
    w.fact(Fact.STATUS, 1)
    w.wait(0.01)
    w.touch()
    assert w.verdict().rejecting == {"market_halt", "intent_open"}


def test_a_fact_that_stops_a_market_is_acted_on_at_the_next_tick() -> None:
    w = World(says(0.6))  # wants nothing: 0.60 is under the bid, and selling NO short is not for sale
    w.snapshot()
    w.run()
    w.fact(Fact.CLOSE_TS, START + 40 * NANO)
    w.wait(9.75)
    w.touch()
    assert "market_close" not in w.verdict().rejecting
    w.wait(0.5)
    w.tick()
    assert "market_close" in w.verdict().rejecting


def test_a_market_takes_its_exposure_to_another_cluster() -> None:
    w = World(says(0.67), markets=2)
    for market in range(2):
        w.snapshot(market=market)
    w.wait(1)
    w.touch()
    w.run()
    first, both = int(w.state.markets["exposure"][0]), w.portfolio("exposure")
    assert 0 < first < both
    w.fact(Fact.CLUSTER, 3)
    w.run()  # which compares the sums of each cluster with its markets'
    assert w.state.clusters["exposure"][[0, 3]].tolist() == [both - first, first]
    assert w.state.clusters["worst"][[0, 3]].tolist() == [both - first, first]
    w.fact(Fact.CLUSTER, 3)
    w.level(BID, 6_200, 10)
    w.run()


def test_the_minimum_size_counts_at_the_next_decision() -> None:
    w = World(says(0.67), facts={Fact.MIN_SIZE: shares(100) + 1})
    w.snapshot()
    assert w.verdict().rejecting == {"fillable", "size"}
    w.fact(Fact.MIN_SIZE, 100 * SIZE_UNIT)
    w.touch()
    assert w.verdict().kind == s.APPROVAL
