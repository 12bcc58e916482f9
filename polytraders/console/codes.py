"""The registry of reason codes with how often each was said, and one code's page."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from django.conf import settings
from django.db.models import Q, Sum
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from apps.monitoring.core.incidents import Priority
from apps.monitoring.models import CodeRecord, IncidentRecord
from apps.monitoring.priorities import Urgency, urgency
from apps.monitoring.projections import CODE_NS
from apps.risk.models import DecisionRecord
from polytraders.access.permissions import Permission, needs
from polytraders.console import board, stages
from polytraders.console.board import HOUR_NS, PacketLine
from polytraders.console.frame import show
from polytraders.contracts.reason import Reason
from polytraders.contracts.reasons import REASONS, SEVERITIES, precedence, reason

SPANS: Final = (("hour", HOUR_NS), ("day", 24 * HOUR_NS), ("week", 7 * 24 * HOUR_NS))
RECENT: Final = 20
SEEN_MOST: Final = 5
REGISTRY_FILES: Final = frozenset(
    {"reason.py", "reasons.py", "reasons_market.py", "reasons_trade.py", "reasons_operate.py"}
)


@dataclass(frozen=True)
class CodeLine:
    """One code with how often it was said in the last hour, day and week of loop time; `share` of the most said."""

    reason: Reason
    urgency: Urgency
    hour: int
    day: int
    week: int
    share: float


@require_safe
@never_cache
@needs(Permission.VIEW)
def reasons(request: HttpRequest) -> HttpResponseBase:
    """The whole registry by stage, or a part of it."""
    now = board.strip()
    stage, severity = request.GET.get("stage", ""), request.GET.get("severity", "")
    text = request.GET.get("text", "").strip()[:100]
    shown = [entry for entry in REASONS if fits(entry, stage, severity, text)]
    counts = counted(now.loop.loop_ts if now.loop else None)
    if request.GET.get("said"):
        shown = [entry for entry in shown if any(counts.get(entry.number, (0, 0, 0)))]
    lines = told(shown, counts)
    groups = [(each, [line for line in lines if line.reason.stage == each.number]) for each in stages.STAGES]
    context = {
        "board": now,
        "groups": [(each, found) for each, found in groups if found],
        "stages": stages.STAGES,
        "severities": SEVERITIES,
        "stage": stage,
        "severity": severity,
        "text": text,
        "said": bool(request.GET.get("said")),
        "number": len(lines),
        "all": len(REASONS),
    }
    return show(request, "console/reasons.html", "reasons", context)


@require_safe
@never_cache
@needs(Permission.VIEW)
def reason_page(request: HttpRequest, code: str) -> HttpResponseBase:
    """What a code means, what to do about it, how often and where it was said lately."""
    try:
        entry = reason(code)
    except KeyError as error:
        raise Http404("no such reason code") from error
    now = board.strip()
    newest = now.loop.loop_ts if now.loop else None
    incidents = list(IncidentRecord.objects.filter(code=code).order_by("-id")[:RECENT])
    context = {
        "board": now,
        "entry": entry,
        "line": told([entry], counted(newest, entry.number))[0],
        "stage": stages.STAGES[entry.stage - 1],
        "precedence": precedence(code),
        "recent": recent(entry, newest),
        "incidents": [(row, Priority(row.priority)) for row in incidents],
        "places": raised_in(code),
    }
    return show(request, "console/reason.html", "reasons", context)


def fits(entry: Reason, stage: str, severity: str, text: str) -> bool:
    """Whether a code is among those that are asked for; "" asks for all."""
    words = f"{entry.code} {entry.code.replace('_', ' ')} {entry.meaning} {entry.action} {entry.number}".lower()
    return stage in ("", str(entry.stage)) and severity in ("", entry.severity) and text.lower() in words


def counted(newest: int | None, number: int | None = None, shard: int = 0) -> dict[int, tuple[int, int, int]]:
    """How often each code was said in the last hour, day and week before `newest`; one question.

    Counts are kept by ten minutes, so each span begins up to ten minutes early.
    """
    if newest is None:
        return {}
    starts = [(newest - span) // CODE_NS * CODE_NS for _, span in SPANS]
    rows = CodeRecord.objects.filter(shard=shard, ts__gte=starts[2])
    if number is not None:
        rows = rows.filter(code=number)
    sums = rows.values("code").annotate(
        hour=Sum("count", filter=Q(ts__gte=starts[0])),
        day=Sum("count", filter=Q(ts__gte=starts[1])),
        week=Sum("count"),
    )
    return {row["code"]: (row["hour"] or 0, row["day"] or 0, row["week"] or 0) for row in sums}


def told(entries: Iterable[Reason], counts: dict[int, tuple[int, int, int]]) -> list[CodeLine]:
    """Lines of the registry."""
    most = max((day for _, day, _ in counts.values()), default=0) or 1
    none = (0, 0, 0)
    return [
        CodeLine(entry, urgency(entry.code), *(found := counts.get(entry.number, none)), share=found[1] / most)
        for entry in entries
    ]


def recent(entry: Reason, newest: int | None, shard: int = 0) -> list[PacketLine]:
    """The last decisions with a code, with names; three questions, each by an index."""
    rows = list(DecisionRecord.objects.filter(shard=shard, code=entry.number).order_by("-id")[:RECENT])
    if not rows:
        return []
    titles = board.market_titles(shard, {row.market for row in rows})
    names = board.strategy_names(shard)
    at = max(newest or 0, rows[0].ts)
    return [
        PacketLine(
            row,
            titles.get(row.market) or f"market {row.market}",
            names.get(row.strategy) or f"strategy {row.strategy}",
            entry,
            at - row.ts,
        )
        for row in rows
    ]


@cache
def _sources() -> tuple[tuple[str, str], ...]:
    root: Path = settings.BASE_DIR
    found = sorted(
        path
        for folder in ("polytraders", "apps")
        for path in (root / folder).rglob("*.py")
        if path.name not in REGISTRY_FILES
    )
    return tuple((str(path.relative_to(root)), path.read_text(encoding="utf-8")) for path in found)


@cache
def raised_in(code: str) -> tuple[str, ...]:
    """Where the sources say it, as file:line; read once, for the sources of a running process do not change."""
    quoted = f'"{code}"'
    return tuple(
        f"{name}:{number}"
        for name, text in _sources()
        if quoted in text
        for number, line in enumerate(text.splitlines(), 1)
        if quoted in line
    )[:SEEN_MOST]
