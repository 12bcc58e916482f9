"""Replays: their reports, one compared with another, how to run one, and any place of the log."""

import datetime as dt
from dataclasses import dataclass
from typing import Any, Final

from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from apps.replay.models import JobRecord, ReplayRecord
from polytraders.access.permissions import Permission, needs
from polytraders.console import jobs, scrubbed
from polytraders.console.frame import show
from polytraders.console.lists import Listed
from polytraders.contracts.reasons import reason

PLAIN: Final = (
    "verdict_code", "from_seq", "to_seq", "parity", "drift", "input_head", "output_head", "chain_head", "build",
    "first_difference", "seconds", "events_per_second",
)  # fmt: skip
NUMBERS: Final = (
    "events", "markets", "evaluations", "packets", "approved", "orders", "fills", "expired", "repairs", "equity",
    "realised", "unrealised", "fees",
)  # fmt: skip
DIGITS_MOST: Final = 12


@dataclass(frozen=True)
class Line:
    """One fact of two reports."""

    name: str
    left: str
    right: str

    @property
    def differs(self) -> bool:
        """Whether they disagree."""
        return self.left != self.right


@require_safe
@never_cache
@needs(Permission.VIEW)
def listing(request: HttpRequest) -> HttpResponseBase:
    """Reports, newest first, and the forms."""
    listed = Listed(request, ReplayRecord.objects.defer("report"))
    job = JobRecord.objects.filter(kind="replay").order_by("-id").first()
    head = scrubbed.head()
    context = {"listed": listed, "head": head, **jobs.context_of(job)}
    return show(request, "console/replays.html", "replays", context)


@require_safe
@never_cache
@needs(Permission.VIEW)
def replay(request: HttpRequest, replay_id: int) -> HttpResponseBase:
    """One report."""
    row = _found(str(replay_id))
    report = row.report or {}
    counts = sorted(report.get("counts_by_code", {}).items(), key=lambda pair: (-pair[1], pair[0]))
    most = max((count for _, count in counts), default=1) or 1
    older = ReplayRecord.objects.filter(id__lt=row.id).order_by("-id").values_list("id", flat=True).first()
    context = {
        "row": row,
        "entry": reason(row.verdict_code),
        "numbers": [(name, report[name]) for name in NUMBERS if name in report],
        "counts": [(code, count, count / most) for code, count in counts],
        "epochs": (report.get("log") or {}).get("epochs", []),
        "state_hash": (report.get("log") or {}).get("state_hash", ""),
        "older": older,
    }
    return show(request, "console/replay.html", "replays", context)


@require_safe
@never_cache
@needs(Permission.VIEW)
def compare(request: HttpRequest) -> HttpResponseBase:
    """Two reports side by side."""
    left, right = (_found(request.GET.get(name, "")) for name in ("left", "right"))
    lines = compared(left, right)
    context = {"left": left, "right": right, "lines": lines, "differing": sum(line.differs for line in lines)}
    return show(request, "console/replays_compare.html", "replays", context)


def compared(left: ReplayRecord, right: ReplayRecord) -> list[Line]:
    """Every fact that one of them has."""
    lines = [Line(name, _text(getattr(left, name)), _text(getattr(right, name))) for name in PLAIN]
    one, two = left.report or {}, right.report or {}
    lines += [Line(name, _text(one.get(name)), _text(two.get(name))) for name in NUMBERS if name in one or name in two]
    counts = one.get("counts_by_code", {}), two.get("counts_by_code", {})
    lines += [
        Line(code, _text(counts[0].get(code, 0)), _text(counts[1].get(code, 0)))
        for code in sorted({*counts[0], *counts[1]})
    ]
    return lines


@require_safe
@never_cache
@needs(Permission.VIEW)
def scrub(request: HttpRequest) -> HttpResponseBase:
    """A place in the log, by number or by time."""
    head = scrubbed.head()
    if head is None:
        return show(request, "console/replays_scrub.html", "replays", {"head": None})
    in_seq = _number(request.GET.get("seq", ""))
    moment = _moment(request.GET.get("at", ""))
    if moment is not None:
        in_seq = scrubbed.at_time(head, moment)
    at = min(max(in_seq or head["seq"], 1), head["seq"])
    context = {
        "head": head,
        "place": scrubbed.around(head, at),
        "part": at / head["seq"],
        "asked_time": request.GET.get("at", "") if moment is not None else "",
        "is_wrong": bool(request.GET.get("at")) and moment is None,
        **jobs.context_of(jobs.latest_of([("state", {"in_seq": at})])[0]),
    }
    return show(request, "console/replays_scrub.html", "replays", context)


@require_POST
@needs(Permission.RUN)
def run(request: HttpRequest) -> HttpResponseBase:
    """Start a job: a replay of the log, or the state behind an input. It changes nothing that was recorded."""
    in_seq = _number(request.POST.get("seq", ""))
    kind, arguments, back = "replay", {"until": in_seq or None}, reverse("replays")
    if request.POST.get("what") == "state" and in_seq:
        kind, arguments = "state", {"in_seq": in_seq}
        back = f"{reverse('replays-scrub')}?{urlencode({'seq': in_seq})}"
    answer: HttpResponseBase = jobs.asked(request, kind, arguments, back, fresh=kind == "replay")
    return answer


def _found(told: str) -> ReplayRecord:
    number = _number(told)
    row = ReplayRecord.objects.filter(id=number).first() if number else None
    if row is None:
        raise Http404("no such replay")
    return row


def _number(told: str) -> int:
    plain = told.replace(",", "").strip()
    return int(plain) if plain.isascii() and plain.isdigit() and len(plain) <= DIGITS_MOST else 0


def _moment(told: str) -> dt.datetime | None:
    try:
        found = dt.datetime.fromisoformat(told)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=dt.UTC)


def _text(value: Any) -> str:
    if value is None or value == "":
        return "\N{EN DASH}"
    return f"{value:,}" if isinstance(value, int) else f"{value:.6g}" if isinstance(value, float) else str(value)
