"""What a fill would cost. Predicts; never sends an order.

Everything is told in YES terms: direction +1 takes the asks (buy YES or sell NO), -1 takes the bids (sell YES or buy
NO), which are the same levels of the venue's one book.
"""

from typing import NamedTuple

from polytraders.contracts.inputs import ASK, BID, UP
from polytraders.contracts.state import NONE, Array, Record
from polytraders.kernel import money
from polytraders.kernel.jit import kernel

NANO_PER_PRICE = 100_000
"""1e-9 in one price unit of 1e-4."""


class Estimate(NamedTuple):
    """Stage 6's answer.

    Attributes:
        q_exec: Expected price of the walk in YES terms, 1e-9, rounded against us; 0 when nothing can be had.
        fee: Fee per share, 1e-9, rounded up.
        filled: 1e-6 shares of the wish that the displayed book holds.
        worst_px: Price of the last level touched, price units; NONE when nothing can be had.
    """

    q_exec: int
    fee: int
    filled: int
    worst_px: int


@kernel
def walk_asks(ask: Array, taken: Array, some_taken: bool, slot: int, slots: int, wish: int) -> tuple[int, int, int]:
    """(sum of slot * size, size, last slot) of taking `wish` from the asks upwards."""
    got = 0
    paid = 0
    last = slot
    while slot < slots:
        here = ask[slot]
        if some_taken:
            here -= taken[slot]
        if here > 0:
            take = min(here, wish - got)
            got += take
            paid += take * slot
            last = slot
            if got == wish:
                break
        slot += 1
    return paid, got, last


@kernel
def walk_bids(bid: Array, taken: Array, some_taken: bool, slot: int, wish: int) -> tuple[int, int, int]:
    """The same from the bids downwards."""
    got = 0
    paid = 0
    last = slot
    while slot >= 0:
        here = bid[slot]
        if some_taken:
            here -= taken[slot]
        if here > 0:
            take = min(here, wish - got)
            got += take
            paid += take * slot
            last = slot
            if got == wish:
                break
        slot -= 1
    return paid, got, last


@kernel
def q_exec(direction: int, paid: int, got: int, tick: int, base: int) -> int:
    """Size-weighted average price in YES terms, 1e-9: up when we take asks, down when we take bids."""
    total = (paid + base * got) * tick
    return money.average_nano_up(total, got) if direction == UP else money.average_nano(total, got)


@kernel
def take(mk: Record, levels: Array, taken: Array, direction: int, wish: int) -> Estimate:
    """Estimate of taking `wish` now."""
    some_taken = mk.taken > 0
    if direction == UP:
        base = mk.ask_base
        paid, got, last = walk_asks(levels[ASK], taken[ASK], some_taken, mk.best_ask, mk.slots, wish)
    else:
        base = mk.bid_base
        paid, got, last = walk_bids(levels[BID], taken[BID], some_taken, mk.best_bid, wish)
    if got == 0:
        return Estimate(0, 0, 0, NONE)
    # Mostly the best level holds the whole wish, and its price needs no division.
    if paid == last * got:
        price = (base + last) * mk.tick * NANO_PER_PRICE
    else:
        price = q_exec(direction, paid, got, mk.tick, base)
    fee = money.fee_per_share(price, mk.fee_rate, mk.fee_exponent, mk.fee_bps)
    return Estimate(price, fee, got, (base + last) * mk.tick)


@kernel
def rest(mk: Record, direction: int, wish: int) -> Estimate:
    """Estimate of joining the best price of our own side, post-only."""
    price = mk.bid_px if direction == UP else mk.ask_px
    nano = price * NANO_PER_PRICE
    fee = 0 if mk.fee_taker_only != 0 else money.fee_per_share(nano, mk.fee_rate, mk.fee_exponent, mk.fee_bps)
    return Estimate(nano, fee, wish, price)


@kernel
def slippage(direction: int, price: int, mid2: int) -> int:
    """q_exec - mid for a purchase, mid - q_exec for a sale, 1e-9."""
    return direction * (price - mid2 * (NANO_PER_PRICE // 2))
