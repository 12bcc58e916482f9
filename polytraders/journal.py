"""From a block's rows to the ledger: every row that moves money or shares becomes movements of one amount each.

An approval holds what its order can cost as a pending movement. Each fill voids the hold, moves money, fee and shares,
and holds anew what the rest still needs; an end voids the hold. So free cash and free shares are the loop's own after
every row. Only open holds are kept in memory; after a restart they come from the database.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import psycopg

from apps.ledger.comparison import Sums
from apps.ledger.core.transfers import post, void
from apps.ledger.posting import open_holds
from apps.ledger.verification import MOVING, check, first_kept, holds_before
from polytraders.bookings import order_id
from polytraders.contracts import state as s
from polytraders.contracts.inputs import Kind
from polytraders.contracts.ledger import (
    CASH,
    FEES,
    HELD,
    MONEY,
    OUTSIDE,
    POSITION,
    VENUE,
    Movement,
    Phase,
    Transfer,
    TransferStatus,
)
from polytraders.contracts.market import Action, Outcome
from polytraders.naming import Names, correlation


class Journal:
    """The movements of one block after the other.

    Attributes:
        holds: Open holds by the order they are for.
    """

    def __init__(self, names: Names, holds: Iterable[Movement] = ()) -> None:
        """Start with empty books, or with those holds still open."""
        self.holds: dict[str, Movement] = {made.correlation: made for made in holds}
        self._names = names

    @classmethod
    def restore(cls, names: Names, conn: psycopg.Connection[Any], shard: int) -> "Journal":
        """Go on where the committed books of `shard` end.

        Raises:
            LedgerError: The books contradict themselves.
        """
        return cls(names, open_holds(conn, shard))

    def block(self, inputs: np.ndarray, outs: np.ndarray) -> list[Movement]:
        """The movements of a block, in the order of their events.

        Args:
            inputs: INPUT rows of the block.
            outs: OUT rows they led to.
        """
        capital = inputs[inputs["kind"] == Kind.CAPITAL]
        moving = outs[np.isin(outs["kind"], sorted(MOVING))]
        made: list[Movement] = []
        for row in capital:
            earlier = int(np.searchsorted(moving["in_seq"], row["in_seq"]))
            made += self.add(moving[:earlier])
            made += self.deposit(int(row["in_seq"]), int(row["size"]), ts=int(row["recv_ts"]))
            moving = moving[earlier:]
        return made + self.add(moving)

    def deposit(self, in_seq: int, amount: int, *, ts: int = 0) -> list[Movement]:
        """Capital comes in (> 0) or goes out (< 0), micro-pUSD."""
        pair = (OUTSIDE, CASH) if amount > 0 else (CASH, OUTSIDE)
        return [_made((in_seq, 0), ts, "", "capital", *pair, MONEY, abs(amount))] if amount else []

    def add(self, rows: Iterable[np.void]) -> list[Movement]:
        """Movements of output rows, in their order; those that move nothing are passed over.

        Raises:
            AssertionError: A row contradicts the holds that are open.
        """
        acts = {s.APPROVAL: self._approved, s.FILL: self._filled, s.DONE: self._ended, s.SETTLED: self._settled}
        made: list[Movement] = []
        for row in rows:
            act = acts.get(int(row["kind"]))
            if act is not None:
                made += act(row)
        return made

    def _approved(self, row: np.void) -> list[Movement]:
        return [self._hold_for(row, correlation(int(row["in_seq"]), int(row["market"]), int(row["strategy"])))]

    def _filled(self, row: np.void) -> list[Movement]:
        which = order_id(row)
        money, fee, size = int(row["money"]), int(row["fee"]), int(row["size"])
        buys = int(row["action"]) == Action.BUY
        made = [
            self._release(row, which),
            *_moved(row, which, "money", *((CASH, VENUE) if buys else (VENUE, CASH)), MONEY, abs(money)),
            *_moved(row, which, "fee", CASH, FEES, MONEY, fee),
            *self._shares(row, which, size, comes=buys),
        ]
        # What is still open needs something held, and what is held is held for something still open.
        return [*made, self._hold_for(row, which)] if int(row["held"]) > 0 else made

    def _ended(self, row: np.void) -> list[Movement]:
        return [self._release(row, order_id(row))]

    def _settled(self, row: np.void) -> list[Movement]:
        which = correlation(int(row["in_seq"]), int(row["market"]), int(row["strategy"]))
        paid = _moved(row, which, "money", VENUE, CASH, MONEY, int(row["money"]))
        return [*self._shares(row, which, int(row["size"]), comes=False), *paid]

    def _shares(self, row: np.void, which: str, size: int, *, comes: bool) -> list[Movement]:
        position = position_account(self._names, int(row["strategy"]))
        pair = (VENUE, position) if comes else (position, VENUE)
        return _moved(row, which, "shares", *pair, self._token(row), size)

    def _hold_for(self, row: np.void, which: str) -> Movement:
        source, amount = _source(row), int(row["held"])
        if which in self.holds:
            raise AssertionError(f"EXEC_LEDGER_DUPLICATE: {source[0]}:{source[1]}:hold")
        buys = int(row["action"]) == Action.BUY
        payer = CASH if buys else position_account(self._names, int(row["strategy"]))
        asset = MONEY if buys else self._token(row)
        held = _made(source, int(row["ts"]), which, "hold", payer, HELD, asset, amount, Phase.PENDING)
        self.holds[which] = held
        return held

    def _release(self, row: np.void, which: str) -> Movement:
        held = self.holds.pop(which, None)
        if held is None:
            raise AssertionError(
                f"EXEC_LEDGER_PENDING_MISMATCH: input {int(row['in_seq'])}: nothing is held for {which}"
            )
        return Movement(
            source_event=_source(row),
            part="void",
            phase=Phase.VOID_PENDING,
            from_account=held.from_account,
            to_account=held.to_account,
            asset=held.asset,
            amount=held.amount,
            ts=int(row["ts"]),
            correlation=which,
            resolves=(*held.source_event, held.part),
        )

    def _token(self, row: np.void) -> str:
        return token(self._names, int(row["market"]), int(row["outcome"]))


def _source(row: np.void) -> tuple[int, int]:
    return int(row["in_seq"]), int(row["ordinal"])


def _moved(
    row: np.void, which: str, part: str, from_account: str, to_account: str, asset: str, amount: int
) -> list[Movement]:
    # A fee of nothing, or a sale for less than a micro, moves nothing.
    return [_made(_source(row), int(row["ts"]), which, part, from_account, to_account, asset, amount)] if amount else []


def _made(
    source: tuple[int, int],
    ts: int,
    which: str,
    part: str,
    from_account: str,
    to_account: str,
    asset: str,
    amount: int,
    phase: Phase = Phase.POSTED,
) -> Movement:
    return Movement(
        source_event=source,
        part=part,
        phase=phase,
        from_account=from_account,
        to_account=to_account,
        asset=asset,
        amount=amount,
        ts=ts,
        correlation=which,
        resolves=None,
    )


def token(names: Names, market: int, outcome: int) -> str:
    """The asset that an outcome's shares are: the venue's id, or market and outcome while nobody has told it."""
    return names.token(market, outcome) or f"{names.markets[market]}:{Outcome(outcome).name}"


def position_account(names: Names, strategy: int) -> str:
    """The account of a strategy's shares."""
    return f"{POSITION}{names.strategies[strategy]}"


