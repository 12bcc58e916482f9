"""Risk and strategies: sums, pictures, proposals by two people, and the loop's answer."""

import datetime as dt
import json
from typing import Any

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from apps.monitoring.models import LoopRecord, StrategyRecord
from apps.oms.models import FillRecord
from apps.risk.models import Proposal
from polytraders import commands as sending
from polytraders.access.permissions import Role
from polytraders.commands import Answered
from polytraders.console import asked, foureyes, limits, rollouts, strategies, stress
from polytraders.console.pictures.heat import COLUMNS_MOST, INK_MOST, heat
from polytraders.console.pictures.stressed import picture
from polytraders.console.stress import Held
from polytraders.contracts.inputs import NO, YES
from tests.web.conftest import Says, entered
from tests.web.test_control import acts, commands, home, last, stepped, trading  # noqa: F401
from tests.written import Written

HELD = [
    Held(0, "weather", 100_000_000, 0, 40_000_000),
    Held(1, "weather", 0, 50_000_000, 30_000_000),
    Held(2, "sport", 10_000_000, 10_000_000, 9_000_000),
]


def test_worked_example() -> None:
    """100 YES for 40, 50 NO for 30, and a pair of 10 for 9: each scenario by hand."""
    found = {one.title: one for one in stress.scenarios(HELD, 900_000_000, 21_000_000)}
    assert found["All YES"].result == (100 - 40 + 0 - 30 + 10 - 9) * 1_000_000
    assert found["All NO"].result == (0 - 40 + 50 - 30 + 10 - 9) * 1_000_000
    assert found["All against us"].result == (-40 - 30 + 1) * 1_000_000
    assert found["Cluster weather"].result == -70_000_000
    assert found["Cluster sport"].result == 1_000_000, "a pair always pays one"
    assert found["Worst market"].result == -40_000_000
    assert found["Venue halted"].result == -79_000_000
    # Cash 921, cost 79: equity at cost is 1,000.
    assert found["All against us"].equity == 931_000_000
    assert found["Venue halted"].equity == 921_000_000


@given(
    st.lists(st.tuples(st.integers(0, 5), st.sampled_from([YES, NO]), st.integers(0, 10**13), st.integers(0, 10**13)))
)
def test_nothing_is_worse_than_all_against_us_but_a_halt(positions: list[tuple[int, int, int, int]]) -> None:
    held = stress.gather(positions, {0: "a", 1: "a", 2: "b"})
    found = {one.title: one.result for one in stress.scenarios(held, None, None)}
    for title in ("All YES", "All NO"):
        assert found["Venue halted"] <= found["All against us"] <= found[title]
    assert sum(one.cost for one in held) == sum(cost for *_, cost in positions)
    assert all(one.equity is None for one in stress.scenarios(held, None, None))


def test_the_picture_of_nothing_and_of_much() -> None:
    assert picture([]).bars == []
    drawn = picture(stress.scenarios(HELD, 0, 0))
    assert {bar.css for bar in drawn.bars} == {"loss", "gain"}
    assert all(bar.x >= 0 and bar.x + bar.width <= 1_001 and bar.y < drawn.height for bar in drawn.bars)


def test_many_clusters_share_a_column_and_no_money_is_lost() -> None:
    amounts = {("a", f"c{number}"): number * 1_000_000 for number in range(25)}
    drawn = heat(["a", "b"], amounts)
    assert len(drawn.names) == COLUMNS_MOST and drawn.names[-1] == "others"
    assert [total for _, _, total in drawn.table] == [sum(amounts.values()), 0]
    assert max(cell.ink for cell in drawn.cells) == INK_MOST
    assert heat([], {}).cells == []


def in_force() -> dict[str, int]:
    found = limits.in_force()
    assert found is not None
    return found[1]


