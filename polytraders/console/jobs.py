"""A job's own page, which is also the fragment that other pages show of it: progress while it runs, then its result."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from apps.replay import jobs
from apps.replay.models import JobRecord
from polytraders.access import audit
from polytraders.access.permissions import Permission, needs
from polytraders.console import decisions
from polytraders.console.frame import show
from polytraders.console.pictures import then
from polytraders.contracts.decision import DecisionPacket

HERE = "decisions"


def latest_of(asked: Sequence[tuple[str, Mapping[str, Any]]]) -> list[JobRecord | None]:
    """The last job of each of these questions, kind and arguments; one query."""
    digests = [jobs.digest_of(kind, arguments) for kind, arguments in asked]
    newest = JobRecord.objects.filter(digest__in=digests).order_by("digest", "-id").distinct("digest")
    found = {job.digest: job for job in newest}
    return [found.get(digest) for digest in digests]


def context_of(job: JobRecord | None, packet: DecisionPacket | None = None) -> dict[str, Any]:
    """What `console/_job.html` needs; a book comes with its picture, which also needs the decision's packet."""
    context: dict[str, Any] = {"job": job, "kind": jobs.KINDS.get(job.kind) if job else None}
    if job is not None and job.kind == "book" and job.result is not None:
        row = decisions.find(job.result["decision"]) if packet is None else None
        with suppress(LookupError):
            packet = decisions.rendered(row)[0] if row is not None else packet
        context["drawn"] = then.drawn(job.result, packet) if packet is not None else None
    return context


def asked(
    request: HttpRequest, kind: str, arguments: Mapping[str, Any], back: str, *, fresh: bool = False
) -> HttpResponseBase:
    """Start a job for who is logged in, and go back to the page that shows it; too many are said so there.

    The view that calls this has `@needs(Permission.RUN)` and takes POST only.
    """
    who = request.user.get_username()
    try:
        with transaction.atomic():
            made = jobs.ask(kind, arguments, who, fresh=fresh)
            if made.is_new:
                told = {"kind": kind, "arguments": arguments}
                audit.write(who, "job.start", f"job {made.id}", after=told, request=request)
    except jobs.Busy as error:
        messages.error(request, f"{error.code}: {error}. Wait for one, or cancel it.")
    return redirect(back)


@require_safe
@never_cache
@needs(Permission.VIEW)
def job(request: HttpRequest, job_id: int) -> HttpResponseBase:
    """One job: for htmx only its fragment, which asks again while there is something to come."""
    found = JobRecord.objects.filter(id=job_id).first() if job_id < 2**63 else None
    if found is None:
        raise Http404("no such job")
    context = context_of(found)
    if getattr(request, "htmx", False):
        return render(request, "console/_job.html", context)
    return show(request, "console/job.html", HERE, context)


@require_POST
@needs(Permission.RUN)
def cancel(request: HttpRequest, job_id: int) -> HttpResponseBase:
    """End a job. It changes nothing but itself."""
    if not _cancelled(request, job_id):
        messages.warning(request, "That job is over already.")
    back = request.POST.get("back", "")
    if not url_has_allowed_host_and_scheme(back, allowed_hosts=None):
        return redirect("job", job_id)
    return redirect(back)


def _cancelled(request: HttpRequest, job_id: int) -> bool:
    """Whether there was anything to end; what was over already is no act."""
    if job_id >= 2**63:
        return False
    with transaction.atomic():
        is_ended = jobs.cancel(job_id)
        if is_ended:
            audit.write(request.user.get_username(), "job.cancel", f"job {job_id}", request=request)
    return is_ended
