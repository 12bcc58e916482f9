"""The stream of decisions, and one decision in full: why, or why not, what it led to, and what would change it."""

import hashlib
from http import HTTPStatus
from typing import Any, Final

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import NoReverseMatch, reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from apps.risk.models import DecisionRecord
from polytraders.access.permissions import Permission, needs
from polytraders.console import board, decisions, jobs, stream
from polytraders.console.caps import terms
from polytraders.console.frame import READ, YEAR_S, show
from polytraders.console.lists import Listed, as_csv
from polytraders.console.waterfall import waterfall
from polytraders.console.what_if import what_if
from polytraders.contracts.decision import DecisionPacket, Vote
from polytraders.contracts.market import Action, Outcome
from polytraders.contracts.reasons import by_number, reason
from polytraders.explain import explain, none_because, sentence
from polytraders.naming import Moment
from polytraders.packets import canonical, packet_id

COLUMNS: Final = (
    "id", "correlation_id", "ts_ns_utc", "market", "market_title", "strategy", "verdict", "reason_code", "action",
    "outcome", "p_hat", "q_exec_1e9", "fee_1e9", "buffer_1e9", "net_edge_1e9", "approved_size_1e6", "counted",
)  # fmt: skip
ASKED: Final = ("book", "again")
WINDOW: Final = "completeness_"
PPM: Final = 1_000_000
"""Jobs about one decision."""
RUNNING: Final = ("stage", "killed", "flatten", "exposure", "minute", "orders", "approvals", "fills")
"""Fields of a strategy's record that are no settings of it."""


@require_safe
@never_cache
@needs(Permission.VIEW)
def stream_page(request: HttpRequest) -> HttpResponseBase:
    """Decisions, newest first, filtered by what stands in the address; as CSV with `format=csv`."""
    names = board.strategy_names(0)
    wanted = stream.asked(request.GET, names)
    listed = Listed(request, stream.rows(request, wanted, names))
    titles = board.market_titles(0, {row.market for row in listed.rows})
    if request.GET.get("format") == "csv" and not wanted.wrong:
        return as_csv("decisions", COLUMNS, (_cells(row, titles, names) for row in listed.rows))
    now = board.strip(names=names)
    newest = max([now.loop.loop_ts if now.loop else 0, *(row.ts for row in listed.rows[:1])])
    lines = [
        board.PacketLine(
            row,
            titles.get(row.market) or f"market {row.market}",
            names.get(row.strategy) or f"strategy {row.strategy}",
            by_number(row.code),
            max(0, newest - row.ts),
        )
        for row in listed.rows
    ]
    kept = request.GET.copy()
    kept["format"] = "csv"
    plain = {name: value for name, value in wanted.told.items() if value}
    context = {
        "board": now,
        "wanted": wanted,
        "listed": listed,
        "lines": lines,
        "summary": stream.summary(wanted, newest),
        "strategies": sorted(names.values()),
        "families": stream.options(),
        "verdicts": list(stream.VERDICTS),
        "csv": "?" + kept.urlencode(),
        "others": [(name, value) for name, value in plain.items() if name not in ("code", "span")],
    }
    status = HTTPStatus.BAD_REQUEST if wanted.wrong else HTTPStatus.OK
    return show(request, "console/decisions.html", "decisions", context, status=status)


def _cells(row: DecisionRecord, titles: dict[int, str], names: dict[int, str]) -> tuple[Any, ...]:
    return (
        row.decision_id, row.correlation_id, row.ts, row.market, titles.get(row.market, ""),
        names.get(row.strategy) or f"strategy {row.strategy}", row.get_verdict_display(), by_number(row.code).code,
        Action(row.action).name, Outcome(row.outcome).name, row.p_hat, row.q_exec, row.fee, row.buffer, row.net_edge,
        row.approved_size, row.counted,
    )  # fmt: skip


