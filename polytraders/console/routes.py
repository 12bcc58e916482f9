"""Who is told: routes, rules, and what was sent. Addresses and secrets stand in the settings and are never shown."""

import datetime as dt
from http import HTTPStatus
from typing import Any, Final

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.validators import RegexValidator, validate_email
from django.db import IntegrityError, transaction
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from apps.monitoring import delivering
from apps.monitoring.clients import CLIENTS
from apps.monitoring.core.incidents import LEVELS, Priority
from apps.monitoring.models import DeliveryRecord, RouteRecord, RuleRecord
from polytraders.access import audit
from polytraders.access.permissions import Permission, needs
from polytraders.console.frame import show
from polytraders.console.lists import Listed
from polytraders.contracts.reasons import REASONS

PRIORITIES: Final = [(int(each), each.name) for each in Priority]
LEVEL_WORDS: Final = [
    (0, "at once"),
    *((level, f"unanswered {level} time{'s' if level > 1 else ''}") for level in range(1, LEVELS + 1)),
]
CHAT: Final = RegexValidator(r"^(-?[0-9]{1,20}|@[A-Za-z0-9_]{5,32})$", "A chat is a number, or a channel's @name.")
PLAIN: Final = RegexValidator(r"^[\w .:-]{1,60}$", "Letters, digits, spaces and . : - only.")


class RouteForm(forms.Form):
    """A new route."""

    name = forms.CharField(max_length=60, validators=[PLAIN])
    client = forms.ChoiceField(label="By", choices=[(name, name) for name in CLIENTS])
    target = forms.CharField(label="To", max_length=300)
    per_hour = forms.IntegerField(label="Most an hour", min_value=1, max_value=1_000, initial=30)

    def clean(self) -> dict[str, Any]:
        """The target is what its client takes."""
        found: dict[str, Any] = super().clean() or {}
        client, target = found.get("client"), found.get("target", "")
        named = settings.ALERTS.targets().get(client or "")
        if client == "email":
            for address in target.split(","):
                validate_email(address.strip())
        elif client == "telegram":
            CHAT(target)
        elif named is not None and target not in named:
            known = ", ".join(named) or "none"
            raise forms.ValidationError(f"The settings have no address of {client} called so; they have: {known}.")
        return found


class RuleForm(forms.Form):
    """A new rule."""

    route = forms.ModelChoiceField(RouteRecord.objects.order_by("name"))
    codes = forms.CharField(max_length=80, required=False)
    scope = forms.CharField(max_length=80, required=False, validators=[PLAIN])
    priority = forms.TypedChoiceField(label="Least urgent", choices=PRIORITIES, coerce=int, initial=int(Priority.P1))
    level = forms.TypedChoiceField(label="When", choices=LEVEL_WORDS, coerce=int, initial=0)
    quiet_from = forms.TimeField(required=False, widget=forms.TimeInput({"type": "time"}))
    quiet_to = forms.TimeField(required=False, widget=forms.TimeInput({"type": "time"}))

    def clean_codes(self) -> str:
        """The beginning of some code of the registry."""
        told: str = self.cleaned_data["codes"].strip().upper()
        if told and not any(entry.code.startswith(told) for entry in REASONS):
            raise forms.ValidationError("No reason code begins so.")
        return told

    def clean(self) -> dict[str, Any]:
        """Quiet hours have both ends or none."""
        found: dict[str, Any] = super().clean() or {}
        ends = [found.get("quiet_from"), found.get("quiet_to")]
        if ends.count(None) == 1 or (ends[0] is not None and ends[0] == ends[1]):
            raise forms.ValidationError("Quiet hours have a beginning and another end.")
        return found


@require_safe
@never_cache
@needs(Permission.VIEW)
def listing(request: HttpRequest) -> HttpResponseBase:
    """Routes with their rules, and forms for who may change them."""
    return _page(request, RouteForm(), RuleForm())


@require_POST
@needs(Permission.USER)
def add_route(request: HttpRequest) -> HttpResponseBase:
    """Make a route."""
    form = RouteForm(request.POST)
    if not form.is_valid():
        return _page(request, form, RuleForm(), HTTPStatus.BAD_REQUEST)
    try:
        with transaction.atomic():
            row = RouteRecord.objects.create(**form.cleaned_data)
            audit.write(request.user.get_username(), "route.create", row.name, after=told(row), request=request)
    except IntegrityError:
        form.add_error("name", "There is a route of this name.")
        return _page(request, form, RuleForm(), HTTPStatus.CONFLICT)
    return _done(request, f"Route {row.name} is there. It is told nothing before a rule says so.")