def test_a_limit_is_proposed_by_one_and_confirmed_by_another(
    log: Written, ada: Client, says: Says, monkeypatch: pytest.MonkeyPatch
) -> None:
    says()
    before, now = last(), in_force()["spread_max"]
    ada.post(
        "/risk/limits", {"name": "spread_max", "value": f"{(now - 100) / 10_000}", "reason": "wide books lost money"}
    )
    assert commands() == []
    proposal = Proposal.objects.order_by("-id").first()
    assert proposal is not None and (proposal.before, proposal.after) == ("0.0600 pUSD", "0.0500 pUSD")
    abel = stepped(entered("abel", Role.ADMIN))
    assert "Confirm" in abel.get("/risk/").content.decode()
    own = stepped(ada).get("/risk/").content.decode()
    assert "Withdraw" in own and ">Confirm<" not in own
    monkeypatch.setattr(asked, "answer", lambda *_: Answered("", "", 77))
    page = abel.post(f"/risk/limits/{proposal.id}", {"answer": "yes"}, follow=True).content.decode()
    ((kind, actor, permission, payload),) = commands()
    assert (kind, actor, permission) == ("limit", "abel", "limits")
    assert now == 600 and json.loads(payload) == {"name": "spread_max", "value": 500, "reason": "wide books lost money"}
    assert "took it in as input 77" in page
    assert [step.state for step in proposal.steps.order_by("id")] == ["confirmed", "done"]
    assert acts(before) == ["limit.propose", "limit.confirm"]


def test_what_the_loop_refuses_is_shown_and_kept(
    log: Written, ada: Client, says: Says, monkeypatch: pytest.MonkeyPatch
) -> None:
    says()
    ada.post("/risk/limits", {"name": "depth_min", "value": "7", "reason": "x"})
    proposal = Proposal.objects.order_by("-id").first()
    assert proposal is not None
    monkeypatch.setattr(asked, "answer", lambda *_: Answered("GOV_COMMAND_INVALID", "not that", 78))
    abel = stepped(entered("abel", Role.ADMIN))
    page = abel.post(f"/risk/limits/{proposal.id}", {"answer": "yes"}, follow=True).content.decode()
    assert "The loop refused: not that" in page
    assert [step.state for step in proposal.steps.order_by("id")] == ["confirmed", "failed"]


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [("mood", "1", "x"), ("spread_max", "-1", "x"), ("spread_max", "many", "x"), ("spread_max", "9" * 30, "x"),
     ("spread_max", "0.05", " "), ("spread_max", "0.06", "what is in force"), ("spread_max", "0.05001", "too fine"),
     ("spread_max", "nan", "x"), ("drawdown_day_ppm_max", "1001", "ten times is the most")],
)  # fmt: skip
def test_a_proposal_that_cannot_be_meant_is_refused(
    log: Written, ada: Client, says: Says, name: str, value: str, reason: str
) -> None:
    says()
    before = Proposal.objects.count()
    page = ada.post("/risk/limits", {"name": name, "value": value, "reason": reason}, follow=True).content.decode()
    assert "Refused:" in page
    assert Proposal.objects.count() == before


def test_a_proposal_can_be_withdrawn_or_refused_and_is_closed_then(log: Written, ada: Client, says: Says) -> None:
    says()
    for client, state in ((ada, "withdrawn"), (entered("abel", Role.ADMIN), "refused")):
        ada.post("/risk/limits", {"name": "depth_min", "value": "9", "reason": "x"})
        proposal = Proposal.objects.order_by("-id").first()
        assert proposal is not None
        client.post(f"/risk/limits/{proposal.id}", {"answer": "no", "reason": "no"})
        assert [step.state for step in proposal.steps.all()] == [state]
    assert commands() == []


def test_a_late_answer_of_the_loop_is_kept_by_the_job(
    log: Written, ada: Client, says: Says, monkeypatch: pytest.MonkeyPatch
) -> None:
    says()
    ada.post("/risk/limits", {"name": "depth_min", "value": "11", "reason": "x"})
    proposal = Proposal.objects.order_by("-id").first()
    assert proposal is not None
    stepped(entered("abel", Role.ADMIN)).post(f"/risk/limits/{proposal.id}", {"answer": "yes"})
    assert [step.state for step in proposal.steps.all()] == ["confirmed"]
    assert foureyes.settle() == 0
    key = f"proposal:{proposal.id}"
    monkeypatch.setattr(sending, "answered", lambda _, sent: Answered("", "", 5) if sent.key == key else None)
    assert foureyes.settle() == 1
    assert [step.state for step in proposal.steps.order_by("id")] == ["confirmed", "done"]


