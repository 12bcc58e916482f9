"""Incidents, alerts, jobs, and books with their age, over HTTP."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import Client, RequestFactory

from apps.ingest import quotes as told
from apps.monitoring import alerting
from apps.monitoring.alerting import Seen
from apps.monitoring.models import AlertRecord, IncidentRecord
from apps.replay.models import JobRecord
from polytraders.access.models import AuditRow
from polytraders.access.permissions import Role
from polytraders.api import idempotency
from polytraders.api.idempotency import Runs
from polytraders.console.problems import Refused
from polytraders.contracts import state as s
from tests.api.conftest import Keyed
from tests.api.test_reading import problem
from tests.web.conftest import HOSTILE, Says
from tests.web.test_markets import quote
from tests.written import Written


@pytest.fixture
def incident(log: Written) -> Iterator[IncidentRecord]:
    alert = alerting.raised(Seen("GOV_LOOP_SILENT", "", HOSTILE), "health")
    assert alert is not None
    assert alert.incident is not None
    yield alert.incident
    # Neither can be deleted by the application's role.
    alerting.over(AlertRecord.objects.filter(is_open=True))
    IncidentRecord.objects.update(state="closed")


def test_an_incident_is_listed_read_and_moved_on_once(incident: IncidentRecord, keyed: Keyed) -> None:
    program = keyed("ops", roles=(Role.OPERATOR,))
    alerting.raised(Seen("GOV_WEBHOOK_DISABLED", "webhook 7", "x"), "webhooks")
    (item,) = program.get("/api/v1/incidents?state=open").json()["items"]
    assert (item["id"], item["reason_code"], item["priority"], item["state"]) == (
        incident.id, "GOV_LOOP_SILENT", "P0" if incident.priority == 0 else "P1", "open",
    )  # fmt: skip
    assert incident.id not in [one["id"] for one in program.get("/api/v1/incidents?state=closed").json()["items"]]
    address = f"/api/v1/incidents/{incident.id}"
    one = program.get(address).json()
    assert one["moves"] == ["acknowledged"]
    assert [step["kind"] for step in one["steps"]] == ["opened", "did"]
    body = {"state": "acknowledged", "words": "I am looking"}
    first, second = (program.post(f"{address}/move", body, key="mine") for _ in range(2))
    assert first.status_code == 200, first.content
    assert (first.content, second.headers["Idempotent-Replayed"]) == (second.content, "true")
    owner = first.json()["assignee"]
    assert owner.startswith("owner-"), "it is with a person, not with a key"
    last = AuditRow.objects.order_by("-id").first()
    assert last is not None
    assert (last.actor, last.act, last.reason) == (f"key:{program.key.split('_')[1]}", "incident.move", "I am looking")
    problem(program.post(f"{address}/move", {"state": "closed"}), 409, "GOV_INCIDENT_STEP_REFUSED")
    problem(program.post(f"{address}/move", {"state": "gone"}), 422, "GOV_REQUEST_INVALID")
    problem(program.post(f"{address}/move", {"state": "closed", "words": "\0"}), 422, "GOV_REQUEST_INVALID")
    problem(program.get("/api/v1/incidents/999999"), 404, "GOV_NOT_FOUND")
    problem(keyed("read").post(f"{address}/move", body), 403, "GOV_PERMISSION_MISSING")


def test_alerts_are_listed_newest_first_with_their_incident(incident: IncidentRecord, ada: Client) -> None:
    other = alerting.raised(Seen("GOV_WEBHOOK_DISABLED", "webhook 7", "it failed"), "webhooks")
    assert other is not None
    page = ada.get("/api/v1/alerts?limit=1").json()
    (first,) = page["items"]
    assert (first["id"], first["reason_code"], first["priority"], first["incident"]) == (
        other.id, "GOV_WEBHOOK_DISABLED", "P2", None,
    )  # fmt: skip
    (second,) = ada.get(f"/api/v1/alerts?limit=1&cursor={page['next']}").json()["items"]
    assert (second["reason_code"], second["incident"], second["count"]) == ("GOV_LOOP_SILENT", incident.id, 1)
    alerting.over([other])
    open_now = ada.get("/api/v1/alerts?is_open=true").json()["items"]
    assert [one["reason_code"] for one in open_now] == ["GOV_LOOP_SILENT"]
    ended = ada.get("/api/v1/alerts?is_open=false").json()["items"][0]
    assert (ended["id"], ended["over_at"] is not None) == (other.id, True)


def test_a_replay_is_asked_for_as_a_job_and_looked_after(log: Written, keyed: Keyed) -> None:
    JobRecord.objects.all().delete()
    program = keyed("trade", "read")
    answer = program.post("/api/v1/replays", {"until": 5})
    assert answer.status_code == 202, answer.content
    job = answer.json()
    assert (job["kind"], job["arguments"], job["state"], job["result"]) == ("replay", {"until": 5}, "queued", None)
    assert job["asked_by"].startswith("owner-")
    assert program.post("/api/v1/replays", {"until": 5}).json()["id"] == job["id"], "the same question is the same job"
    for until in range(6, 11):
        assert program.post("/api/v1/replays", {"until": until}).status_code == 202
    problem(program.post("/api/v1/replays", {"until": 11}), 409, "GOV_JOB_BUSY")
    JobRecord.objects.filter(id=job["id"]).update(state="failed", code="GOV_JOB_TIMEOUT", words="too long")
    now = program.get(f"/api/v1/jobs/{job['id']}").json()
    assert (now["state"], now["reason_code"], now["words"]) == ("failed", "GOV_JOB_TIMEOUT", "too long")
    for wrong in (0, -1, 1 << 60, "x", 1.5):
        problem(program.post("/api/v1/replays", {"until": wrong}), 422, "GOV_REQUEST_INVALID")
    problem(program.get("/api/v1/jobs/none"), 404, "GOV_NOT_FOUND")
    problem(keyed("read").post("/api/v1/replays", {}), 403, "GOV_PERMISSION_MISSING")
    JobRecord.objects.all().delete()


def test_book_and_features_are_the_loops_word_and_else_what_a_decision_saw(
    log: Written, ada: Client, says: Says
) -> None:
    says()
    book, features = (ada.get(f"/api/v1/markets/0/{name}").json() for name in ("book", "features"))
    for one in (book, features):
        assert (one["source"], one["decision"] is not None) == ("decision", True)
        assert one["age_ms"] >= 0
    assert (book["bids"], book["asks"]) == (None, None)
    values = [0.0] * s.N_FEATURES
    values[s.MID], values[s.SPREAD] = 0.63, float("nan")
    with connection.cursor() as cursor:
        told.write(cursor, [quote(0, at_ns=time.time_ns() - 2_000_000_000)], [], [])  # type: ignore[arg-type]
        cursor.execute("UPDATE ingest_quote SET features = %s", (values,))
    try:
        book, features = (ada.get(f"/api/v1/markets/0/{name}").json() for name in ("book", "features"))
        for one in (book, features):
            assert (one["source"], one["decision"], one["in_seq"]) == ("quote", None, 100)
            assert 2_000 <= one["age_ms"] < 60_000
        assert (book["is_valid"], book["best_bid"], book["best_ask"]) == (True, 6_200, 6_400)
        assert book["bids"][0] == {"price": 6_200, "size": 3_000_000_000}
        assert len(book["asks"]) == 2
        assert (features["values"]["mid"], features["values"]["spread"]) == (0.63, None)
        with connection.cursor() as cursor:
            cursor.execute("UPDATE ingest_quote SET features = '{}', state = 1, bid = NULL")
        assert set(ada.get("/api/v1/markets/0/features").json()["values"].values()) == {None}
        book = ada.get("/api/v1/markets/0/book").json()
        assert (book["is_valid"], book["best_bid"]) == (False, None)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM ingest_quote")


def test_what_ran_in_steps_and_never_answered_is_refused_and_a_kill_is_done_again(log: Written) -> None:
    def request(key: str) -> Any:
        return RequestFactory().post("/x", b"{}", "application/json", headers={"Idempotency-Key": key})

    def fails() -> tuple[int, str]:
        raise RuntimeError("its process ended")

    def refuses() -> tuple[int, str]:
        raise Refused(409, "GOV_RELEASE_PRECONDITION", "no")  # type: ignore[arg-type]

    done: list[int] = []

    def works() -> tuple[int, str]:
        assert not connection.in_atomic_block, "what it commits is committed"
        done.append(1)
        return 200, "{}"

    for how, again in ((Runs.STEPS, 0), (Runs.HARMLESS, 1)):
        done.clear()
        with pytest.raises(RuntimeError):
            idempotency.once(request(how.value), "ada", fails, how)
        if again:
            assert idempotency.once(request(how.value), "ada", works, how).status == 200
        else:
            with pytest.raises(Refused, match="nobody knows"):
                idempotency.once(request(how.value), "ada", works, how)
        assert len(done) == again
        with pytest.raises(Refused):
            idempotency.once(request(f"{how.value}-refused"), "ada", refuses, how)
        assert idempotency.once(request(f"{how.value}-refused"), "ada", works, how).is_again is False
        assert idempotency.once(request(f"{how.value}-refused"), "ada", works, how).is_again is True
