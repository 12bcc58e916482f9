"""Stage 8's artefacts: our orders and their fills."""

from dataclasses import dataclass
from enum import Enum

from polytraders.contracts.market import Action, Outcome


class OrderStatus(Enum):
    """Where an order is in its life. The allowed steps: `apps/oms/core/lifecycle.py`."""

    CREATED = "created"
    SENT = "sent"
    UNKNOWN_PENDING = "unknown_pending"
    DELAYED = "delayed"
    RESTING = "resting"
    PARTIALLY_FILLED = "partially_filled"
    CANCEL_PENDING = "cancel_pending"
    FILLED = "filled"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    FENCED = "fenced"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One order of ours.

    Attributes:
        order_id: Follows from the approval, so a restart gives the same.
        decision_id: Packet that approved it.
        correlation_id: The packet's.
        venue_ref: The venue's own id; None = not acknowledged, or a paper order.
        market: Index of the market.
        strategy: Name.
        action: BUY or SELL.
        outcome: YES or NO.
        price: In the outcome's own terms, price units.
        size: Ordered, 1e-6 shares, like the two below.
        filled: Traded so far.
        cancelled: Given up: cancelled, expired or refused.
        maker: True = may only rest.
        held: Still set aside: micro-pUSD of a BUY, 1e-6 shares of a SELL.
        status: Where it is in its life.
        code: Reason code of the last step.
        created_ts: Loop time of the approval, ns.
        arrive_ts: When it reaches the venue, ns.
        expire_ts: End of its life, ns.
    """

    order_id: str
    decision_id: str
    correlation_id: str
    venue_ref: str | None
    market: int
    strategy: str
    action: Action
    outcome: Outcome
    price: int
    size: int
    filled: int
    cancelled: int
    maker: bool
    held: int
    status: OrderStatus
    code: str
    created_ts: int
    arrive_ts: int
    expire_ts: int

    @property
    def open_size(self) -> int:
        """What can still be filled, 1e-6 shares."""
        return self.size - self.filled - self.cancelled


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """A part of an order that traded.

    Attributes:
        fill_id: in_seq and ordinal of the output row.
        order_id: Order it belongs to.
        correlation_id: The packet's.
        in_seq: Input that caused it.
        ordinal: Place among that input's outputs.
        ts: Loop time, ns.
        market: Index of the market.
        strategy: Name.
        action: BUY or SELL.
        outcome: YES or NO.
        price: In the outcome's own terms, price units.
        size: 1e-6 shares.
        money: Micro-pUSD without the fee: positive = paid, negative = received.
        fee: Micro-pUSD, never negative.
        maker: True = it rested and was met.
        code: EXEC_FILL, or EXEC_PARTIAL_FILL_HANDLED while something is left.
    """

    fill_id: str
    order_id: str
    correlation_id: str
    in_seq: int
    ordinal: int
    ts: int
    market: int
    strategy: str
    action: Action
    outcome: Outcome
    price: int
    size: int
    money: int
    fee: int
    maker: bool
    code: str
