"""The life of an order, as one table: status and event give the next status and a reason code.

What is not in the table is no transition: the status stays, and the answer says so with a code. Reports that prove
something about the venue are EVIDENCE; an order whose fate is unknown keeps its capital until one of them arrives.
An order that has ended stays ended; a fill that arrives afterwards is still booked, because the money did move.
"""

from dataclasses import replace
from enum import Enum, unique
from typing import Final, NamedTuple

from polytraders.contracts.orders import Order, OrderStatus

DUST: Final = 10_000
"""1e-6 shares: fills may miss or exceed their order by a hundredth of a share. Source: observed on the venue."""

CREATED: Final = OrderStatus.CREATED
SENT: Final = OrderStatus.SENT
UNKNOWN: Final = OrderStatus.UNKNOWN_PENDING
DELAYED: Final = OrderStatus.DELAYED
RESTING: Final = OrderStatus.RESTING
PARTIAL: Final = OrderStatus.PARTIALLY_FILLED
CANCELLING: Final = OrderStatus.CANCEL_PENDING
FILLED: Final = OrderStatus.FILLED
CANCELLED: Final = OrderStatus.CANCELLED
EXPIRED: Final = OrderStatus.EXPIRED
REJECTED: Final = OrderStatus.REJECTED
FENCED: Final = OrderStatus.FENCED

TERMINAL: Final[frozenset[OrderStatus]] = frozenset({FILLED, CANCELLED, EXPIRED, REJECTED, FENCED})


@unique
class OrderEvent(Enum):
    """What can happen to an order."""

    SEND = "handed to the gateway; from now on bytes may leave, and a resend carries the same ones"
    FENCE = "a kill stopped it before its first byte left"
    TIMEOUT = "no answer, or one that says yes and no"
    CANCEL_SENT = "we asked for it to be cancelled"
    REST = "the venue says that it rests on the book"
    DELAY = "the venue took it and delays its matching"
    PART_FILL = "a fill, with something left"
    FULL_FILL = "a fill, with nothing left"
    REFUSE = "the venue refused it"
    CROSS = "the venue refused it because it may only rest and would have traded"
    NO_MATCH = "nothing was on offer, and it does not rest"
    CANCEL = "the venue cancelled it, asked or not"
    CANCEL_REFUSE = "the venue did not cancel it: it may be filled, gone, or inside a delay"
    EXPIRE = "its life ended at the venue"
    ABSENT = "two sources of the venue agree, after its longest lag, that there is no such order and no such trade"


EVIDENCE: Final[frozenset[OrderEvent]] = frozenset(OrderEvent) - {
    OrderEvent.SEND, OrderEvent.FENCE, OrderEvent.TIMEOUT, OrderEvent.CANCEL_SENT, OrderEvent.CANCEL_REFUSE,
}  # fmt: skip
"""Events that prove what became of an order. A refused cancel is none: it does not say why."""

FILLS: Final[frozenset[OrderEvent]] = frozenset({OrderEvent.PART_FILL, OrderEvent.FULL_FILL})

Row = dict[OrderEvent, tuple[OrderStatus, str]]

_ENDS: Final[Row] = {
    OrderEvent.FULL_FILL: (FILLED, "EXEC_FILL"),
    OrderEvent.CANCEL: (CANCELLED, "EXEC_CANCELLED"),
    OrderEvent.NO_MATCH: (CANCELLED, "EXEC_NO_MATCH"),
    OrderEvent.EXPIRE: (EXPIRED, "EXEC_EXPIRED"),
}

# Before the venue has answered, and after it has taken the order: a refusal is possible only in the former.
_REFUSALS: Final[Row] = {
    OrderEvent.REFUSE: (REJECTED, "EXEC_REJECTED"),
    OrderEvent.CROSS: (REJECTED, "EXEC_POST_ONLY_CROSSES"),
    OrderEvent.ABSENT: (REJECTED, "EXEC_REJECTED"),
}
_ANSWERS: Final[Row] = {
    **_ENDS,
    **_REFUSALS,
    OrderEvent.REST: (RESTING, "EXEC_RESTING"),
    OrderEvent.DELAY: (DELAYED, "EXEC_STATUS_DELAYED"),
    OrderEvent.PART_FILL: (PARTIAL, "EXEC_PARTIAL_FILL_HANDLED"),
    OrderEvent.TIMEOUT: (UNKNOWN, "EXEC_SUBMIT_UNKNOWN"),
}
_TAKEN: Final[Row] = {
    **_ENDS,
    OrderEvent.ABSENT: (CANCELLED, "EXEC_CANCELLED"),
    OrderEvent.PART_FILL: (PARTIAL, "EXEC_PARTIAL_FILL_HANDLED"),
    OrderEvent.TIMEOUT: (UNKNOWN, "EXEC_SUBMIT_UNKNOWN"),
    OrderEvent.CANCEL_SENT: (CANCELLING, ""),
}

