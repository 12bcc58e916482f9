"""An unsafe request with the same key is done once: its twin waits for the first one's answer and gets the same."""

import datetime as dt
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from http import HTTPStatus
from typing import Final, NamedTuple

from django.db import connection, transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from polytraders.api.models import AnswerRecord
from polytraders.console.problems import Refused

HEADER: Final = "Idempotency-Key"
KEY_MAX: Final = 128
KEPT: Final = dt.timedelta(hours=24)
CONFLICT: Final = "GOV_IDEMPOTENCY_CONFLICT"
CLAIM: Final = """
INSERT INTO api_answer (principal, key, route, body_digest, body, expires_at) VALUES (%s, %s, %s, %s, '', %s)
ON CONFLICT (principal, key) DO NOTHING"""
"""Waits for a twin whose transaction is still open."""


class Given(NamedTuple):
    """An answer; `is_again` when it was given before."""

    status: int
    body: str
    is_again: bool


def key_of(request: HttpRequest) -> str:
    """The request's key.

    Raises:
        Refused: 422, it has none, or one that cannot be kept.
    """
    key = request.headers.get(HEADER, "")
    if not key or len(key) > KEY_MAX or not (key.isascii() and key.isprintable()) or " " in key:
        words = f"{HEADER} is needed: 1 to {KEY_MAX} printable characters without a space"
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "GOV_REQUEST_INVALID", words)
    return key


class Runs(Enum):
    """How an act runs.

    Attributes:
        WHOLE: In one transaction with its kept answer.
        STEPS: Outside of one, as what commits before it goes on must: if it ends without an answer, its key is refused
            from then on, for nobody knows.
        HARMLESS: In steps, and done again when nobody knows.
    """

    WHOLE = "whole"
    STEPS = "steps"
    HARMLESS = "harmless"


def once(request: HttpRequest, principal: str, run: Callable[[], tuple[int, str]], how: Runs = Runs.WHOLE) -> Given:
    """Run it, or give the answer that was given to the same request before.

    Args:
        request: Its key, route and body are compared.
        principal: Whose key it is: another caller's is another key.
        run: Does it; its status and JSON are kept. What raises `Refused` is not kept and may be tried again.
        how: In one transaction or in steps.

    Raises:
        Refused: 409, the key was used for another request, or its outcome is not known; 422, there is no key.
    """
    key, route = key_of(request), f"{request.method} {request.get_full_path()}"[:2_000]
    asked = _Asked(principal, key, route, hashlib.sha256(request.body).digest())
    if how is not Runs.WHOLE:
        with _in_turn(asked):
            return _in_steps(asked, run, how)
    with transaction.atomic():
        if asked.claim():
            return asked.keep(run())
        return asked.known()


@contextmanager
def _in_turn(asked: "_Asked") -> Iterator[None]:
    """One after the other: a lock of the connection, which is free when its process dies."""
    number = int.from_bytes(hashlib.sha256(f"{asked.principal} {asked.key}".encode()).digest()[:8], signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", (number,))
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", (number,))


def _in_steps(asked: "_Asked", run: Callable[[], tuple[int, str]], how: Runs) -> Given:
    with transaction.atomic():
        is_first = asked.claim()
    if not is_first and (how is Runs.STEPS or asked.is_answered()):
        return asked.known()
    try:
        told = run()
    except Refused:
        asked.mine().delete()
        raise
    return asked.keep(told)


class _Asked(NamedTuple):
    """A request as it is compared."""

    principal: str
    key: str
    route: str
    digest: bytes

    def mine(self) -> "QuerySet[AnswerRecord]":
        return AnswerRecord.objects.filter(principal=self.principal, key=self.key)

    def claim(self) -> bool:
        """Whether it is the first; waits for a twin whose transaction is still open."""
        now = timezone.now()
        self.mine().filter(expires_at__lte=now).delete()
        with connection.cursor() as cursor:
            cursor.execute(CLAIM, (*self, now + KEPT))
            return bool(cursor.rowcount == 1)

    def keep(self, told: tuple[int, str]) -> Given:
        """The answer, for whoever asks again."""
        status, body = told
        self.mine().update(status=status, body=body)
        return Given(status, body, False)

    def is_answered(self) -> bool:
        """Whether it is known how it ended, or that it is another request's."""
        kept = self.mine().get()
        return kept.status is not None or not self._is_same(kept)

    def _is_same(self, kept: AnswerRecord) -> bool:
        return (kept.route, bytes(kept.body_digest)) == (self.route, self.digest)

    def known(self) -> Given:
        """What was answered."""
        kept = self.mine().get()
        if not self._is_same(kept):
            raise Refused(HTTPStatus.CONFLICT, CONFLICT, "this key was used for another request: take a new one")
        if kept.status is None:
            words = "it was begun under this key and nobody knows how it ended: look, then take a new key"
            raise Refused(HTTPStatus.CONFLICT, CONFLICT, words)
        return Given(kept.status, kept.body, True)


def forget_expired() -> None:
    """Delete answers whose time is over."""
    AnswerRecord.objects.filter(expires_at__lte=timezone.now()).delete()