@require_POST
@needs(Permission.USER)
def switch_route(request: HttpRequest, route_id: int) -> HttpResponseBase:
    """Switch a route off or on; what was sent stays on record."""
    with transaction.atomic():
        row = _route(route_id)
        before = told(row)
        row.is_on = not row.is_on
        row.save(update_fields=["is_on"])
        actor = request.user.get_username()
        audit.write(actor, "route.switch", row.name, before=before, after=told(row), request=request)
    return _done(request, f"Route {row.name} is {'on' if row.is_on else 'off'}.")


@require_POST
@needs(Permission.USER)
def try_route(request: HttpRequest, route_id: int) -> HttpResponseBase:
    """Send a test message, within seconds."""
    with transaction.atomic():
        row = _route(route_id)
        actor = request.user.get_username()
        delivering.send_test(row, actor)
        audit.write(actor, "route.test", row.name, request=request)
    return _done(request, f"A test message for {row.name} is written; below stands what becomes of it.", "deliveries")


@require_POST
@needs(Permission.USER)
def add_rule(request: HttpRequest) -> HttpResponseBase:
    """Make a rule."""
    form = RuleForm(request.POST)
    if not form.is_valid():
        return _page(request, RouteForm(), form, HTTPStatus.BAD_REQUEST)
    values = form.cleaned_data | {name: _minutes(form.cleaned_data[name]) for name in ("quiet_from", "quiet_to")}
    with transaction.atomic():
        row = RuleRecord.objects.create(**values)
        audit.write(request.user.get_username(), "rule.create", f"rule {row.id}", after=rule_told(row), request=request)
    return _done(request, f"{row.route.name} is told from now on.")


@require_POST
@needs(Permission.USER)
def drop_rule(request: HttpRequest, rule_id: int) -> HttpResponseBase:
    """Take a rule away."""
    with transaction.atomic():
        row = RuleRecord.objects.select_related("route").filter(id=rule_id).first()
        if row is None:
            raise Http404("no such rule")
        before = rule_told(row)
        row.delete()
        audit.write(request.user.get_username(), "rule.delete", f"rule {rule_id}", before=before, request=request)
    return _done(request, "The rule is gone.")


@require_safe
@never_cache
@needs(Permission.VIEW)
def deliveries(request: HttpRequest) -> HttpResponseBase:
    """What was written for whom, and what became of it."""
    rows = DeliveryRecord.objects.select_related("route")
    state = request.GET.get("state", "")
    if state in ("waiting", "sent", "failed"):
        rows = rows.filter(state=state)
    listed = Listed(request, rows)
    context = {"listed": listed, "state": state, "now": timezone.now()}
    return show(request, "console/deliveries.html", "incidents", context)


def told(row: RouteRecord) -> dict[str, Any]:
    """What an audit keeps of a route."""
    return {"client": row.client, "target": row.target, "per_hour": row.per_hour, "is_on": row.is_on}


def rule_told(row: RuleRecord) -> dict[str, Any]:
    """What an audit keeps of a rule."""
    names = ("codes", "scope", "priority", "level", "quiet_from", "quiet_to")
    return {"route": row.route.name, **{name: getattr(row, name) for name in names}}


def _page(
    request: HttpRequest, route: RouteForm, rule: RuleForm, status: HTTPStatus = HTTPStatus.OK
) -> HttpResponseBase:
    routes = list(RouteRecord.objects.order_by("name").prefetch_related("rules"))
    ready = settings.ALERTS.ready()
    context = {
        "routes": [(row, ready.get(row.client, False), [_line(each) for each in row.rules.all()]) for row in routes],
        "route_form": route,
        "rule_form": rule,
        "ready": sorted(ready.items()),
        "names": [(client, ", ".join(names) or "none") for client, names in settings.ALERTS.targets().items()],
    }
    return show(request, "console/routes.html", "incidents", context, status=status)


def _line(row: RuleRecord) -> tuple[int, str]:
    who = f"codes that begin with {row.codes}" if row.codes else "every code"
    where = f", scopes that begin with {row.scope}" if row.scope else ""
    quiet = ""
    if row.quiet_from is not None and row.quiet_to is not None:
        quiet = f"; quiet from {_clock(row.quiet_from)} to {_clock(row.quiet_to)} UTC, but not for P0 and P1"
    urgent = f"{Priority(row.priority).name} and more urgent" if row.priority else "P0"
    return row.id, f"{urgent}, {who}{where}, {dict(LEVEL_WORDS)[row.level]}{quiet}"


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _minutes(time: dt.time | None) -> int | None:
    return None if time is None else time.hour * 60 + time.minute


def _route(route_id: int) -> RouteRecord:
    row = RouteRecord.objects.select_for_update().filter(id=route_id).first()
    if row is None:
        raise Http404("no such route")
    return row


def _done(request: HttpRequest, words: str, where: str = "routes") -> HttpResponseBase:
    messages.success(request, words)
    answer = redirect(where)
    answer.status_code = HTTPStatus.SEE_OTHER
    return answer
