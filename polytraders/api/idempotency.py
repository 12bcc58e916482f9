"""An unsafe request with the same key is done once: its twin waits for the first one's answer and gets the same."""

import datetime as dt
import hashlib
from collections.abc import Callable
from http import HTTPStatus
from typing import Final, NamedTuple

from django.db import connection, transaction
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


def once(request: HttpRequest, principal: str, run: Callable[[], tuple[int, str]]) -> Given:
    """Run it, or give the answer that was given to the same request before.

    Args:
        request: Its key, route and body are compared.
        principal: Whose key it is: another caller's is another key.
        run: Does it, in a transaction; its status and JSON are kept. What raises is not kept and may be tried again.

    Raises:
        Refused: 409, the key was used for another request; 422, there is no key.
    """
    key, route = key_of(request), f"{request.method} {request.get_full_path()}"[:2_000]
    digest = hashlib.sha256(request.body).digest()
    now = timezone.now()
    with transaction.atomic():
        AnswerRecord.objects.filter(principal=principal, key=key, expires_at__lte=now).delete()
        with connection.cursor() as cursor:
            cursor.execute(CLAIM, (principal, key, route, digest, now + KEPT))
            is_first = cursor.rowcount == 1
        if is_first:
            status, body = run()
            AnswerRecord.objects.filter(principal=principal, key=key).update(status=status, body=body)
            return Given(status, body, False)
        kept = AnswerRecord.objects.get(principal=principal, key=key)
    if (kept.route, bytes(kept.body_digest)) != (route, digest) or kept.status is None:
        raise Refused(HTTPStatus.CONFLICT, CONFLICT, "this key was used for another request: take a new one")
    return Given(kept.status, kept.body, True)


def forget_expired() -> None:
    """Delete answers whose time is over."""
    AnswerRecord.objects.filter(expires_at__lte=timezone.now()).delete()
