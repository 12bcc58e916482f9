"""Stage 9's artefacts: one movement of money or shares, and what is held."""

from dataclasses import dataclass
from enum import Enum


class TransferStatus(Enum):
    """Life of a transfer: pending, then exactly one of the other two."""

    PENDING = "pending"
    POSTED = "posted"
    VOIDED = "voided"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """One amount from one account to another: balanced because it cannot be written otherwise.

    Attributes:
        id: Unique; follows from the event, so booking twice is noticed.
        source_event: in_seq and ordinal of the output row that caused it.
        debit_account: Account it leaves.
        credit_account: Account it enters, another one.
        asset: "pUSD", or the id of a token.
        amount: Micro-pUSD or 1e-6 shares, > 0.
        status: PENDING holds it, POSTED moves it, VOIDED gives it back.
    """

    id: str
    source_event: tuple[int, int]
    debit_account: str
    credit_account: str
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
