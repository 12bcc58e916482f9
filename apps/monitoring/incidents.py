"""What people do with incidents, and what pages ask about them. Who may do it is asked before."""

import datetime as dt
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from django.db import DatabaseError, connection, transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.expressions import RawSQL
from django.utils import timezone

from apps.monitoring import alerting
from apps.monitoring.core import incidents as core
from apps.monitoring.core.incidents import POSTMORTEM, Priority, State
from apps.monitoring.models import AlertRecord, IncidentRecord, LoopRecord
from polytraders.contracts.reason import Reason
from polytraders.contracts.reasons import reason
from polytraders.logs import without_secrets

WATCHED_S: Final = 120.0
"""The look at the system is taken every half minute; older than this, nobody looks."""
TEXT_MOST: Final = 20_000
URGENT: Final = (
    "(SELECT count(*) FROM monitoring_incident WHERE state <> 'closed' AND state <> 'resolved' AND priority = %s)"
)
LOOKED_AT: Final = "(SELECT at FROM monitoring_pulse WHERE name = 'health')"
WATCH: Final = f"SELECT {URGENT}, {URGENT}, {LOOKED_AT}"
SCOPES: Final = f"""
SELECT {LOOKED_AT}, ARRAY(
    SELECT scope FROM monitoring_incident WHERE state <> 'closed' AND state <> 'resolved' AND priority <= %s)"""  # noqa: S608
"""Constants only."""
NARROW: Final = frozenset({"strategy", "cluster", "market"})
"""Kinds of scopes that are less than everything."""


class Moved(NamedTuple):
    """Answer to a wish: the incident as it is now, what it was before, and what is missing ("" code = it is done)."""

    incident: IncidentRecord
    before: dict[str, Any]
    code: str
    missing: tuple[str, ...]


class Line(NamedTuple):
    """An open incident as a list shows it; `left_s` until somebody must have answered, or until it must be over.

    `is_seen`: its cause was still there at the last look; told by `open_incidents` only.
    """

    incident: IncidentRecord
    priority: Priority
    reason: Reason
    age_ns: int
    left_s: int
    awaits: str
    is_seen: bool = False

    @property
    def left_ns(self) -> int:
        """Time left, or time since it ran out."""
        return abs(self.left_s) * 1_000_000_000


class Watch(NamedTuple):
    """For the strip: urgent incidents that are open, and whether anybody looks at the system at all."""

    p0: int
    p1: int
    is_watched: bool

    @property
    def urgent(self) -> int:
        """Both together."""
        return self.p0 + self.p1


def line(incident: IncidentRecord, now: dt.datetime) -> Line:
    """An incident with its times."""
    waits = incident.state == State.OPEN
    until = incident.acknowledge_by if waits else incident.resolve_by
    age = now - incident.opened_at
    return Line(
        incident,
        Priority(incident.priority),
        reason(incident.code),
        max(0, int(age.total_seconds() * 1e9)),
        int((until - now).total_seconds()),
        "an answer" if waits else "an end",
    )


def open_incidents(limit: int = 10, *, now: alerting.Now = timezone.now) -> list[Line]:
    """What is not closed, the most urgent and oldest first. One query; for `console/_incidents.html`."""
    seen = Exists(AlertRecord.objects.filter(incident=OuterRef("id"), is_open=True))
    rows = IncidentRecord.objects.exclude(state=State.CLOSED).annotate(is_seen=seen)
    at = now()
    found = rows.order_by("priority", "opened_at", "id")[:limit]
    return [line(row, at)._replace(is_seen=row.is_seen) for row in found]


def with_watch(loops: QuerySet[LoopRecord]) -> QuerySet[LoopRecord]:
    """The loop's row with what `watch` asks, so that every page has it without a question more."""
    p0, p1, looked_at = (RawSQL(*told) for told in ((URGENT, (0,)), (URGENT, (1,)), (LOOKED_AT, ())))  # noqa: S611  constants
    return loops.annotate(urgent_p0=p0, urgent_p1=p1, looked_at=looked_at)


def watch_of(loop: LoopRecord | None, *, now: alerting.Now = timezone.now) -> Watch:
    """What a row of `with_watch` says; asked for itself where there is no row."""
    if loop is None:
        return watch(now=now)
    told: Any = loop
    return Watch(told.urgent_p0, told.urgent_p1, _is_recent(told.looked_at, now()))


def _is_recent(looked_at: dt.datetime | None, now: dt.datetime) -> bool:
    return looked_at is not None and now - looked_at < dt.timedelta(seconds=WATCHED_S)


def watch(*, now: alerting.Now = timezone.now) -> Watch:
    """For the strip on top of every page, in one query."""
    with connection.cursor() as cursor:
        cursor.execute(WATCH, (0, 1))
        p0, p1, looked_at = cursor.fetchone()
    return Watch(p0, p1, _is_recent(looked_at, now()))


