"""Who did what: the audit's rows, each chained to the one before it."""

import json
from typing import Any

from django.http import HttpRequest
from ninja import Field, Schema

from polytraders.access.models import AuditRow
from polytraders.access.permissions import Permission
from polytraders.api.endpoint import Resource
from polytraders.api.places import Cursor, Limit, Page, listed, one

audit = Resource("audit")


class Act(Schema):
    """One act."""

    id: int
    at: str
    actor: str = Field(description="User name, key:<prefix>, or what acts by itself.")
    act: str = Field(examples=["control.kill"])
    target: str
    reason: str
    before: dict[str, Any]
    after: dict[str, Any]
    hash: str
    prev_hash: str


@audit.get("/audit", Permission.AUDIT, Page[Act])
def list_audit(request: HttpRequest, cursor: Cursor, limit: Limit) -> dict[str, Any]:
    """Acts, newest first."""
    return listed(AuditRow.objects.all(), limit, cursor, _act)


@audit.get("/audit/{act_id}", Permission.AUDIT, Act, tagged=True)
def get_act(request: HttpRequest, act_id: str) -> dict[str, Any]:
    """One act; it never changes."""
    row = one(AuditRow.objects.all(), act_id, "act")
    return _act(row)


def _act(row: AuditRow) -> dict[str, Any]:
    same = ("actor", "act", "target", "reason")
    return {name: getattr(row, name) for name in same} | {
        "id": row.pk,
        "at": row.at.isoformat(),
        "before": _fields(row.before),
        "after": _fields(row.after),
        "hash": bytes(row.hash).hex(),
        "prev_hash": bytes(row.prev_hash).hex(),
    }


def _fields(told: Any) -> dict[str, Any]:
    found = json.loads(told) if isinstance(told, str) else told
    return found if isinstance(found, dict) else {}
