"""What two people do together: one proposes, another confirms, then the loop is asked, and its answer is kept.

The database refuses a confirmation by the proposer and a second answer; what is said here first is only politer. Both
compare persons: `request.user` is the person behind a key, whatever key; who acted is kept as the audit calls it.
"""

import datetime as dt
import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef
from django.db.models.expressions import RawSQL
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from apps.risk.models import Proposal, ProposalStep
from polytraders import commands
from polytraders.access import audit
from polytraders.access.permissions import Permission, may
from polytraders.commands import Answered, Command
from polytraders.console import asked, kills
from polytraders.console.problems import Refused
from polytraders.contracts.scope import Scope

LIFE: Final = dt.timedelta(hours=24)
ANSWERS: Final = ("confirmed", "refused", "withdrawn", "expired")
LOOP: Final = {"limit": ("limit", "limits"), "rollout": ("rollout", "rollout"), "parameter": ("parameter", "strategy")}
"""Kind of command and the loop's permission for it; a release goes its own way."""
NEEDS: Final = {
    "limit": Permission.LIMIT, "release": Permission.RELEASE, "rollout": Permission.PROMOTE,
    "parameter": Permission.STRATEGY,
}  # fmt: skip
"""What whoever confirms must be allowed."""
EXPIRER: Final = "system"
SHOWN: Final = 30
STEPS: Final = """
(SELECT coalesce(json_agg(json_build_object('state', s.state, 'actor', s.actor, 'words', s.words) ORDER BY s.id),
 '[]'::json) FROM risk_proposal_step s WHERE s.proposal_id = risk_proposal.id)"""


def _actor(request: HttpRequest) -> str:
    """As the audit calls who asks: "key:<prefix>" for a program, else the person."""
    caller = getattr(request, "caller", None)
    return str(caller.name) if caller is not None else request.user.get_username()


def propose(
    request: HttpRequest, kind: str, target: str, payload: Mapping[str, Any], *, before: str, after: str, reason: str
) -> Proposal:
    """Write a proposal down.

    Raises:
        Refused: It has no reason.
    """
    if not reason.strip():
        raise Refused(HTTPStatus.BAD_REQUEST, "GOV_REQUEST_INVALID", "a proposal needs its reason")
    who = _actor(request)
    with transaction.atomic():
        made = Proposal.objects.create(
            shard=0, kind=kind, target=target, payload=json.dumps(dict(payload), sort_keys=True), before=before,
            after=after, actor=who, reason=reason.strip()[: kills.REASON_MAX], expires_at=timezone.now() + LIFE,
        )  # fmt: skip
        audit.write(
            who, f"{kind}.propose", target, reason=made.reason, before={"value": before},
            after={"value": after, "proposal": made.id}, request=request,
        )  # fmt: skip
    return made


def find(number: int) -> Proposal:
    """A proposal.

    Raises:
        Refused: There is none.
    """
    found = Proposal.objects.filter(id=number).first()
    if found is None:
        raise Refused(HTTPStatus.NOT_FOUND, "GOV_NOT_FOUND", "there is no such proposal")
    return found


def _close(proposal: Proposal, state: str, actor: str, words: str, after_seq: int = 0) -> None:
    try:
        with transaction.atomic():
            ProposalStep.objects.create(
                proposal=proposal, proposer=proposal.actor, state=state, actor=actor, words=words, after_seq=after_seq
            )
    except IntegrityError as error:
        if "risk_four_eyes" in str(error):
            raise Refused(
                HTTPStatus.FORBIDDEN, "GOV_FOUR_EYES_REQUIRED", "whoever proposed it cannot confirm it"
            ) from error
        raise Refused(HTTPStatus.CONFLICT, "GOV_PROPOSAL_CLOSED", "it has been answered already") from error


def confirm(request: HttpRequest, proposal: Proposal) -> Answered | None:
    """A second person says yes: the loop is asked at once; its answer, None = it says nothing yet.

    Raises:
        Refused: Same person, over, answered already, or a kill came between.
    """
    who, person = _actor(request), request.user.get_username()
    if person == proposal.person:
        raise Refused(HTTPStatus.FORBIDDEN, "GOV_FOUR_EYES_REQUIRED", "whoever proposed it cannot confirm it")
    if proposal.expires_at <= timezone.now():
        _expire(proposal)
        raise Refused(HTTPStatus.CONFLICT, "GOV_PROPOSAL_EXPIRED", "its day is over: propose it again")
    told = json.loads(proposal.payload)
    if proposal.kind == "release":
        return _release(request, proposal, told, who)
    if proposal.kind == "rollout":
        told["evidence"]["person"] = f"{proposal.person}, {person}"
    command, permission = LOOP[proposal.kind]
    fresh_key = f"proposal:{proposal.id}"
    with transaction.atomic():
        sent = asked.put(command, permission, who, told | {"reason": proposal.reason}, fresh_key)
        _close(proposal, "confirmed", who, "", sent.after_seq)
        _audited(request, proposal, "confirm", who)
    found = asked.answer(sent)
    if found is not None:
        _ended(proposal, found, who)
    return found