def test_a_setting_is_proposed_and_asked_of_the_loop(log: Written, says: Says) -> None:
    says()
    olga, boris = (stepped(entered(name, Role.OPERATOR)) for name in ("olga", "boris"))
    olga.post("/strategies/makes/settings", {"setting": "size", "value": "20", "reason": "smaller"})
    proposal = Proposal.objects.order_by("-id").first()
    assert proposal is not None and proposal.target == "makes size"
    assert proposal.after == "20.00 shares"
    boris.post(f"/strategies/settings/{proposal.id}", {"answer": "yes"})
    ((kind, actor, permission, payload),) = commands()
    assert (kind, actor, permission) == ("parameter", "boris", "strategy")
    assert json.loads(payload) == {
        "strategy": "makes", "setting": "size", "value": 20_000_000, "reason": "smaller",
    }  # fmt: skip
    page = olga.post("/strategies/makes/settings", {"setting": "model", "value": "1", "reason": "x"}, follow=True)
    assert "GOV_COMMAND_INVALID" in page.content.decode()


def test_limits_with_a_level_are_sorted_by_it(log: Written, says: Says) -> None:
    said: Any = says(money={"equity": 1_000_000_000, "drawdown_day": 39_999, "drawdown_week": 1, "exposure": 1,
                            "cash": 1, "reserved": 0})  # fmt: skip
    assert said
    uses = limits.closest_first(limits.uses(LoopRecord.objects.get(shard=0), limits.book()))
    parts = [use.part for use in uses if use.part is not None]
    assert parts == sorted(parts, reverse=True)
    day = next(use for use in uses if use.name == "drawdown_day_ppm_max")
    assert (day.used, day.value) == (39_999, 40_000)
    assert all(use.part is None for use in uses[len(parts) :])


def test_what_each_strategy_may_have_at_risk_stands_among_the_limits(log: Written, ada: Client, says: Says) -> None:
    says()
    at_risk = limits.book()
    names = dict(StrategyRecord.objects.values_list("strategy", "name"))
    uses = limits.of_strategies(names, at_risk)
    assert [use.where for use in uses] == [names[index] for index in sorted(names)]
    for index, use in zip(sorted(names), uses, strict=True):
        own = sum(amount for (strategy, _), amount in at_risk.at_risk.items() if strategy == index)
        assert (use.used, use.value) == (own, strategies.history(index)[0]["exposure_max"])
    page = ada.get("/risk/").content.decode()
    assert page.count(">strategy exposure max</th>") == len(names)
    assert "?limit=strategy_exposure_max" not in page, "a strategy's own limit is changed on its page"


def test_versions_tell_when_a_stage_was_reached(log: Written) -> None:
    told = rollouts.versions([0, 1])
    assert set(told) == {0, 1}
    for versions in told.values():
        seqs = [version.in_seq for version in versions]
        assert seqs == sorted(seqs, reverse=True)


def test_the_strategy_page_says_what_its_fills_gave(log: Written, ada: Client, says: Says) -> None:
    says()
    fill = FillRecord.objects.order_by("-id").first()
    assert fill is not None
    page = ada.get(f"/strategies/{StrategyRecord.objects.get(strategy=fill.strategy).name}").content.decode()
    assert "Edge expected" in page and "Pausing kills" in page
    assert ada.get("/strategies/nobody").status_code == 404


def test_proposals_end_after_a_day(log: Written, ada: Client, says: Says, monkeypatch: pytest.MonkeyPatch) -> None:
    says()
    monkeypatch.setattr(foureyes, "LIFE", dt.timedelta(seconds=-1))
    stepped(ada).post("/risk/limits", {"name": "spread_max", "value": "0.0499", "reason": "narrower"})
    proposal = Proposal.objects.order_by("-id").first()
    assert proposal is not None
    other = stepped(entered("abel", Role.ADMIN))
    page = other.post(f"/risk/limits/{proposal.id}", {"answer": "yes"}, follow=True).content.decode()
    assert "GOV_PROPOSAL_EXPIRED" in page
    assert [step.state for step in proposal.steps.all()] == ["expired"]
    assert commands() == []
