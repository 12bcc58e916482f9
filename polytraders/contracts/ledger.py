"""Stage 9's artefacts: one movement of money or shares, what becomes of it, and what is held.

A Movement is a fact and is never changed; a Transfer is the pending or posted movement together with what its later
movements have made of it.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

MONEY: Final = "pUSD"
CASH: Final = "cash"
HELD: Final = "held"
FEES: Final = "fees"
VENUE: Final = "venue"
OUTSIDE: Final = "outside"
POSITION: Final = "position:"
"""What an account of shares begins with; the strategy's name follows."""
MAY_BE_NEGATIVE: Final = frozenset({VENUE, OUTSIDE})
"""The other side of every trade, and where capital comes from."""


class Phase(Enum):
    """What a movement does."""

    POSTED = "posted"
    PENDING = "pending"
    POST_PENDING = "post_pending"
    VOID_PENDING = "void_pending"


class TransferStatus(Enum):
    """Life of a transfer: pending, then exactly one of the other two."""

    PENDING = "pending"
    POSTED = "posted"
    VOIDED = "voided"


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """One row of the ledger: an amount moves, is held, or a held amount is moved or given back.

    Attributes:
        source_event: in_seq and ordinal of the row that caused it.
        part: Which of the source event's movements; (source_event, part) is its key.
        phase: POSTED moves the amount, PENDING holds it; the other two end a pending one, as a whole and once.
        from_account: Account it leaves.
        to_account: Account it enters, another one.
        asset: "pUSD", or the id of a token.
        amount: Micro-pUSD or 1e-6 shares, > 0.
        ts: Loop time of the source event, ns UTC.
        correlation: What packet, order, fills and movements have in common; "" = stands alone.
        resolves: Key of the pending movement (in_seq, ordinal, part) that this one ends; None for the other phases.
    """

    source_event: tuple[int, int]
    part: str
    phase: Phase
    from_account: str
    to_account: str
    asset: str
    amount: int
    ts: int
    correlation: str
    resolves: tuple[int, int, str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """One amount from one account to another: balanced because it cannot be written otherwise.

    Attributes:
        id: Unique; follows from the event, so booking twice is noticed.
        source_event: in_seq and ordinal of the output row that caused it.
        from_account: Account it leaves.
        to_account: Account it enters, another one.
        asset: "pUSD", or the id of a token.
        amount: Micro-pUSD or 1e-6 shares, > 0.
        status: PENDING holds it, POSTED moves it, VOIDED gives it back.
    """

    id: str
    source_event: tuple[int, int]
    from_account: str
    to_account: str
    asset: str
    amount: int
    status: TransferStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """What a strategy holds of one token.

    Attributes:
        market: Index of the market.
        strategy: Name.
        token_id: The venue's id of the token.
        total: 1e-6 shares, like the three below.
        free: May be sold.
        reserved: Set aside for open sales.
        redeemable: Will be paid out, after the market has resolved.
        average_cost: 1e-9 per share; 0 without a position.
        realised: Micro-pUSD earned by closed parts, fees taken off.
        unrealised: Micro-pUSD at the mid.
        fees: Micro-pUSD paid.
    """

    market: int
    strategy: str
    token_id: str
    total: int
    free: int
    reserved: int
    redeemable: int
    average_cost: int
    realised: int
    unrealised: int
    fees: int