def _release(request: HttpRequest, proposal: Proposal, told: dict[str, Any], who: str) -> Answered | None:
    # Confirmed first: of two who press at the same time one goes on.
    with transaction.atomic():
        _close(proposal, "confirmed", who, "")
        _audited(request, proposal, "confirm", who)
    try:
        found = kills.release(
            Scope[told["scope"].upper()], told["name"], proposal.actor, proposal.reason, epoch=told["epoch"],
            request=request, second=who,
        )  # fmt: skip
    except Refused as refusal:
        _ended(proposal, Answered(refusal.code, refusal.detail), who)
        raise
    if found is not None:
        _ended(proposal, found, who)
    return found


def refuse(request: HttpRequest, proposal: Proposal, words: str) -> None:
    """Say no, or take it back when it is one's own."""
    who = _actor(request)
    state = "withdrawn" if request.user.get_username() == proposal.person else "refused"
    with transaction.atomic():
        _close(proposal, state, who, words[: kills.REASON_MAX])
        _audited(request, proposal, "withdraw" if state == "withdrawn" else "refuse", who, words)


def settle() -> int:
    """Keep the loop's late answers and end what is over; how many steps were written. For a job."""
    made = 0
    ended = ProposalStep.objects.filter(proposal=OuterRef("proposal"), state__in=("done", "failed"))
    waiting = ProposalStep.objects.filter(~Exists(ended), state="confirmed", after_seq__gt=0).select_related("proposal")
    for step in waiting[:SHOWN]:
        found = commands.answered(asked.raw(), Command(f"proposal:{step.proposal_id}", step.after_seq))
        if found is not None:
            made += 1
            _ended(step.proposal, found, step.actor)
    answered = ProposalStep.objects.filter(proposal=OuterRef("pk"), state__in=ANSWERS)
    for proposal in Proposal.objects.filter(~Exists(answered), expires_at__lte=timezone.now())[:SHOWN]:
        made += 1
        _expire(proposal)
    return made


def _expire(proposal: Proposal) -> None:
    with transaction.atomic():
        _close(proposal, "expired", EXPIRER, "")
        audit.write(EXPIRER, f"{proposal.kind}.expire", proposal.target, after={"proposal": proposal.id})


def _ended(proposal: Proposal, found: Answered, who: str) -> None:
    state, words = ("failed", f"{found.code}: {found.words}") if found.code else ("done", f"input {found.in_seq:,}")
    ProposalStep.objects.create(proposal=proposal, proposer=proposal.actor, state=state, actor=who, words=words)


def _audited(request: HttpRequest, proposal: Proposal, verb: str, who: str, words: str = "") -> None:
    audit.write(
        who, f"{proposal.kind}.{verb}", proposal.target, reason=words or proposal.reason,
        before={"value": proposal.before}, after={"value": proposal.after, "proposal": proposal.id,
        "proposed_by": proposal.actor}, request=request,
    )  # fmt: skip


class Shown:
    """A proposal as a page lists it.

    Attributes:
        row: The proposal.
        steps: What happened to it: state, actor and words of each.
        is_open: Whether it can be answered.
        state: waiting, confirmed, refused, withdrawn, expired, done or failed.
        address: Where it is answered.
    """

    def __init__(self, row: Proposal) -> None:
        told: Any = row
        self.row = row
        self.steps: list[dict[str, str]] = told.told if isinstance(told.told, list) else json.loads(told.told)
        self.is_open = not self.steps and row.expires_at > timezone.now()
        self.state = self.steps[-1]["state"] if self.steps else "waiting" if self.is_open else "expired"
        self.address = reverse(f"answer-{row.kind}", args=[row.id])


def listed(*kinds: str, shard: int = 0) -> list[Shown]:
    """The newest proposals of some kinds; one query."""
    rows = Proposal.objects.filter(shard=shard, kind__in=kinds).annotate(told=RawSQL(STEPS, ()))  # noqa: S611
    return [Shown(row) for row in rows.order_by("-id")[:SHOWN]]


def answerable(user: Any) -> list[str]:
    """Kinds of proposals that this person may answer."""
    return [kind for kind, permission in NEEDS.items() if may(user, permission)]
