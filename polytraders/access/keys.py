"""Keys of programs: what stands in the `Authorization` header, and what its holder may do now."""

import datetime as dt
import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from typing import Final, NamedTuple

from django.contrib.auth.models import User
from django.db.models import Q
from django.utils import timezone

from polytraders.access.models import ApiKey
from polytraders.access.permissions import Permission, may

SCOPES: Final[dict[str, frozenset[Permission]]] = {
    "read": frozenset({Permission.VIEW, Permission.EXPORT}),
    "trade": frozenset({Permission.VIEW, Permission.TRADE, Permission.STRATEGY, Permission.RUN}),
    "risk": frozenset({Permission.VIEW, Permission.KILL, Permission.RELEASE, Permission.LIMIT}),
    "ops": frozenset({Permission.VIEW, Permission.RUN, Permission.INCIDENT, Permission.PROMOTE}),
    "admin": frozenset({Permission.VIEW, Permission.AUDIT, Permission.KEY, Permission.USER}),
}
"""What a key of this scope may do, as far as its owner may do it too."""
KEY: Final = re.compile(r"ptk_([a-z0-9]{8})_([A-Za-z0-9_-]{43})", re.ASCII)
BEARER: Final = "bearer "
SECRET_BYTES: Final = 32
ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz0123456789"
DAYS_MAX: Final = 366
SEEN: Final = dt.timedelta(minutes=1)
"""How exactly `last_used_at` is kept: a write a minute, not one for each request."""


class KeyRefused(Exception):  # noqa: N818
    """A key was given that opens nothing; `code` says why."""

    def __init__(self, code: str, detail: str) -> None:
        """`detail` may be told to the caller."""
        super().__init__(detail)
        self.code, self.detail = code, detail


class Principal(NamedTuple):
    """Who asks, when a program asks.

    Attributes:
        name: Actor of its acts in the audit: "key:<prefix>".
        owner: The person behind it. Where two persons are needed, owners are compared, not names.
        permissions: What it may do now: what its scopes name and its owner's roles give.
        limit: Identity for rate limits.
    """

    name: str
    owner: User
    permissions: frozenset[Permission]
    limit: str

    def may(self, permission: Permission) -> bool:
        """Whether it may do it now."""
        return permission in self.permissions


def make(name: str, owner: User, scopes: Iterable[str], days: int) -> tuple[ApiKey, str]:
    """Make a key.

    Args:
        name: What it is for.
        owner: Who answers for it: always the person who makes it, so that nobody acts as two.
        scopes: Names of `SCOPES`, at least one.
        days: How long it is good, 1 to `DAYS_MAX`.

    Returns:
        The row, and the key itself, which is kept nowhere.

    Raises:
        ValueError: A scope is unknown, there is none, or `days` is out of range.
    """
    wanted = sorted(set(scopes))
    if not wanted or not set(wanted) <= set(SCOPES):
        raise ValueError(f"a key's scopes are of {', '.join(SCOPES)}, at least one")
    if not 1 <= days <= DAYS_MAX:
        raise ValueError(f"a key is good for 1 to {DAYS_MAX} days")
    prefix = "".join(secrets.choice(ALPHABET) for _ in range(8))
    text = f"ptk_{prefix}_{secrets.token_urlsafe(SECRET_BYTES)}"
    row = ApiKey.objects.create(
        name=name, owner=owner, prefix=prefix, digest=_digest(text), scopes=wanted,
        expires_at=timezone.now() + dt.timedelta(days=days),
    )  # fmt: skip
    return row, text


def principal(header: str) -> Principal | None:
    """Who asks, by the `Authorization` header. Three queries, or four once a minute.

    Returns:
        None: there is no such header, so the session decides.

    Raises:
        KeyRefused: There is one, and it opens nothing: GOV_KEY_UNKNOWN, GOV_KEY_EXPIRED or GOV_KEY_REVOKED.
    """
    if not header:
        return None
    scheme, given = header[: len(BEARER)].lower(), header[len(BEARER) :]
    shape = KEY.fullmatch(given)
    if scheme != BEARER or shape is None:
        raise KeyRefused("GOV_KEY_UNKNOWN", "the Authorization header is: Bearer, a space, and a key")
    row = ApiKey.objects.select_related("owner").filter(prefix=shape[1]).first()
    # Also for a prefix that nobody has: what takes a different time tells something.
    digest = bytes(row.digest) if row else bytes(32)
    if not hmac.compare_digest(digest, _digest(given)) or row is None:
        raise KeyRefused("GOV_KEY_UNKNOWN", "no such key")
    now = timezone.now()
    if row.revoked_at is not None:
        raise KeyRefused("GOV_KEY_REVOKED", f"the key was revoked at {row.revoked_at:%Y-%m-%d %H:%M} UTC")
    if not row.owner.is_active:
        raise KeyRefused("GOV_KEY_REVOKED", "the key's owner may not come in any more")
    if row.expires_at <= now:
        raise KeyRefused("GOV_KEY_EXPIRED", f"the key expired at {row.expires_at:%Y-%m-%d %H:%M} UTC")
    ApiKey.objects.filter(Q(last_used_at=None) | Q(last_used_at__lt=now - SEEN), pk=row.pk).update(last_used_at=now)
    named = frozenset().union(*(SCOPES.get(scope, frozenset()) for scope in row.scopes))
    allowed = frozenset(permission for permission in named if may(row.owner, permission))
    return Principal(f"key:{row.prefix}", row.owner, allowed, f"key:{row.prefix}")


def _digest(text: str) -> bytes:
    # 256 random bits cannot be guessed from their digest, so a slow hash would add nothing but load.
    return hashlib.sha256(text.encode()).digest()
