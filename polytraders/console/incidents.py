"""Incidents and alerts: what is open and what can be done, one incident with its time line, and the acts on it."""

from http import HTTPStatus
from typing import Any, Final

from django.contrib import messages
from django.contrib.auth import get_user_model
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from apps.monitoring import incidents
from apps.monitoring.core.incidents import MOVES, NEEDED, POSTMORTEM, Priority, State
from apps.monitoring.incidents import Moved
from apps.monitoring.models import AlertRecord, IncidentRecord
from apps.monitoring.priorities import urgency
from polytraders.access import audit
from polytraders.access.permissions import Permission, needs
from polytraders.console.frame import show
from polytraders.console.lists import Listed
from polytraders.contracts.reasons import reason

OPEN_MOST: Final = 100
STEPS_MOST: Final = 500
WORDS_MOST: Final = 500
VERBS: Final = {
    State.ACKNOWLEDGED: "Acknowledge: it is mine",
    State.INVESTIGATING: "Investigate",
    State.MITIGATED: "Mitigated: the damage is stopped",
    State.RESOLVED: "Resolved: the cause is gone",
    State.CLOSED: "Close",
}


@require_safe
@never_cache
@needs(Permission.VIEW)
def listing(request: HttpRequest) -> HttpResponseBase:
    """What is open first, then alerts that are no incident, then what is closed."""
    now = timezone.now()
    alerts = AlertRecord.objects.filter(is_open=True, incident=None).order_by("priority", "-last_at")[:OPEN_MOST]
    closed = Listed(request, IncidentRecord.objects.filter(state=State.CLOSED))
    context = {
        "open": [(line, urgency(line.incident.code).did) for line in incidents.open_incidents(OPEN_MOST)],
        "alerts": [(alert, Priority(alert.priority), reason(alert.code)) for alert in alerts],
        "closed": [(row, Priority(row.priority), reason(row.code)) for row in closed.rows],
        "listed": closed,
        "now": now,
    }
    return show(request, "console/incidents.html", "incidents", context)


@require_safe
@never_cache
@needs(Permission.VIEW)
def incident(request: HttpRequest, incident_id: int) -> HttpResponseBase:
    """One incident: where it is, what to do, its time line, its lesson."""
    row = _found(incident_id)
    state = State(row.state)
    context = {
        "line": incidents.line(row, timezone.now()),
        "did": urgency(row.code).did,
        "steps": list(row.steps.order_by("-id")[:STEPS_MOST]),
        "alerts": list(row.alerts.order_by("-id")[:20]),
        "deliveries": list(row.deliveries.select_related("route").order_by("-id")[:50]),
        "moves": [(wanted.value, VERBS[wanted]) for wanted in MOVES[state]],
        "parts": [(name, asks, name in NEEDED, row.postmortem.get(name, "")) for name, asks in POSTMORTEM.items()],
        "is_urgent": row.priority <= Priority.P1,
        "is_closed": state is State.CLOSED,
        "states": [(each.value, each is state) for each in State],
    }
    return show(request, "console/incident.html", "incidents", context)


@require_POST
@needs(Permission.INCIDENT)
def move(request: HttpRequest, incident_id: int) -> HttpResponseBase:
    """Move an incident on."""
    try:
        wanted = State(request.POST.get("state", ""))
    except ValueError:
        return _said(request, incident_id, "There is no such state.", is_bad=True)
    words = request.POST.get("words", "")[:WORDS_MOST]
    _found(incident_id)
    with transaction.atomic():
        done = incidents.move(incident_id, wanted, request.user.get_username(), words)
        _audited(request, "incident.move", done, words)
    if done.code:
        return _said(request, incident_id, f"{done.code}: missing: {', '.join(done.missing)}.", is_bad=True)
    return _said(request, incident_id, f"It is {done.incident.state}.")


@require_POST
@needs(Permission.INCIDENT)
def assign(request: HttpRequest, incident_id: int) -> HttpResponseBase:
    """Give an incident to somebody who can log in."""
    to = request.POST.get("to", "")
    if to and not get_user_model().objects.filter(username=to, is_active=True).exists():
        return _said(request, incident_id, "Nobody who can log in is called so.", is_bad=True)
    _found(incident_id)
    with transaction.atomic():
        done = incidents.assign(incident_id, to, request.user.get_username())
        _audited(request, "incident.assign", done)
    return _said(request, incident_id, f"It is with {to or 'nobody'}.")


@require_POST
@needs(Permission.INCIDENT)
def note(request: HttpRequest, incident_id: int) -> HttpResponseBase:
    """Say something on the time line."""
    words = request.POST.get("words", "").strip()[:WORDS_MOST]
    if not words:
        return _said(request, incident_id, "Nothing was said.", is_bad=True)
    _found(incident_id)
    with transaction.atomic():
        row = incidents.note(incident_id, words, request.user.get_username())
        audit.write(request.user.get_username(), "incident.note", str(row), reason=words, request=request)
    return _said(request, incident_id, "It stands on the time line.")


@require_POST
@needs(Permission.INCIDENT)
def postmortem(request: HttpRequest, incident_id: int) -> HttpResponseBase:
    """Keep the post-mortem as far as it is written."""
    parts = {name: request.POST.get(name, "") for name in POSTMORTEM}
    _found(incident_id)
    with transaction.atomic():
        done = incidents.learn(incident_id, parts, request.user.get_username())
        _audited(request, "incident.postmortem", done)
    if done.code:
        return _said(request, incident_id, f"{done.code}: {', '.join(done.missing)}.", is_bad=True)
    return _said(request, incident_id, "The post-mortem is kept.")


@require_POST
@needs(Permission.INCIDENT)
def open_for(request: HttpRequest, alert_id: int) -> HttpResponseBase:
    """Make an alert an incident."""
    try:
        with transaction.atomic():
            row = incidents.opened_for(alert_id, request.user.get_username())
            audit.write(request.user.get_username(), "incident.open", str(row), request=request)
    except AlertRecord.DoesNotExist as error:
        raise Http404("no such alert") from error
    return redirect("incident", row.id)


def _found(incident_id: int) -> IncidentRecord:
    row = IncidentRecord.objects.filter(id=incident_id).first() if incident_id < 2**63 else None
    if row is None:
        raise Http404("no such incident")
    return row


def _audited(request: HttpRequest, act: str, done: Moved, words: str = "") -> None:
    after: dict[str, Any] = incidents.told(done.incident)
    if not done.code and after != done.before:
        actor = request.user.get_username()
        audit.write(actor, act, str(done.incident), reason=words, before=done.before, after=after, request=request)


def _said(request: HttpRequest, incident_id: int, words: str, *, is_bad: bool = False) -> HttpResponseBase:
    messages.add_message(request, messages.ERROR if is_bad else messages.SUCCESS, words)
    answer: HttpResponseRedirect = redirect("incident", incident_id)
    answer.status_code = HTTPStatus.SEE_OTHER
    return answer
