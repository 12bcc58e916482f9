"""Stage 7's artefacts: the votes, the packet that holds everything a decision was made of, and an approval."""

from dataclasses import dataclass
from enum import Enum

from polytraders.contracts.execution import ExecutionEstimate
from polytraders.contracts.fair_value import FairValue
from polytraders.contracts.features import FeatureVector
from polytraders.contracts.market import Action, Market, Outcome


class Vote(Enum):
    """A check's answer."""

    APPROVE = "approve"
    REJECT = "reject"


class Verdict(Enum):
    """The gate's answer."""

    APPROVE = "approve"
    REJECT = "reject"
    WAIT = "wait"


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskVote:
    """One check's vote with what it compared.

    Attributes:
        check: Name in the list of checks.
        bit: Place in it; lower is stronger.
        code: Reason code of a rejection.
        owner: App that answers for the check.
        applies: "all" trades or only "increasing" ones.
        unit: Unit of value, limit and distance.
        value: What was compared.
        limit: With what.
        distance: How far the value is on the good side; negative = rejected.
        vote: APPROVE or REJECT.
        counts: False when the trade reduces a position and the check is for increasing ones.
    """

    check: str
    bit: int
    code: str
    owner: str
    applies: str
    unit: str
    value: int
    limit: int
    distance: int
    vote: Vote
    counts: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionPacket:
    """Everything one decision was made of, by value, so that nothing has to be looked up to understand it.

    Attributes:
        decision_id: in_seq and ordinal of the output row.
        correlation_id: Joins the packet with the frame before it and the order, fills and transfers after it.
        in_seq: Input that was decided upon.
        ordinal: Place among that input's outputs.
        ts: Loop time, ns.
        strategy: Name.
        rollout_stage: Stage of the strategy's rollout, its number on the ladder.
        market: Registry record.
        book_hash: SHA-256 of the book, hex; None where the book was not kept.
        book_row_ts: Time of the book's last accepted row, ns.
        features: Stage 4's vector; None where there was no book to measure.
        fair_value: Stage 5's number; None = no opinion.
        execution: Stage 6's estimate; None = nothing to trade against.
        reference: Reference price, 1e-8; None = the strategy reads none.
        position: YES held minus NO held by the strategy before, 1e-6 shares.
        action: What would be done.
        outcome: With which token.
        p_own: Forecast of that token, 1e-9.
        net_edge: What is left after price, fees and buffer, 1e-9 per share.
        votes: All checks, strongest first.
        verdict: APPROVE, REJECT, or WAIT for the ranking.
        code: Reason code of the verdict.
        wish: Size the strategy asked for, 1e-6 shares, like the four below.
        strategy_cap: Most its own limits leave.
        liquidity_cap: Most the book can bear.
        portfolio_cap: Most the common limits leave.
        approved_size: 0 unless approved.
        concentration_ppm: Market's part of the capital; None where the check did not read it.
        counted: Evaluations that gave the verdict before this one.
        counted_code: Its reason code; None = there was none before.
    """

    decision_id: str
    correlation_id: str
    in_seq: int
    ordinal: int
    ts: int
    strategy: str
    rollout_stage: int
    market: Market
    book_hash: str | None
    book_row_ts: int
    features: FeatureVector | None
    fair_value: FairValue | None
    execution: ExecutionEstimate | None
    reference: int | None
    position: int
    action: Action
    outcome: Outcome
    p_own: int
    net_edge: int
    votes: tuple[RiskVote, ...]
    verdict: Verdict
    code: str
    wish: int
    strategy_cap: int
    liquidity_cap: int
    portfolio_cap: int
    approved_size: int
    concentration_ppm: int | None
    counted: int
    counted_code: str | None

    @property
    def rejections(self) -> tuple[RiskVote, ...]:
        """The votes against it that count, strongest first."""
        return tuple(vote for vote in self.votes if vote.counts and vote.vote is Vote.REJECT)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovedTrade:
    """Permission for one order. Made by `apps/risk/core/gate.py` and nowhere else.

    Attributes:
        decision_id: Packet whose votes all approve.
        correlation_id: The packet's.
        in_seq: Input of the approval.
        market: Index of the market.
        condition_id: The venue's id of it.
        token_id: The venue's id of the token.
        strategy: Name.
        action: BUY or SELL.
        outcome: YES or NO.
        price: Worst price, in the outcome's own terms, price units.
        size: 1e-6 shares.
        held: Set aside for it: micro-pUSD of a BUY, 1e-6 shares of a SELL.
    """

    decision_id: str
    correlation_id: str
    in_seq: int
    market: int
    condition_id: str
    token_id: str
    strategy: str
    action: Action
    outcome: Outcome
    price: int
    size: int
    held: int
