"""Kill and rollout: the page, and what its buttons do."""

import time
from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any, Concatenate, Final, ParamSpec, cast

from django.contrib import messages
from django.db import transaction
from django.db.models.expressions import RawSQL
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from apps.risk.models import ControlRecord, Drill, Proposal
from polytraders.access import audit, limiting
from polytraders.access.permissions import Permission, needs
from polytraders.access.stepup import needs_step_up
from polytraders.commands import Answered
from polytraders.console import asked, checklist, drills, foureyes, kills, rollouts
from polytraders.console.frame import show
from polytraders.console.lists import Listed
from polytraders.console.problems import Refused, problem
from polytraders.console.scopes import Tree
from polytraders.contracts.inputs import Stage
from polytraders.contracts.scope import Scope

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]
HISTORY: Final = 30
DRILLS: Final = 10
SAID: Final = {
    "why": "(SELECT reason FROM risk_why w WHERE w.key = risk_control.key)",
    "why_by": "(SELECT actor FROM risk_why w WHERE w.key = risk_control.key)",
    "fence_us": "(SELECT fence_us FROM risk_audited a WHERE a.key = risk_control.key)",
    "through": "(SELECT through FROM risk_audited a WHERE a.key = risk_control.key)",
}
"""What stands elsewhere about a kill."""


