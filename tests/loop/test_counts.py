"""Every evaluation is counted under one code, and the counts add up."""

from collections import Counter

import pytest

from polytraders.contracts import state as s
from polytraders.contracts.checks import code_of
from polytraders.contracts.inputs import ASK, BID, Kind, Scope
from tests.scenario import World, makes, says


def counted(w: World) -> Counter[str]:
    """Evaluations by code: those counted off in rows and those of the verdicts that still stand."""
    total: Counter[str] = Counter()
    for row in w.said:
        if row.counted:
            total[code_of(row.counted_first)] += row.counted
    for pair in w.state.pairs.ravel():
        if pair["repeats"]:
            total[code_of(int(pair["first"]))] += int(pair["repeats"])
    return total


@pytest.mark.parametrize("block", [1, 13, 1 << 16])
def test_the_counts_by_code_add_up_to_the_evaluations(block: int) -> None:
    w = World(says(0.67), makes(), says(0.63, immediate=0), markets=2)
    for market in range(2):
        w.snapshot(market=market)
    for turn in range(60):
        w.wait(0.37)
        w.level(BID if turn % 3 else ASK, 6_200 if turn % 3 else 6_400, 3_000 - 17 * turn, market=turn % 2)
        w.trade(ASK, 6_200, 40, market=turn % 2)
        if turn % 5 == 0:
            w.tick()
        if turn == 30:
            w.row(Kind.REFUSED, 1)
            w.kill(Scope.STRATEGY, 1)
    w.run(block)
    total = counted(w)
    assert sum(total.values()) == w.portfolio("evaluations") > 300
    assert {"STRAT_EDGE_DETECTED", "RISK_INTENT_OPEN", "INTEL_BOOK_INVALID", "RISK_KILL_SWITCH_ACTIVE"} <= set(total)
    assert total["STRAT_EDGE_DETECTED"] == w.portfolio("approvals") == len(w.of_kind(s.APPROVAL))


def test_a_row_without_the_end_of_its_frame_is_no_evaluation() -> None:
    w = World(says(0.63))
    w.snapshot(last=False)
    w.run()
    assert w.portfolio("evaluations") == 0
    w.touch()
    w.run()
    assert w.portfolio("evaluations") == 1


def test_the_same_verdict_is_told_once_and_then_counted() -> None:
    w = World(says(0.63))
    w.snapshot()
    for _ in range(40):
        w.wait(1)
        w.touch()
    w.run()
    assert [row.kind for row in w.said] == [s.BOOK, s.PACKET]
    assert w.pair()["repeats"] == 41


def test_a_verdict_that_stands_is_counted_off_once_a_minute() -> None:
    w = World(says(0.63))
    w.snapshot()
    for _ in range(150):
        w.wait(1)
        w.touch()
    w.run()
    minutes = w.of_kind(s.COUNTS)
    assert [(row.counted, row.code) for row in minutes] == [(60, "STRAT_NO_EDGE"), (60, "STRAT_NO_EDGE")]
    assert minutes[1].ts - minutes[0].ts == 60 * 10**9
    assert (minutes[0].counted_first, minutes[0].votes) == (minutes[0].first, w.said[1].votes)
    assert counted(w) == {"STRAT_NO_EDGE": 151}


def test_a_new_verdict_closes_the_count_of_the_one_before() -> None:
    w = World(says(0.63))
    w.snapshot()
    for _ in range(4):
        w.touch()
    w.kill(Scope.GLOBAL)
    w.touch()
    w.run()
    packet = w.said[-1]
    assert (packet.counted, code_of(packet.counted_first)) == (5, "STRAT_NO_EDGE")
    assert packet.code == "RISK_KILL_SWITCH_ACTIVE"


def test_every_approval_is_told_although_it_is_the_same_verdict() -> None:
    w = World(says(0.67))
    w.snapshot()
    for _ in range(3):
        w.wait(0.1)
        w.touch()
    w.run()
    assert len(w.of_kind(s.APPROVAL)) == 4


def test_packets_are_counted_as_they_are_told() -> None:
    w = World(says(0.67), says(0.63))
    w.snapshot()
    for _ in range(9):
        w.wait(0.03)
        w.touch()
    w.run()
    told = len(w.of_kind(s.PACKET)) + len(w.of_kind(s.APPROVAL))
    assert told == w.portfolio("packets") == w.state.pairs["packets"].sum()
    assert all((row.detail >= 0) == (row.kind in (s.PACKET, s.APPROVAL)) for row in w.said)
