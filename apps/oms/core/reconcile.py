"""Our orders against the venue's list of them: every difference is a value with a code, and nothing is overwritten.

The venue lists only active orders. One that we hold to be open and it does not list is therefore a difference, not a
cancel: it may have been filled. Only evidence (`lifecycle.EVIDENCE`) changes an order.
"""

from collections.abc import Iterable, Mapping
from enum import Enum, unique
from typing import Final, NamedTuple

from apps.oms.core.lifecycle import CREATED, DELAYED, DUST, SENT, TERMINAL, UNKNOWN, open_qty
from polytraders.contracts.orders import Order

AWAITED: Final = frozenset({SENT, UNKNOWN, DELAYED})
"""Orders that the venue may have and not list yet."""


@unique
class State(Enum):
    """How the two sides compare."""

    MATCHED = "matched"
    RESOLVING = "resolving"
    DIVERGED = "diverged"


class Listed(NamedTuple):
    """One order in the venue's list, both in 1e-6 shares."""

    open: int
    filled: int


class Difference(NamedTuple):
    """One field of one order that the two sides see differently.

    Attributes:
        order: The venue's id of the order, or ours while it has none.
        field: "open", "filled", or "order" when only the venue has it.
        internal: Our value, 1e-6 shares.
        exchange: The venue's value.
        code: Reason code.
    """

    order: str
    field: str
    internal: int
    exchange: int
    code: str


class Reconciliation(NamedTuple):
    """The result: differences by order id, and the orders whose fate was unknown and still is."""

    state: State
    differences: tuple[Difference, ...]
    unresolved: tuple[str, ...]


def reconcile(internal: Iterable[Order], exchange: Mapping[str, Listed]) -> Reconciliation:
    """Compare both sides; quantities that differ by at most DUST are equal.

    Args:
        internal: Our orders, ended ones included as far back as the venue may still list them.
        exchange: The venue's active orders by its id.

    Returns:
        DIVERGED when anything differs, RESOLVING when nothing does but the fate of an order is unknown, else MATCHED.
        Orders that were never handed over are no part of it.

    Source: specification, stage 8, formula 4: internal_state = exchange_state at every confirmed tick.
    """
    ours = {order.venue_ref or order.order_id: order for order in internal}
    differences: list[Difference] = []
    unresolved: list[str] = []
    for key in sorted(ours.keys() | exchange.keys()):
        order, listed = ours.get(key), exchange.get(key)
        if order is None:
            opened = listed.open if listed else 0
            differences.append(Difference(key, "order", 0, opened, "EXEC_ORPHAN_ORDER"))
        elif listed is not None:
            differences.extend(_compare(key, order, listed))
        elif order.status in AWAITED:
            unresolved.append(key)
        elif order.status not in TERMINAL and order.status is not CREATED:
            differences.extend(_compare(key, order, Listed(0, order.filled)))
    if differences:
        return Reconciliation(State.DIVERGED, tuple(differences), tuple(unresolved))
    return Reconciliation(State.RESOLVING if unresolved else State.MATCHED, (), tuple(unresolved))


def _compare(key: str, order: Order, listed: Listed) -> Iterable[Difference]:
    opened = open_qty(order.size, order.filled, order.cancelled)
    for field, mine, theirs in (("open", opened, listed.open), ("filled", order.filled, listed.filled)):
        if abs(mine - theirs) > DUST:
            yield Difference(key, field, mine, theirs, "GOV_RECONCILE_MISMATCH")
