"""Who asks: a person by the session of the console, or a program by its key. The same for requests and sockets."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest

from polytraders.access import keys
from polytraders.access.keys import KeyRefused
from polytraders.access.permissions import Permission, may
from polytraders.console.problems import Refused


@dataclass(frozen=True)
class Caller:
    """Somebody who is known.

    Attributes:
        name: User name, or `key:<prefix>`; as audit rows call the actor.
        user: The person, or the one who answers for the key.
        permissions: What may be done: a person's by its roles, a key's by its scopes and its owner's roles.
        limit: Identity for rate limits.
        by_key: Whether it came with a key; a session needs the CSRF token for what changes something.
    """

    name: str
    user: Any
    permissions: frozenset[Permission]
    limit: str
    by_key: bool

    def may(self, permission: Permission) -> bool:
        """Whether the caller may do it."""
        return permission in self.permissions


def of_request(request: HttpRequest) -> Caller:
    """Who sent it; a key goes before a session.

    Raises:
        Refused: 401, nobody is known by what was sent.
    """
    return of(request.headers.get("Authorization", ""), getattr(request, "user", None))


def of(header: str, user: Any) -> Caller:
    """Who it is by a header, or where there is none, by a login.

    Raises:
        Refused: 401, the key opens nothing, or nobody is logged in.
    """
    try:
        found = keys.principal(header)
    except KeyRefused as refusal:
        raise Refused(HTTPStatus.UNAUTHORIZED, refusal.code, refusal.detail) from refusal
    if found is not None:
        return Caller(found.name, found.owner, found.permissions, found.limit, by_key=True)
    if user is None or not user.is_authenticated:
        raise Refused(HTTPStatus.UNAUTHORIZED, "GOV_LOGIN_REQUIRED", "send a key, or log in first")
    allowed = frozenset(permission for permission in Permission if may(user, permission))
    return Caller(user.get_username(), user, allowed, f"user:{user.pk}", by_key=False)
