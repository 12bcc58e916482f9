"""The votes of a decision's page: what rejects comes first and says why, what passed is folded, states have names."""

import re
from dataclasses import replace

import pytest
from django.test import Client
from django.utils.html import escape

from apps.risk.models import DecisionRecord
from polytraders.console.templatetags.told import bound, figure, unit
from polytraders.contracts.checks import CHECKS
from polytraders.contracts.reasons import by_number
from tests.packets.made import example
from tests.packets.test_packets import told
from tests.web.conftest import Says
from tests.written import Written


def votes_of(client: Client, row: DecisionRecord) -> str:
    text = client.get(f"/decisions/{row.decision_id}").content.decode()
    return text.partition('id="votes-title"')[2].partition("</section>")[0]


def test_blocking_votes_come_first_and_the_first_names_the_verdict(log: Written, ada: Client) -> None:
    for row in DecisionRecord.objects.filter(verdict=1).order_by("-id")[:5]:
        votes = votes_of(ada, row)
        classes = re.findall(r'<tr class="(ok|no|waived)( first)?"', votes)
        kinds = [kind for kind, _ in classes]
        assert len(kinds) == len(CHECKS)
        assert kinds == sorted(kinds, key=("no", "waived", "ok").index)
        assert classes[0] == ("no", " first")
        top = votes.partition("<tbody>")[2].partition("</tr>")[0]
        reason = by_number(row.code)
        assert reason.code in top and escape(reason.meaning) in top
        assert "<details><summary>" in votes, "what passed is folded away"


def test_where_nothing_rejects_all_votes_are_open(log: Written, ada: Client) -> None:
    votes = votes_of(ada, DecisionRecord.objects.filter(verdict=0, votes=0).order_by("-id")[0])
    assert f"<details open><summary>{len(CHECKS)} checks passed" in votes
    assert ">REJECT<" not in votes and '<th scope="row">kill of everything</th><td>ok</td>' in votes


@pytest.mark.parametrize(
    ("check", "value", "limit", "shown"),
    [
        ("kill_global", 1, 0, ("yes", "must be", "no", "\N{EN DASH}", "")),
        ("compliance_venue", 0, 1, ("no", "must be", "yes", "\N{EN DASH}", "")),
        ("market_halt", 2, 0, ("halted", "must be", "open", "\N{EN DASH}", "")),
        ("book_valid", 2, 0, ("resyncing", "must be", "whole", "\N{EN DASH}", "")),
        ("book_valid", 9, 0, ("9", "must be", "whole", "\N{EN DASH}", "")),
        ("rollout_stage", 1, 2, ("shadow", "\N{GREATER-THAN OR EQUAL TO}", "paper", "\N{EN DASH}", "")),
        ("market_quality", 10**9, 600, ("no price", "\N{LESS-THAN OR EQUAL TO}", "0.0600", "\N{EN DASH}", "pUSD")),
        ("market_quality", 700, 600, ("0.0700", "\N{LESS-THAN OR EQUAL TO}", "0.0600", "-0.0100", "pUSD")),
    ],
)
def test_a_state_is_told_by_its_name_and_a_number_in_its_unit(
    check: str, value: int, limit: int, shown: tuple[str, ...]
) -> None:
    vote = next(vote for vote in told(example()).votes if vote.check == check)
    vote = replace(vote, value=value, limit=limit, distance=limit - value)
    assert (figure(vote, "value"), bound(vote), figure(vote, "limit"), figure(vote, "distance"), unit(vote)) == shown


def test_the_overview_says_where_to_begin_until_a_decision_has_been_read(log: Written, ada: Client, says: Says) -> None:
    says()
    hint = "New here?"
    assert hint in ada.get("/").content.decode() and hint in ada.get("/").content.decode()
    row = DecisionRecord.objects.order_by("-id")[0]
    assert ada.get(f"/decisions/{row.decision_id}").status_code == 200
    assert hint not in ada.get("/").content.decode()
