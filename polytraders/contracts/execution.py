"""Stage 6's artefact: what a trade would cost and whether it would happen. A prediction; nothing is sent."""

from dataclasses import dataclass
from enum import Enum, IntFlag

from polytraders.contracts.market import Action, Outcome


class ExecutionPolicy(Enum):
    """How the order would be placed."""

    TAKE = "take"
    POST_ONLY = "post_only"


class ExecutionWarning(IntFlag):
    """What makes an estimate doubtful; same bits as in the detail rows."""

    THIN = 1
    WIDE = 2
    STALE = 4
    PARTIAL = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionEstimate:
    """What stage 6 expects of one trade against one book.

    Attributes:
        policy: Take what is there, or rest.
        action: BUY or SELL.
        outcome: Token.
        size: Wished, 1e-6 shares.
        available: Of it, what the book shows within the collar, 1e-6 shares.
        q_exec: Expected price in the outcome's own terms, 1e-9 per share, rounded against us.
        slippage: Cost against the mid, 1e-9 per share; positive is worse than the mid.
        fee: 1e-9 per share, rounded up.
        p_fill: Probability that it fills within its life, 0..1.
        fill_ms: Expected time to the fill.
        valid_ms: How long the estimate may be used.
        warnings: What makes it doubtful.
        best_bid: Price units, YES terms; None = empty side.
        best_ask: Likewise.
        book_hash: Book it was computed against, SHA-256 hex; None where the book was not kept.
    """

    policy: ExecutionPolicy
    action: Action
    outcome: Outcome
    size: int
    available: int
    q_exec: int
    slippage: int
    fee: int
    p_fill: float
    fill_ms: int
    valid_ms: int
    warnings: ExecutionWarning
    best_bid: int | None
    best_ask: int | None
    book_hash: str | None
