"""From output rows to what happens to an order: the order an approval makes, its fills, and how it goes on.

Statuses and codes are those of the one table of an order's life. The paper venue tells exactly what is left, so nothing
is rounded away here.
"""

from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np

from apps.oms.core.lifecycle import TERMINAL, OrderEvent, step
from polytraders.contracts import checks as c
from polytraders.contracts import state as s
from polytraders.contracts.decision import ApprovedTrade
from polytraders.contracts.market import Action, Outcome
from polytraders.contracts.orders import Fill, Order, OrderStatus
from polytraders.contracts.reasons import by_number
from polytraders.naming import Moment, Names, correlation

MS_NS: Final = 1_000_000
ENDS: Final = {
    "EXEC_EXPIRED": OrderEvent.EXPIRE,
    "EXEC_CANCELLED": OrderEvent.CANCEL,
    "EXEC_NO_MATCH": OrderEvent.NO_MATCH,
    "EXEC_POST_ONLY_CROSSES": OrderEvent.CROSS,
}
"""What the reason of a DONE row says about the order."""


class Sent(NamedTuple):
    """Whether it may only rest, when it reaches the venue, and when its life ends; loop time, ns."""

    maker: bool
    arrive_ts: int
    expire_ts: int


def order(trade: ApprovedTrade, out: np.void, detail: np.void, at: Moment) -> Order:
    """The order that an approval makes, on its way to the venue.

    Args:
        trade: What the gate made of the row's packet.
        out: The APPROVAL row.
        detail: Its DETAIL row.
        at: What was in force.
    """
    way = sent(out, detail, at)
    return Order(
        order_id=trade.correlation_id,
        decision_id=trade.decision_id,
        correlation_id=trade.correlation_id,
        venue_ref=None,
        market=trade.market,
        strategy=trade.strategy,
        action=trade.action,
        outcome=trade.outcome,
        price=trade.price,
        size=trade.size,
        filled=0,
        cancelled=0,
        maker=way.maker,
        held=trade.held,
        status=OrderStatus.SENT,
        code=c.code_of(c.APPROVED),
        created_ts=int(out["ts"]),
        arrive_ts=way.arrive_ts,
        expire_ts=way.expire_ts,
    )


def sent(out: np.void, detail: np.void, at: Moment) -> Sent:
    """How the order of an approval travels.

    Args:
        out: The APPROVAL row.
        detail: Its DETAIL row.
        at: What was in force.
    """
    now = int(out["ts"])
    maker = bool(at.strategy["maker"] != 0 and detail["values"][c.FLATTEN] == 0)
    delay_ms = int(at.limits["order_latency_ms"]) + (0 if maker else int(at.market["taker_delay_ms"]))
    rest_ms = max(int(at.strategy["rest_ms"]), delay_ms)
    return Sent(maker, now + delay_ms * MS_NS, now + rest_ms * MS_NS)


def order_id(out: np.void) -> str:
    """Order that a FILL or DONE row is about; it is also the correlation id of all that belongs to it."""
    return correlation(int(out["order_seq"]), int(out["market"]), int(out["strategy"]))


def fill(out: np.void, names: Names, *, left: int) -> Fill:
    """The fill of a FILL row; `left` is what is still open of the order afterwards, 1e-6 shares."""
    which = order_id(out)
    return Fill(
        fill_id=f"{int(out['in_seq'])}:{int(out['ordinal'])}",
        order_id=which,
        correlation_id=which,
        in_seq=int(out["in_seq"]),
        ordinal=int(out["ordinal"]),
        ts=int(out["ts"]),
        market=int(out["market"]),
        strategy=names.strategies[int(out["strategy"])],
        action=Action(int(out["action"])),
        outcome=Outcome(int(out["outcome"])),
        price=int(out["price"]),
        size=int(out["size"]),
        money=int(out["money"]),
        fee=int(out["fee"]),
        maker=bool(out["votes"] != 0),
        code="EXEC_FILL" if left == 0 else "EXEC_PARTIAL_FILL_HANDLED",
    )


def followed(before: Order, out: np.void, *, held: int) -> Order:
    """The order after one of its FILL or DONE rows.

    Args:
        before: The order until now.
        out: The row.
        held: What is still set aside for what is left; nothing once the order has ended.
    """
    if int(out["kind"]) == s.FILL:
        filled = before.filled + int(out["size"])
        left = before.size - filled - before.cancelled
        taken = step(before.status, OrderEvent.PART_FILL if left > 0 else OrderEvent.FULL_FILL)
        after = replace(before, filled=filled)
    else:
        taken = step(before.status, ENDS[by_number(int(out["first"])).code])
        after = replace(before, cancelled=before.cancelled + int(out["size"]))
    if not taken.legal or after.open_size < 0:
        raise AssertionError(f"input {int(out['in_seq'])}: {taken.code or 'EXEC_OVERFILL'} for order {before.order_id}")
    return replace(after, status=taken.status, code=taken.code, held=0 if taken.status in TERMINAL else held)
