"""Who asks: a person by the session of the console, or a program by its key. The same for requests and sockets."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from django.http import HttpRequest

from polytraders.access import keys
from polytraders.access.permissions import Permission, may
from polytraders.console.problems import Refused

SCHEME: Final = "bearer "
LOGIN: Final = "GOV_LOGIN_REQUIRED"


@dataclass(frozen=True)
class Caller:
    """Somebody who is known.

    Attributes:
        name: User name, or `key:<prefix>`; as audit rows call the actor.
        permissions: What may be done: a person's by its roles, a key's by its scopes and its owner's roles.
        by_key: Whether it came with a key; a session needs the CSRF token for what changes something.
    """

    name: str
    permissions: frozenset[Permission]
    by_key: bool

    def may(self, permission: Permission) -> bool:
        """Whether the caller may do it."""
        return permission in self.permissions


def of_request(request: HttpRequest) -> Caller:
    """Who sent it; a key goes before a session.

    Raises:
        Refused: 401, nobody is known by what was sent.
    """
    header = request.headers.get("Authorization", "")
    return of_header(header) if header else of_user(getattr(request, "user", None))


def of_header(header: str) -> Caller:
    """Who has this key.

    Raises:
        Refused: 401, the key is unknown, expired or taken back.
    """
    found = keys.principal(header) if header.lower().startswith(SCHEME) and header.isascii() else None
    if found is None:
        raise Refused(HTTPStatus.UNAUTHORIZED, LOGIN, "this key is not known, or no longer good")
    return Caller(found.name, found.permissions, by_key=True)


def of_user(user: Any) -> Caller:
    """Who is logged in.

    Raises:
        Refused: 401, nobody is.
    """
    if user is None or not user.is_authenticated:
        raise Refused(HTTPStatus.UNAUTHORIZED, LOGIN, "send a key, or log in first")
    allowed = frozenset(permission for permission in Permission if may(user, permission))
    return Caller(user.get_username(), allowed, by_key=False)