def verify(conn: psycopg.Connection[Any], shard: int, names: Names) -> str | None:
    """What is wrong with the books of `shard`, every movement derived again from the log; None when all is well."""
    return check(conn, shard, Journal(names, holds_before(conn, shard, first_kept(conn, shard))).block)


def kernel_sums(state: s.State, names: Names) -> Sums:
    """What the loop believes, by the ledger's accounts."""
    portfolio, pairs = state.portfolio[0], state.pairs
    sells = (pairs["order"] != s.NO_ORDER) & (pairs["order_action"] == s.SELL)
    positions: dict[tuple[str, str], tuple[int, int]] = {}
    for outcome, column in ((Outcome.YES, "qty_yes"), (Outcome.NO, "qty_no")):
        held = np.where(sells & (pairs["order_outcome"] == outcome), pairs["order_held"], 0)
        for market, strategy in np.argwhere((pairs[column] != 0) | (held != 0)).tolist():
            account = position_account(names, strategy)
            found = int(pairs[column][market, strategy]), int(held[market, strategy])
            positions[account, token(names, market, outcome)] = found
    return Sums(
        cash=int(portfolio["cash"]),
        reserved=int(portfolio["reserved"]),
        fees=int(portfolio["fees"]),
        deposited=int(portfolio["deposited"]),
        positions=positions,
    )


class Books:
    """All transfers of a run, each with its present status: what a replay keeps, and what tests look at.

    Attributes:
        entries: Transfers by id, in booking order.
        journal: Where they come from.
    """

    def __init__(self, names: Names) -> None:
        """Start with empty books."""
        self.entries: dict[str, Transfer] = {}
        self.journal = Journal(names)

    def deposit(self, in_seq: int, amount: int) -> None:
        """Book capital, micro-pUSD."""
        self._book(self.journal.deposit(in_seq, amount))

    def add(self, rows: Iterable[np.void]) -> None:
        """Book output rows."""
        self._book(self.journal.add(rows))

    def _book(self, movements: Sequence[Movement]) -> None:
        for made in movements:
            if made.resolves is not None:
                self._end(made.resolves, made.phase)
                continue
            key = _key((*made.source_event, made.part))
            if key in self.entries:
                raise AssertionError(f"EXEC_LEDGER_DUPLICATE: {key}")
            pending = Transfer(
                id=key,
                source_event=made.source_event,
                from_account=made.from_account,
                to_account=made.to_account,
                asset=made.asset,
                amount=made.amount,
                status=TransferStatus.PENDING,
            )
            self.entries[key] = pending if made.phase is Phase.PENDING else post(pending).transfer

    def _end(self, held: tuple[int, int, str], phase: Phase) -> None:
        end = void if phase is Phase.VOID_PENDING else post
        ended, code = end(self.entries[_key(held)])
        if code:
            raise AssertionError(f"{code}: {ended.id}")
        self.entries[ended.id] = ended


def _key(found: tuple[int, int, str]) -> str:
    return ":".join(map(str, found))


def transfers(rows: Iterable[np.void], names: Names, *, capital: int = 0) -> list[Transfer]:
    """The books of a whole run: its capital, then every transfer of its rows with the status it ended in."""
    books = Books(names)
    books.deposit(0, capital)
    books.add(rows)
    return list(books.entries.values())
