"""Refusals in front of the console: who is locked out, until when, and forms that came from elsewhere."""

import datetime as dt
import math
from http import HTTPStatus
from typing import Any, Final

from axes.handlers.proxy import AxesProxyHandler
from axes.models import AccessAttempt
from axes.signals import user_locked_out
from django.conf import settings
from django.contrib.auth.signals import user_login_failed
from django.db import transaction
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from polytraders.access import audit
from polytraders.access.problems import problem

CODE: Final = "GOV_LOCKED_OUT"
NAME_MAX: Final = 150


def failed(request: HttpRequest, username: str) -> None:
    """A code was wrong: it counts like a wrong password."""
    user_login_failed.send(__name__, credentials={"username": username}, request=request)


def locked(request: HttpRequest, _response: Any, credentials: dict[str, Any] | None) -> HttpResponse:
    """The answer to who is locked out: the code, and how long it lasts. Called by the middleware of the lock-out."""
    username = str((credentials or {}).get("username") or request.POST.get("username", ""))[:NAME_MAX]
    seconds = remaining_s(username, str(request.META.get("REMOTE_ADDR") or ""))
    context = {"code": CODE, "title": "Locked", "seconds": seconds, "minutes": math.ceil(seconds / 60)}
    if request.accepts("text/html"):
        response = render(request, "access/refused.html", context, status=HTTPStatus.TOO_MANY_REQUESTS)
    else:
        response = problem(HTTPStatus.TOO_MANY_REQUESTS, CODE, f"locked for {seconds} s after wrong passwords")
    response.headers["Retry-After"] = str(seconds)
    return response


def remaining_s(username: str, ip: str) -> int:
    """Seconds until the lock of this name from this address ends; at least one."""
    last = AccessAttempt.objects.filter(username=username, ip_address=ip or None).order_by("-attempt_time").first()
    if last is None or last.attempt_time is None:
        return 1
    ends: dt.datetime = last.attempt_time + settings.AXES_COOLOFF_TIME
    return max(1, math.ceil((ends - timezone.now()).total_seconds()))


def is_locked(request: HttpRequest, username: str) -> bool:
    """Whether this name may not try from this address now."""
    return not AxesProxyHandler.is_allowed(request, {"username": username})


@receiver(user_locked_out)
def told(request: HttpRequest, username: str | None = None, **_more: Any) -> None:
    """The audit row of a lock, when it begins; who tries on while it lasts adds none."""
    if getattr(request, "axes_failures_since_start", None) is None:
        return
    with transaction.atomic():
        audit.write(
            "lock-out",
            "session.lock",
            username or "",
            reason=f"{settings.AXES_FAILURE_LIMIT} wrong passwords or codes",
            request=request,
        )


def unusable(request: HttpRequest, _error: Exception | None = None) -> HttpResponse:
    """A request that Django could not read: too many fields, too long, or a host that is not ours."""
    return problem(HTTPStatus.BAD_REQUEST, "GOV_REQUEST_INVALID", "the request cannot be read; nothing was done")


def forged(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form without this site's own token: nothing was done."""
    if request.accepts("text/html"):
        context = {"code": "GOV_REQUEST_INVALID", "title": "Not from here", "forged": True}
        return render(request, "access/refused.html", context, status=HTTPStatus.FORBIDDEN)
    return problem(HTTPStatus.FORBIDDEN, "GOV_REQUEST_INVALID", "the request does not carry this site's token")
