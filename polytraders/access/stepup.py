"""The second factor: a code from an app, asked for again before what must not happen from a forgotten screen.

A login asks for it once it is enrolled. `STEPPED` acts want one given in this session in the last five minutes.
"""

import hashlib
import time
from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any, Concatenate, Final, ParamSpec, cast
from urllib.parse import urlencode, urlsplit

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django_otp.models import Device
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from polytraders.access.permissions import MARK, Permission, is_marked
from polytraders.access.problems import problem

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]

STEPPED: Final = frozenset({
    Permission.RELEASE, Permission.LIMIT, Permission.PROMOTE, Permission.KEY, Permission.USER,
})  # fmt: skip
"""What needs a code given just now, for people and for programs."""
FIELD: Final = "otp"
"""Name of the form field in which a code may come with the act itself; templates include `access/_otp.html`."""
_SIGNS: Final = 64


def has_factor(user: Any) -> bool:
    """Whether the person has enrolled an app. One query."""
    return bool(TOTPDevice.objects.filter(user_id=user.pk, confirmed=True).exists())


def check(user: Any, code: str) -> bool:
    """Whether the code is the person's: of the app now, or one of the recovery codes, which is then used up.

    A code is good once. After wrong ones there is a growing pause (1 s, 2 s, 4 s …) in which nothing is taken.
    """
    given = code.replace(" ", "").replace("-", "").lower()
    if not given or len(given) > _SIGNS or not given.isascii():
        return False
    kind: type[Device] = TOTPDevice if given.isdigit() else StaticDevice
    token = given if kind is TOTPDevice else recovery_digest(given)
    with transaction.atomic():
        # The row's lock: of two who send the same code at the same time, one is taken.
        devices = kind.objects.select_for_update().filter(user_id=user.pk, confirmed=True)
        return any(device.verify_token(token) for device in devices)


def recovery_digest(code: str) -> str:
    """What is kept of a recovery code: 64 bits of its SHA-256; the code itself has 80 random ones."""
    return hashlib.sha256(code.encode()).hexdigest()[:16]


def mark(request: HttpRequest) -> None:
    """A code has just been given in this session."""
    request.session[MARK] = time.time()


def forget(request: HttpRequest) -> None:
    """The next act needs a new code."""
    request.session.pop(MARK, None)


def stepped_up(request: HttpRequest) -> bool:
    """Whether a code was given in this session in the last five minutes, or comes with this very request (`FIELD`)."""
    if is_marked(request):
        return True
    code = request.POST.get(FIELD, "") if request.method == "POST" else ""
    if code and check(request.user, code):
        mark(request)
        return True
    return False


def needs_step_up(view: View[P]) -> View[P]:
    """A view for who has just given a code; others are led to where they give one, and nothing is done.

    It stands below `@needs(...)`, so that it is only asked of those who may do it at all.
    """

    @wraps(view)
    def asked(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        return view(request, *args, **kwargs) if stepped_up(request) else led(request)

    return cast("View[P]", asked)


def led(request: HttpRequest) -> HttpResponseBase:
    """To the page that asks for a code, or first to the one that enrols an app; programs get a problem."""
    place = f"{reverse('step-up')}?{urlencode({'next': _back(request)})}"
    if request.path.startswith("/api/v1/") or not request.accepts("text/html"):
        return problem(
            HTTPStatus.FORBIDDEN, "GOV_STEP_UP_REQUIRED", "a code of the second factor is needed; nothing was done"
        )
    if request.headers.get("HX-Request") == "true":
        return HttpResponse(status=HTTPStatus.NO_CONTENT, headers={"HX-Redirect": place})
    return redirect(place)


def safe(request: HttpRequest, address: str, otherwise: str = "/") -> str:
    """The address if it is one of ours, so that no link leads through us to elsewhere."""
    is_ours = url_has_allowed_host_and_scheme(address, {request.get_host()}, require_https=request.is_secure())
    return address if is_ours else otherwise


def _back(request: HttpRequest) -> str:
    if request.method == "GET":
        return request.get_full_path()
    # What was posted is gone; its page asks for it again.
    came = request.headers.get("Referer", "")
    parts = urlsplit(safe(request, came))
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
