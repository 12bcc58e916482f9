"""Who gets the capital: candidates wait for the TICK and are served by edge times confidence."""

import numpy as np

from polytraders.config import Strategy
from polytraders.contracts import state as s
from polytraders.contracts.inputs import NANO, Kind, Scope, Setting
from tests.scenario import Said, World, says

WAITS = {"immediate": 0}


def approvals(w: World) -> list[tuple[int, int]]:
    """(market, strategy) of every approval, in order."""
    w.run()
    return [(said.market, said.strategy) for said in w.of_kind(s.APPROVAL)]


def waiting(*strategies: Strategy, markets: int = 1, capital: float = 100.0) -> World:
    """Capital for one order of 100 at 0.64, and every candidate waiting."""
    w = World(*strategies, markets=markets, capital=capital)
    for market in range(markets):
        w.snapshot(market=market)
    w.run()
    assert {said.code for said in w.of_kind(s.PACKET)} == {"STRAT_AWAITING_RANK"}
    return w


def codes(said: list[Said]) -> list[str]:
    """Codes of the verdicts among output rows."""
    return [row.code for row in said if row.kind in (s.PACKET, s.APPROVAL)]


def test_a_candidate_waits_for_the_tick() -> None:
    w = waiting(says(0.67, **WAITS))
    w.wait(0.2)
    w.touch()
    assert approvals(w) == []
    w.tick()
    assert approvals(w) == [(0, 0)]


def test_the_best_edge_is_served_first_and_the_rest_gets_what_is_left() -> None:
    w = waiting(says(0.66, **WAITS), says(0.69, **WAITS), says(0.67, **WAITS))
    w.tick()
    said = w.run()
    assert approvals(w) == [(0, 1), (0, 2)]
    assert [row.size for row in w.of_kind(s.APPROVAL)] == [100_000_000, 56_240_000]
    assert codes(said) == ["STRAT_EDGE_DETECTED", "STRAT_EDGE_DETECTED", "RISK_CAPITAL_INSUFFICIENT"]


def test_confidence_weighs_the_edge() -> None:
    # 0.05 * (1 - 0.40) = 0.030 against 0.04 * (1 - 0.02) = 0.039.
    w = waiting(says(0.69, half=0.2, **WAITS), says(0.68, half=0.01, **WAITS))
    w.tick()
    assert approvals(w)[0] == (0, 1)


def test_a_tie_goes_to_the_lower_market_and_then_to_the_lower_strategy() -> None:
    w = World(says(0.67, **WAITS), says(0.67, **WAITS), markets=2, capital=200)
    for market in (1, 0):  # the higher market was first to tell
        w.snapshot(market=market)
    w.tick()
    assert approvals(w) == [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_an_immediate_strategy_is_served_as_it_comes() -> None:
    w = World(says(0.70, **WAITS), says(0.66), capital=100)
    w.snapshot()
    assert approvals(w) == [(0, 1)]
    w.tick()
    assert approvals(w) == [(0, 1), (0, 0)]
    assert w.of_kind(s.APPROVAL)[1].size < w.of_kind(s.APPROVAL)[0].size


def test_a_candidate_that_no_longer_passes_is_told_why_and_not_served() -> None:
    w = waiting(says(0.67, **WAITS), says(0.66, **WAITS))
    w.kill(Scope.STRATEGY, 0)
    w.tick()
    assert approvals(w) == [(0, 1)]
    assert w.verdict(0).code == "RISK_KILL_SWITCH_ACTIVE"


def test_those_that_fail_are_judged_last_with_what_the_others_have_left() -> None:
    # The better candidate fails by a limit of its own; the account of it comes after the capital is gone.
    w = waiting(says(0.69, **WAITS), says(0.66, **WAITS), capital=64.1)
    w.setting(Setting.EDGE_MIN, NANO // 10, 0)
    w.tick()
    assert approvals(w) == [(0, 1)]
    assert w.verdict(0).code == "STRAT_NO_EDGE"
    assert "capital" in w.verdict(0).rejecting


def test_a_candidate_whose_book_is_lost_is_no_candidate() -> None:
    w = waiting(says(0.67, **WAITS))
    w.row(Kind.REFUSED, 0)
    w.tick()
    assert approvals(w) == []
    assert w.verdict().code == "INTEL_BOOK_INVALID"


def test_a_candidate_is_ranked_once_a_tick_however_often_it_is_seen() -> None:
    w = waiting(says(0.67, **WAITS))
    for _ in range(5):
        w.touch()
    w.run()
    assert w.portfolio("candidates") == 1
    w.tick()
    assert approvals(w) == [(0, 0)]
    assert w.portfolio("candidates") == 0
    w.tick()
    assert approvals(w) == [(0, 0)]


def test_the_result_does_not_depend_on_the_size_of_blocks() -> None:
    said = []
    for block in (1, 7, 1_000):
        w = World(says(0.66, **WAITS), says(0.69, **WAITS), says(0.67), markets=3, capital=150)
        for _ in range(3):
            for market in range(3):
                w.snapshot(market=market)
                w.touch(market)
            w.wait(0.25)
            w.tick()
        w.run(block)
        rows = np.array([row.row for row in w.said], s.OUT)
        rows["detail"] = 0  # its place in the block's own rows
        said.append(rows)
    assert said[0].tobytes() == said[1].tobytes() == said[2].tobytes()
    assert s.FILL in said[0]["kind"]
