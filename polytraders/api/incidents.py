"""Incidents and alerts: what is wrong, how urgent it is, what has been done about it, and the next step."""

from http import HTTPStatus
from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import Field, Query, Schema

from apps.monitoring import incidents as kept
from apps.monitoring.core.incidents import MOVES, Priority, State
from apps.monitoring.models import AlertRecord, IncidentRecord
from apps.monitoring.priorities import urgency
from polytraders.access import audit
from polytraders.access.permissions import Permission
from polytraders.api.endpoint import Resource, caller_of, invalid
from polytraders.api.places import Body, Cursor, Limit, Page, listed, one
from polytraders.console.incidents import STEPS_MOST, WORDS_MOST
from polytraders.console.problems import Refused

incidents = Resource("incidents")
StateName = Literal["open", "acknowledged", "investigating", "mitigated", "resolved", "closed"]
PriorityName = Literal["P0", "P1", "P2", "P3"]
StateWanted = Annotated[StateName | None, Query(None, description="Only those in this state.")]
OpenWanted = Annotated[bool | None, Query(None, description="Only those that last, or only those that are over.")]


class IncidentItem(Schema):
    """Something that is wrong and that somebody must answer."""

    id: int
    reason_code: str
    scope: str = Field(description="What it is about; empty = all of it.")
    priority: PriorityName
    state: StateName
    words: str
    assignee: str
    opened_at: str
    acknowledge_by: str
    resolve_by: str
    acknowledged_at: str | None
    resolved_at: str | None
    closed_at: str | None


class StepItem(Schema):
    """One line of the time line."""

    at: str
    kind: str
    actor: str = Field(description="Empty = the system.")
    words: str


class IncidentDetail(IncidentItem):
    """An incident with its time line."""

    did: str = Field(description="What the system did by itself.")
    moves: list[StateName] = Field(description="Where it may go from here.")
    postmortem: dict[str, str]
    steps: list[StepItem] = Field(description="Oldest first; the newest 500.")


class MoveBody(Body):
    """Where to."""

    state: StateName
    words: str = Field("", max_length=WORDS_MOST)


class AlertItem(Schema):
    """Something that somebody should know: one for as long as it lasts."""

    id: int
    reason_code: str
    scope: str
    source: str = Field(examples=["health"])
    priority: PriorityName
    is_open: bool
    words: str
    count: int = Field(description="How often it was seen.")
    first_at: str
    last_at: str
    over_at: str | None
    incident: int | None


@incidents.get("/incidents", Permission.VIEW, Page[IncidentItem])
def list_incidents(
    request: HttpRequest,
    cursor: Cursor,
    limit: Limit,
    state: StateWanted,
) -> dict[str, Any]:
    """Incidents, newest first."""
    rows = IncidentRecord.objects.filter(**({} if state is None else {"state": state}))
    return listed(rows, limit, cursor, _item)


@incidents.get("/incidents/{incident_id}", Permission.VIEW, IncidentDetail, tagged=True)
def get_incident(request: HttpRequest, incident_id: str) -> dict[str, Any]:
    """One incident with its time line, and what the system did."""
    return _detail(_found(incident_id))


@incidents.act(
    "/incidents/{incident_id}/move", Permission.INCIDENT, IncidentDetail,
    example={"state": "acknowledged", "words": "I am looking"},
)  # fmt: skip
def move_incident(request: HttpRequest, incident_id: str, body: MoveBody) -> dict[str, Any]:
    """Move an incident on: acknowledge, investigate, mitigate, resolve, close.

    Where it may go is in `moves`; an urgent one closes only with its post-mortem, which is written on its page.
    """
    if "\0" in body.words:
        raise invalid("a text has no NUL")
    row, who = _found(incident_id), caller_of(request)
    # On the time line and as who it is with stands the person; the audit has the key.
    done = kept.move(row.id, State(body.state), who.user.get_username(), body.words)
    if done.code:
        raise Refused(HTTPStatus.CONFLICT, done.code, f"missing: {', '.join(done.missing)}")
    after = kept.told(done.incident)
    if after != done.before:
        audit.write(
            who.name, "incident.move", str(done.incident), reason=body.words, before=done.before, after=after,
            request=request,
        )  # fmt: skip
    return _detail(done.incident)


@incidents.get("/alerts", Permission.VIEW, Page[AlertItem])
def list_alerts(
    request: HttpRequest,
    cursor: Cursor,
    limit: Limit,
    is_open: OpenWanted,
) -> dict[str, Any]:
    """Alerts, newest first."""
    rows = AlertRecord.objects.filter(**({} if is_open is None else {"is_open": is_open}))
    return listed(rows, limit, cursor, _alert)


def _found(told: str) -> IncidentRecord:
    return one(IncidentRecord.objects.all(), told, "incident")


def _item(row: IncidentRecord) -> dict[str, Any]:
    times = ("opened_at", "acknowledge_by", "resolve_by", "acknowledged_at", "resolved_at", "closed_at")
    same = ("id", "scope", "state", "words", "assignee")
    return {name: getattr(row, name) for name in same} | _times(row, times) | {
        "reason_code": row.code,
        "priority": Priority(row.priority).name,
    }  # fmt: skip


def _detail(row: IncidentRecord) -> dict[str, Any]:
    steps = list(row.steps.order_by("-id")[:STEPS_MOST])[::-1]
    return _item(row) | {
        "did": urgency(row.code).did,
        "moves": [wanted.value for wanted in MOVES[State(row.state)]],
        "postmortem": dict(row.postmortem),
        "steps": [
            {"at": step.at.isoformat(), "kind": step.kind, "actor": step.actor, "words": step.words} for step in steps
        ],
    }


def _alert(row: AlertRecord) -> dict[str, Any]:
    same = ("id", "scope", "source", "is_open", "words", "count")
    return {name: getattr(row, name) for name in same} | _times(row, ("first_at", "last_at", "over_at")) | {
        "reason_code": row.code,
        "priority": Priority(row.priority).name,
        "incident": row.incident_id,
    }  # fmt: skip


def _times(row: Any, names: tuple[str, ...]) -> dict[str, str | None]:
    found = ((name, getattr(row, name)) for name in names)
    return {name: None if at is None else at.isoformat() for name, at in found}
