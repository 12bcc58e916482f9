"""What shares become when a market is decided, and what a pUSD is split into.

One YES and one NO share together are always one pUSD, so n micro-pUSD split into n of the 1e-6 shares of each, and the
payouts of the two outcomes add up to one. Everything is integer; what is received is rounded down once per token.
"""

from typing import Final, NamedTuple

from polytraders.contracts.inputs import NO, PRICE_UNIT, YES
from polytraders.kernel import money
from polytraders.kernel.jit import kernel

REFUSED: Final = -1
"""In place of an amount: nothing was computed."""


class Holdings(NamedTuple):
    """Cash in micro-pUSD and shares of both tokens in 1e-6."""

    cash: int
    qty_yes: int
    qty_no: int


class Outcome(NamedTuple):
    """Holdings after a step, unchanged when `code` is a refusal; "" = done."""

    holdings: Holdings
    code: str


@kernel
def payout_of(outcome: int, payout: int) -> int:
    """What one share of `outcome` pays, price units, when one YES share pays `payout`: NO pays 1 - payout."""
    return payout if outcome == YES else PRICE_UNIT - payout


@kernel
def redeem(outcome: int, size: int, payout: int) -> int:
    """Micro-pUSD for `size` (1e-6 shares, >= 0) of a resolved market's token, rounded down.

    Args:
        outcome: YES or NO.
        size: Shares held.
        payout: What one YES share pays, price units: PRICE_UNIT or 0, or between when the venue splits it.

    Returns:
        The amount; REFUSED for a payout outside of 0..PRICE_UNIT or a negative size.

    Source: specification, stage 9 (redemption; the formula is ours).
    """
    if payout < 0 or payout > PRICE_UNIT or size < 0:
        return REFUSED
    return money.notional(size, payout_of(outcome, payout), False)


@kernel
def redemption(qty_yes: int, qty_no: int, payout: int) -> int:
    """Micro-pUSD for everything held of a resolved market; two tokens are two claims, each rounded down."""
    yes = redeem(YES, qty_yes, payout)
    no = redeem(NO, qty_no, payout)
    return REFUSED if yes == REFUSED or no == REFUSED else yes + no


@kernel
def mergeable(qty_yes: int, qty_no: int) -> int:
    """Pairs of both tokens that can be turned back into pUSD before the market is decided, 1e-6 each."""
    return max(0, min(qty_yes, qty_no))


@kernel
def split_cost(size: int, price: int) -> int:
    """The YES shares' part of what a split of `size` cost, micro-pUSD; the NO shares bear the rest, so nothing is lost.

    Args:
        size: Micro-pUSD split.
        price: YES price that values them, price units, 0 to PRICE_UNIT; usually the mid.
    """
    return money.notional(size, price, False)


def settle(held: Holdings, payout: int) -> Outcome:
    """Redeem everything held of a market that pays `payout` price units per YES share."""
    received = redemption(held.qty_yes, held.qty_no, payout)
    if received == REFUSED:
        return Outcome(held, "EXEC_LEDGER_PAYOUT_INVALID")
    return Outcome(Holdings(held.cash + received, 0, 0), "")


def split(held: Holdings, size: int) -> Outcome:
    """Turn `size` micro-pUSD into as many 1e-6 shares of both tokens."""
    if size <= 0:
        return Outcome(held, "EXEC_LEDGER_AMOUNT_INVALID")
    if size > held.cash:
        return Outcome(held, "EXEC_LEDGER_OVERDRAFT")
    return Outcome(Holdings(held.cash - size, held.qty_yes + size, held.qty_no + size), "")


def merge(held: Holdings, size: int) -> Outcome:
    """Turn `size` (1e-6) shares of both tokens back into as many micro-pUSD."""
    if size <= 0:
        return Outcome(held, "EXEC_LEDGER_AMOUNT_INVALID")
    if size > mergeable(held.qty_yes, held.qty_no):
        return Outcome(held, "EXEC_LEDGER_SHARES_INSUFFICIENT")
    return Outcome(Holdings(held.cash + size, held.qty_yes - size, held.qty_no - size), "")
