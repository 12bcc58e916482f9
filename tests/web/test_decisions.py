"""The stream of decisions, the packet's jobs and other numbers, and the trace: states, filters, and few questions."""

import csv
import datetime as dt
import io
import re
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.oms.models import FillRecord, OrderRecord
from apps.registry.models import MarketRecord
from apps.replay import jobs
from apps.replay.models import JobRecord
from apps.risk.models import DecisionRecord
from polytraders.access.permissions import Role
from polytraders.contracts import job as j
from polytraders.contracts.reasons import by_number
from tests import servers
from tests.web.conftest import Says, entered
from tests.written import Written

QUERIES_MOST = 15
SECOND_NS = 1_000_000_000
ROW = re.compile(r'id="d-(\d+)"')


def page(client: Client, address: str, status: int = 200) -> str:
    answer = client.get(address)
    assert answer.status_code == status, answer.status_code
    return answer.content.decode()


def shown(text: str) -> list[int]:
    return [int(found) for found in ROW.findall(text)]


def asked(**given: Any) -> str:
    return f"/decisions/?{urlencode({name.rstrip('_'): value for name, value in given.items()})}"


def test_an_empty_system_says_what_will_be_there(empty: servers.Database, ada: Client) -> None:
    assert "No decision yet" in page(ada, "/decisions/")
    assert "No order yet" in page(ada, "/trace/")
    assert "No market with a forecast has resolved" in page(ada, "/models/")
    assert "30 are missing" in page(ada, "/models/")
    assert "No order to judge yet" in page(ada, "/execution/")


def test_the_stream_is_newest_first_and_each_line_leads_to_its_packet(log: Written, ada: Client, says: Says) -> None:
    says()
    text = page(ada, "/decisions/")
    rows = list(DecisionRecord.objects.order_by("-id")[:50])
    assert shown(text) == [row.id for row in rows]
    assert f'href="/decisions/{rows[0].decision_id}"' in text
    assert 'hx-trigger="hint from:body throttle:1s"' in text
    assert "<script>alert(1)</script>" not in text and "\u202e" not in text


def test_pages_by_cursor_show_every_row_once(log: Written, ada: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polytraders.console.lists.ROWS", 5)
    monkeypatch.setattr(
        "polytraders.console.lists.Listed.__init__.__kwdefaults__", {"key": "id", "most": 5}, raising=False
    )
    address, seen = "/decisions/?verdict=reject&strategy=says", []
    for _ in range(60):
        text = page(ada, address)
        seen += shown(text)
        older = re.search(r'href="(\?[^"]*before=[^"]*)" rel="next"', text)
        if older is None:
            break
        address = "/decisions/" + older.group(1).replace("&amp;", "&")
    wanted = DecisionRecord.objects.filter(verdict=1, strategy=0).order_by("-id")
    assert seen == list(wanted.values_list("id", flat=True))


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"strategy": "says"}, {"strategy": 0}),
        ({"strategy": "1"}, {"strategy": 1}),
        ({"market": "1"}, {"market": 1}),
        ({"market": "market-0"}, {"market": 0}),
        ({"market": f"0x{1:064x}"}, {"market": 1}),
        ({"verdict": "approve"}, {"verdict": 0}),
        ({"verdict": "reject"}, {"verdict": 1}),
        ({"verdict": "wait"}, {"verdict": 2}),
        ({"verdict": "wait", "strategy": "says"}, {"verdict": 2, "strategy": 0}),
        ({"verdict": "approve", "code": "RISK"}, {"verdict": 0, "code": 0}),
        ({"market": "0", "strategy": "makes", "verdict": "reject"}, {"market": 0, "strategy": 1, "verdict": 1}),
    ],
)
def test_a_filter_shows_what_fits_and_nothing_else(
    log: Written, ada: Client, given: dict[str, str], wanted: dict[str, int]
) -> None:
    rows = DecisionRecord.objects.filter(**wanted).order_by("-id")[:50]
    assert shown(page(ada, asked(**given))) == [row.id for row in rows]


