"""Stage 8: the life of an order."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.oms.core.lifecycle import (
    DUST,
    EVIDENCE,
    FILLS,
    TABLE,
    TERMINAL,
    OrderEvent,
    advance,
    fill,
    open_qty,
    step,
)
from polytraders.contracts.inputs import SIZE_UNIT
from polytraders.contracts.market import Action, Outcome
from polytraders.contracts.orders import Order, OrderStatus
from polytraders.contracts.reasons import reason

SHARE = SIZE_UNIT


def order(**fields: Any) -> Order:
    told: dict[str, Any] = {
        "order_id": "o1",
        "decision_id": "d1",
        "correlation_id": "c1",
        "venue_ref": None,
        "market": 0,
        "strategy": "logit",
        "action": Action.BUY,
        "outcome": Outcome.YES,
        "price": 6_400,
        "size": 2_000 * SHARE,
        "filled": 0,
        "cancelled": 0,
        "maker": False,
        "held": 1_290_000_000,
        "status": OrderStatus.CREATED,
        "code": "STRAT_EDGE_DETECTED",
        "created_ts": 1,
        "arrive_ts": 2,
        "expire_ts": 3,
    }
    return Order(**told | fields)


def test_worked_example() -> None:
    # 2,000 ordered, 1,200 filled, nothing cancelled: 800 open.
    assert open_qty(2_000, 1_200, 0) == 800
    sent, _ = advance(order(), OrderEvent.SEND)
    resting, taken = advance(sent, OrderEvent.REST)
    assert taken == (OrderStatus.RESTING, "EXEC_RESTING", True)
    partly, taken = fill(resting, 1_200 * SHARE)
    assert taken == (OrderStatus.PARTIALLY_FILLED, "EXEC_PARTIAL_FILL_HANDLED", True)
    assert open_qty(partly.size, partly.filled, partly.cancelled) == 800 * SHARE
    assert partly.held == 516_000_000
    done, taken = fill(partly, 800 * SHARE)
    assert taken == (OrderStatus.FILLED, "EXEC_FILL", True)
    assert (done.held, done.open_size) == (0, 0)


def test_every_status_has_a_row_and_every_answer_a_registered_code_of_this_stage() -> None:
    assert TABLE.keys() == set(OrderStatus)
    for status in OrderStatus:
        for event in OrderEvent:
            taken = step(status, event)
            if taken.code:
                assert reason(taken.code).owner == "oms"
            else:
                assert event in {OrderEvent.SEND, OrderEvent.CANCEL_SENT}


@pytest.mark.parametrize("status", [status for status in OrderStatus if status in TERMINAL])
@pytest.mark.parametrize("event", OrderEvent)
def test_an_ended_order_stays_ended(status: OrderStatus, event: OrderEvent) -> None:
    assert step(status, event).status is status


@pytest.mark.parametrize("event", OrderEvent)
def test_an_unknown_order_leaves_only_by_evidence(event: OrderEvent) -> None:
    left = step(OrderStatus.UNKNOWN_PENDING, event).status is not OrderStatus.UNKNOWN_PENDING
    assert left == (event in EVIDENCE)


@pytest.mark.parametrize("status", [status for status in OrderStatus if status not in TERMINAL])
def test_a_fill_is_possible_until_the_end_and_a_lost_answer_makes_it_unknown(status: OrderStatus) -> None:
    assert step(status, OrderEvent.FULL_FILL) == (OrderStatus.FILLED, "EXEC_FILL", True)
    assert step(status, OrderEvent.PART_FILL).legal
    if status is not OrderStatus.UNKNOWN_PENDING:
        assert step(status, OrderEvent.TIMEOUT).status is OrderStatus.UNKNOWN_PENDING


def test_what_does_not_fit_changes_nothing_and_says_so() -> None:
    resting = order(status=OrderStatus.RESTING)
    same, taken = advance(resting, OrderEvent.REFUSE)
    assert taken == (OrderStatus.RESTING, "EXEC_ILLEGAL_TRANSITION", False)
    assert (same.status, same.held, same.cancelled) == (resting.status, resting.held, 0)


@pytest.mark.parametrize(
    ("event", "status", "code"),
    [
        (OrderEvent.REFUSE, OrderStatus.REJECTED, "EXEC_REJECTED"),
        (OrderEvent.CROSS, OrderStatus.REJECTED, "EXEC_POST_ONLY_CROSSES"),
        (OrderEvent.NO_MATCH, OrderStatus.CANCELLED, "EXEC_NO_MATCH"),
        (OrderEvent.FENCE, OrderStatus.FENCED, "EXEC_FENCED"),
        (OrderEvent.EXPIRE, OrderStatus.EXPIRED, "EXEC_EXPIRED"),
        (OrderEvent.ABSENT, OrderStatus.REJECTED, "EXEC_REJECTED"),
    ],
)
def test_an_end_frees_what_was_held_and_gives_up_the_rest(event: OrderEvent, status: OrderStatus, code: str) -> None:
    ended, taken = advance(order(status=OrderStatus.SENT), event)
    assert taken == (status, code, True)
    assert (ended.held, ended.cancelled, ended.open_size) == (0, 2_000 * SHARE, 0)


def test_a_kill_fences_what_has_not_left_and_nothing_else() -> None:
    may = {status for status in OrderStatus if step(status, OrderEvent.FENCE).status is OrderStatus.FENCED}
    assert may == {OrderStatus.CREATED, OrderStatus.SENT, OrderStatus.FENCED}


def test_a_refused_cancel_proves_nothing() -> None:
    cancelling, _ = advance(order(status=OrderStatus.RESTING), OrderEvent.CANCEL_SENT)
    unknown, taken = advance(cancelling, OrderEvent.CANCEL_REFUSE)
    assert taken.status is OrderStatus.UNKNOWN_PENDING
    assert unknown.held == 1_290_000_000


def test_an_order_that_has_traded_is_partly_filled_and_was_never_refused() -> None:
    unknown = order(status=OrderStatus.UNKNOWN_PENDING, filled=5 * SHARE)
    assert advance(unknown, OrderEvent.REST)[1].status is OrderStatus.PARTIALLY_FILLED
    gone, taken = advance(unknown, OrderEvent.ABSENT)
    assert taken == (OrderStatus.CANCELLED, "EXEC_CANCELLED", True)
    assert gone.cancelled == 1_995 * SHARE


def test_dust_left_is_given_up_and_dust_too_much_is_a_plain_fill() -> None:
    under, taken = fill(order(status=OrderStatus.SENT), 2_000 * SHARE - DUST)
    assert (taken.status, taken.code, under.cancelled) == (OrderStatus.FILLED, "EXEC_FILL", DUST)
    over, taken = fill(order(status=OrderStatus.SENT), 2_000 * SHARE + DUST)
    assert (taken.status, taken.code, over.filled) == (OrderStatus.FILLED, "EXEC_FILL", 2_000 * SHARE + DUST)


def test_more_than_was_ordered_is_booked_and_told() -> None:
    over, taken = fill(order(status=OrderStatus.RESTING), 2_100 * SHARE)
    assert taken == (OrderStatus.FILLED, "EXEC_OVERFILL", True)
    assert over.filled == 2_100 * SHARE


def test_a_fill_after_the_end_is_booked_and_told() -> None:
    ended, _ = advance(order(status=OrderStatus.RESTING), OrderEvent.CANCEL)
    late, taken = fill(ended, 300 * SHARE)
    assert taken == (OrderStatus.CANCELLED, "EXEC_FILL_AFTER_TERMINAL", False)
    assert (late.filled, late.cancelled, late.held) == (300 * SHARE, 1_700 * SHARE, 0)


def test_a_fill_has_a_size() -> None:
    with pytest.raises(ValueError, match="fill of 0"):
        fill(order(), 0)
    for event in FILLS:
        with pytest.raises(ValueError, match="size"):
            advance(order(), event)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.sampled_from(sorted(frozenset(OrderEvent) - FILLS, key=lambda e: e.name)), st.integers(1, 900 * SHARE)
        )
    )
)
def test_any_history_keeps_the_quantities_and_the_hold_in_bounds(history: list[OrderEvent | int]) -> None:
    now = order()
    for event in history:
        before = now
        now, taken = fill(now, event) if isinstance(event, int) else advance(now, event)
        assert open_qty(now.size, now.filled, now.cancelled) >= 0
        assert now.cancelled >= 0
        assert 0 <= now.held <= before.held
        assert (now.held == 0) if now.status in TERMINAL else (now.held > 0)
        assert taken.status is now.status
        if before.status in TERMINAL:
            assert now.status is before.status
        if before.status is OrderStatus.UNKNOWN_PENDING and now.status is not before.status:
            assert isinstance(event, int) or event in EVIDENCE
        if now.status in TERMINAL and not isinstance(event, int):
            assert open_qty(now.size, now.filled, now.cancelled) == 0
        if now.status is OrderStatus.PARTIALLY_FILLED:
            assert now.filled > 0
