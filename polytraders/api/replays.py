"""Replays of the stored log: their reports."""

from typing import Any

from django.http import HttpRequest
from ninja import Field, Schema

from apps.replay.models import ReplayRecord
from polytraders.access.permissions import Permission
from polytraders.api.endpoint import Resource, missing
from polytraders.api.places import Cursor, Limit, Page, Shard, number, page, row_number

replays = Resource("replays")


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


@replays.get("/replays", Permission.VIEW, Page[ReplayItem])
def list_replays(request: HttpRequest, cursor: Cursor, limit: Limit, shard: Shard) -> dict[str, Any]:
    """Reports of replays, newest first."""
    before = None if cursor is None else number(cursor)
    found, more = page(ReplayRecord.objects.defer("report").filter(shard=shard), limit, before=before)
    return {"items": [_item(row) for row in found], "next": str(found[-1].pk) if more else None}


@replays.get("/replays/{replay_id}", Permission.VIEW, ReplayDetail, tagged=True)
def get_replay(request: HttpRequest, replay_id: str) -> dict[str, Any]:
    """One replay with its whole report."""
    row = ReplayRecord.objects.filter(id=row_number(replay_id, "replay")).first()
    if row is None:
        raise missing("no such replay")
    return _item(row) | {
        name: getattr(row, name) for name in ("input_head", "output_head", "chain_head", "build", "report")
    }


def _item(row: ReplayRecord) -> dict[str, Any]:
    same = ("shard", "from_seq", "to_seq", "parity", "drift", "first_difference", "seconds", "events_per_second")
    return {name: getattr(row, name) for name in same} | {
        "id": row.pk,
        "made_at": row.made_at.isoformat(),
        "reason_code": row.verdict_code,
    }
