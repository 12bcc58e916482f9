"""The ledger that rows make has, after every step, the loop's own cash, reservations and positions."""

import numpy as np
import pytest

from apps.ledger.core.transfers import NOTHING, Balance, Key, balances, sums, trial_balance
from polytraders.contracts import state as s
from polytraders.contracts.inputs import SIZE_UNIT
from polytraders.contracts.ledger import CASH, FEES, HELD, MAY_BE_NEGATIVE, MONEY, TransferStatus
from polytraders.journal import Books, transfers
from polytraders.naming import Names
from tests.packets.made import NAMES, SHARE, SIZE
from tests.packets.played import CAPITAL, Played


def needed(size: int, own_price: int, fees: tuple[int, int, int]) -> int:
    """What a purchase may cost: price at the limit, and the fee at one half, to five decimals, halves up.

    The rule of the ledger's page, written down once more in the plainest way.
    """
    rate, exponent, bps = fees
    assert (exponent, bps) in ((1_000, 0), (0, 0))
    steps, rest = divmod(rate * size, 4 * 10 * 1_000_000)
    steps = 0 if steps == 0 else steps + (2 * rest >= 4 * 10 * 1_000_000)
    return -(-size * own_price // 10_000) + 10 * steps


def row(kind: int, seq: int, **fields: int) -> np.void:
    out = np.zeros(1, s.OUT)
    for name, value in {"in_seq": seq, "kind": kind, "order_seq": 7, **fields}.items():
        out[name] = value
    found: np.void = out[0]
    return found


def test_worked_example() -> None:
    # BUY 2,000 YES at 0.65 at most: 1,200 fill at 0.64, the rest expires; later the market pays out.
    books = Books(NAMES)
    books.deposit(1, 10_000 * SHARE)
    held = 1_300 * SHARE
    books.add([row(s.APPROVAL, 7, size=SIZE, price=6_500, held=held)])
    assert balances(books.entries.values())[CASH, MONEY] == Balance(10_000 * SHARE, 0, held)
    paid = row(s.FILL, 9, size=1_200 * SHARE, price=6_400, money=768 * SHARE, fee=3_840_000, held=520 * SHARE)
    books.add([paid])
    found = balances(books.entries.values())
    assert found[CASH, MONEY] == Balance(9_228_160_000, 0, 520 * SHARE)
    assert found["position:logit", "111"].free == 1_200 * SHARE
    assert found[FEES, MONEY].posted == 3_840_000
    books.add([row(s.DONE, 12, size=800 * SHARE, money=520 * SHARE)])
    books.add([row(s.SETTLED, 20, size=1_200 * SHARE, money=1_200 * SHARE)])
    trial = trial_balance(books.entries.values(), MAY_BE_NEGATIVE)
    assert trial.faults == ()
    assert trial.balances[CASH, MONEY] == Balance(10_428_160_000, 0, 0)
    assert trial.balances["position:logit", "111"] == trial.balances[HELD, MONEY] == NOTHING
    assert [entry.id for entry in books.entries.values()] == [
        "1:0:capital", "7:0:hold", "9:0:money", "9:0:fee", "9:0:shares", "9:0:hold", "20:0:shares", "20:0:money",
    ]  # fmt: skip
    assert books.entries["7:0:hold"].status is books.entries["9:0:hold"].status is TransferStatus.VOIDED
    assert books.journal.holds == {}


def test_a_sale_holds_its_shares_and_brings_money() -> None:
    bought = [row(s.APPROVAL, 7, size=SIZE, held=SIZE, price=10_000), row(s.FILL, 8, size=SIZE, money=SIZE)]
    sale = row(s.APPROVAL, 9, action=s.SELL, size=SIZE, held=SIZE, price=6_000)
    books = Books(NAMES)
    books.deposit(1, SIZE)
    books.add([*bought, sale])
    assert balances(books.entries.values())["position:logit", "111"] == Balance(SIZE, 0, SIZE)
    sold = {"size": 500 * SHARE, "money": -300 * SHARE, "fee": 1, "held": 1_500 * SHARE}
    books.add([row(s.FILL, 10, order_seq=9, action=s.SELL, **sold)])
    found = balances(books.entries.values())
    assert found["position:logit", "111"] == Balance(1_500 * SHARE, 0, 1_500 * SHARE)
    assert found[CASH, MONEY].posted == 300 * SHARE - 1
    books.add([row(s.DONE, 11, order_seq=9, action=s.SELL, size=1_500 * SHARE)])
    assert balances(books.entries.values())["position:logit", "111"].free == 1_500 * SHARE


def test_rows_that_move_nothing_are_passed_over_and_capital_can_leave() -> None:
    books = Books(NAMES)
    books.add(row(kind, 5) for kind in (s.PACKET, s.COUNTS, s.BOOK))
    assert books.entries == {}
    books.deposit(1, 5)
    books.deposit(2, -2)
    assert balances(books.entries.values())[CASH, MONEY].free == 3


def test_booking_a_row_twice_is_refused() -> None:
    approval = row(s.APPROVAL, 7, size=SIZE, held=1, price=6_500)
    with pytest.raises(AssertionError, match="EXEC_LEDGER_DUPLICATE: 7:0:hold"):
        transfers([approval, approval], NAMES)


def test_a_token_nobody_has_told_is_named_by_its_market() -> None:
    rows = [row(s.SETTLED, 20, outcome=1, size=5, money=5)]
    made = transfers(rows, Names(("0xab",), (), ("logit",)), capital=1)
    assert [entry.asset for entry in made] == [MONEY, "0xab:NO", MONEY]


def test_after_every_step_of_a_session_ledger_and_loop_agree(played: Played) -> None:
    books = Books(played.names)
    deposited = False
    compared = 0
    for step in played.steps:
        if not deposited:
            books.deposit(0, CAPITAL)
            deposited = True
        before = dict(books.entries)
        books.add(step.out)
        if len(books.entries) != len(before):
            trial = trial_balance(books.entries.values(), MAY_BE_NEGATIVE)
            assert trial.faults == ()
            cash = trial.balances[CASH, MONEY]
            assert (cash.posted, cash.outgoing) == (step.cash, step.reserved)
            assert sum(step.holds.values()) == step.reserved
            compared += 1
    assert compared > 20
    approvals = [out for step in played.steps for out in step.out if out["kind"] == s.APPROVAL]
    purchases = [out for out in approvals if out["action"] == s.BUY]
    assert purchases
    for out in purchases:
        assert out["held"] == needed(int(out["size"]), int(out["price"]), played.fees[int(out["market"])])
    assert set(sums(balances(books.entries.values())).values()) == {0}


def test_what_a_session_still_held_before_it_was_settled_is_in_the_ledger(played: Played) -> None:
    rows = [out for step in played.steps for out in step.out if out["kind"] != s.SETTLED]
    made = transfers(rows, played.names, capital=CAPITAL)
    found: dict[Key, Balance] = balances(made)
    held = np.zeros_like(played.quantities)
    for (account, asset), balance in found.items():
        if account.startswith("position:") and balance.posted:
            market = next(index for index, tokens in enumerate(played.names.tokens) if asset in tokens)
            strategy = played.names.strategies.index(account.removeprefix("position:"))
            held[market, strategy, played.names.tokens[market].index(asset)] = balance.posted
    assert (held == played.quantities).all() and held.sum() >= SIZE_UNIT
