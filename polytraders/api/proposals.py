"""Proposals: what one person asks for and another confirms, each kind with the permission that its page asks for.

Two people are two persons: whoever comes with a key is its owner, whichever key it is.
"""

from collections.abc import Callable
from typing import Any, Final, Literal

from django.http import HttpRequest
from ninja import Field, Schema

from apps.risk.models import Proposal
from polytraders import commands
from polytraders.access.permissions import Permission
from polytraders.api.controls import REASON_MAX
from polytraders.api.endpoint import Resource, invalid
from polytraders.api.idempotency import Runs
from polytraders.api.places import Body, one
from polytraders.console import foureyes

proposals = Resource("proposals")
EXAMPLE: Final = {"answer": "confirm", "reason": ""}
STATES = Literal["waiting", "confirmed", "refused", "withdrawn", "expired", "done", "failed"]


class ProposalItem(Schema):
    """What one person proposed and another confirms."""

    id: int
    kind: Literal["limit", "release", "rollout", "parameter"]
    target: str
    before: str
    after: str
    actor: str = Field(description="User name, or key:<prefix>.")
    person: str = Field(description="Who that is: the one who cannot confirm it.")
    reason: str
    state: STATES
    made_at: str
    expires_at: str
    href: str = Field(description="Where it is answered.")


class ProposalList(Schema):
    """The newest."""

    items: list[ProposalItem]


class AnswerBody(Body):
    """Yes or no."""

    answer: Literal["confirm", "refuse"] = Field(description="refuse by who proposed it takes it back.")
    reason: str = Field("", max_length=REASON_MAX, description="Said with a refusal.")


class Answer(Schema):
    """What became of a proposal."""

    id: int
    state: STATES
    reason_code: str = Field(description="Why the loop did not take it; empty when it did, or says nothing yet.")
    words: str
    in_seq: int | None = Field(description="Input by which the loop took it.")


@proposals.get("/proposals", Permission.VIEW, ProposalList)
def list_proposals(request: HttpRequest) -> dict[str, Any]:
    """What waits for a second person, and what became of the last ones; newest first."""
    return {"items": [_item(each) for each in foureyes.listed(*foureyes.NEEDS)]}


def _answers(kind: str) -> Callable[..., dict[str, Any]]:
    def answer(request: HttpRequest, proposal_id: str, body: AnswerBody) -> dict[str, Any]:
        proposal = one(Proposal.objects.filter(kind=kind), proposal_id, "proposal")
        if "\0" in body.reason:
            raise invalid("a text has no NUL")
        found = None
        if body.answer == "confirm":
            found = foureyes.confirm(request, proposal)
        else:
            foureyes.refuse(request, proposal, body.reason.strip())
        return _answered(proposal, found)

    answer.__name__ = f"answer_{kind}"
    answer.__doc__ = f"""Confirm or refuse a proposal of kind {kind}.

    Whoever proposed it cannot confirm it, with any key. A confirmation asks the loop at once; without its answer within
    three seconds the state is "confirmed", and the list says later what came of it.
    """
    path = f"/proposals/{kind}/{{proposal_id}}/answer"
    return proposals.act(path, foureyes.NEEDS[kind], Answer, example=EXAMPLE, coded=True, how=Runs.STEPS)(answer)


answer_limit, answer_release, answer_rollout, answer_parameter = map(
    _answers, ("limit", "release", "rollout", "parameter")
)


def _answered(proposal: Proposal, found: commands.Answered | None) -> dict[str, Any]:
    state = proposal.steps.order_by("-id").values_list("state", flat=True)[0]
    code, words = (found.code, found.words) if found else ("", "")
    in_seq = found.in_seq if found and not found.code else None
    return {"id": proposal.id, "state": state, "reason_code": code, "words": words, "in_seq": in_seq}


def _item(one: foureyes.Shown) -> dict[str, Any]:
    same = ("id", "kind", "target", "before", "after", "actor", "person", "reason")
    return {name: getattr(one.row, name) for name in same} | {
        "state": one.state,
        "made_at": one.row.at.isoformat(),
        "expires_at": one.row.expires_at.isoformat(),
        "href": f"/api/v1/proposals/{one.row.kind}/{one.row.id}/answer",
    }
