"""What access keeps: one-time links, keys of programs, sessions, and the rows that say who did what."""

import datetime as dt
import hashlib
import json
import secrets
from collections.abc import Iterable
from typing import Any, Final

from django.conf import settings
from django.contrib.auth.models import User
from django.db import models
from django.utils import timezone

TOKEN_BYTES: Final = 16
LIFE: Final = dt.timedelta(minutes=15)
INVITED: Final = dt.timedelta(days=1)
RESET: Final = dt.timedelta(hours=1)


def _digest(token: str) -> bytes:
    # 128 random bits cannot be guessed from their digest, so a slow hash would add nothing.
    return hashlib.sha256(token.encode()).digest()


class SetupLink(models.Model):
    """A one-time link: 128 bits, kept as a digest. It makes the first person, or one that was invited, or a password.

    Attributes:
        roles: Which the person will have, by comma; "" = the first person, who may do everything.
        user: Whose password it sets anew; None = it makes a person.
        made_by: Who asked for it; "" = the installation itself.
    """

    digest = models.BinaryField(max_length=32, unique=True)
    expires_at = models.DateTimeField()
    roles = models.TextField(default="")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True)
    made_by = models.TextField(default="")

    def __str__(self) -> str:
        return f"one-time link until {self.expires_at:%H:%M:%S}"

    @classmethod
    def make(cls) -> str:
        """Make the one link for the first person that is in force, and return its token, which is kept nowhere."""
        cls.objects.filter(roles="", user=None).delete()
        return cls._kept(LIFE)

    @classmethod
    def invite(cls, roles: Iterable[str], made_by: str) -> str:
        """Make a link with which somebody comes in; returns its token."""
        return cls._kept(INVITED, roles=",".join(sorted(roles)), made_by=made_by)

    @classmethod
    def reset(cls, user: User, made_by: str) -> str:
        """Make the one link with which a person chooses a new password; returns its token."""
        cls.objects.filter(user=user).delete()
        return cls._kept(RESET, user=user, made_by=made_by)

    @classmethod
    def _kept(cls, life: dt.timedelta, **fields: Any) -> str:
        token = secrets.token_urlsafe(TOKEN_BYTES)
        cls.objects.create(digest=_digest(token), expires_at=timezone.now() + life, **fields)
        return token

    @classmethod
    def good(cls, token: str) -> "SetupLink | None":
        """The link that could be spent now with this token."""
        found = cls.objects.filter(digest=_digest(token), expires_at__gt=timezone.now())
        return found.select_related("user").first()

    @classmethod
    def is_good(cls, token: str) -> bool:
        """Whether the token could be spent now."""
        return cls.good(token) is not None

    @classmethod
    def spend(cls, token: str) -> bool:
        """Use the token up. Of two at the same time one gets True."""
        spent, _ = cls.objects.filter(digest=_digest(token), expires_at__gt=timezone.now()).delete()
        return spent == 1


class ApiKey(models.Model):
    """A program's way in: 256 random bits, kept as a digest; it can never do more than its owner can at the time.

    Attributes:
        prefix: Its public part, by which it is found and named in the audit.
        digest: SHA-256 of the whole key.
        scopes: Names of `keys.SCOPES`.
        last_used_at: To the minute.
    """

    name = models.CharField(max_length=60)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT)
    prefix = models.CharField(max_length=12, unique=True)
    digest = models.BinaryField(max_length=32)
    scopes = models.JSONField(default=list)
    made_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)

    class Meta:
        """Names."""

        verbose_name = "API key"

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @property
    def state(self) -> str:
        """In one word: active, revoked or expired."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at <= timezone.now() else "active"


class Visit(models.Model):
    """A session that began with a login: from where, so that a person can tell their own from somebody else's.

    Attributes:
        agent: The browser as it calls itself, cut.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)
    session_key = models.CharField(max_length=40, unique=True)
    began_at = models.DateTimeField(auto_now_add=True)
    ip = models.CharField(max_length=45)
    agent = models.CharField(max_length=200)

    def __str__(self) -> str:
        return f"since {self.began_at:%Y-%m-%d %H:%M} from {self.ip}"


class ChainCheck(models.Model):
    """A walk over the whole audit, done by a worker: what was walked, how long it took, and what was wrong.

    Attributes:
        wrong_id: The first wrong row; None = none, or not ended yet.
    """

    asked_by = models.TextField()
    asked_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True)
    last_id = models.BigIntegerField(default=0)
    head = models.TextField(default="")
    wrong_id = models.BigIntegerField(null=True)
    words = models.TextField(default="")
    seconds = models.FloatField(null=True)

    def __str__(self) -> str:
        return f"check of {self.asked_at:%Y-%m-%d %H:%M}"


class AuditRow(models.Model):
    """One act, as `audit.write` recorded it; read only, for Django as for everybody."""

    id = models.BigIntegerField(primary_key=True)
    at = models.DateTimeField()
    actor = models.TextField()
    act = models.TextField()
    family = models.TextField()
    target = models.TextField()
    reason = models.TextField()
    before = models.TextField()
    after = models.TextField()
    ip = models.TextField()
    agent = models.TextField()
    prev_hash = models.BinaryField()
    hash = models.BinaryField()

    class Meta:
        """Names."""

        managed = False
        db_table = "access_audit"
        verbose_name = "audit row"

    def __str__(self) -> str:
        return f"{self.id} {self.act} {self.target}"

    @property
    def rest(self) -> str:
        """The act without its family."""
        return self.act.removeprefix(self.family)

    @property
    def changes(self) -> list[tuple[str, str | None, str]]:
        """Field, before and after as one writes them; None where nothing was told of before."""
        before, after = json.loads(self.before), json.loads(self.after)
        return [
            (name, _written(before[name]) if name in before else None, _written(after.get(name)))
            for name in {**before, **after}
        ]


def _written(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return ", ".join(map(_written, value)) or "none"
    return json.dumps(value, ensure_ascii=False)
