"""Coming in: after the password the code, where an app is enrolled; then a session that is known by its beginning."""

import time
from typing import Final, NamedTuple

from django.contrib.auth import get_user_model, login
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import transaction
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare

from polytraders.access import audit, stepup
from polytraders.access.models import Visit

PENDING: Final = "access_pending"
PENDING_S: Final = 300.0
BACKEND: Final = "django.contrib.auth.backends.ModelBackend"
AGENT_MAX: Final = 200


class Pending(NamedTuple):
    """Somebody who has given the password, and not the code yet."""

    user: User
    then: str


def wait_for_code(request: HttpRequest, user: User, then: str) -> None:
    """Remember for five minutes that the password was right."""
    request.session.cycle_key()
    request.session[PENDING] = [user.pk, user.get_session_auth_hash(), time.time(), then]


def pending(request: HttpRequest) -> Pending | None:
    """Who has given the password in this session; None = nobody, too long ago, or it was changed meanwhile."""
    kept = request.session.get(PENDING)
    if kept is None or not 0 <= time.time() - kept[2] < PENDING_S:
        return None
    user = get_user_model().objects.filter(pk=kept[0], is_active=True).first()
    if user is None or not constant_time_compare(user.get_session_auth_hash(), kept[1]):
        return None
    return Pending(user, kept[3])


def enter(request: HttpRequest, user: User, act: str, *, with_code: bool = False) -> None:
    """Log in, note where from, and write the audit row. The session gets a new key.

    Args:
        request: Its session.
        user: Who has proved who they are.
        act: "session.begin", or what let them in without a password.
        with_code: A code of the second factor was given just now.
    """
    with transaction.atomic():
        request.session.pop(PENDING, None)
        login(request, user, backend=BACKEND)
        stepup.forget(request)
        if with_code:
            stepup.mark(request)
        follow(request, user)
        audit.write(user.get_username(), act, user.get_username(), after={"second_factor": with_code}, request=request)


def follow(request: HttpRequest, user: User) -> None:
    """Note where this session is: a new one, or one that got a new key with a new password."""
    request.session.save()
    ip, _ = audit.origin(request)
    agent = request.headers.get("User-Agent", "").replace("\0", "")[:AGENT_MAX]
    Visit.objects.create(user=user, session_key=request.session.session_key or "", ip=ip, agent=agent)


def end_visits(user: User, *, but: str = "") -> int:
    """End a person's sessions, except the one with this key; returns how many there were."""
    visits = Visit.objects.filter(user=user).exclude(session_key=but)
    keys = list(visits.values_list("session_key", flat=True))
    ended, _ = Session.objects.filter(session_key__in=keys).delete()
    visits.delete()
    return ended
