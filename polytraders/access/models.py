"""The one-time link with which the first person comes in, and the rows that say who did what."""

import datetime as dt
import hashlib
import json
import secrets
from typing import Any, Final

from django.db import models
from django.utils import timezone

TOKEN_BYTES: Final = 16
LIFE: Final = dt.timedelta(minutes=15)


def _digest(token: str) -> bytes:
    # 128 random bits cannot be guessed from their digest, so a slow hash would add nothing.
    return hashlib.sha256(token.encode()).digest()


class SetupLink(models.Model):
    """One link: 128 bits, kept as a digest, good once and for a quarter of an hour."""

    digest = models.BinaryField(max_length=32, unique=True)
    expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"set-up link until {self.expires_at:%H:%M:%S}"

    @classmethod
    def make(cls) -> str:
        """Make the one link that is in force, and return its token, which is kept nowhere."""
        token = secrets.token_urlsafe(TOKEN_BYTES)
        cls.objects.all().delete()
        cls.objects.create(digest=_digest(token), expires_at=timezone.now() + LIFE)
        return token

    @classmethod
    def is_good(cls, token: str) -> bool:
        """Whether the token could be spent now."""
        return cls.objects.filter(digest=_digest(token), expires_at__gt=timezone.now()).exists()

    @classmethod
    def spend(cls, token: str) -> bool:
        """Use the token up. Of two at the same time one gets True."""
        spent, _ = cls.objects.filter(digest=_digest(token), expires_at__gt=timezone.now()).delete()
        return spent == 1


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
    def changes(self) -> list[tuple[str, Any, Any]]:
        """Field, before and after; None where it was not told."""
        before, after = json.loads(self.before), json.loads(self.after)
        return [(name, before.get(name), after.get(name)) for name in {**before, **after}]
