"""Pages. Each reads what it shows once and renders it; what moves is sent by `live.py` from the same templates."""

from http import HTTPStatus
from ipaddress import ip_address

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from apps.monitoring.models import LoopRecord
from polytraders.access.permissions import Permission, needs
from polytraders.console import board, decisions, health, home, stages
from polytraders.console import search as searching
from polytraders.console.frame import show
from polytraders.console.problems import problem
from polytraders.console.waterfall import waterfall
from polytraders.contracts.decision import DecisionPacket, Vote
from polytraders.contracts.reasons import REASONS, precedence, reason
from polytraders.explain import explain
from polytraders.packets import canonical, packet_id


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
    return show(request, "console/overview.html", "overview", {"board": now, "home": money})


@require_safe
@never_cache
@needs(Permission.VIEW)
def decision(request: HttpRequest, decision_id: str) -> HttpResponseBase:
    """One packet: why, or why not."""
    row = decisions.find(decision_id)
    if row is None:
        raise Http404("no such decision")
    try:
        told = decisions.told(row)
    except LookupError as error:
        raise Http404("the log no longer holds this decision") from error
    packet = told.packet
    context = {
        "told": told,
        "packet": packet,
        "reason": reason(packet.code),
        "waterfall": waterfall(packet),
        "first": packet.rejections[0].bit if packet.rejections else None,
        "waived": sum(vote.vote is Vote.REJECT and not vote.counts for vote in packet.votes),
        "caps": caps(packet),
        "text": explain(packet, told.names),
        "digest": packet_id(packet),
        "title": told.names.titles[packet.market.index] if told.names.titles else "",
    }
    return show(request, "console/decision.html", "decisions", context)


def caps(packet: DecisionPacket) -> list[tuple[str, int, float, bool]]:
    """Wish, caps and what was approved: name, size, part of the largest, whether it is the smallest cap."""
    lines = [
        ("wished", packet.wish),
        ("strategy cap", packet.strategy_cap),
        ("liquidity cap", packet.liquidity_cap),
        ("portfolio cap", packet.portfolio_cap),
        ("approved", packet.approved_size),
    ]
    most = max(packet.wish, packet.approved_size, 1)
    binding = min(lines[1:4], key=lambda line: line[1])[0]
    return [(name, size, max(0.0, min(1.0, size / most)), name == binding) for name, size in lines]


@require_safe
@never_cache
@needs(Permission.VIEW)
def packet_json(request: HttpRequest, decision_id: str) -> HttpResponseBase:
    """The packet's canonical bytes as a file."""
    row = decisions.find(decision_id)
    if row is None:
        raise Http404("no such decision")
    try:
        body = canonical(decisions.rendered(row)[0])
    except LookupError as error:
        raise Http404("the log no longer holds this decision") from error
    name = f"decision-{row.in_seq}-{row.ordinal}.json"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(body, content_type="application/json", headers=headers)


@require_safe
@needs(Permission.VIEW)
def reasons(request: HttpRequest) -> HttpResponseBase:
    """The whole registry, by stage."""
    groups = [(stage, [entry for entry in REASONS if entry.stage == stage.number]) for stage in stages.STAGES]
    return show(request, "console/reasons.html", "reasons", {"groups": groups})


@require_safe
@needs(Permission.VIEW)
def reason_page(request: HttpRequest, code: str) -> HttpResponseBase:
    """What a code means and what to do about it."""
    try:
        entry = reason(code)
    except KeyError as error:
        raise Http404("no such reason code") from error
    now = board.read()
    recent = [line for line in now.packets if line.reason == entry]
    counted = next((line.count for line in now.codes if line.reason == entry), 0)
    context = {
        "board": now,
        "entry": entry,
        "stage": stages.STAGES[entry.stage - 1],
        "precedence": precedence(code),
        "counted": counted,
        "recent": recent,
    }
    return show(request, "console/reason.html", "reasons", context)


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
