"""Pages. Each reads what it shows once and renders it; what moves is sent by `live.py` from the same templates."""

from http import HTTPStatus
from ipaddress import ip_address
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from apps.monitoring.incidents import open_incidents
from apps.monitoring.models import LoopRecord
from polytraders.access.permissions import Permission, needs
from polytraders.console import board, health, home
from polytraders.console import search as searching
from polytraders.console.frame import READ, show
from polytraders.console.problems import problem

INCIDENTS: Final = 5
"""Of those that are open on the overview."""


@require_safe
@never_cache
def healthz(request: HttpRequest) -> HttpResponse:
    """For probes: 200 or 503, no login, nothing that is secret."""
    found = health.check()
    status = HTTPStatus.OK if found.ok else HTTPStatus.SERVICE_UNAVAILABLE
    return JsonResponse(found.as_dict(), status=status)


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """What the loop last said in Prometheus' format; for scrapers on this machine and people who are logged in."""
    if not (request.user.is_authenticated or is_local(request)):
        return problem(HTTPStatus.UNAUTHORIZED, "GOV_LOGIN_REQUIRED", "metrics are told on loopback or to a login")
    found = health.check()
    text = "" if found.database == "down" else "".join(LoopRecord.objects.values_list("metrics", flat=True))
    lines = [
        "# HELP polytraders_up Whether the loop is alive.",
        "# TYPE polytraders_up gauge",
        f"polytraders_up {int(found.ok)}",
        "# HELP polytraders_loop_age_seconds Since the loop last said something.",
        "# TYPE polytraders_loop_age_seconds gauge",
        f"polytraders_loop_age_seconds {'NaN' if found.loop_age_ms is None else found.loop_age_ms / 1_000}",
    ]
    return HttpResponse("\n".join((*lines, text)), content_type="text/plain; version=0.0.4; charset=utf-8")


def is_local(request: HttpRequest) -> bool:
    """Whether it came from this machine and not through a proxy, which would make everybody local."""
    if "HTTP_X_FORWARDED_FOR" in request.META or "HTTP_FORWARDED" in request.META:
        return False
    try:
        return ip_address(request.META.get("REMOTE_ADDR") or "").is_loopback
    except ValueError:
        return False


@require_safe
@never_cache
@needs(Permission.VIEW)
def overview(request: HttpRequest) -> HttpResponseBase:
    """The live page."""
    now = board.read()
    money = home.read_money(0, now.loop.loop_ts if now.loop else 0, request.GET.get("span", "day"))
    context = {
        "board": now,
        "home": money,
        "lines": open_incidents(INCIDENTS),
        "is_new": READ not in request.COOKIES,
        "is_simulated": settings.VENUE == "simulator",
    }
    return show(request, "console/overview.html", "overview", context)


@require_safe
@never_cache
@needs(Permission.VIEW)
def search(request: HttpRequest) -> HttpResponseBase:
    """What the box in the frame asks for; a single hit is gone to at once."""
    asked = request.GET.get("q", "")
    hits = searching.find(asked)
    if len(hits) == 1:
        return redirect(hits[0].address)
    return show(request, "console/search.html", "", {"hits": hits, "asked": asked})
