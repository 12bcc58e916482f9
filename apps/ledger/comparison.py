"""Does the ledger say what the loop believes? Asked after every commit that moved money, so it is one indexed query.

The loop's positions are the working copy, the ledger is the record: when they differ, the process ends.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import psycopg

from polytraders.contracts.ledger import CASH, FEES, MONEY, OUTSIDE, POSITION

Key = tuple[str, str]
DRIFT: Final = "EXEC_LEDGER_POSITION_DRIFT"


class Sums(NamedTuple):
    """What there is, in micro-pUSD and 1e-6 shares.

    Attributes:
        cash: All of it, held or free.
        reserved: Of it, held for open purchases.
        fees: Paid since the beginning.
        deposited: Capital brought in minus taken out.
        positions: By (account, token): shares there are, and of them those held for open sales. Nothing = absent.
    """

    cash: int
    reserved: int
    fees: int
    deposited: int
    positions: Mapping[Key, tuple[int, int]]


def ledger_sums(cursor: psycopg.Cursor[Any], shard: int) -> Sums:
    """The ledger's side; `cursor` gives rows as tuples. Reads only accounts that are not empty."""
    cursor.execute(
        "SELECT code, asset, balance, outgoing FROM ledger_account"
        " WHERE shard = %s AND (balance <> 0 OR incoming <> 0 OR outgoing <> 0)",
        (shard,),
    )
    found: dict[Key, tuple[int, int]] = {(code, asset): (total, out) for code, asset, total, out in cursor.fetchall()}
    cash, reserved = found.get((CASH, MONEY), (0, 0))
    return Sums(
        cash=cash,
        reserved=reserved,
        fees=found.get((FEES, MONEY), (0, 0))[0],
        deposited=-found.get((OUTSIDE, MONEY), (0, 0))[0],
        positions={key: sizes for key, sizes in found.items() if key[0].startswith(POSITION) and any(sizes)},
    )


def difference(cursor: psycopg.Cursor[Any], shard: int, kernel: Sums) -> str | None:
    """EXEC_LEDGER_POSITION_DRIFT and the first account that differs, in words; None when all agree.

    Args:
        cursor: Sees the commit that is to be judged.
        shard: Whose books.
        kernel: The loop's sums after the last input of that commit.
    """
    return first_difference(ledger_sums(cursor, shard), kernel)


def first_difference(ledger: Sums, kernel: Sums) -> str | None:
    """The same for two sums at hand: money first, then positions by account and token."""
    for name in ("cash", "reserved", "fees", "deposited"):
        booked, believed = getattr(ledger, name), getattr(kernel, name)
        if booked != believed:
            return _words(f"{name} {MONEY}", booked, believed)
    for key in sorted(ledger.positions.keys() | kernel.positions.keys()):
        booked_both, believed_both = ledger.positions.get(key, (0, 0)), kernel.positions.get(key, (0, 0))
        for what, booked, believed in zip(("total", "held"), booked_both, believed_both, strict=True):
            if booked != believed:
                return _words(f"{key[0]} {key[1]} {what}", booked, believed)
    return None


def _words(where: str, booked: int, believed: int) -> str:
    return f"{DRIFT}: {where}: the ledger has {booked}, the loop {believed}"
