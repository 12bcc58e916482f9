"""The page "Access and audit": people, keys, who may do what, and the newest rows of the audit."""

from http import HTTPStatus
from typing import Any, NamedTuple

from django.contrib import messages
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe
from django_otp.plugins.otp_totp.models import TOTPDevice

from polytraders.access import audit, factor, keys, stepup
from polytraders.access import people as acts
from polytraders.access.models import ApiKey, AuditRow, SetupLink
from polytraders.access.permissions import MATRIX, Permission, Role, needs
from polytraders.console import trail
from polytraders.console.frame import show

SHOWN_MAX = 200
NEWEST = 10
NAME_MAX = 60
WHAT = {
    Permission.VIEW: "see every page but those below",
    Permission.RUN: "start jobs that change nothing: replay, what-if, stress",
    Permission.EXPORT: "take whole ledgers and journals away as files",
    Permission.AUDIT: "see this page: who did what",
    Permission.KILL: "stop a scope",
    Permission.RELEASE: "let a killed scope trade again",
    Permission.TRADE: "cash out, pull an order, pause a strategy",
    Permission.INCIDENT: "acknowledge alerts, move incidents on",
    Permission.STRATEGY: "create strategies, propose their settings",
    Permission.PROMOTE: "move a strategy up the ladder",
    Permission.LIMIT: "change what orders may cost at most",
    Permission.KEY: "make and take back keys of programs",
    Permission.USER: "invite people, give roles, route alerts",
}
"""What each permission is, in words."""


class Person(NamedTuple):
    """One line of the table of people."""

    user: User
    roles: list[str]
    enrolled: bool
    sessions: int


def people() -> list[Person]:
    """Everybody, those who may come in first; three queries."""
    enrolled = TOTPDevice.objects.filter(user=OuterRef("pk"), confirmed=True)
    users = User.objects.annotate(enrolled=Exists(enrolled)).prefetch_related("groups", "visit_set")
    return [
        Person(
            user,
            sorted({group.name for group in user.groups.all()} | ({"Admin"} if user.is_superuser else set())),
            user.enrolled,
            len(user.visit_set.all()),
        )
        for user in users.order_by("-is_active", "username")[:SHOWN_MAX]
    ]


@require_safe
@never_cache
@needs(Permission.AUDIT)
def access(request: HttpRequest) -> HttpResponseBase:
    """The page. Nine queries of its own, however many people and rows there are."""
    rows = list(AuditRow.objects.order_by("-id")[:NEWEST])
    context = {
        "people": people(),
        "keys": ApiKey.objects.select_related("owner").order_by("-id")[:SHOWN_MAX],
        "links": SetupLink.objects.exclude(roles="").order_by("-id")[:SHOWN_MAX],
        "roles": list(Role),
        "scopes": [(name, ", ".join(sorted(scope))) for name, scope in keys.SCOPES.items()],
        "matrix": [
            (permission, WHAT[permission], permission in stepup.STEPPED, [role in MATRIX[permission] for role in Role])
            for permission in Permission
        ],
        "rows": rows,
        "chain": trail.chain(rows),
    }
    return show(request, "console/access.html", "access", context)


@require_POST
@never_cache
@needs(Permission.USER)
@stepup.needs_step_up
def invite(request: HttpRequest) -> HttpResponseBase:
    """A one-time link for somebody new."""
    roles = _roles(request)
    if not roles:
        return _refused(request, "Choose at least one role: somebody without one sees nothing.")
    token = acts.invite(roles, request.user.get_username(), request)
    lasts = "It is good once, for a day. Whoever has it first comes in as " + ", ".join(sorted(roles)) + "."
    return _once(request, "An invitation", _link(request, token), lasts)


