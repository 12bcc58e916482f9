"""Stage 8: our orders against the venue's."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.oms.core.lifecycle import DUST, TERMINAL, open_qty
from apps.oms.core.reconcile import Difference, Listed, State, reconcile
from polytraders.contracts.inputs import SIZE_UNIT
from polytraders.contracts.market import Action, Outcome
from polytraders.contracts.orders import Order, OrderStatus
from polytraders.contracts.reasons import reason

SHARE = SIZE_UNIT
PARTIAL = OrderStatus.PARTIALLY_FILLED


def order(name: str = "0xa", **fields: Any) -> Order:
    told: dict[str, Any] = {
        "order_id": f"our-{name}",
        "decision_id": "d1",
        "correlation_id": "c1",
        "venue_ref": name,
        "market": 0,
        "strategy": "logit",
        "action": Action.BUY,
        "outcome": Outcome.YES,
        "price": 6_400,
        "size": 2_000 * SHARE,
        "filled": 1_200 * SHARE,
        "cancelled": 0,
        "maker": True,
        "held": 1,
        "status": PARTIAL,
        "code": "EXEC_PARTIAL_FILL_HANDLED",
        "created_ts": 1,
        "arrive_ts": 2,
        "expire_ts": 3,
    }
    return Order(**told | fields)


def test_worked_example() -> None:
    # diff({open: 800}, {open: 0}) is not empty: DIVERGED.
    found = reconcile([order()], {})
    assert found.state is State.DIVERGED
    assert found.differences == (Difference("0xa", "open", 800 * SHARE, 0, "GOV_RECONCILE_MISMATCH"),)
    assert reason("GOV_RECONCILE_MISMATCH").owner == "oms"


def test_equal_sides_match_within_a_hundredth_of_a_share() -> None:
    assert reconcile([], {}).state is State.MATCHED
    assert reconcile([order()], {"0xa": Listed(800 * SHARE - DUST, 1_200 * SHARE + DUST)}).state is State.MATCHED
    found = reconcile([order()], {"0xa": Listed(800 * SHARE - DUST - 1, 1_200 * SHARE)})
    assert [difference.field for difference in found.differences] == ["open"]


def test_an_order_we_never_made_is_told_apart() -> None:
    found = reconcile([order()], {"0xa": Listed(800 * SHARE, 1_200 * SHARE), "0xb": Listed(5 * SHARE, 0)})
    assert found.differences == (Difference("0xb", "order", 0, 5 * SHARE, "EXEC_ORPHAN_ORDER"),)


def test_an_ended_order_that_the_venue_still_lists_differs() -> None:
    ended = order(status=OrderStatus.CANCELLED, cancelled=800 * SHARE)
    assert reconcile([ended], {}).state is State.MATCHED
    assert reconcile([ended], {"0xa": Listed(800 * SHARE, 1_200 * SHARE)}).state is State.DIVERGED


@pytest.mark.parametrize("status", [OrderStatus.SENT, OrderStatus.DELAYED, OrderStatus.UNKNOWN_PENDING])
def test_an_awaited_order_that_is_not_listed_is_unresolved_and_not_gone(status: OrderStatus) -> None:
    found = reconcile([order(venue_ref=None, filled=0, status=status)], {})
    assert found == (State.RESOLVING, (), ("our-0xa",))


def test_an_order_that_was_never_handed_over_is_no_part_of_it() -> None:
    assert reconcile([order(status=OrderStatus.CREATED, filled=0)], {}).state is State.MATCHED


@given(st.dictionaries(st.sampled_from("abcdef"), st.tuples(st.integers(0, 2_000), st.sampled_from(list(OrderStatus)))))
def test_the_venues_copy_of_our_own_view_always_matches(book: dict[str, tuple[int, OrderStatus]]) -> None:
    orders = [order(name, filled=filled * SHARE, status=status) for name, (filled, status) in book.items()]
    copy = {
        made.venue_ref or "": Listed(open_qty(made.size, made.filled, made.cancelled), made.filled)
        for made in orders
        if made.status not in TERMINAL
    }
    assert reconcile(orders, copy).state is State.MATCHED
    assert reconcile(reversed(orders), copy) == reconcile(orders, copy)
