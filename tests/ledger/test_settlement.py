"""Stage 9: redemption, split and merge."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.ledger.core.settlement import (
    REFUSED,
    Holdings,
    merge,
    mergeable,
    redeem,
    redemption,
    settle,
    split,
    split_cost,
)
from polytraders.contracts.inputs import NO, PRICE_UNIT, SIZE_MAX, SIZE_UNIT, YES
from polytraders.contracts.reasons import reason

SIZES = st.integers(0, SIZE_MAX)
PAYOUTS = st.integers(0, PRICE_UNIT)


def test_worked_example() -> None:
    # +2,000 YES: 2,000 pUSD when YES resolves, nothing otherwise.
    size = 2_000 * SIZE_UNIT
    assert redeem(YES, size, PRICE_UNIT) == 2_000_000_000
    assert redeem(YES, size, 0) == 0
    assert redeem(NO, size, 0) == 2_000_000_000


def test_a_divided_payout_is_rounded_down_for_each_token() -> None:
    assert redemption(3, 3, 5_000) == 2
    assert redemption(1_000_001, 0, 3_333) == 333_300


@pytest.mark.parametrize("payout", [-1, PRICE_UNIT + 1])
def test_a_payout_outside_of_nothing_and_one_is_refused(payout: int) -> None:
    held = Holdings(0, 5, 5)
    assert redemption(5, 0, payout) == REFUSED
    assert settle(held, payout) == (held, "EXEC_LEDGER_PAYOUT_INVALID")
    assert reason("EXEC_LEDGER_PAYOUT_INVALID").owner == "ledger"


def test_a_negative_position_cannot_be_redeemed() -> None:
    assert redeem(YES, -1, PRICE_UNIT) == REFUSED
    assert redemption(-1, 5, 0) == REFUSED


def test_settling_empties_the_position() -> None:
    assert settle(Holdings(7, 10, 4), PRICE_UNIT) == (Holdings(17, 0, 0), "")


@settings(deadline=None)
@given(SIZES, SIZES, PAYOUTS)
def test_both_outcomes_together_never_pay_more_than_one(qty_yes: int, qty_no: int, payout: int) -> None:
    paid = redemption(qty_yes, qty_no, payout)
    exact = qty_yes * payout + qty_no * (PRICE_UNIT - payout)
    assert 0 <= exact - paid * PRICE_UNIT < 2 * PRICE_UNIT
    assert paid <= max(qty_yes, qty_no)
    assert redemption(qty_yes, qty_yes, payout) <= qty_yes


@settings(deadline=None)
@given(st.integers(1, SIZE_MAX), SIZES, SIZES, SIZES)
def test_a_split_and_a_merge_undo_each_other(size: int, more: int, qty_yes: int, qty_no: int) -> None:
    held = Holdings(size + more, qty_yes, qty_no)
    halves, code = split(held, size)
    assert code == ""
    assert mergeable(halves.qty_yes, halves.qty_no) >= size
    assert merge(halves, size) == (held, "")


@settings(deadline=None)
@given(SIZES, PAYOUTS)
def test_the_cost_of_a_split_is_shared_without_a_rest(size: int, price: int) -> None:
    yes = split_cost(size, price)
    assert 0 <= yes <= size
    assert abs(yes * PRICE_UNIT - size * price) < PRICE_UNIT


@pytest.mark.parametrize(
    ("held", "size", "code"),
    [
        (Holdings(10, 0, 0), 11, "EXEC_LEDGER_OVERDRAFT"),
        (Holdings(10, 0, 0), 0, "EXEC_LEDGER_AMOUNT_INVALID"),
        (Holdings(10, 0, 0), -1, "EXEC_LEDGER_AMOUNT_INVALID"),
    ],
)
def test_a_split_needs_the_cash(held: Holdings, size: int, code: str) -> None:
    assert split(held, size) == (held, code)


@pytest.mark.parametrize(
    ("held", "size", "code"),
    [
        (Holdings(0, 10, 4), 5, "EXEC_LEDGER_SHARES_INSUFFICIENT"),
        (Holdings(0, 10, 4), 0, "EXEC_LEDGER_AMOUNT_INVALID"),
        (Holdings(0, 10, -4), 1, "EXEC_LEDGER_SHARES_INSUFFICIENT"),
    ],
)
def test_a_merge_needs_both_tokens(held: Holdings, size: int, code: str) -> None:
    assert merge(held, size) == (held, code)
