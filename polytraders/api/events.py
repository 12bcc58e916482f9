"""What has been controlled, from the log: the newest first; the stream goes the other way."""

from typing import Any

from django.http import HttpRequest
from ninja import Field, Schema

from polytraders.access.permissions import Permission
from polytraders.api import told
from polytraders.api.endpoint import Resource
from polytraders.api.places import Cursor, Limit, Page, Shard, number, raw

events = Resource("events")


class Event(Schema):
    """An envelope, as on the stream and in webhooks."""

    seq: str = Field(description="Place in the log.", examples=["1024:3"])
    ts: int
    at: str
    kind: str = Field(examples=["control.kill"])
    schema_: int = Field(alias="schema")
    correlation_id: str
    causation_id: str
    payload: dict[str, Any]
    hash: str
    prev_hash: str | None


@events.get("/events", Permission.VIEW, Page[Event])
def list_events(request: HttpRequest, cursor: Cursor, limit: Limit, shard: Shard) -> dict[str, Any]:
    """Inputs that are not market data, newest first: facts, limits, kills, settlements, commands."""
    before = 1 << 62 if cursor is None else number(cursor)
    found = told.newest(raw(), shard, before, limit + 1)
    shown = found[:limit]
    items = [one.told()[0] for one in shown]
    return {"items": items, "next": str(shown[-1].place.in_seq) if len(found) > limit else None}
