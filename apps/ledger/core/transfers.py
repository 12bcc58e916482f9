"""Transfers: pending, then posted or voided, once. Balanced by construction, and the trial balance proves it.

A transfer has one amount, one account it leaves and one it enters, so no sum of transfers can be out of balance. What
can go wrong (no amount, one account on both sides, a second booking, an overdraft) is a code.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

from polytraders.contracts.ledger import Transfer, TransferStatus

PENDING, POSTED, VOIDED = TransferStatus.PENDING, TransferStatus.POSTED, TransferStatus.VOIDED

Key = tuple[str, str]
"""Account and asset."""


class Change(NamedTuple):
    """A transfer after a step; as it was when `code` is a refusal, "" = done."""

    transfer: Transfer
    code: str


class Balance(NamedTuple):
    """One account in one asset; micro-pUSD or 1e-6 shares.

    Attributes:
        posted: What came in minus what went out by posted transfers.
        incoming: What pending transfers will bring.
        outgoing: What pending transfers will take: held back from `free`.
    """

    posted: int
    incoming: int
    outgoing: int

    @property
    def free(self) -> int:
        """What may be used: pending income does not count before it is posted, pending payments count at once."""
        return self.posted - self.outgoing


NOTHING = Balance(0, 0, 0)


def transfer_code(transfer: Transfer) -> str:
    """Reason code that refuses a new transfer, "" when it may be booked."""
    if transfer.amount <= 0:
        return "EXEC_LEDGER_AMOUNT_INVALID"
    if transfer.from_account == transfer.to_account:
        return "EXEC_LEDGER_ACCOUNTS_EQUAL"
    return ""


def post(transfer: Transfer) -> Change:
    """Move what was pending. Posting a posted transfer again changes nothing and is refused."""
    return _close(transfer, POSTED)


def void(transfer: Transfer) -> Change:
    """Give back what was pending."""
    return _close(transfer, VOIDED)


def _close(transfer: Transfer, status: TransferStatus) -> Change:
    if transfer.status is not PENDING:
        return Change(transfer, "EXEC_LEDGER_CLOSED")
    return Change(replace(transfer, status=status), "")


def balances(transfers: Iterable[Transfer]) -> dict[Key, Balance]:
    """Every account's balance by (account, asset), in the order of their first transfer."""
    found: dict[Key, Balance] = {}
    for transfer in transfers:
        payer = (transfer.from_account, transfer.asset)
        payee = (transfer.to_account, transfer.asset)
        found[payer] = _paid(found.get(payer, NOTHING), transfer)
        found[payee] = _received(found.get(payee, NOTHING), transfer)
    return found


def _paid(balance: Balance, transfer: Transfer) -> Balance:
    if transfer.status is POSTED:
        return balance._replace(posted=balance.posted - transfer.amount)
    held = transfer.amount if transfer.status is PENDING else 0
    return balance._replace(outgoing=balance.outgoing + held)


def _received(balance: Balance, transfer: Transfer) -> Balance:
    if transfer.status is POSTED:
        return balance._replace(posted=balance.posted + transfer.amount)
    due = transfer.amount if transfer.status is PENDING else 0
    return balance._replace(incoming=balance.incoming + due)


class Trial(NamedTuple):
    """A trial balance: every balance, and what is wrong with the books as (reason code, what it concerns)."""

    balances: dict[Key, Balance]
    faults: tuple[tuple[str, str], ...]


def trial_balance(transfers: Iterable[Transfer], may_be_negative: frozenset[str] = frozenset()) -> Trial:
    """Add up the books and name everything that must not be in them.

    Args:
        transfers: The journal, in booking order.
        may_be_negative: Accounts whose free balance may fall below zero: the outside world and the like.

    Returns:
        Faults in booking order, then by account: invalid transfers, ids booked twice, overdrawn accounts, and assets
        whose postings do not add up to nothing.
    """
    journal = tuple(transfers)
    faults = [(code, transfer.id) for transfer in journal if (code := transfer_code(transfer))]
    seen: set[str] = set()
    for transfer in journal:
        if transfer.id in seen:
            faults.append(("EXEC_LEDGER_DUPLICATE", transfer.id))
        seen.add(transfer.id)
    found = balances(journal)
    for (account, asset), balance in found.items():
        if balance.free < 0 and account not in may_be_negative:
            faults.append(("EXEC_LEDGER_OVERDRAFT", f"{account} {asset}"))
    faults.extend(("EXEC_LEDGER_UNBALANCED", asset) for asset, total in sums(found).items() if total)
    return Trial(found, tuple(faults))


def sums(found: Mapping[Key, Balance]) -> dict[str, int]:
    """Sum of the posted balances by asset; anything but 0 is damage to the books."""
    totals: dict[str, int] = {}
    for (_, asset), balance in found.items():
        totals[asset] = totals.get(asset, 0) + balance.posted
    return totals
