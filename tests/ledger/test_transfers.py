"""Stage 9: transfers and the trial balance."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.ledger.core.transfers import Balance, balances, post, sums, transfer_code, trial_balance, void
from polytraders.contracts.ledger import Transfer, TransferStatus
from polytraders.contracts.reasons import reason

PENDING, POSTED, VOIDED = TransferStatus.PENDING, TransferStatus.POSTED, TransferStatus.VOIDED
ACCOUNTS = ("cash:free", "cash:spent", "fees", "external")


def move(
    number: int, debit: str, credit: str, amount: int, status: TransferStatus = PENDING, asset: str = "pUSD"
) -> Transfer:
    return Transfer(
        id=f"t{number}",
        source_event=(number, 0),
        from_account=debit,
        to_account=credit,
        asset=asset,
        amount=amount,
        status=status,
    )


def test_worked_example() -> None:
    # 10,000 deposited; 1,290 held for BUY 2,000 YES at 0.645, posted when it fills, and the shares arrive.
    deposit = move(1, "external", "cash:free", 10_000_000_000, POSTED)
    hold = move(2, "cash:free", "cash:spent", 1_290_000_000)
    found = balances([deposit, hold])
    assert found["cash:free", "pUSD"] == Balance(10_000_000_000, 0, 1_290_000_000)
    assert found["cash:free", "pUSD"].free == 8_710_000_000
    posted, code = post(hold)
    assert code == ""
    shares = move(3, "external", "token:yes", 2_000_000_000, POSTED, "0xyes")
    trial = trial_balance([deposit, posted, shares], may_be_negative=frozenset({"external"}))
    assert trial.faults == ()
    assert trial.balances["cash:free", "pUSD"] == Balance(8_710_000_000, 0, 0)
    assert trial.balances["token:yes", "0xyes"].free == 2_000_000_000


def test_a_voided_transfer_gives_everything_back() -> None:
    voided, code = void(move(1, "cash:free", "cash:spent", 5))
    assert (voided.status, code) == (VOIDED, "")
    assert balances([voided])["cash:free", "pUSD"] == Balance(0, 0, 0)


@pytest.mark.parametrize("status", [POSTED, VOIDED])
def test_an_ended_transfer_neither_posts_nor_voids(status: TransferStatus) -> None:
    ended = move(1, "cash:free", "cash:spent", 5, status)
    assert post(ended) == (ended, "EXEC_LEDGER_CLOSED")
    assert void(ended) == (ended, "EXEC_LEDGER_CLOSED")


@pytest.mark.parametrize(
    ("transfer", "code"),
    [
        (move(1, "a", "b", 0), "EXEC_LEDGER_AMOUNT_INVALID"),
        (move(1, "a", "b", -1), "EXEC_LEDGER_AMOUNT_INVALID"),
        (move(1, "a", "a", 1), "EXEC_LEDGER_ACCOUNTS_EQUAL"),
        (move(1, "a", "b", 1), ""),
    ],
)
def test_a_transfer_moves_something_from_one_account_to_another(transfer: Transfer, code: str) -> None:
    assert transfer_code(transfer) == code
    assert code == "" or reason(code).owner == "ledger"


def test_a_booking_made_twice_and_an_overdraft_are_named() -> None:
    twice = move(1, "external", "cash:free", 5, POSTED)
    spent = move(2, "cash:free", "fees", 11, PENDING)
    trial = trial_balance([twice, twice, spent], may_be_negative=frozenset({"external"}))
    assert trial.faults == (("EXEC_LEDGER_DUPLICATE", "t1"), ("EXEC_LEDGER_OVERDRAFT", "cash:free pUSD"))


def test_books_that_do_not_add_up_are_named() -> None:
    assert sums({("a", "pUSD"): Balance(5, 0, 0), ("b", "pUSD"): Balance(-4, 0, 0)}) == {"pUSD": 1}
    # One account on both sides is the only way to write something that is no movement.
    assert trial_balance([move(1, "a", "a", 5, POSTED)]).faults == (("EXEC_LEDGER_ACCOUNTS_EQUAL", "t1"),)


@st.composite
def journals(draw: st.DrawFn) -> list[Transfer]:
    count = draw(st.integers(0, 12))
    made = []
    for number in range(count):
        debit, credit = draw(st.permutations(ACCOUNTS))[:2]
        asset = draw(st.sampled_from(("pUSD", "0xyes", "0xno")))
        made.append(
            move(number, debit, credit, draw(st.integers(1, 10**13)), draw(st.sampled_from(TransferStatus)), asset)
        )
    return made


@given(journals())
def test_any_journal_is_balanced_in_every_asset(journal: list[Transfer]) -> None:
    trial = trial_balance(journal, may_be_negative=frozenset(ACCOUNTS))
    assert trial.faults == ()
    assert set(sums(trial.balances).values()) <= {0}
    pending = sum(balance.outgoing for balance in trial.balances.values())
    assert pending == sum(balance.incoming for balance in trial.balances.values())


@given(journals())
def test_posting_and_voiding_never_change_the_total(journal: list[Transfer]) -> None:
    for index, transfer in enumerate(journal):
        for close in (post, void):
            changed, _ = close(transfer)
            assert replace(changed, status=transfer.status) == transfer
            assert set(sums(balances([*journal[:index], changed, *journal[index + 1 :]])).values()) <= {0}