TABLE: Final[dict[OrderStatus, Row]] = {
    # A restart finds created orders and cannot tell whether they left: TIMEOUT, and every answer is possible.
    CREATED: {**_ANSWERS, OrderEvent.SEND: (SENT, ""), OrderEvent.FENCE: (FENCED, "EXEC_FENCED")},
    # The fence is read after the hand-over and before the first byte, so it can still stop a sent order.
    SENT: {**_ANSWERS, OrderEvent.FENCE: (FENCED, "EXEC_FENCED"), OrderEvent.CANCEL_SENT: (CANCELLING, "")},
    # Resending the same bytes and asking for a cancel are allowed, and neither is an answer.
    UNKNOWN: {
        **_ANSWERS,
        OrderEvent.SEND: (UNKNOWN, "EXEC_SUBMIT_UNKNOWN"),
        OrderEvent.CANCEL_SENT: (UNKNOWN, "EXEC_SUBMIT_UNKNOWN"),
        OrderEvent.CANCEL_REFUSE: (UNKNOWN, "EXEC_SUBMIT_UNKNOWN"),
    },
    DELAYED: {
        **_TAKEN,
        **_REFUSALS,
        OrderEvent.REST: (RESTING, "EXEC_RESTING"),
        OrderEvent.DELAY: (DELAYED, "EXEC_STATUS_DELAYED"),
    },
    RESTING: {**_TAKEN, OrderEvent.REST: (RESTING, "EXEC_RESTING")},
    # The answer to the submission may come after the first fill.
    PARTIAL: {
        **_TAKEN,
        OrderEvent.REST: (PARTIAL, "EXEC_PARTIAL_FILL_HANDLED"),
        OrderEvent.DELAY: (PARTIAL, "EXEC_PARTIAL_FILL_HANDLED"),
    },
    # A cancel is a request: fills go on until it is answered, and a late answer to the submission changes nothing.
    CANCELLING: {
        **_TAKEN,
        **_REFUSALS,
        OrderEvent.ABSENT: (CANCELLED, "EXEC_CANCELLED"),
        OrderEvent.PART_FILL: (CANCELLING, "EXEC_PARTIAL_FILL_HANDLED"),
        OrderEvent.REST: (CANCELLING, "EXEC_RESTING"),
        OrderEvent.DELAY: (CANCELLING, "EXEC_STATUS_DELAYED"),
        OrderEvent.CANCEL_REFUSE: (UNKNOWN, "EXEC_SUBMIT_UNKNOWN"),
    },
    # An ended order takes only the repetition of its own end.
    FILLED: {},
    CANCELLED: {OrderEvent.CANCEL: (CANCELLED, "EXEC_CANCELLED")},
    EXPIRED: {OrderEvent.EXPIRE: (EXPIRED, "EXEC_EXPIRED")},
    REJECTED: {OrderEvent.REFUSE: (REJECTED, "EXEC_REJECTED")},
    FENCED: {OrderEvent.FENCE: (FENCED, "EXEC_FENCED")},
}


class Step(NamedTuple):
    """The answer of the table.

    Attributes:
        status: Next status; the same as before where the event does not fit.
        code: Reason code; "" for our own requests, which are no outcome.
        legal: False when the event does not fit the status.
    """

    status: OrderStatus
    code: str
    legal: bool


def step(status: OrderStatus, event: OrderEvent) -> Step:
    """What an event makes of a status."""
    found = TABLE[status].get(event)
    if found is not None:
        return Step(*found, True)
    if status in TERMINAL and event in FILLS:
        return Step(status, "EXEC_FILL_AFTER_TERMINAL", False)
    return Step(status, "EXEC_ILLEGAL_TRANSITION", False)


def open_qty(size: int, filled: int, cancelled: int) -> int:
    """What can still be filled, 1e-6 shares, never negative: open_qty = order_qty - filled_qty - cancelled_qty.

    Source: specification, stage 8, formula 1. A fill may exceed its order by DUST, hence the floor at 0.
    """
    return max(0, size - filled - cancelled)


def advance(order: Order, event: OrderEvent) -> tuple[Order, Step]:
    """The order after an event that is no fill; unchanged but for its code where the event does not fit."""
    if event in FILLS:
        raise ValueError("fills have a size: use fill()")
    taken = step(order.status, event)
    if order.status in TERMINAL:
        return replace(order, code=taken.code), taken
    if order.filled and taken.status is RESTING:
        # The venue calls an order live whether or not a part of it has traded.
        taken = taken._replace(status=PARTIAL)
    if order.filled and taken.status is REJECTED:
        # What has traded was not refused: only its rest is gone.
        taken = taken._replace(status=CANCELLED, code="EXEC_CANCELLED")
    if taken.status not in TERMINAL:
        return replace(order, status=taken.status, code=taken.code or order.code), taken
    given_up = order.cancelled + open_qty(order.size, order.filled, order.cancelled)
    return replace(order, status=taken.status, code=taken.code, cancelled=given_up, held=0), taken


def fill(order: Order, size: int) -> tuple[Order, Step]:
    """The order after a fill of `size` (1e-6 shares, > 0) that has not been booked before.

    Every fill is booked. What is left below DUST counts as given up, so the order is filled. More than was open is
    booked too, with EXEC_OVERFILL; after the end it takes back what had counted as given up, with
    EXEC_FILL_AFTER_TERMINAL. Of a partly filled order the same share stays held, rounded up.
    """
    if size <= 0:
        raise ValueError(f"a fill of {size}")
    filled = order.filled + size
    if order.status in TERMINAL:
        taken = step(order.status, OrderEvent.FULL_FILL)
        cancelled = max(0, order.cancelled - size)
        return replace(order, filled=filled, cancelled=cancelled, code=taken.code), taken
    before = open_qty(order.size, order.filled, order.cancelled)
    left = before - size
    taken = step(order.status, OrderEvent.PART_FILL if left > DUST else OrderEvent.FULL_FILL)
    if left < -DUST:
        taken = taken._replace(code="EXEC_OVERFILL")
    if taken.status is FILLED:
        cancelled = order.cancelled + max(0, left)
        return replace(order, status=FILLED, code=taken.code, filled=filled, cancelled=cancelled, held=0), taken
    held = -(-order.held * left // before)
    return replace(order, status=taken.status, code=taken.code, filled=filled, held=held), taken