def test_every_code_and_every_family_can_be_asked_for(log: Written, ada: Client) -> None:
    every = list(DecisionRecord.objects.order_by("-id"))
    codes = {by_number(row.code).code for row in every}
    assert len(codes) >= 4
    for code in codes:
        for family in (code, code.partition("_")[0]):
            for more in ({}, {"strategy": "says"}, {"market": "0"}):
                fits = [
                    row.id
                    for row in every
                    if (by_number(row.code).code + "_").startswith(family + "_")
                    and ("strategy" not in more or row.strategy == 0)
                    and ("market" not in more or row.market == 0)
                ]
                assert shown(page(ada, asked(code=family, **more))) == fits[:50], (family, more)


def test_a_time_range_takes_both_ends(log: Written, ada: Client) -> None:
    times = sorted(set(DecisionRecord.objects.values_list("ts", flat=True)))
    low, high = times[len(times) // 3], times[2 * len(times) // 3]
    # The page's times have whole microseconds.
    rows = DecisionRecord.objects.filter(ts__gte=low // 1_000 * 1_000, ts__lte=high // 1_000 * 1_000).order_by("-id")
    given = {"from": iso(low), "to": iso(high)}
    assert shown(page(ada, f"/decisions/?{urlencode(given)}")) == [row.id for row in rows[:50]]
    assert shown(page(ada, f"/decisions/?{urlencode({'from': '2199-01-01T00:00'})}")) == []
    assert shown(page(ada, f"/decisions/?{urlencode({'to': '1999-01-01T00:00'})}")) == []


def iso(ns: int) -> str:
    return (
        dt.datetime.fromtimestamp(ns // SECOND_NS, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S")
        + f".{ns % SECOND_NS // 1000:06}"
    )


@pytest.mark.parametrize(
    "given",
    [
        {"strategy": "none such"}, {"strategy": "9" * 30}, {"market": "99999999"}, {"market": "'; DROP TABLE x; --"},
        {"market": "9" * 40}, {"code": "NONE_SUCH"}, {"code": "RISK_"}, {"verdict": "maybe"}, {"span": "aeon"},
        {"from": "yesterday"}, {"from": "1969-12-31"}, {"to": "9999-12-31T23:59:59"}, {"to": "2026-02-30"},
        {"market": "<script>alert(1)</script>"}, {"strategy": "\u202eabc"}, {"code": "x" * 5_000}, {"verdict": "\x00"},
        {"from": "0001-01-01T00:00:00+14:00"},
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_named_and_shows_nothing(log: Written, ada: Client, given: dict[str, str]) -> None:
    text = page(ada, f"/decisions/?{urlencode(given)}", 400)
    (field,) = given
    assert f"<b>{field}</b>" in text and "half a filter would mislead" in text
    assert shown(text) == []
    assert "<script>alert(1)</script>" not in text and "\u202e" not in text


@pytest.mark.parametrize("before", ["", "x", "-1", "9" * 30, "1.5", "\u0661"])
def test_a_cursor_that_is_none_is_the_first_page(log: Written, ada: Client, before: str) -> None:
    for address in ("/decisions/?", "/decisions/?code=STRAT&"):
        text = page(ada, address + urlencode({"before": before}))
        assert shown(text) == shown(page(ada, address))


def test_the_summary_counts_every_evaluation_of_the_span(log: Written, ada: Client, says: Says) -> None:
    newest = DecisionRecord.objects.order_by("-id")[0]
    says(loop_ts=newest.ts)
    with connection.cursor() as cursor:
        cursor.execute("SELECT sum(count) FROM risk_minute")
        total = cursor.fetchone()[0]
    assert f"{total:,} evaluations of the last day" in page(ada, "/decisions/?span=day")
    one = page(ada, "/decisions/?span=day&market=1")
    with connection.cursor() as cursor:
        cursor.execute("SELECT sum(count) FROM risk_hour WHERE market = 1")
        assert f"{cursor.fetchone()[0]:,} evaluations" in one


def test_a_page_of_the_list_is_a_file_with_units_and_nothing_to_be_run(log: Written, ada: Client) -> None:
    MarketRecord.objects.filter(market=1).update(title="=cmd|' /C calc'!A0")
    answer = ada.get("/decisions/?market=1&format=csv")
    assert answer.headers["Content-Type"].startswith("text/csv")
    header, *lines = list(csv.reader(io.StringIO(answer.content.decode())))
    assert "net_edge_1e9" in header and "approved_size_1e6" in header
    assert len(lines) == len(shown(page(ada, "/decisions/?market=1")))
    assert {line[header.index("market_title")] for line in lines} == {"'=cmd|' /C calc'!A0"}
    MarketRecord.objects.filter(market=1).update(title="Will it rain tomorrow?")


def addresses() -> list[str]:
    order = OrderRecord.objects.order_by("-filled")[0]
    approved = DecisionRecord.objects.get(id=order.id)
    rejected = DecisionRecord.objects.filter(verdict=1).order_by("-id")[0]
    return [
        "/decisions/",
        "/decisions/?market=market-1&strategy=says&code=STRAT&verdict=reject&from=2020-01-01&to=2100-01-01",
        "/decisions/?strategy=says&code=RISK&span=day", f"/decisions/{approved.decision_id}",
        f"/decisions/{rejected.decision_id}", f"/decisions/{approved.decision_id}?p_hat=0.1&limit.size=3", "/trace/",
        f"/trace/{approved.correlation_id}", f"/trace/{rejected.correlation_id}", "/models/", "/models/?strategy=says",
        "/execution/", "/execution/?strategy=makes",
    ]  # fmt: skip


def test_no_page_asks_more_than_fifteen_questions(log: Written, ada: Client, says: Says) -> None:
    says()
    jobs_of = DecisionRecord.objects.filter(verdict=0).order_by("-id")[0]
    jobs.start("book", {"decision": jobs_of.decision_id}, "ada")
    for address in addresses():
        with CaptureQueriesContext(connection) as captured:
            page(ada, address)
        assert len(captured) <= QUERIES_MOST, (address, len(captured), [one["sql"][:90] for one in captured])
    JobRecord.objects.all().delete()


def test_nobody_sees_anything_without_a_login_and_readers_may_not_start_jobs(log: Written) -> None:
    row = DecisionRecord.objects.order_by("-id")[0]
    for address in addresses():
        assert Client().get(address).status_code == 302, address
    reader = entered("rita", Role.READ_ONLY)
    assert reader.post(f"/decisions/{row.decision_id}/ask", {"kind": "book"}).status_code == 403
    assert "can start it" in page(reader, f"/decisions/{row.decision_id}")
    assert not JobRecord.objects.exists()
    assert reader.post("/jobs/1/cancel").status_code == 403
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = entered("ada", Role.ADMIN).cookies
    assert strict.post(f"/decisions/{row.decision_id}/ask", {"kind": "book"}).status_code == 403


def test_an_approval_shows_its_bookings_and_they_are_its_own(log: Written, ada: Client) -> None:
    order = OrderRecord.objects.filter(filled__gt=0).order_by("id")[0]
    fills = FillRecord.objects.filter(order_seq=order.order_seq, market=order.market, strategy=order.strategy).count()
    text = page(ada, f"/decisions/{order.order_seq}:{order.id & (1 << 18) - 1}")
    assert text.count("maker</td>") + text.count("taker</td>") == fills


def test_other_numbers_are_worked_out_in_the_page(log: Written, ada: Client) -> None:
    row = DecisionRecord.objects.filter(verdict=0, action=0, outcome=0).order_by("-id")[0]
    assert row.q_exec is not None and row.fee is not None and row.buffer is not None
    p_hat = (row.q_exec + row.fee + row.buffer - 10_000_000) / 1e9
    text = page(ada, f"/decisions/{row.decision_id}?{urlencode({'p_hat': f'{p_hat:.9f}'})}")
    assert "Would be rejected" in text and "-0.010000 against at least" in text
    assert "(as recorded)" in page(ada, f"/decisions/{row.decision_id}")
    wrong = page(ada, f"/decisions/{row.decision_id}?p_hat=%3Cscript%3E")
    assert "Not understood, so left as recorded: p_hat" in wrong and "<script>" not in wrong.partition("<main")[2]


def test_the_page_says_in_a_sentence_who_wanted_what_and_what_all_of_it_costs(log: Written, ada: Client) -> None:
    row = DecisionRecord.objects.filter(verdict=0, action=0, outcome=0).order_by("-id")[0]
    assert row.q_exec is not None and row.fee is not None and row.buffer is not None
    text = page(ada, f"/decisions/{row.decision_id}")
    said = re.search(r'<p class="who">(.*?)</p>', text)
    in_all = (row.q_exec + row.fee + row.buffer) / 1e9
    assert (
        said is not None
        and " wanted to buy " in said.group(1)
        and f"all in a share costs {in_all:.4f}" in said.group(1)
    )
    assert re.search(rf"costs in all</th>.*?{in_all:.6f}", text, re.DOTALL)


def test_no_cap_of_nothing_is_shown_without_its_reason(log: Written, ada: Client) -> None:
    for row in DecisionRecord.objects.filter(verdict=1).order_by("-id")[:5]:
        table = re.search(
            r'<table class="bars caps">.*?</table>', page(ada, f"/decisions/{row.decision_id}"), re.DOTALL
        )
        assert table is not None
        lines = re.findall(r'<td class="n">([\d.,]+)</td><td class="minor">([^<]*)</td>', table.group())
        assert len(lines) == 5
        assert all(note and note != "smallest" for size, note in lines if size == "0.00"), lines


@pytest.mark.parametrize(
    ("verdict", "code", "words"),
    [
        ("reject", "STRAT_NO_EDGE", "Yes: rejected again, STRAT_NO_EDGE. The same, byte for byte."),
        ("approve", "STRAT_EDGE_DETECTED", "Yes: approved again, STRAT_EDGE_DETECTED. The same, byte for byte."),
        ("wait", "STRAT_AWAITING_RANK", "Yes: waiting again, STRAT_AWAITING_RANK. The same, byte for byte."),
    ],
)
def test_a_replay_says_what_was_decided_again(log: Written, ada: Client, verdict: str, code: str, words: str) -> None:
    row = DecisionRecord.objects.order_by("-id")[0]
    jobs.start("again", {"decision": row.decision_id}, "ada")
    result = {
        "decision": row.decision_id, "code": "GOV_REPLAY_MATCH", "recorded": "ab" * 32, "replayed": "ab" * 32,
        "differences": [], "differing": 0, "build": "cd" * 32, "recorded_build": "cd" * 32, "checkpoint": 0,
        "stepped": 1, "verdict": verdict, "reason": code,
    }  # fmt: skip
    JobRecord.objects.update(state=j.DONE, result=result)
    text = page(ada, f"/decisions/{row.decision_id}")
    assert words in text and "1 input from the first" in text
    JobRecord.objects.all().delete()


def test_a_job_is_asked_for_shown_while_it_runs_and_when_it_is_done(log: Written, ada: Client) -> None:
    row = DecisionRecord.objects.order_by("-id")[0]
    address = f"/decisions/{row.decision_id}"
    answer = ada.post(f"{address}/ask", {"kind": "book"})
    assert (answer.status_code, answer.headers["Location"]) == (302, f"{address}#book")
    ada.post(f"{address}/ask", {"kind": "book"})
    job = JobRecord.objects.get()
    assert (job.kind, job.asked_by, job.arguments) == ("book", "ada", {"decision": row.decision_id})
    text = page(ada, address)
    assert f'hx-get="/jobs/{job.pk}"' in text and "waits for its turn" in text
    JobRecord.objects.update(state=j.RUNNING, part=0.4, words="input 7 of 9")
    part = ada.get(f"/jobs/{job.pk}", headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in part and "input 7 of 9" in part and 'value="0.4"' in part
    assert "<html" in page(ada, f"/jobs/{job.pk}")
    result = {
        "decision": row.decision_id, "bids": [[6_100, 2_000_000, 0]], "asks": [[6_300, 5_000_000, 1_000_000]],
        "bids_behind": 0, "asks_behind": 0, "bids_levels": 1, "asks_levels": 1, "tick": 100, "is_valid": True,
        "hash": "ab" * 32, "checkpoint": 0,
    }  # fmt: skip
    JobRecord.objects.update(state=j.DONE, result=result)
    # The fragment that comes when the job is done has the picture too.
    part = ada.get(f"/jobs/{job.pk}", headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in part and "Depth of the book" in part
    text = page(ada, address)
    assert "Depth of the book" in text and "0.6100" in text and "already had by paper orders" in text
    assert 'hx-get="/jobs/' not in text
    JobRecord.objects.update(state=j.FAILED, code=j.TIME_OUT, words="<b>too long</b>", result=None)
    text = page(ada, address)
    assert j.TIME_OUT in text and "<b>too long</b>" not in text and "Rebuild the book again" in text
    JobRecord.objects.all().delete()


@pytest.mark.parametrize("kind", ["", "none such", "BOOK", "again; x"])
def test_what_is_no_job_of_a_decision_is_not_there(log: Written, ada: Client, kind: str) -> None:
    row = DecisionRecord.objects.order_by("-id")[0]
    assert ada.post(f"/decisions/{row.decision_id}/ask", {"kind": kind}).status_code == 404
    assert ada.post("/decisions/1:1/ask", {"kind": "book"}).status_code == 404
    assert ada.get(f"/decisions/{row.decision_id}/ask").status_code == 405
    assert ada.get("/jobs/99999999999999999999").status_code == 404
    assert not JobRecord.objects.exists()


def test_a_job_is_cancelled_by_who_may_and_the_way_back_stays_here(log: Written, ada: Client) -> None:
    job = jobs.start("book", {"decision": "1:1"}, "ada")
    answer = ada.post(f"/jobs/{job}/cancel", {"back": "//evil.example/x"})
    assert answer.headers["Location"] == f"/jobs/{job}"
    assert JobRecord.objects.get(id=job).code == j.CANCELLED
    assert ada.post(f"/jobs/{job}/cancel", {"back": "/decisions/"}).headers["Location"] == "/decisions/"
    assert "That job is over already" in page(ada, "/decisions/")
    JobRecord.objects.all().delete()


def test_too_many_jobs_are_refused_with_their_code(log: Written, ada: Client) -> None:
    rows = list(DecisionRecord.objects.order_by("-id")[: jobs.MINE_MOST + 1])
    for row in rows:
        ada.post(f"/decisions/{row.decision_id}/ask", {"kind": "book"})
    assert JobRecord.objects.count() == jobs.MINE_MOST
    assert j.BUSY in page(ada, "/decisions/")
    JobRecord.objects.all().delete()


def test_a_trace_goes_from_the_input_to_the_ledger(log: Written, ada: Client, settings: Any) -> None:
    settings.HOME = log.folder
    order = OrderRecord.objects.filter(filled__gt=0).order_by("id")[0]
    text = page(ada, f"/trace/{order.correlation_id}")
    for step in ("approval</th>", "fill</th>", "input: "):
        assert f'<th scope="row">{step}' in text, step
    assert "cannot be read here" not in text
    assert f'href="/decisions/{order.order_seq}:' in text
    assert "Output chain behind it" in text


def test_a_trace_without_its_segments_says_so_and_shows_the_rest(
    log: Written, ada: Client, settings: Any, folder: Any
) -> None:
    settings.HOME = folder
    order = OrderRecord.objects.order_by("id")[0]
    text = page(ada, f"/trace/{order.correlation_id}")
    assert "input rows cannot be read here" in text and '<th scope="row">approval</th>' in text


@pytest.mark.parametrize(
    ("told", "status"),
    [("1:2:3", 302), ("9:9", 404), ("x", 404), ("1:2:3:4", 404), ("<script>", 404), ("9" * 500, 404), ("", 200)],
)
def test_an_id_is_gone_to_or_refused(log: Written, ada: Client, told: str, status: int) -> None:
    answer = ada.get("/trace/", {"id": told})
    assert answer.status_code == status
    assert b"<script>" not in answer.content.partition(b"<main")[2]


def test_an_unknown_trace_is_not_there_and_a_decisions_id_leads_to_its_own(log: Written, ada: Client) -> None:
    for told in ("1:2:3", "999999999999:999999999:999999999"):
        assert "Nothing has this id" in page(ada, f"/trace/{told}", 404)
    row = DecisionRecord.objects.order_by("-id")[0]
    assert ada.get("/trace/", {"id": row.decision_id}).headers["Location"] == f"/trace/{row.correlation_id}"