def urgent_scopes(*, now: alerting.Now = timezone.now) -> tuple[str, ...] | None:
    """Scopes of the open P0 and P1 incidents, one each; None = nobody knows. One query.

    Nobody knows when they cannot be read, and when nobody has looked at the system lately: then what broke since has no
    incident.
    """
    try:
        with connection.cursor() as cursor:
            cursor.execute(SCOPES, (int(Priority.P1),))
            looked_at, scopes = cursor.fetchone()
    except DatabaseError:
        return None
    return tuple(scopes) if _is_recent(looked_at, now()) else None


def concerns(scope: str, strategy: str, index: int) -> bool:
    """Whether an incident of this scope is one of the strategy: its own, or one that is of no narrower scope."""
    kind, _, which = scope.partition(" ")
    return kind not in NARROW or (kind == "strategy" and which in (strategy, str(index)))


def move(
    incident_id: int,
    wanted: State,
    actor: str,
    words: str = "",
    *,
    postmortem: Mapping[str, str] | None = None,
    now: alerting.Now = timezone.now,
) -> Moved:
    """Move an incident on, or say what is missing; nothing is changed then.

    Args:
        incident_id: Of one that exists.
        wanted: Where to.
        actor: Who.
        words: Said with it; stands on the time line.
        postmortem: Parts to be kept with it (`POSTMORTEM`); None leaves what there is.
        now: The clock.

    Raises:
        IncidentRecord.DoesNotExist: There is no such incident.
    """
    at = now()
    with transaction.atomic():
        row = IncidentRecord.objects.select_for_update().get(id=incident_id)
        before = told(row)
        parts = row.postmortem if postmortem is None else kept(postmortem)
        found = core.move(State(row.state), wanted, Priority(row.priority), parts)
        if found.code or found.state == row.state:
            return Moved(row, before, found.code, found.missing)
        row.state, row.postmortem = found.state.value, parts
        if wanted is State.ACKNOWLEDGED:
            row.acknowledged_at, row.assignee = at, row.assignee or actor
        row.resolved_at = (row.resolved_at or at) if wanted in (State.RESOLVED, State.CLOSED) else None
        row.closed_at = at if wanted is State.CLOSED else None
        row.save()
        alerting.step(row.id, wanted.value, at, alerting.one_line(words), actor)
        if wanted is State.CLOSED:
            # Whoever sees it again opens another incident.
            AlertRecord.objects.filter(incident=row, is_open=True).update(is_open=False, over_at=at)
    return Moved(row, before, "", ())


def assign(incident_id: int, to: str, actor: str, *, now: alerting.Now = timezone.now) -> Moved:
    """Give an incident to somebody ("" = to nobody)."""
    with transaction.atomic():
        row = IncidentRecord.objects.select_for_update().get(id=incident_id)
        before = told(row)
        if row.assignee != to:
            row.assignee = to
            row.save(update_fields=["assignee"])
            alerting.step(row.id, "assigned", now(), to or "nobody", actor)
    return Moved(row, before, "", ())


def note(incident_id: int, words: str, actor: str, *, now: alerting.Now = timezone.now) -> IncidentRecord:
    """Something that somebody says, on the time line."""
    row = IncidentRecord.objects.get(id=incident_id)
    alerting.step(row.id, "note", now(), alerting.one_line(words), actor)
    return row


def learn(incident_id: int, postmortem: Mapping[str, str], actor: str, *, now: alerting.Now = timezone.now) -> Moved:
    """Keep a post-mortem as far as it is written; it may be written until the incident is closed."""
    with transaction.atomic():
        row = IncidentRecord.objects.select_for_update().get(id=incident_id)
        before = told(row)
        if row.state == State.CLOSED:
            return Moved(row, before, core.REFUSED, ("it is closed, and so is its post-mortem",))
        row.postmortem = kept(postmortem)
        row.save(update_fields=["postmortem"])
        alerting.step(row.id, "post-mortem", now(), "kept", actor)
    return Moved(row, before, "", ())


def opened_for(alert_id: int, actor: str, *, now: alerting.Now = timezone.now) -> IncidentRecord:
    """Make an alert an incident although it is not urgent enough to open one by itself.

    Raises:
        AlertRecord.DoesNotExist: There is no such alert.
    """
    at = now()
    with transaction.atomic():
        alert = AlertRecord.objects.select_for_update().get(id=alert_id)
        if alert.incident_id is not None:
            return IncidentRecord.objects.get(id=alert.incident_id)
        made = alerting.join(alert, at)
        alerting.step(made.id, "note", at, "opened by a person", actor)
    return made


def kept(postmortem: Mapping[str, str]) -> dict[str, str]:
    """Its known parts that say something; secrets that are known are not kept."""
    said = {name: without_secrets(postmortem.get(name, "").replace("\x00", "").strip()) for name in POSTMORTEM}
    return {name: text[:TEXT_MOST] for name, text in said.items() if text}


def told(row: IncidentRecord) -> dict[str, Any]:
    """What an audit keeps of an incident."""
    return {"state": row.state, "assignee": row.assignee, "postmortem": dict(row.postmortem)}