@require_safe
@never_cache
@needs(Permission.VIEW)
def decision(request: HttpRequest, decision_id: str) -> HttpResponseBase:
    """One packet: why, or why not."""
    row = decisions.find(decision_id)
    if row is None:
        raise Http404("no such decision")
    names = board.strategy_names(row.shard)
    try:
        told = decisions.told(row, names)
    except LookupError as error:
        raise Http404("the log no longer holds this decision") from error
    packet = told.packet
    rejections = packet.rejections
    done = jobs.latest_of([(kind, {"decision": row.decision_id}) for kind in ASKED])
    context = {
        "board": board.strip(row.shard, names=names),
        "row": row,
        "told": told,
        "packet": packet,
        "reason": reason(packet.code),
        "sentence": sentence(packet, told.names),
        "waterfall": waterfall(packet),
        "against": sorted(
            (vote for vote in packet.votes if vote.vote is Vote.REJECT), key=lambda vote: (not vote.counts, vote.bit)
        ),
        "passed": [vote for vote in packet.votes if vote.vote is Vote.APPROVE],
        "first": rejections[0].bit if rejections else None,
        "waived": sum(vote.vote is Vote.REJECT and not vote.counts for vote in packet.votes),
        "caps": caps(packet),
        "what_if": what_if(packet, request.GET.dict(), terms(packet, told.at, told.worst_px)),
        "features": features(packet),
        "window": window(packet),
        "text": explain(packet, told.names),
        "digest": packet_id(packet),
        "config": config_hash(told.at),
        "title": told.names.titles[packet.market.index] if told.names.titles else "",
        "market_page": page_of("market", packet.market.index) or f"/markets/{packet.market.index}",
        "book": jobs.context_of(done[0], packet),
        "again": jobs.context_of(done[1], packet),
    }
    answer = show(request, "console/decision.html", "decisions", context)
    if READ not in request.COOKIES:
        answer.set_cookie(READ, "1", YEAR_S, secure=settings.SESSION_COOKIE_SECURE, httponly=True, samesite="Lax")
    return answer


def window(packet: DecisionPacket) -> str:
    """The window that is the least observed of those that the strategy reads, as its check has it; "" where none is."""
    vote = next(vote for vote in packet.votes if vote.check == "features")
    if packet.features is None:
        return ""
    seen = zip(packet.features.names, packet.features.values, strict=True)
    return next((n.removeprefix(WINDOW) for n, v in seen if n.startswith(WINDOW) and round(v * PPM) == vote.value), "")


def features(packet: DecisionPacket) -> list[tuple[str, float, float | None]]:
    """Name, value and, where the model standardises, distance from its mean in its scale."""
    if packet.features is None:
        return []
    found = packet.features
    distances: tuple[float | None, ...] = found.standardised or (None,) * len(found.values)
    return list(zip(found.names, found.values, distances, strict=True))


def config_hash(at: Moment) -> str:
    """SHA-256 of the strategy's settings and parameters in force, hex. What runs changes in them is left out."""
    settings = [name for name in at.strategy.dtype.names or () if name not in RUNNING]
    numbers = ",".join(str(int(at.strategy[name])) for name in settings)
    return hashlib.sha256(numbers.encode() + at.params.astype("<f8").tobytes()).hexdigest()


def page_of(name: str, *arguments: Any) -> str:
    """Address of a page that may not be there, "" then."""
    try:
        return reverse(name, args=arguments)
    except NoReverseMatch:
        return ""


def caps(packet: DecisionPacket) -> list[tuple[str, int, float, bool, str]]:
    """Wish, caps and what was approved: name, size, part of the largest, whether it is the smallest cap, and a note.

    A cap of 0 that was not worked out is no limit, so its note is the reason and not that it is the smallest.
    """
    lines = [
        ("wished", packet.wish),
        ("strategy cap", packet.strategy_cap),
        ("liquidity cap", packet.liquidity_cap),
        ("portfolio cap", packet.portfolio_cap),
        ("approved", packet.approved_size),
    ]
    most = max(packet.wish, packet.approved_size, 1)
    binding = min(lines[1:4], key=lambda line: line[1])[0]
    found = []
    for name, size in lines:
        is_binding = name == binding and size > 0
        note = none_because(packet, name) or ("smallest" if is_binding else "")
        found.append((name, size, max(0.0, min(1.0, size / most)), is_binding, note))
    return found


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


@require_POST
@needs(Permission.RUN)
def ask(request: HttpRequest, decision_id: str) -> HttpResponseBase:
    """Start a job about a decision: its book, or the same once more."""
    row = decisions.find(decision_id)
    kind = request.POST.get("kind", "")
    if row is None or kind not in ASKED:
        raise Http404("no such decision, or no such job")
    back = f"{reverse('decision', args=[row.decision_id])}#{kind}"
    # A book stays what it was. A replay is of this build, which may not be the one that has replayed it before.
    return jobs.asked(request, kind, {"decision": row.decision_id}, back, fresh=kind == "again")