def told(home: str) -> Callable[[View[P]], View[P]]:
    """A view whose refusals are said on the page `home`, or as a problem to a program."""

    def decorate(view: View[P]) -> View[P]:
        @wraps(view)
        def asked_for(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            try:
                return view(request, *args, **kwargs)
            except Refused as refusal:
                if not request.accepts("text/html"):
                    return problem(refusal.status, refusal.code, refusal.detail)
                messages.error(request, f"Refused: {refusal.detail}. {refusal.code}")
                return back(request, home)

        return cast("View[P]", asked_for)

    return decorate


def back(request: HttpRequest, home: str, more: str = "") -> HttpResponse:
    """To the page again, so that a reload asks for nothing twice."""
    return redirect(reverse(home) + more)


def scope_of(request: HttpRequest) -> tuple[Scope, str]:
    """Scope and name of a form.

    Raises:
        Refused: There is no such scope.
    """
    scope = Scope.__members__.get(request.POST.get("scope", "global").upper())
    name = request.POST.get("name", "").strip() if scope is not Scope.GLOBAL else ""
    if scope is None or (scope is not Scope.GLOBAL and not name):
        raise Refused(HTTPStatus.BAD_REQUEST, "GOV_COMMAND_INVALID", "a scope needs its kind and its name")
    return scope, name


def say(request: HttpRequest, found: Answered | None, done: str) -> None:
    """What the loop answered."""
    if found is None:
        messages.warning(request, "The loop has not answered yet: the command waits in its inbox for a minute.")
    elif found.code:
        messages.error(request, f"The loop refused: {found.words}. {found.code}")
    else:
        messages.success(request, f"{done} The loop took it in as input {found.in_seq:,}.")


@require_safe
@never_cache
@needs(Permission.VIEW)
def page(request: HttpRequest) -> HttpResponseBase:
    """Scopes, ladder, proposals; with `?release=` the check list of one scope instead."""
    tree = Tree(request.GET.get("find", "").strip()[:100])
    now = tree.strip()
    context: dict[str, Any] = {
        "board": now,
        "tree": tree,
        "stages": list(Stage),
        "me": request.user.get_username(),
        "can_answer": foureyes.answerable(request.user),
    }
    kind, _, name = request.GET.get("release", "").partition(":")
    scope = Scope.__members__.get(kind.upper())
    line = tree.find(scope, name) if scope is not None else None
    if line is not None:
        context |= {"line": line, "checks": checklist.release(line, tree, now)}
    else:
        context["rungs"] = rollouts.ladder(tree.strategies, now.loop.loop_ts if now.loop else 0)
        context["proposals"] = foureyes.listed("release", "rollout")
    if request.GET.get("killed"):
        context["killed"] = _controls().filter(key=request.GET["killed"]).first()
    return show(request, "console/control.html", "control", context)


def _controls() -> Any:
    return ControlRecord.objects.filter(shard=0).annotate(**{name: RawSQL(sql, ()) for name, sql in SAID.items()})  # noqa: S611  constants


@require_safe
@never_cache
@needs(Permission.VIEW)
def history(request: HttpRequest) -> HttpResponseBase:
    """Kills and releases as they were asked for, and drills."""
    tree = Tree(deep=False)
    context = {
        "board": tree.strip(),
        "tree": tree,
        "listed": Listed(request, _controls(), most=HISTORY),
        "drills": list(Drill.objects.filter(shard=0).order_by("-id")[:DRILLS]),
    }
    return show(request, "console/control_history.html", "control", context)


@limiting.unlimited
@require_POST
@never_cache
@needs(Permission.KILL)
@told("control")
def kill(request: HttpRequest) -> HttpResponseBase:
    """Stop a scope. No reason, no second factor, no second person stands before it."""
    scope, name = scope_of(request)
    made = kills.kill(scope, name, request.user.get_username(), through="console", request=request)
    if not request.accepts("text/html"):
        return JsonResponse(_answer(made))
    what = kills.target(scope, name)
    messages.success(request, f"Killed: {what}. The fence was written in {made.fence_us / 1_000:.1f} ms.")
    return back(request, "control", f"?killed={made.key}#killed")


def _answer(made: Any) -> dict[str, Any]:
    """The same words as the endpoint's."""
    recorded = made.fence != "GOV_KILL_SPOOLED"
    return {
        "key": made.key, "scope": made.scope, "name": made.name, "fence_ms": made.fence_us / 1_000,
        "fence": made.fence if recorded else "", "recorded": recorded,
        "reason_code": "" if recorded else made.fence, "in_seq": None, "input_ms": None, "orders": None,
        "took_ms": max(0.0, (time.time_ns() - made.at_ns) / 1e6),
    }  # fmt: skip


@require_POST
@never_cache
@needs(Permission.KILL)
@told("control")
def reason(request: HttpRequest) -> HttpResponseBase:
    """Why, afterwards."""
    words = request.POST.get("reason", "").strip()
    if not words:
        raise Refused(HTTPStatus.BAD_REQUEST, "GOV_REQUEST_INVALID", "say why it was killed")
    # The endpoint has answered before the record was audited; the reason may come first.
    kills.note_all()
    if kills.explain(request.POST.get("key", ""), request.user.get_username(), words, request):
        messages.success(request, "The reason is kept with the kill.")
    else:
        messages.warning(request, "Somebody has given a reason already; the first one counts.")
    return back(request, "control")


@require_POST
@never_cache
@needs(Permission.RELEASE)
@needs_step_up
@told("control")
def release(request: HttpRequest) -> HttpResponseBase:
    """Let a scope trade again; everything only by two people."""
    scope, name = scope_of(request)
    words = request.POST.get("reason", "").strip()
    if not words:
        raise Refused(HTTPStatus.BAD_REQUEST, "GOV_RELEASE_PRECONDITION", "a release needs its reason")
    tree = Tree(name)
    now = tree.strip()
    line = tree.find(scope, name)
    if line is None:
        raise Refused(HTTPStatus.BAD_REQUEST, "GOV_COMMAND_INVALID", "there is no such scope")
    if not line.is_killed:
        raise Refused(HTTPStatus.CONFLICT, "GOV_RELEASE_PRECONDITION", "it trades: there is nothing to release")
    epoch = request.POST.get("epoch", "")
    if epoch != str(tree.epoch):
        raise Refused(
            HTTPStatus.CONFLICT, "GOV_RELEASE_PRECONDITION", "something was killed or released since: look again"
        )
    blocking = [check.title for check in checklist.release(line, tree, now) if check.blocks]
    if blocking:
        raise Refused(HTTPStatus.CONFLICT, "GOV_RELEASE_PRECONDITION", f"not ticked: {'; '.join(blocking)}")
    if scope is Scope.GLOBAL:
        payload = {"scope": "global", "name": "", "epoch": tree.epoch}
        foureyes.propose(request, "release", "everything", payload, before="killed", after="trading", reason=words)
        messages.success(request, "Proposed. Everything stays killed until a second person confirms it.")
        return back(request, "control", "#proposals")
    found = kills.release(scope, name, request.user.get_username(), words, epoch=tree.epoch, request=request)
    say(request, found, f"Released: {kills.target(scope, name)}.")
    return back(request, "control")


@require_POST
@never_cache
@needs(Permission.PROMOTE)
@told("control")
def stage(request: HttpRequest) -> HttpResponseBase:
    """Move a strategy on the ladder: down at once, up as a proposal that a second person confirms with a code."""
    tree = Tree(deep=False)
    now, chosen = tree.strip(), request.POST.get("strategy", "")
    rungs = rollouts.ladder(tree.strategies, now.loop.loop_ts if now.loop else 0)
    rung = next((one for one in rungs if one.name == chosen), None)
    wanted = Stage.__members__.get(request.POST.get("stage", "").upper())
    if rung is None or wanted is None or wanted == rung.stage:
        raise Refused(HTTPStatus.BAD_REQUEST, "GOV_COMMAND_INVALID", "there is no such strategy or no such step")
    words = request.POST.get("reason", "").strip()
    if wanted > rung.stage:
        return _up(request, rung, wanted, words)
    who, fresh_key = request.user.get_username(), f"rollout:{rung.name}:{time.time_ns()}"[:200]
    with transaction.atomic():
        payload = {"strategy": rung.name, "stage": wanted.name.lower(), "reason": words}
        sent = asked.put("rollout", "rollout", who, payload, fresh_key)
        audit.write(
            who, "rollout.down", rung.name, reason=words, before={"stage": rung.stage.name.lower()},
            after={"stage": wanted.name.lower()}, request=request,
        )  # fmt: skip
    say(request, asked.answer(sent), f"{rung.name} is at {wanted.name.lower()}.")
    return back(request, "control", "#ladder")


@needs_step_up
def _up(request: HttpRequest, rung: rollouts.Rung, wanted: Stage, words: str) -> HttpResponseBase:
    if wanted != rung.following or rung.missing:
        missing = ", ".join(rung.missing) or "the stages between"
        raise Refused(HTTPStatus.CONFLICT, "GOV_ROLLOUT_EVIDENCE_MISSING", f"missing: {missing}")
    payload = {
        "strategy": rung.name, "stage": wanted.name.lower(), "evidence": rung.evidence._asdict(),
    }  # fmt: skip
    foureyes.propose(
        request, "rollout", rung.name, payload, before=rung.stage.name.lower(), after=wanted.name.lower(), reason=words
    )
    messages.success(request, "Proposed: a second person confirms it.")
    return back(request, "control", "#proposals")


@require_POST
@never_cache
@needs(Permission.RELEASE)
@needs_step_up
@told("control")
def drill(request: HttpRequest) -> HttpResponseBase:
    """Kill a strategy or a cluster in paper, wait until its orders are gone, release it, and keep the times."""
    scope, name = scope_of(request)
    made = drills.run(scope, name, request)
    if made.code:
        messages.error(request, f"The drill of {name} did not end well: {made.code}. It may still be killed.")
    else:
        messages.success(request, f"The drill of {name} is kept below.")
    return back(request, "control-history", "#drills")


def answers(kind: str) -> Callable[..., HttpResponseBase]:
    """The view that answers a proposal of a kind: `yes` by a second person with a code, `no` by anybody who may."""
    home = {"limit": "risk", "parameter": "strategies"}.get(kind, "control")

    @require_POST
    @never_cache
    @needs(foureyes.NEEDS[kind])
    @told(home)
    def view(request: HttpRequest, number: int) -> HttpResponseBase:
        proposal = foureyes.find(number)
        if proposal.kind != kind:
            raise Refused(HTTPStatus.NOT_FOUND, "GOV_NOT_FOUND", "there is no such proposal")
        if request.POST.get("answer") == "yes":
            return _yes(request, proposal)
        foureyes.refuse(request, proposal, request.POST.get("reason", "").strip())
        messages.success(request, "The proposal is closed; nothing was changed.")
        return back(request, home, "#proposals")

    @needs_step_up
    def _yes(request: HttpRequest, proposal: Proposal) -> HttpResponseBase:
        found = foureyes.confirm(request, proposal)
        say(request, found, f"{proposal.target}: {proposal.before} to {proposal.after}.")
        return back(request, home, "#proposals")

    return cast("Callable[..., HttpResponseBase]", view)
