"""The audit as a list: by family of acts and by actor, as a file, and whether its chain is whole."""

import time
from collections.abc import Sequence
from typing import Final, NamedTuple

from django.contrib import messages
from django.db import OperationalError, transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe
from kombu.exceptions import OperationalError as BrokerAway

from polytraders.access import audit as acts
from polytraders.access import chain as chains
from polytraders.access.models import AuditRow, ChainCheck
from polytraders.access.permissions import Permission, needs
from polytraders.access.tasks import verify_audit
from polytraders.console.frame import show
from polytraders.console.lists import Listed, as_csv

FAMILIES: Final = (
    "audit", "control", "factor", "incident", "job", "key", "ledger", "limit", "order", "parameter", "position",
    "record", "release", "rollout", "route", "rule", "session", "user", "webhook",
)  # fmt: skip
"""Families of acts that are offered; another one can be asked for in the address."""
FILE_MAX: Final = 10_000
WAITS_S: Final = 300.0
HEADER: Final = ("id", "at", "actor", "act", "target", "reason", "before", "after", "ip", "agent", "hash")


class Chain(NamedTuple):
    """What is known of the chain.

    Attributes:
        first: First row that was checked just now.
        last: Last row that was checked just now; 0 = none.
        wrong: What is wrong with them, None = each follows from the one before.
        took_ms: How long checking them took.
        check: The last walk over everything, by a worker; None = there was none.
        is_waiting: A walk was asked for and has not ended.
    """

    first: int
    last: int
    wrong: chains.Wrong | None
    took_ms: float
    check: ChainCheck | None
    is_waiting: bool


def chain(rows: Sequence[AuditRow]) -> Chain:
    """Check the rows that the page shows, newest first and without gaps, and say what the last full walk found.

    Two queries: the row before the first one, and the last walks.
    """
    began = time.perf_counter()
    first, last, wrong = 0, 0, None
    if rows:
        shown = [tuple(getattr(row, name) for name in chains.COLUMNS) for row in reversed(rows)]
        before = AuditRow.objects.filter(id=rows[-1].id - 1).first()
        head = bytes(before.hash) if before else chains.NOTHING
        found = chains.walk(shown, rows[-1].id - 1, head)
        first, last, wrong = rows[-1].id, rows[0].id, found.wrong
    took_ms = (time.perf_counter() - began) * 1_000
    checks = list(ChainCheck.objects.order_by("-id")[:5])
    ended = next((check for check in checks if check.ended_at is not None), None)
    waiting = bool(checks) and checks[0].ended_at is None and time.time() - checks[0].asked_at.timestamp() < WAITS_S
    return Chain(first, last, wrong, took_ms, ended, waiting)


def filtered(request: HttpRequest) -> "tuple[QuerySet[AuditRow], bool]":
    """The rows that the address asks for, and whether they are all of them."""
    family, actor = request.GET.get("family", "").strip(), request.GET.get("actor", "").strip()
    asked = Q()
    if family:
        asked &= Q(family=family.replace("\0", ""))
    if actor:
        asked &= Q(actor=actor.replace("\0", ""))
    return AuditRow.objects.filter(asked), not (family or actor)


@require_safe
@never_cache
@needs(Permission.AUDIT)
def audit(request: HttpRequest) -> HttpResponseBase:
    """The rows, newest first."""
    rows, is_whole = filtered(request)
    listed = Listed(request, rows)
    context = {
        "listed": listed,
        "families": FAMILIES,
        "family": request.GET.get("family", ""),
        "actor": request.GET.get("actor", ""),
        "query": request.GET.urlencode(),
        "chain": chain(listed.rows if is_whole else []),
        "is_whole": is_whole,
    }
    return show(request, "console/audit.html", "access", context)


@require_safe
@never_cache
@needs(Permission.AUDIT)
def audit_csv(request: HttpRequest) -> HttpResponseBase:
    """The same rows as a file, at most `FILE_MAX`, from the newest or from `?before=` on."""
    listed = Listed(request, filtered(request)[0], most=FILE_MAX)
    made = (
        (row.id, row.at.isoformat(), row.actor, row.act, row.target, row.reason, row.before, row.after, row.ip,
         row.agent, bytes(row.hash).hex())
        for row in listed.rows
    )  # fmt: skip
    return as_csv("audit", HEADER, made)


@require_POST
@needs(Permission.AUDIT)
def check(request: HttpRequest) -> HttpResponseBase:
    """Ask a worker to walk over everything; one at a time."""
    newest = ChainCheck.objects.order_by("-id").first()
    if newest and newest.ended_at is None and time.time() - newest.asked_at.timestamp() < WAITS_S:
        messages.info(request, "A check is under way already.")
        return redirect("audit")
    with transaction.atomic():
        row = ChainCheck.objects.create(asked_by=request.user.get_username())
        acts.write(request.user.get_username(), "audit.check", f"check {row.pk}", request=request)
    try:
        verify_audit.apply_async((row.pk,), retry=False)
        messages.success(request, "A worker checks every row; what it found is shown here.")
    except (BrokerAway, OperationalError):
        row.delete()
        messages.error(request, "No worker can be asked now: the queue does not answer. Run `polytraders verify`.")
    return redirect("audit")
