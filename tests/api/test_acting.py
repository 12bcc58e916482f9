"""What changes something: done once for each key, recorded with its audit row, and refused without a trace."""

import json
import threading
from typing import Any

import pytest
from django.db import connection, connections
from django.test import Client

from apps.eventlog.models import Command
from polytraders import fence
from polytraders.access.models import AuditRow
from polytraders.access.permissions import Role
from polytraders.api import endpoint, idempotency
from polytraders.api.models import AnswerRecord
from polytraders.contracts.control import Killed
from polytraders.contracts.inputs import Scope
from tests.api.conftest import Keyed
from tests.api.test_reading import problem
from tests.web.conftest import Says, entered
from tests.written import Written

KILL = "/api/v1/controls/kill"


@pytest.fixture(autouse=True)
def nothing_waits(log: Written) -> None:
    """No command of another test."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM inbox")


def waiting() -> list[tuple[str, str, dict[str, Any]]]:
    return [(row.kind, row.actor, json.loads(row.payload)) for row in Command.objects.order_by("id")]


def test_a_kill_is_fenced_recorded_asked_and_audited(log: Written, home: Any, keyed: Keyed) -> None:
    program = keyed("risk")
    answer = program.post(KILL, {"scope": "market", "name": "market-0", "reason": "a drill"})
    assert answer.status_code == 200, answer.content
    body = answer.json()
    assert body["is_fenced"] is True
    assert fence.killed(home / fence.FILE) == {Killed(Scope.MARKET, "market-0")}
    actor = f"key:{program.key.split('_')[1]}"
    assert waiting() == [("kill", actor, {"scope": "market", "name": "market-0", "reason": "a drill"})]
    row = AuditRow.objects.order_by("-id").first()
    assert row is not None
    assert (row.actor, row.act, row.target, row.reason) == (actor, "control.kill", "market market-0", "a drill")
    state = program.get(body["href"]).json()
    assert (state["state"], state["key"]) == ("waiting", body["key"])
    shown = program.get("/api/v1/controls").json()["killed"]
    assert {"scope": "market", "name": "market-0"}.items() <= shown[0].items()
    assert (shown[0]["by_fence"], shown[0]["by_record"]) == (True, True)


def test_the_same_key_and_body_get_the_same_answer_and_another_body_none(log: Written, home: Any, keyed: Keyed) -> None:
    program = keyed("risk")
    one = {"scope": "market", "name": "market-0"}
    first, second = (program.post(KILL, one, key="mine") for _ in range(2))
    assert first.status_code == second.status_code == 200
    assert first.content == second.content
    assert ("Idempotent-Replayed" in first.headers, "Idempotent-Replayed" in second.headers) == (False, True)
    assert len(waiting()) == 1
    problem(program.post(KILL, {"scope": "market", "name": "market-1"}, key="mine"), 409, "GOV_IDEMPOTENCY_CONFLICT")
    problem(program.post(f"{KILL}?x=1", one, key="mine"), 409, "GOV_IDEMPOTENCY_CONFLICT")
    assert len(waiting()) == 1
    assert keyed("risk").post(KILL, one, key="mine").status_code == 200, "another caller's key is another key"
    AnswerRecord.objects.update(expires_at="2026-01-01T00:00Z")
    assert program.post(KILL, one, key="mine").content != first.content, "it was forgotten"
    AnswerRecord.objects.update(expires_at="2026-01-01T00:00Z")
    idempotency.forget_expired()
    assert not AnswerRecord.objects.exists()


def test_twins_at_the_same_time_run_once(log: Written, home: Any, keyed: Keyed) -> None:
    program = keyed("risk")
    answers: list[Any] = []

    def send() -> None:
        answers.append(program.post(KILL, {"scope": "market", "name": "market-1"}, key="twin"))
        connections.close_all()

    threads = [threading.Thread(target=send) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert [answer.status_code for answer in answers] == [200] * 6
    assert len({answer.content for answer in answers}) == 1
    assert sum("Idempotent-Replayed" in answer.headers for answer in answers) == 5
    assert len(waiting()) == 1


def test_what_is_refused_leaves_no_trace_and_may_be_tried_again_with_its_key(
    log: Written, home: Any, keyed: Keyed
) -> None:
    program = keyed("risk")
    rows = AuditRow.objects.count()
    problem(program.post(KILL, {"scope": "market"}, key="again"), 422, "GOV_REQUEST_INVALID")
    assert (waiting(), AuditRow.objects.count(), AnswerRecord.objects.filter(key="again").count()) == ([], rows, 0)
    assert fence.killed(home / fence.FILE) == frozenset()
    assert program.post(KILL, {"scope": "market", "name": "market-0"}, key="again").status_code == 200


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 129, "\u00e9"])
def test_an_act_needs_a_key_that_can_be_kept(log: Written, home: Any, keyed: Keyed, key: str) -> None:
    problem(keyed("risk").post(KILL, {"scope": "global"}, key=key), 422, "GOV_REQUEST_INVALID")
    assert fence.killed(home / fence.FILE) == frozenset()


HOSTILE: list[bytes] = [
    b"", b"{}", b"null", b"[]", b'"kill"', b"{", b"\xff\xfe", b'{"scope": "galaxy"}', b'{"scope": 1}',
    b'{"scope": "market", "name": "a\\u0000b"}', b'{"scope": "market", "name": "\\ud800"}',
    b'{"scope": "market", "name": "' + b"x" * 500 + b'"}', b'{"scope": "global", "name": "x"}',
    b'{"scope": "market", "name": "m", "shard": -1}', b'{"scope": "market", "name": "m", "shard": 1e400}',
    b"[" * 10_000,
]  # fmt: skip


@pytest.mark.parametrize("body", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_bodies_are_refused_and_stop_nothing(log: Written, home: Any, keyed: Keyed, body: bytes) -> None:
    problem(keyed("risk").post(KILL, body), 422, "GOV_REQUEST_INVALID")
    assert fence.killed(home / fence.FILE) == frozenset()
    assert waiting() == []


def test_an_oversized_body_is_refused_before_it_is_read(log: Written, home: Any, keyed: Keyed) -> None:
    body = b'{"scope": "market", "name": "' + b"x" * endpoint.BODY_MAX + b'"}'
    problem(keyed("risk").post(KILL, body), 413, "GOV_REQUEST_TOO_LARGE")


def test_hostile_text_comes_back_as_text(log: Written, home: Any, keyed: Keyed) -> None:
    name = "<script>alert(1)</script>\u202e"
    answer = keyed("risk").post(KILL, {"scope": "market", "name": name, "reason": "=HYPERLINK()"})
    assert answer.status_code == 200
    shown = keyed("read").get("/api/v1/controls")
    assert shown.headers["Content-Type"] == "application/json"
    assert shown.headers["X-Content-Type-Options"] == "nosniff"
    assert name in [each["name"] for each in shown.json()["killed"]]


def test_too_many_questions_are_told_when_to_come_again_and_a_kill_never_is(
    log: Written, home: Any, keyed: Keyed, monkeypatch: pytest.MonkeyPatch
) -> None:
    from polytraders.access.limiting import Limit

    monkeypatch.setattr(endpoint, "ASK", Limit("few", 3, 60))
    monkeypatch.setattr(endpoint, "ACT", Limit("few", 3, 60))
    program = keyed("read", "risk")
    answers = [program.get("/api/v1/reason-codes/GOV_NOT_FOUND") for _ in range(5)]
    assert [answer.status_code for answer in answers].count(200) == 3
    problem(answers[-1], 429, "GOV_RATE_LIMITED")
    assert answers[-1].headers["Retry-After"] == "45"
    assert program.post(KILL, {"scope": "market", "name": "market-0"}).status_code == 200


def test_objects_have_a_tag_and_are_not_sent_twice(log: Written, ada: Client) -> None:
    for address in ("/api/v1/markets/0", "/api/v1/reason-codes", "/api/v1/ledger/trial-balance", "/api/v1/rollout"):
        first = ada.get(address)
        assert first.status_code == 200, first.content
        tag = first.headers["ETag"]
        again = ada.get(address, headers={"If-None-Match": f'"x", {tag}'})
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
        assert ada.get(address, headers={"If-None-Match": '"x"'}).status_code == 200


def test_nobody_reads_or_changes_what_is_another_installations_or_guessed(log: Written, says: Says) -> None:
    """Ids that can be guessed give nothing to who may not, whether they exist or not."""
    nobody = entered("nobody")
    reader = entered("reader", Role.READ_ONLY)
    for known, unknown in (
        ("/api/v1/markets/0", "/api/v1/markets/999"),
        ("/api/v1/orders/1:0:0", "/api/v1/orders/2:0:0"),
    ):
        assert nobody.get(known).content == nobody.get(unknown).content
    for path in ("/api/v1/webhooks/00000000-0000-0000-0000-000000000000", "/api/v1/webhooks"):
        problem(reader.get(path), 403, "GOV_PERMISSION_MISSING")
