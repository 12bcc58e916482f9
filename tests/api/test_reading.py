"""The interface: lists by cursor, packets byte for byte, refusals as problems with a reason code, and health."""

import hashlib
import time
from typing import Any

import pytest
from django.test import Client

from apps.risk.models import DecisionRecord
from polytraders.contracts.reasons import number
from tests import servers
from tests.web.conftest import Says
from tests.written import Written

SECOND_NS = 1_000_000_000


def problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")
    body: dict[str, Any] = answer.json()
    assert (body["status"], body["reason_code"], body["type"]) == (status, code, f"/reasons/{code}/")
    return body


@pytest.mark.parametrize("address", ["/api/v1/loop", "/api/v1/decisions", "/api/v1/decisions/7:1"])
def test_without_a_login_there_is_nothing_but_a_problem(log: Written, address: str) -> None:
    problem(Client().get(address), 401, "GOV_LOGIN_REQUIRED")


def test_pages_of_decisions_follow_each_other_without_a_gap(log: Written, ada: Client) -> None:
    everything = [row.decision_id for row in DecisionRecord.objects.order_by("-id")]
    found: list[str] = []
    cursor = ""
    while True:
        body = ada.get(f"/api/v1/decisions?limit=3{cursor}").json()
        found += [item["id"] for item in body["items"]]
        assert len(body["items"]) <= 3
        if body["next"] is None:
            break
        cursor = f"&cursor={body['next']}"
    assert found == everything
    assert len(found) > 6


def test_filters_can_be_joined(log: Written, ada: Client) -> None:
    body = ada.get("/api/v1/decisions?strategy=makes&market=market-0&verdict=approve&limit=200").json()
    rows = DecisionRecord.objects.filter(strategy=1, market=0, verdict=0).order_by("-id")
    assert [item["id"] for item in body["items"]] == [row.decision_id for row in rows]
    item = body["items"][0]
    assert (item["strategy"], item["verdict"], item["reason_code"]) == ("makes", "approve", "STRAT_EDGE_DETECTED")
    assert item["market"]["condition_id"] == f"0x{0:064x}"
    assert item["at"].startswith("2026-06-01T12:0")
    code = DecisionRecord.objects.filter(verdict=1).values_list("code", flat=True).first()
    assert code == number(
        next(
            item["reason_code"] for item in ada.get("/api/v1/decisions?verdict=reject&limit=200").json()["items"][::-1]
        )
    )
    by_code = ada.get("/api/v1/decisions?code=STRAT_EDGE_DETECTED&limit=200").json()["items"]
    assert len(by_code) == DecisionRecord.objects.filter(verdict=0).count()


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=201", "limit=x", "strategy=none", "market=nowhere", "market=99999999999999999999",
     "code=NOT_A_CODE", "verdict=maybe", "cursor=7", "cursor=a:b", "cursor=-1:0", "shard=x",
     "cursor=99999999999999999:1"],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_with_a_code(log: Written, ada: Client, query: str) -> None:
    problem(ada.get(f"/api/v1/decisions?{query}"), 422, "GOV_REQUEST_INVALID")


def test_a_packet_is_the_same_bytes_each_time_and_its_tag_is_their_hash(log: Written, ada: Client) -> None:
    row = DecisionRecord.objects.filter(verdict=0).first()
    assert row is not None
    first, second = (ada.get(f"/api/v1/decisions/{row.decision_id}") for _ in range(2))
    assert first.status_code == 200
    assert first.content == second.content
    assert first.headers["ETag"] == f'"{hashlib.sha256(first.content).hexdigest()}"'
    body = first.json()
    assert (body["decision_id"], body["verdict"], body["correlation_id"]) == (
        row.decision_id,
        "approve",
        row.correlation_id,
    )
    problem(ada.get("/api/v1/decisions/999999:0"), 404, "GOV_NOT_FOUND")
    problem(ada.get("/api/v1/decisions/none"), 404, "GOV_NOT_FOUND")


def test_the_loop_is_described(log: Written, ada: Client, says: Says) -> None:
    problem(ada.get("/api/v1/loop"), 404, "GOV_LOOP_SILENT")
    says(lag_ms=7)
    body = ada.get("/api/v1/loop").json()
    assert (body["state"], body["kill"], body["lag_ms"], body["mode"]) == ("running", "TRADING", 7, "paper")
    assert body["heads"]["chain"] == "3" * 64
    assert body["loop_age_ms"] < 10_000


def test_health_needs_no_login_and_tells_the_truth(log: Written, says: Says) -> None:
    answer = Client().get("/healthz")
    assert (answer.status_code, answer.json()["loop"], answer.json()["kill"]) == (503, "none", "UNKNOWN")
    assert answer.json()["reason_code"] == "GOV_LOOP_SILENT"
    says()
    answer = Client().get("/healthz")
    assert (answer.status_code, answer.json()["loop"], answer.json()["kill"]) == (200, "running", "TRADING")
    says(is_killed=True)
    answer = Client().get("/healthz")
    assert (answer.status_code, answer.json()["kill"]) == (200, "KILLED"), "a killed system does what it was told"
    says(at_ns=time.time_ns() - 60 * SECOND_NS)
    answer = Client().get("/healthz")
    assert (answer.status_code, answer.json()["loop"], answer.json()["kill"]) == (503, "silent", "UNKNOWN")


def test_health_without_a_database_is_an_answer(empty: servers.Database) -> None:
    servers.point_django_at(empty.app_dsn.replace("postgresql://", "postgresql://nobody-"), "default")
    answer = Client().get("/healthz")
    assert (answer.status_code, answer.json()["database"], answer.json()["kill"]) == (503, "down", "UNKNOWN")
    assert answer.json()["reason_code"] == "GOV_DB_UNAVAILABLE"
    servers.point_django_at(empty.app_dsn, "default")


def test_metrics_are_for_this_machine_or_a_login(log: Written, ada: Client, says: Says) -> None:
    says()
    text = Client().get("/metrics").content.decode()
    assert "polytraders_up 1\n" in text
    assert "polytraders_event_log_seq 1.234567e+06" in text
    problem(Client().get("/metrics", REMOTE_ADDR="192.0.2.7"), 401, "GOV_LOGIN_REQUIRED")
    problem(Client().get("/metrics", HTTP_X_FORWARDED_FOR="192.0.2.7"), 401, "GOV_LOGIN_REQUIRED")
    assert ada.get("/metrics", REMOTE_ADDR="192.0.2.7").status_code == 200
