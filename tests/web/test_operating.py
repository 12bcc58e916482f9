"""Pages of reference and of the machine: codes, stages, system, replays, help. Every state, few questions."""

import datetime as dt
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.monitoring import alerting, beats
from apps.monitoring.alerting import Seen
from apps.monitoring.models import CodeRecord, LoopRecord
from apps.replay.models import JobRecord, ReplayRecord
from apps.risk.models import DecisionRecord
from polytraders.access.permissions import Role
from polytraders.console import codes, guide, scrubbed, stages
from polytraders.console.replays import compared
from polytraders.contracts.inputs import Scope
from polytraders.contracts.reasons import REASONS, by_number
from tests import servers
from tests.web.conftest import Says, entered
from tests.written import Written

QUERIES_MOST = 15
MINUS = "\N{MINUS SIGN}"
PAGES = (
    "/reasons/",
    "/reasons/STRAT_NO_EDGE/",
    "/stages/",
    "/stages/7",
    "/system/",
    "/replays/",
    "/replays/scrub",
    "/help/",
)
METRICS = """# TYPE polytraders_decision_duration_seconds histogram
polytraders_decision_duration_seconds_bucket{le="0.001"} 98.0
polytraders_decision_duration_seconds_bucket{le="0.01"} 99.0
polytraders_decision_duration_seconds_bucket{le="+Inf"} 100.0
polytraders_decision_duration_seconds_sum 1.0
polytraders_decision_duration_seconds_count 100.0
"""