@require_POST
@needs(Permission.USER)
@stepup.needs_step_up
def set_roles(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Change what somebody is."""
    user = get_object_or_404(User, pk=pk)
    try:
        acts.set_roles(user, _roles(request), request.user.get_username(), _reason(request), request)
    except acts.Kept as error:
        return _refused(request, str(error))
    messages.success(request, f"{user.get_username()} is now {', '.join(sorted(_roles(request))) or 'without a role'}.")
    return redirect("access")


@require_POST
@needs(Permission.USER)
def disable(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Somebody no longer comes in; at once and without a code, for it may be urgent."""
    user = get_object_or_404(User, pk=pk)
    try:
        acts.let_in(user, False, request.user.get_username(), _reason(request), request)
    except acts.Kept as error:
        return _refused(request, str(error))
    messages.success(request, f"{user.get_username()} no longer comes in; sessions are ended and keys taken back.")
    return redirect("access")


@require_POST
@needs(Permission.USER)
@stepup.needs_step_up
def enable(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Somebody comes in again."""
    user = get_object_or_404(User, pk=pk)
    acts.let_in(user, True, request.user.get_username(), _reason(request), request)
    messages.success(request, f"{user.get_username()} may come in again.")
    return redirect("access")


@require_POST
@never_cache
@needs(Permission.USER)
@stepup.needs_step_up
def reset_password(request: HttpRequest, pk: int) -> HttpResponseBase:
    """A one-time link for a new password."""
    user = get_object_or_404(User, pk=pk)
    token = acts.reset_password(user, request.user.get_username(), _reason(request), request)
    lasts = "It is good once, for an hour. A second factor is asked for all the same."
    return _once(request, f"A new password for {user.get_username()}", _link(request, token), lasts)


@require_POST
@needs(Permission.USER)
@stepup.needs_step_up
def reset_factor(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Forget somebody's app, when it is lost and the recovery codes with it."""
    user = get_object_or_404(User, pk=pk)
    factor.remove(user, request.user.get_username(), _reason(request), request)
    messages.success(request, f"{user.get_username()} has no second factor now and can enrol another app.")
    return redirect("access")


@require_POST
@never_cache
@needs(Permission.KEY)
@stepup.needs_step_up
def make_key(request: HttpRequest) -> HttpResponseBase:
    """A key of a program; its owner is who makes it."""
    owner, days = request.user, request.POST.get("days", "")
    name = request.POST.get("name", "").strip()
    if not name or len(name) > NAME_MAX or not name.isprintable():
        return _refused(request, "Give the key a name of at most 60 letters, so that one knows later what it was for.")
    if not isinstance(owner, User):
        return redirect("access")
    try:
        with transaction.atomic():
            row, text = keys.make(name, owner, request.POST.getlist("scope"), int(days) if days.isdecimal() else 0)
            audit.write(
                owner.get_username(), "key.make", f"key:{row.prefix}", reason=_reason(request),
                after={"name": name, "scopes": row.scopes, "expires_at": row.expires_at.isoformat()}, request=request,
            )  # fmt: skip
    except ValueError as error:
        return _refused(request, f"The key was not made: {error}.")
    lasts = f"It is good until {row.expires_at:%Y-%m-%d}. Send it as: Authorization: Bearer, a space, and the key."
    return _once(request, f"The key “{name}”", text, lasts)


@require_POST
@needs(Permission.KEY)
def revoke_key(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Take a key back; at once and without a code, for it may be urgent."""
    row = get_object_or_404(ApiKey, pk=pk)
    acts.revoke(row, request.user.get_username(), _reason(request), request)
    messages.success(request, f"The key {row.name} opens nothing any more.")
    return redirect("access")


def _roles(request: HttpRequest) -> frozenset[Role]:
    known = {role.value: role for role in Role}
    return frozenset(known[name] for name in request.POST.getlist("role") if name in known)


def _reason(request: HttpRequest) -> str:
    return request.POST.get("reason", "").strip()


def _refused(request: HttpRequest, words: str) -> HttpResponseBase:
    messages.error(request, words)
    return redirect("access")


def _link(request: HttpRequest, token: str) -> str:
    return request.build_absolute_uri(reverse("setup", args=[token]))


def _once(request: HttpRequest, title: str, text: str, lasts: str) -> HttpResponseBase:
    context: dict[str, Any] = {"title": title, "text": text, "lasts": lasts}
    response = show(request, "console/once.html", "access", context, status=HTTPStatus.CREATED)
    response.headers["Cache-Control"] = "no-store"
    return response
