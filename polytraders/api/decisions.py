"""Decisions: the list with its filters, one packet byte for byte, and why."""

from typing import Annotated, Any, Final, Literal

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from ninja import Field, Query, Schema
from pydantic import ConfigDict

from apps.registry.models import MarketRecord
from apps.risk.models import DecisionRecord
from polytraders.access.permissions import Permission
from polytraders.api.endpoint import Resource, invalid, missing, with_tag
from polytraders.api.places import (
    TEXT_MAX,
    Cursor,
    Limit,
    MarketName,
    MarketRef,
    Page,
    Shard,
    StrategyName,
    iso,
    located,
    market_index,
    market_ref,
    markets,
    page,
    strategies,
    strategy_index,
)
from polytraders.console import decisions as console
from polytraders.contracts.decision import DecisionPacket, Verdict
from polytraders.contracts.market import Action, Outcome
from polytraders.contracts.reasons import by_number, number, reason
from polytraders.explain import explain
from polytraders.naming import Names
from polytraders.packets import canonical, packet_id

decisions = Resource("decisions")
VERDICTS: Final = tuple(verdict.value for verdict in Verdict)
Said = Literal["approve", "reject", "wait"]


class DecisionItem(Schema):
    """One decision; money per share in 1e-9 pUSD, sizes in 1e-6 shares; what was not known is null."""

    id: str = Field(examples=["1024:3"])
    correlation_id: str = Field(description="What packet, order, fills and transfers have in common.")
    in_seq: int
    ordinal: int
    ts: int
    at: str
    market: MarketRef
    strategy: str
    verdict: Said
    reason_code: str = Field(examples=["STRAT_EDGE_DETECTED"])
    action: str
    outcome: str
    p_hat: float | None
    p_own: int | None
    q_exec: int | None
    fee: int | None
    buffer: int | None
    net_edge: int | None
    approved_size: int
    counted: int = Field(description="Evaluations with the verdict before this one.")
    counted_reason_code: str | None


class Packet(Schema):
    """A packet's canonical form; docs/kernel.md says what each field is."""

    model_config = ConfigDict(extra="allow")
    decision_id: str
    correlation_id: str
    verdict: Said
    code: str


class VoteLine(Schema):
    """One check."""

    check: str
    reason_code: str
    vote: Literal["approve", "reject"]
    counts: bool = Field(description="False: waived, the trade reduces a position.")
    is_first: bool = Field(description="The rejection that names the verdict.")
    value: int
    limit: int
    distance: int = Field(description="How far the value is on the good side; negative = rejected.")
    unit: str
    meaning: str


class Why(Schema):
    """Why, or why not."""

    id: str
    verdict: Said
    reason_code: str
    meaning: str
    action: str = Field(description="What to do about it.")
    words: str = Field(description="The whole packet as text of 100 columns.")
    votes: list[VoteLine]


@decisions.get("/decisions", Permission.VIEW, Page[DecisionItem])
def list_decisions(
    request: HttpRequest,
    strategy: StrategyName,
    market: MarketName,
    code: Annotated[str | None, Query(None, max_length=TEXT_MAX, description="Reason code.")],
    verdict: Annotated[Said | None, Query(None)],
    cursor: Cursor,
    limit: Limit,
    shard: Shard,
) -> dict[str, Any]:
    """Decisions, newest first.

    Filters can be joined.
    """
    names = strategies(shard)
    rows = _filtered(shard, names, strategy, market, code, verdict)
    found, more = page(rows, limit, before=None if cursor is None else located(cursor, shard))
    known = markets(shard, (row.market for row in found))
    return {"items": [_item(row, names, known) for row in found], "next": found[-1].decision_id if more else None}


@decisions.get("/decisions/{decision_id}", Permission.VIEW, Packet)
def get_decision(request: HttpRequest, decision_id: str, shard: Shard) -> HttpResponse:
    """One packet, byte for byte.

    Its canonical JSON; the SHA-256 of it is the ETag and never changes.
    """
    made, _ = _rendered(decision_id, shard)
    return with_tag(request, canonical(made), tag=packet_id(made))


@decisions.get("/decisions/{decision_id}/why", Permission.VIEW, Why, tagged=True)
def get_decision_why(request: HttpRequest, decision_id: str, shard: Shard) -> dict[str, Any]:
    """Why it was decided so.

    In words, and every check with its value, its limit and the distance between them.
    """
    made, names = _rendered(decision_id, shard)
    first = made.rejections[0].bit if made.rejections else None
    found = reason(made.code)
    return {
        "id": made.decision_id,
        "verdict": made.verdict.value,
        "reason_code": made.code,
        "meaning": found.meaning,
        "action": found.action,
        "words": explain(made, names),
        "votes": [
            {
                "check": vote.check,
                "reason_code": vote.code,
                "vote": vote.vote.value,
                "counts": vote.counts,
                "is_first": vote.bit == first,
                "value": vote.value,
                "limit": vote.limit,
                "distance": vote.distance,
                "unit": vote.unit,
                "meaning": reason(vote.code).meaning,
            }
            for vote in made.votes
        ],
    }


def _rendered(decision_id: str, shard: int) -> tuple[DecisionPacket, Names]:
    row = console.find(decision_id, shard)
    if row is None:
        raise missing("no such decision")
    try:
        return console.rendered(row)
    except LookupError as error:
        raise missing("the log no longer holds it") from error


def _filtered(
    shard: int,
    names: dict[int, str],
    strategy: str | None,
    market: str | None,
    code: str | None,
    verdict: str | None,
) -> "QuerySet[DecisionRecord]":
    rows = DecisionRecord.objects.filter(shard=shard)
    if strategy is not None:
        rows = rows.filter(strategy=strategy_index(strategy, names))
    if market is not None:
        rows = rows.filter(market=market_index(market, shard))
    if code is not None:
        try:
            rows = rows.filter(code=number(code))
        except KeyError as error:
            raise invalid("no such reason code") from error
    if verdict is not None:
        rows = rows.filter(verdict=VERDICTS.index(verdict))
    return rows


def _item(row: DecisionRecord, names: dict[int, str], known: dict[int, MarketRecord]) -> dict[str, Any]:
    same = (
        "correlation_id", "in_seq", "ordinal", "ts", "p_hat", "p_own", "q_exec", "fee", "buffer", "net_edge",
        "approved_size", "counted",
    )  # fmt: skip
    return {name: getattr(row, name) for name in same} | {
        "id": row.decision_id,
        "at": iso(row.ts),
        "market": market_ref(row.market, known),
        "strategy": names.get(row.strategy) or f"strategy {row.strategy}",
        "verdict": VERDICTS[row.verdict],
        "reason_code": by_number(row.code).code,
        "action": Action(row.action).name,
        "outcome": Outcome(row.outcome).name,
        "counted_reason_code": None if row.counted_code is None else by_number(row.counted_code).code,
    }