def page(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, answer.status_code
    return answer.content.decode()


def body(client: Client, address: str) -> str:
    return page(client, address).partition("<main")[2].partition("</main>")[0]


@pytest.fixture
def now_at_the_log(log: Written, says: Says) -> LoopRecord:
    """The loop's row says that its time is that of the log's last decision."""
    newest = DecisionRecord.objects.order_by("-id").first()
    assert newest is not None
    says(loop_ts=newest.ts, metrics=METRICS)
    return LoopRecord.objects.get()


def report(**changed: Any) -> ReplayRecord:
    usual: dict[str, Any] = {
        "shard": 0, "verdict_code": "GOV_REPLAY_MATCH", "from_seq": 1, "to_seq": 1_234, "parity": 1.0, "seconds": 2.5,
        "build": "b" * 64, "output_head": "2" * 64, "events_per_second": 4_000_000.0,
        "report": {"events": 1_234, "fills": 3, "counts_by_code": {"STRAT_NO_EDGE": 900},
                   "log": {"state_hash": "d" * 64, "epochs": [{"epoch_seq": 1, "last_seq": 1_234, "build": "b" * 64,
                           "claimed": True, "state_equal": None, "recorded": 5, "replayed": 5, "equal": 5,
                           "first_difference": None}]}},
    }  # fmt: skip
    return ReplayRecord.objects.create(**(usual | changed))


@pytest.mark.parametrize("address", PAGES)
def test_an_empty_system_has_every_page(empty: servers.Database, ada: Client, address: str) -> None:
    text = page(ada, address)
    assert "NO LOOP" in text
    assert text.count("<h1>") == 1


@pytest.mark.parametrize("address", PAGES)
def test_pages_ask_few_questions_and_hold_no_script_or_style(
    now_at_the_log: LoopRecord, ada: Client, address: str
) -> None:
    with CaptureQueriesContext(connection) as queries:
        text = page(ada, address)
    assert len(queries) <= QUERIES_MOST, [query["sql"][:80] for query in queries.captured_queries]
    assert "<style" not in text
    assert " style=" not in text
    assert " onclick" not in text
    assert text.count("<script") == text.count("<script src=")


@pytest.mark.parametrize("address", PAGES)
def test_nobody_sees_them_without_logging_in(log: Written, address: str) -> None:
    assert Client().get(address).status_code == 302


# --- codes -----------------------------------------------------------------------------------------------------------


def test_counts_of_codes_are_those_of_the_log(now_at_the_log: LoopRecord) -> None:
    found = codes.counted(now_at_the_log.loop_ts)
    total = dict.fromkeys(found, 0)
    for row in CodeRecord.objects.all():
        total[row.code] += row.count
    assert {code: week for code, (_, _, week) in found.items()} == total
    assert all(hour <= day <= week for hour, day, week in found.values())
    assert sum(total.values()) > 20
    later = codes.counted(now_at_the_log.loop_ts + 3 * 3_600 * 10**9)
    assert {hour for hour, _, _ in later.values()} == {0}
    assert {code: day for code, (_, day, _) in later.items()} == total
    assert codes.counted(now_at_the_log.loop_ts + 9 * 86_400 * 10**9) == {}


def test_codes_are_found_by_stage_severity_and_words() -> None:
    shown = {entry.code for entry in REASONS if codes.fits(entry, "7", "hard_reject", "kill switch")}
    assert shown == {"RISK_KILL_SWITCH_ACTIVE"}
    assert codes.fits(by_number(702), "", "", "702")
    assert not codes.fits(by_number(702), "8", "", "")


def test_a_filter_that_nothing_fits_says_so(log: Written, ada: Client) -> None:
    assert "No code fits." in page(ada, "/reasons/?text=no+such+words")
    text = body(ada, "/reasons/?stage=7&severity=hard_reject")
    assert "RISK_KILL_SWITCH_ACTIVE" in text
    assert "GOV_LOOP_SILENT" not in text


def test_a_codes_page_says_how_often_where_and_lately(now_at_the_log: LoopRecord, ada: Client) -> None:
    row = DecisionRecord.objects.order_by("-id").first()
    assert row is not None
    code = by_number(row.code).code
    text = body(ada, f"/reasons/{code}/")
    assert f"/decisions/{row.decision_id}" in text
    assert "polytraders/contracts/checks.py:" in text
    _, _, week = codes.counted(now_at_the_log.loop_ts, row.code)[row.code]
    assert f"<dt>Last 7 days</dt><dd>{week:,}</dd>" in text


def test_a_codes_page_names_its_incidents(empty: servers.Database, ada: Client) -> None:
    alerting.raised(Seen("GOV_LOOP_SILENT", "", "silent"), "health")
    assert "/incidents/1" in body(ada, "/reasons/GOV_LOOP_SILENT/")
    assert "apps/monitoring/looking.py:" in body(ada, "/reasons/GOV_LOOP_SILENT/")


# --- stages ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", stages.STAGES)
def test_every_stage_has_its_page_from_its_own_words(
    now_at_the_log: LoopRecord, ada: Client, stage: stages.Stage
) -> None:
    told = stages.told(stage.app)
    assert all((told.about, told.takes, told.gives, told.codes, told.never, told.change)), told
    text = body(ada, f"/stages/{stage.number}")
    assert stage.title in text
    for entry in REASONS:
        assert (f">{entry.code}</a>" in text) == (entry.stage == stage.number), entry.code


def test_the_plan_is_one_picture_with_the_rule_and_where_its_terms_are_made(
    now_at_the_log: LoopRecord, ada: Client
) -> None:
    text = body(ada, "/stages/")
    assert f"net_edge = p_hat {MINUS} q_exec {MINUS} fees {MINUS} uncertainty_buffer" in text
    assert text.count('rx="5"') == 11
    for stage in stages.STAGES:
        assert f'href="/stages/{stage.number}"' in text
    assert ada.get("/stages/0").status_code == ada.get("/stages/12").status_code == 404


# --- system ----------------------------------------------------------------------------------------------------------


def test_the_system_tells_each_process_and_which_is_late(now_at_the_log: LoopRecord, ada: Client) -> None:
    beats.pulse("worker", pid=4_711)
    beats.pulse("beat")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE monitoring_pulse SET at = now() - interval '2 minutes' WHERE name = 'beat'")
    beats.began("apps.x.tasks.y")
    beats.failed("apps.x.tasks.y", "OSError: no")
    text = body(ada, "/system/")
    assert "pid 4711" in text
    assert "late" in text
    assert "not yet" in text, "the watchman has not looked here"
    assert "OSError: no" in text
    assert "≤ 1 ms" in text
    assert "100 blocks; half ≤ 1 ms, 99 % ≤ 10 ms" in text
    assert "REDIS_URL is not set" in text


def test_no_secret_stands_on_the_page(now_at_the_log: LoopRecord, ada: Client, settings: Any) -> None:
    settings.DATABASE_URL = "postgresql://user:very-secret-1@db.example:5433/polytraders"
    settings.REDIS_URL = "redis://:very-secret-2@127.0.0.1:1/0"
    settings.LAKE = "s3://key:very-secret-3@bucket/lake"
    text = page(ada, "/system/")
    assert "very-secret" not in text
    assert "postgresql://db.example:5433/polytraders" in text
    assert settings.SECRET_KEY not in text
    assert "down, ConnectionError" in text, "a broker that is away is said at once"


def test_the_record_is_proved_when_asked_and_what_was_found_is_shown(now_at_the_log: LoopRecord, ada: Client) -> None:
    beats.pulse("record", code="", words="", in_seq=77)
    assert "whole</span> to input 77" in body(ada, "/system/")
    beats.pulse("record", code="GOV_CHAIN_BROKEN", words="log_output: a byte", in_seq=77)
    assert "GOV_CHAIN_BROKEN" in body(ada, "/system/")
    assert entered("rita", Role.READ_ONLY).post("/system/prove").status_code == 403
    assert ada.get("/system/prove").status_code == 405


# --- replays ---------------------------------------------------------------------------------------------------------


def test_reports_are_listed_shown_and_compared(now_at_the_log: LoopRecord, ada: Client) -> None:
    one = report()
    two = report(
        verdict_code="GOV_REPLAY_REGRESSION", parity=0.5, first_difference="input 7: <script>alert(1)</script>"
    )
    assert f"/replays/{two.id}" in body(ada, "/replays/")
    text = body(ada, f"/replays/{two.id}")
    assert "GOV_REPLAY_REGRESSION" in text
    assert "&lt;script&gt;alert(1)" in text
    assert "<script>alert" not in text
    assert "d" * 64 in text
    found = {line.name: line for line in compared(one, two)}
    assert {name for name, line in found.items() if line.differs} == {"verdict_code", "parity", "first_difference"}
    assert "3 of " in body(ada, f"/replays/compare?left={one.id}&right={two.id}")
    assert "are the same" in body(ada, f"/replays/compare?left={one.id}&right={one.id}")
    for wrong in ("left=1", "left=x&right=1", f"left={one.id}&right=999999", "left=%00&right=1"):
        assert ada.get(f"/replays/compare?{wrong}").status_code == 404


def test_a_replay_that_did_not_reach_its_end_has_a_page(log: Written, ada: Client) -> None:
    row = report(verdict_code="GOV_REPLAY_ABORTED", report=None, parity=None, to_seq=None, events_per_second=None)
    assert "it did not reach its end" in body(ada, f"/replays/{row.id}")


def test_a_job_is_asked_for_by_who_may(now_at_the_log: LoopRecord, ada: Client) -> None:
    assert entered("rita", Role.READ_ONLY).post("/replays/run").status_code == 403
    answer = ada.post("/replays/run", {"what": "state", "seq": "7"})
    assert answer.headers["Location"] == "/replays/scrub?seq=7"
    ada.post("/replays/run", {"what": "replay", "seq": "1,000"})
    asked = list(JobRecord.objects.order_by("id").values_list("kind", "arguments", "asked_by"))
    assert asked == [("state", {"in_seq": 7}, "ada"), ("replay", {"until": 1_000}, "ada")]
    assert "State behind this input" in body(ada, "/replays/scrub?seq=7")
    assert "Replay of the log" in body(ada, "/replays/")


def test_any_place_of_the_log_is_found_by_number_and_by_time(log: Written, ada: Client, says: Says) -> None:
    says()
    log.kill(Scope.STRATEGY, 1, "drill")
    log.world.release(Scope.STRATEGY, 1)
    log.commit()
    head = scrubbed.head()
    assert head is not None
    killed = head["seq"] - 1
    place = scrubbed.around(head, killed)
    assert [one.kind for one in place.controls if one.in_seq >= killed] == ["kill", "release"]
    assert [one.actor for one in place.controls if one.is_here] == ["operator:ada"]
    assert place.block is not None
    assert place.block["first_seq"] <= killed <= place.block["last_seq"]
    text = body(ada, f"/replays/scrub?seq={killed}")
    assert "operator:ada" in text
    assert place.block["digest"] in text
    blocks = []
    with connection.cursor() as cursor:
        cursor.execute("SELECT first_seq, last_seq, committed_at FROM log_block ORDER BY first_seq")
        blocks = cursor.fetchall()
    for first, last, committed in blocks:
        assert first <= scrubbed.at_time(head, committed) <= last
    assert scrubbed.at_time(head, blocks[0][2] - dt.timedelta(days=1)) == 1
    assert scrubbed.at_time(head, blocks[-1][2] + dt.timedelta(days=1)) == head["seq"]
    moment = blocks[3][2].isoformat()
    assert f"{blocks[3][0]:,}" in body(ada, f"/replays/scrub?at={moment.replace('+', '%2B')}")


@pytest.mark.parametrize(
    "query", ["seq=0", "seq=x", "seq=99999999999999999", "at=yesterday", "seq=-1", "at=%00", "seq=%F0"]
)
def test_a_place_that_cannot_be_meant_shows_the_end(log: Written, ada: Client, query: str) -> None:
    head = scrubbed.head()
    assert head is not None
    assert f"input {head['seq']:,}" in body(ada, f"/replays/scrub?{query}")


# --- help ------------------------------------------------------------------------------------------------------------


def test_help_explains_a_real_rejected_trade_of_this_system(now_at_the_log: LoopRecord, ada: Client) -> None:
    found = guide.example()
    assert found is not None
    row = found.row
    assert row.p_own is not None and row.q_exec is not None and row.fee is not None
    assert row.buffer is not None and row.net_edge is not None
    text = body(ada, "/help/")
    assert f"/decisions/{row.decision_id}" in text
    assert found.reason.meaning in text
    plus, minus = (row.p_own, row.q_exec) if not row.action else (row.q_exec, row.p_own)
    assert plus - minus - row.fee - row.buffer == row.net_edge, "the steps on the page add up"
    for state in ("KILLED", "UNKNOWN, STALE", "NO LOOP", "NO DATABASE", "NOT WATCHED", "Unknown orders"):
        assert state in text


def test_help_without_a_rejection_says_what_will_stand_there(empty: servers.Database, ada: Client) -> None:
    text = body(ada, "/help/")
    assert "No decision has been rejected here yet" in text
    assert "net_edge" in text


def test_help_tells_no_key_that_does_not_work(empty: servers.Database) -> None:
    assert "stops everything" not in body(entered("rita", Role.READ_ONLY), "/help/").partition('id="all-keys"')[2]
