"""Whoever starts a job or ends one is on record, in the same transaction."""

import json
from collections.abc import Iterator

import pytest
from django.test import Client

from apps.replay.models import JobRecord
from apps.risk.models import DecisionRecord
from polytraders.access import audit
from polytraders.access.models import AuditRow, ChainCheck
from polytraders.console.trail import FAMILIES
from tests.web.conftest import Says
from tests.written import Written


@pytest.fixture(autouse=True)
def forgotten(log: Written, says: Says) -> Iterator[None]:
    """Jobs are gone after a test."""
    says()
    yield
    JobRecord.objects.all().delete()
    ChainCheck.objects.all().delete()


def acts(since: int) -> list[tuple[str, str]]:
    return list(AuditRow.objects.filter(id__gt=since, actor="ada").order_by("id").values_list("act", "target"))


def last() -> int:
    return AuditRow.objects.order_by("-id").values_list("id", flat=True).first() or 0


def address(told: str) -> str:
    """With a decision and a job that are there."""
    row = DecisionRecord.objects.order_by("-id")[0]
    job = JobRecord.objects.order_by("-id").values_list("id", flat=True).first()
    return told.format(decision=row.decision_id, job=job)


ACTS = [
    ("/decisions/{decision}/ask", {"kind": "book"}, "job.start"),
    ("/decisions/{decision}/ask", {"kind": "again"}, "job.start"),
    ("/replays/run", {"what": "state", "seq": "7"}, "job.start"),
    ("/replays/run", {"what": "replay", "seq": "1,000"}, "job.start"),
    ("/system/prove", {}, "record.prove"),
    ("/ledger/prove", {}, "ledger.prove"),
    ("/access/audit/check", {}, "audit.check"),
]


@pytest.mark.parametrize(("where", "told", "act"), ACTS, ids=[f"{one[0]} {one[1]}" for one in ACTS])
def test_who_starts_a_job_is_on_record(ada: Client, where: str, told: dict[str, str], act: str) -> None:
    before = last()
    assert ada.post(address(where), told).status_code == 302
    ((found, target),) = acts(before)
    assert found == act
    assert found.partition(".")[0] in FAMILIES, "it can be asked for on the page of the audit"
    if act == "job.start":
        job = JobRecord.objects.get()
        assert target == f"job {job.id}"
        row = AuditRow.objects.latest("id")
        assert json.loads(row.after) == {"kind": job.kind, "arguments": job.arguments}


def test_who_ends_a_job_is_on_record_once(ada: Client) -> None:
    ada.post("/replays/run", {"what": "state", "seq": "7"})
    job, before = JobRecord.objects.get().id, last()
    for _ in range(2):
        ada.post(f"/jobs/{job}/cancel")
    ada.post("/jobs/99999999999999999999/cancel")
    assert acts(before) == [("job.cancel", f"job {job}")], "what was over already is no act"


def test_an_answer_that_is_there_already_starts_nothing(ada: Client) -> None:
    ada.post("/replays/run", {"what": "state", "seq": "7"})
    before = last()
    ada.post("/replays/run", {"what": "state", "seq": "7"})
    assert acts(before) == []


def test_without_its_row_no_job_is_started_or_ended(ada: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    ada.post("/replays/run", {"what": "state", "seq": "7"})
    monkeypatch.setattr(audit, "OBJECT_MAX", 1)
    for where, told in [(one[0], one[1]) for one in ACTS] + [("/jobs/{job}/cancel", {})]:
        if told != {"what": "state", "seq": "7"}:
            with pytest.raises(ValueError, match="an audit row keeps"):
                ada.post(address(where), told)
    (job,) = JobRecord.objects.all()
    assert (job.state, job.is_cancelled) == ("queued", False)
    assert not ChainCheck.objects.exists()
