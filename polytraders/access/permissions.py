"""Who may do what: four roles, and one table that views, interface and sockets all ask.

A role is a Django group of its name. Who has none may log in and see nothing; a superuser is an Admin.
"""

import time
from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from http import HTTPStatus
from typing import Any, Concatenate, Final, ParamSpec, cast

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render

from polytraders.access.problems import problem

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]

CODE: Final = "GOV_PERMISSION_MISSING"
STEP_UP_S: Final = 300.0
MARK: Final = "access_stepped_up_at"
"""In the session: when a code of the second factor was last given, seconds since 1970."""


class Role(StrEnum):
    """What a person is here; a person may be several."""

    ADMIN = "Admin"
    OPERATOR = "Operator"
    REVIEWER = "Reviewer"
    READ_ONLY = "ReadOnly"


class Permission(StrEnum):
    """What can be done. Reading is `VIEW`; everything else changes something or costs something."""

    VIEW = "view"  # every page but those that have a permission of their own
    RUN = "run"  # jobs that change nothing: replay this, counterfactuals, stress
    EXPORT = "export"  # whole ledgers and journals as files
    AUDIT = "audit"  # who did what, and its chain
    KILL = "kill"  # stop a scope
    RELEASE = "release"  # let a killed scope trade again
    TRADE = "trade"  # cash out, pull an order, pause a strategy
    INCIDENT = "incident"  # acknowledge alerts, move incidents on
    STRATEGY = "strategy"  # create strategies and propose their configurations
    PROMOTE = "promote"  # move a strategy up the ladder
    LIMIT = "limit"  # change what orders may cost at most
    KEY = "key"  # keys of the interface and webhooks
    USER = "user"  # people and their roles, alert routes
    # A new one needs a line in the table below; a test asks every role for every permission.


_ADMIN: Final = frozenset({Role.ADMIN})
_OPERATORS: Final = frozenset({Role.ADMIN, Role.OPERATOR})
_REVIEWERS: Final = frozenset({Role.ADMIN, Role.OPERATOR, Role.REVIEWER})
MATRIX: Final[dict[Permission, frozenset[Role]]] = {
    Permission.VIEW: frozenset(Role),
    Permission.RUN: _REVIEWERS,
    Permission.EXPORT: _REVIEWERS,
    Permission.AUDIT: frozenset({Role.ADMIN, Role.REVIEWER}),
    Permission.KILL: _OPERATORS,
    Permission.RELEASE: _OPERATORS,
    Permission.TRADE: _OPERATORS,
    Permission.INCIDENT: _OPERATORS,
    Permission.STRATEGY: _OPERATORS,
    Permission.PROMOTE: _ADMIN,
    Permission.LIMIT: _ADMIN,
    Permission.KEY: _ADMIN,
    Permission.USER: _ADMIN,
}
"""Which roles may do it; one of a person's roles is enough."""


def roles_of(user: Any) -> frozenset[Role]:
    """A person's roles; asked of the database once for each user object."""
    known: frozenset[Role] | None = getattr(user, "_roles", None)
    if known is not None:
        return known
    if not getattr(user, "is_authenticated", False) or not user.is_active:
        return frozenset()
    names = set(user.groups.values_list("name", flat=True))
    found = frozenset(role for role in Role if role.value in names)
    if user.is_superuser:
        found |= {Role.ADMIN}
    user._roles = found
    return found


def may(user: Any, permission: Permission) -> bool:
    """Whether a person may do it. Nobody may do anything without being logged in."""
    return not MATRIX[permission].isdisjoint(roles_of(user))


def needs(permission: Permission) -> Callable[[View[P]], View[P]]:
    """A view for who has the permission: others are sent to the login, or told which role they lack (403)."""

    def decorate(view: View[P]) -> View[P]:
        @wraps(view)
        def asked(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return redirect_to_login(request.get_full_path())
            if not may(request.user, permission):
                return forbidden(request, permission)
            return view(request, *args, **kwargs)

        asked.permission = permission  # type: ignore[attr-defined]
        return cast("View[P]", asked)

    return decorate


def forbidden(request: HttpRequest, permission: Permission) -> HttpResponseBase:
    """The page that says what is missing and who has it."""
    if not request.accepts("text/html"):
        return problem(HTTPStatus.FORBIDDEN, CODE, f"it needs the permission {permission}; nothing was done")
    context = {
        "code": CODE,
        "permission": permission,
        "roles": [role for role in Role if role in MATRIX[permission]],
        "mine": sorted(roles_of(request.user)),
    }
    return render(request, "access/forbidden.html", context, status=HTTPStatus.FORBIDDEN)


def permissions(request: HttpRequest) -> dict[str, Any]:
    """Context processor: `can.kill` and the like in every template, and whether a code was given just now."""
    user = getattr(request, "user", None)
    can = {permission.value: may(user, permission) for permission in Permission}
    return {"can": can, "stepped_up": is_marked(request)}


def is_marked(request: HttpRequest) -> bool:
    """Whether a code of the second factor was given in this session in the last five minutes."""
    session = getattr(request, "session", None)
    at = None if session is None else session.get(MARK)
    return isinstance(at, float) and 0 <= time.time() - at < STEP_UP_S
