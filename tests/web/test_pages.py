"""Pages render in every state, escape what others wrote, and ask the database a fixed number of questions."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.risk.models import DecisionRecord
from polytraders import asking, cli, fence
from polytraders.contracts.inputs import Scope
from polytraders.contracts.reasons import REASONS
from polytraders.packets import canonical
from tests import servers
from tests.web.conftest import Says
from tests.written import Written

QUERIES_MOST = 15
SECOND_NS = 1_000_000_000


def page(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, answer.status_code
    return answer.content.decode()


def test_nobody_sees_a_page_without_logging_in(log: Written) -> None:
    for address in ("/", "/reasons/", "/reasons/EXEC_FILL/", "/decisions/7:1", "/decisions/7:1.json"):
        answer = Client().get(address)
        assert (answer.status_code, answer.headers["Location"].split("?")[0]) == (302, "/login"), address


def test_an_empty_system_says_what_to_do(empty: servers.Database, ada: Client) -> None:
    text = page(ada, "/")
    assert "NO LOOP" in text
    assert "make run" in text
    assert "No decision yet" in text
    assert "Market registry and instrument truth" in text


def test_a_running_system_shows_its_stages_and_last_decisions(log: Written, ada: Client, says: Says) -> None:
    says()
    text = page(ada, "/")
    assert "PAPER" in text
    assert "TRADING" in text
    assert text.count('<th scope="row"><a class="name" href="/stages/') == 11
    assert "1,234,567" in text
    newest = DecisionRecord.objects.order_by("-id").first()
    assert newest is not None
    assert f'href="/decisions/{newest.decision_id}"' in text
    assert 'title="The trade is worth it' in text or 'class="code' in text


def test_a_page_without_scripts_reloads_itself_and_has_everything(log: Written, ada: Client, says: Says) -> None:
    says()
    text = page(ada, "/")
    assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in text
    assert 'id="packets"' in text


def test_no_script_or_style_stands_in_a_page(log: Written, ada: Client, says: Says) -> None:
    # The policy that is sent with each page would not let them run.
    says()
    decision = DecisionRecord.objects.order_by("-id").first()
    assert decision is not None
    for address in ("/", f"/decisions/{decision.decision_id}", "/reasons/"):
        text = page(ada, address)
        assert "<style" not in text
        assert " style=" not in text
        assert " onclick" not in text
        assert text.count("<script") == text.count("<script src=")


def test_a_silent_loop_is_shown_as_stale(log: Written, ada: Client, says: Says) -> None:
    says(at_ns=time.time_ns() - 20 * SECOND_NS)
    text = page(ada, "/")
    assert "is-stale" in text
    assert "The loop has said nothing for 20 s." in text
    assert "TRADING" not in text, "nobody knows"


def test_what_is_killed_is_named(log: Written, ada: Client, says: Says) -> None:
    says()
    log.kill(Scope.STRATEGY, 1, "drill")
    assert "KILLED: strategy makes" in page(ada, "/")
    log.kill(Scope.GLOBAL, 0, "drill")
    assert "is-killed" in page(ada, "/")
    log.world.release(Scope.GLOBAL)
    log.world.release(Scope.STRATEGY, 1)
    log.commit()
    assert "TRADING" in page(ada, "/")
    says(is_killed=True)
    assert "is-killed" in page(ada, "/"), "the loop's own word is enough"


@pytest.mark.parametrize(("day", "week", "words"), [
    (40_000, 40_000, "drawdown today 4.00 % of 4.00 %"), (39_999, 100_001, "drawdown this week 10.00 % of 10.00 %"),
])  # fmt: skip
def test_a_drawdown_limit_that_is_reached_is_said_on_every_page(
    log: Written, ada: Client, says: Says, capsys: pytest.CaptureFixture[str], day: int, week: int, words: str
) -> None:
    money = {"cash": 9_600_000_000, "reserved": 0, "equity": 9_600_000_000}
    money |= {"drawdown_day_max": 40_000, "drawdown_week_max": 100_000}
    says(money={**money, "drawdown_day": 39_999, "drawdown_week": 99_999})
    assert "LIMIT" not in page(ada, "/")
    says(money={**money, "drawdown_day": day, "drawdown_week": week})
    text = page(ada, "/")
    assert f"LIMIT: {words}</a>" in text
    assert "LIMITED" in text and "TRADING" not in text
    assert f"LIMIT: {words}</a>" in page(ada, "/reasons/")
    assert asking.ask(cli.parser().parse_args(["status"])) == 0
    assert f"LIMIT: {words}; only what reduces a position is approved" in capsys.readouterr().out
    says(money={**money, "drawdown_day": day, "drawdown_week": week}, is_killed=True)
    assert "LIMIT: " not in page(ada, "/"), "a kill is what matters then"


def test_somebody_elses_text_stays_text(log: Written, ada: Client, says: Says) -> None:
    says()
    row = DecisionRecord.objects.filter(market=0).order_by("-id").first()
    assert row is not None
    for address in ("/", f"/decisions/{row.decision_id}"):
        text = page(ada, address)
        assert "<script>alert" not in text
        assert "&lt;script&gt;alert(1)" in text
        assert "\u202e" not in text.split("<details")[0]
        assert "very " * 30 not in text.split("<details")[0]


@pytest.mark.parametrize("verdict", [0, 1])
def test_a_packet_page_shows_every_vote_and_the_way_to_the_edge(
    log: Written, ada: Client, says: Says, verdict: int
) -> None:
    says()
    row = DecisionRecord.objects.filter(verdict=verdict, net_edge__isnull=False).first()
    assert row is not None
    text = page(ada, f"/decisions/{row.decision_id}")
    assert text.count('<th scope="row">') >= 39
    assert "net_edge" in text
    assert ("Approved:" in text) == (verdict == 0)
    assert ("Order and fills" in text) and (("No order: the gate did not approve." in text) == (verdict == 1))
    assert row.correlation_id in text


def test_a_packet_without_an_opinion_says_so(log: Written, ada: Client, says: Says) -> None:
    row = DecisionRecord.objects.filter(net_edge__isnull=True).first()
    if row is None:
        pytest.fail("the world has no such decision")
    assert "There is no edge to show" in page(ada, f"/decisions/{row.decision_id}")


@pytest.mark.parametrize("decision_id", ["999999:0", "99999999999999999:0", "7:99999999"])
def test_a_decision_that_is_not_there_is_not_found(log: Written, ada: Client, decision_id: str) -> None:
    assert ada.get(f"/decisions/{decision_id}").status_code == 404
    assert ada.get(f"/decisions/{decision_id}.json").status_code == 404


def test_a_packet_can_be_taken_away_as_its_canonical_bytes(log: Written, ada: Client) -> None:
    from polytraders.console.decisions import rendered

    row = DecisionRecord.objects.order_by("-id").first()
    assert row is not None
    answer = ada.get(f"/decisions/{row.decision_id}.json")
    assert answer.content == canonical(rendered(row)[0])
    assert json.loads(answer.content)["decision_id"] == row.decision_id
    assert "attachment" in answer.headers["Content-Disposition"]


def test_every_reason_code_has_a_page(log: Written, ada: Client) -> None:
    text = page(ada, "/reasons/")
    for entry in REASONS:
        assert f'href="/reasons/{entry.code}/"' in text
    assert "What to do" in page(ada, "/reasons/STRAT_NO_EDGE/")
    assert ada.get("/reasons/RISK_NONE_SUCH/").status_code == 404


def test_pages_ask_few_questions_however_much_there_is(log: Written, ada: Client, says: Says) -> None:
    says()
    row = DecisionRecord.objects.filter(verdict=0).first()
    assert row is not None
    counts: dict[str, int] = {}
    for address in ("/", f"/decisions/{row.decision_id}", "/reasons/", "/healthz", "/api/v1/decisions?limit=200"):
        with CaptureQueriesContext(connection) as queries:
            page(ada, address)
        counts[address] = len(queries)
    assert all(count <= QUERIES_MOST for count in counts.values()), counts


def test_the_fence_alone_is_enough(log: Written, ada: Client, says: Says, tmp_path: Path, settings: Any) -> None:
    settings.HOME = tmp_path
    fence.create(tmp_path / fence.FILE)
    says()
    assert "is-killed" not in page(ada, "/")
    fence.kill(tmp_path / fence.FILE, Scope.STRATEGY, "quiet")
    assert "strategy quiet" in page(ada, "/")
    fence.kill(tmp_path / fence.FILE, Scope.GLOBAL)
    assert "is-killed" in page(ada, "/"), "before the loop has said anything"
    assert ada.get("/healthz").json()["kill"] == "KILLED"
