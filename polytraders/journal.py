"""From output rows to the ledger: every row that moves money or shares becomes transfers of one amount each.

An approval holds what its order can cost as a pending transfer. Each fill voids the hold, moves money, fee and shares,
and holds anew what the rest still needs; an end voids the hold. So free cash and free shares are the loop's own after
every row.
"""

from collections.abc import Iterable
from typing import Final

import numpy as np

from apps.ledger.core.transfers import post, void
from polytraders.bookings import order_id
from polytraders.contracts import state as s
from polytraders.contracts.ledger import Transfer, TransferStatus
from polytraders.contracts.market import Action, Outcome
from polytraders.naming import Names, correlation

CASH: Final = "cash"
HELD: Final = "held"
FEES: Final = "fees"
VENUE: Final = "venue"
OUTSIDE: Final = "outside"
MAY_BE_NEGATIVE: Final = frozenset({VENUE, OUTSIDE})
"""The other side of every trade, and where capital comes from."""
MONEY: Final = "pUSD"


class Journal:
    """All transfers of a run, in booking order, each with its present status.

    Attributes:
        entries: Transfers by id.
        left: What is open of each order, 1e-6 shares.
    """

    def __init__(self, names: Names) -> None:
        """Start with empty books."""
        self.entries: dict[str, Transfer] = {}
        self.left: dict[str, int] = {}
        self._names = names
        self._holds: dict[str, Transfer] = {}

    def deposit(self, in_seq: int, amount: int) -> None:
        """Capital comes in (> 0) or goes out (< 0), micro-pUSD."""
        pair = (OUTSIDE, CASH) if amount > 0 else (CASH, OUTSIDE)
        self._move((in_seq, 0), "capital", *pair, MONEY, abs(amount))

    def add(self, rows: Iterable[np.void]) -> None:
        """Book output rows, in their order; those that move nothing are passed over."""
        acts = {s.APPROVAL: self._approved, s.FILL: self._filled, s.DONE: self._ended, s.SETTLED: self._settled}
        for row in rows:
            act = acts.get(int(row["kind"]))
            if act is not None:
                act(row)

    def _approved(self, row: np.void) -> None:
        which = correlation(int(row["in_seq"]), int(row["market"]), int(row["strategy"]))
        self.left[which] = int(row["size"])
        self._hold_for(row, which, int(row["held"]))

    def _filled(self, row: np.void) -> None:
        which, source = order_id(row), _source(row)
        self._release(which)
        token, position = self._token(row), self._position(row)
        money, fee, size = int(row["money"]), int(row["fee"]), int(row["size"])
        buys = int(row["action"]) == Action.BUY
        self._move(source, "money", *((CASH, VENUE) if buys else (VENUE, CASH)), MONEY, abs(money))
        self._move(source, "fee", CASH, FEES, MONEY, fee)
        self._move(source, "shares", *((VENUE, position) if buys else (position, VENUE)), token, size)
        left = self.left[which] - size
        self.left[which] = left
        if left > 0:
            self._hold_for(row, which, int(row["held"]))

    def _ended(self, row: np.void) -> None:
        which = order_id(row)
        self._release(which)
        self.left[which] = 0

    def _settled(self, row: np.void) -> None:
        source = _source(row)
        self._move(source, "shares", self._position(row), VENUE, self._token(row), int(row["size"]))
        self._move(source, "money", VENUE, CASH, MONEY, int(row["money"]))

    def _hold_for(self, row: np.void, which: str, amount: int) -> None:
        buys = int(row["action"]) == Action.BUY
        debit, asset = (CASH, MONEY) if buys else (self._position(row), self._token(row))
        self._holds[which] = self._pending(_source(row), "hold", debit, HELD, asset, amount)

    def _release(self, which: str) -> None:
        ended, code = void(self._holds.pop(which))
        if code:
            raise AssertionError(f"{code}: {ended.id}")
        self.entries[ended.id] = ended

    def _pending(
        self, source: tuple[int, int], part: str, debit: str, credit: str, asset: str, amount: int
    ) -> Transfer:
        made = Transfer(
            id=f"{source[0]}:{source[1]}:{part}",
            source_event=source,
            debit_account=debit,
            credit_account=credit,
            asset=asset,
            amount=amount,
            status=TransferStatus.PENDING,
        )
        if made.id in self.entries:
            raise AssertionError(f"EXEC_LEDGER_DUPLICATE: {made.id}")
        self.entries[made.id] = made
        return made

    def _move(self, source: tuple[int, int], part: str, debit: str, credit: str, asset: str, amount: int) -> None:
        # A fee of nothing, or a sale for less than a micro, moves nothing.
        if amount > 0:
            made = self._pending(source, part, debit, credit, asset, amount)
            self.entries[made.id] = post(made).transfer

    def _token(self, row: np.void) -> str:
        market, outcome = int(row["market"]), Outcome(int(row["outcome"]))
        return self._names.token(market, outcome) or f"{self._names.markets[market]}:{outcome.name}"

    def _position(self, row: np.void) -> str:
        return f"position:{self._names.strategies[int(row['strategy'])]}"


def _source(row: np.void) -> tuple[int, int]:
    return int(row["in_seq"]), int(row["ordinal"])


def transfers(rows: Iterable[np.void], names: Names, *, capital: int = 0) -> list[Transfer]:
    """The books of a whole run: its capital, then every transfer of its rows with the status it ended in."""
    journal = Journal(names)
    if capital:
        journal.deposit(0, capital)
    journal.add(rows)
    return list(journal.entries.values())
