"""Replays of the stored log: their reports, and the jobs that make them."""

from http import HTTPStatus
from typing import Any, Final, Literal

from django.http import HttpRequest
from ninja import Field, Schema

from apps.replay import jobs
from apps.replay.models import JobRecord, ReplayRecord
from polytraders.access.permissions import Permission
from polytraders.api.endpoint import Resource
from polytraders.api.places import Body, Cursor, Limit, Page, Shard, listed, one
from polytraders.console.problems import Refused
from polytraders.contracts.stretch import SEQ_BITS

replays = Resource("replays")
SEQ_MOST: Final = (1 << SEQ_BITS) - 1


class ReplayItem(Schema):
    """What one replay found."""

    id: int
    shard: int
    made_at: str
    reason_code: str = Field(examples=["GOV_REPLAY_MATCH"])
    from_seq: int | None
    to_seq: int | None
    parity: float | None
    drift: float | None
    first_difference: str
    seconds: float
    events_per_second: float | None


class ReplayDetail(ReplayItem):
    """A replay with its heads and its whole report."""

    input_head: str
    output_head: str
    chain_head: str
    build: str
    report: dict[str, Any] | None


class ReplayBody(Body):
    """How far to go."""

    until: int | None = Field(None, ge=1, le=SEQ_MOST, description="Last input; null = all of the log.")


class JobItem(Schema):
    """Work that somebody asked for, and what came of it."""

    id: int
    kind: str = Field(examples=["replay"])
    arguments: dict[str, Any]
    asked_by: str
    state: Literal["queued", "running", "done", "failed"]
    part: float = Field(description="How far it is, 0 to 1.")
    words: str
    reason_code: str = Field(description="Why there is no result; empty otherwise.")
    result: dict[str, Any] | None
    asked_at: str
    began_at: str | None
    ended_at: str | None


@replays.get("/replays", Permission.VIEW, Page[ReplayItem])
def list_replays(request: HttpRequest, cursor: Cursor, limit: Limit, shard: Shard) -> dict[str, Any]:
    """Reports of replays, newest first."""
    return listed(ReplayRecord.objects.defer("report").filter(shard=shard), limit, cursor, _item)


@replays.get("/replays/{replay_id}", Permission.VIEW, ReplayDetail, tagged=True)
def get_replay(request: HttpRequest, replay_id: str) -> dict[str, Any]:
    """One replay with its whole report."""
    row = one(ReplayRecord.objects.all(), replay_id, "replay")
    return _item(row) | {
        name: getattr(row, name) for name in ("input_head", "output_head", "chain_head", "build", "report")
    }


@replays.act("/replays", Permission.RUN, JobItem, status=HTTPStatus.ACCEPTED, example={"until": None})
def start_replay(request: HttpRequest, body: ReplayBody) -> dict[str, Any]:
    """Replay the stored log in a job, which changes nothing that was recorded; ask `/jobs/{id}` how far it is.

    One that asks the same and has not ended is the same job. 409 when as many wait as may.
    """
    try:
        job_id = jobs.start("replay", {"until": body.until}, request.user.get_username(), fresh=True)
    except jobs.Busy as error:
        raise Refused(HTTPStatus.CONFLICT, error.code, str(error)) from error
    return _job(JobRecord.objects.get(id=job_id))


@replays.get("/jobs/{job_id}", Permission.VIEW, JobItem, tagged=True)
def get_job(request: HttpRequest, job_id: str) -> dict[str, Any]:
    """How far a job is, and its result."""
    row = one(JobRecord.objects.all(), job_id, "job")
    return _job(row)


def _job(row: JobRecord) -> dict[str, Any]:
    same = ("id", "kind", "arguments", "asked_by", "state", "part", "words", "result")
    times = {name: getattr(row, name) for name in ("asked_at", "began_at", "ended_at")}
    told = {name: None if at is None else at.isoformat() for name, at in times.items()}
    return {name: getattr(row, name) for name in same} | told | {"reason_code": row.code}


def _item(row: ReplayRecord) -> dict[str, Any]:
    same = ("shard", "from_seq", "to_seq", "parity", "drift", "first_difference", "seconds", "events_per_second")
    return {name: getattr(row, name) for name in same} | {
        "id": row.pk,
        "made_at": row.made_at.isoformat(),
        "reason_code": row.verdict_code,
    }
