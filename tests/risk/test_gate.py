"""Stage 7: the gate."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.risk.core import gate
from polytraders.contracts import checks as c
from polytraders.contracts.state import APPROVAL, BUY, PACKET, SELL
from tests.scenario import World, says

SEVEN = (
    "kill_global",
    "compliance_venue",
    "market_halt",
    "book_stale",
    "market_quality",
    "market_exposure",
    "drawdown_day",
)
"""The guards that the worked example names."""


def test_worked_example() -> None:
    """All seven guards approve, and nobody else rejects: trade."""
    assert set(SEVEN) <= set(c.BITS)
    votes = 0
    assert gate.approves(gate.decide(votes, BUY))
    for name in SEVEN:
        assert not gate.approves(gate.decide(votes | 1 << c.BITS[name], BUY))


@pytest.mark.parametrize("check", c.CHECKS, ids=lambda check: check.name)
def test_one_rejection_is_enough_where_it_applies(check: c.Check) -> None:
    votes = 1 << c.BITS[check.name]
    assert gate.decide(votes, BUY) == votes
    assert gate.decide(votes, SELL) == (0 if check.applies == c.INCREASING else votes)


VOTES = st.integers(0, (1 << c.N_CHECKS) - 1)


@given(VOTES)
def test_a_purchase_hears_every_vote_and_a_sale_only_those_for_all_trades(votes: int) -> None:
    assert gate.decide(votes, BUY) == votes
    counted = gate.decide(votes, SELL)
    assert counted & ~votes == 0
    assert {check.applies for bit, check in enumerate(c.CHECKS) if counted >> bit & 1} <= {c.ALL}
    assert votes & ~counted & ~c.INCREASING_ONLY == 0


@given(VOTES)
def test_the_code_is_that_of_the_first_rejection(votes: int) -> None:
    lowest = gate.lowest(votes)
    assert lowest == (0 if votes == 0 else 1 << c.first(votes))
    assert gate.approves(votes) == (c.code_of(c.first(votes)) == "STRAT_EDGE_DETECTED")


@given(VOTES)
def test_a_vote_more_never_turns_a_rejection_into_an_approval(votes: int) -> None:
    for action in (BUY, SELL):
        for bit in range(c.N_CHECKS):
            assert gate.approves(gate.decide(votes | 1 << bit, action)) <= gate.approves(gate.decide(votes, action))


def test_every_approval_of_a_run_has_no_vote_against_it_and_every_packet_has_one() -> None:
    w = World(says(0.67), says(0.55), says(0.63))
    w.snapshot()
    for _ in range(20):
        w.wait(0.3)
        w.touch()
    w.run()
    assert len(w.of_kind(APPROVAL)) > 3
    assert all(said.votes == 0 and said.size > 0 for said in w.of_kind(APPROVAL))
    assert all(said.votes != 0 and said.first == c.first(said.votes) for said in w.of_kind(PACKET))
