"""Reference prices and their volatility, per square root of a second, over the last five minutes.

Squared log returns are integers in 1e-18 (a return in 1e-9). The ring has one row per second with a price; the divisor
is the time really observed, not the window's length, so the number is right before the window is full.
"""

import math

from polytraders.contracts.inputs import NANO
from polytraders.contracts.state import REFERENCE_RING, Array, Record
from polytraders.kernel.jit import cold, kernel

SPAN_S = 300
MASK = REFERENCE_RING - 1
SECOND, SQUARES = 0, 1
RETURN_MOST = 300_000_000
"""A return above 30 % between two prices is taken as that: one wrong print cannot overflow the sum."""
SQUARES_MOST = 1 << 61
"""25 returns of 30 % within the window: what moves like that is no reference, and observation begins anew."""


@cold
def note(ref: Record, ring: Array, price: int, now: int) -> None:
    """A new reference price, 1e-8; one that is not above 0 is none."""
    if price <= 0:
        return
    start = now // NANO * NANO
    if ref.price == 0:
        ref.first_ts = now
        ref.head = -1
        ref.tail = 0
    if ref.head < 0 or ring[ref.head & MASK, SECOND] != start:
        ref.head += 1
        ring[ref.head & MASK, SECOND] = start
        ring[ref.head & MASK, SQUARES] = ref.squares
    if ref.price > 0:
        move = int(math.floor(math.log(price / ref.price) * 1e9 + 0.5))
        move = min(max(move, -RETURN_MOST), RETURN_MOST)
        if ref.squares + move * move - ref.squares_base <= SQUARES_MOST:
            ref.squares += move * move
        else:
            ref.first_ts = now
            ref.tail = ref.head
            ring[ref.head & MASK, SQUARES] = ref.squares
    ref.price = price
    ref.ts = now
    gone = start - SPAN_S * NANO
    while ref.tail < ref.head and ring[ref.tail & MASK, SECOND] <= gone:
        ref.tail += 1
    ref.squares_base = ring[ref.tail & MASK, SQUARES]
    if ref.squares_base > SQUARES_MOST:
        rebase(ref, ring)


@cold
def rebase(ref: Record, ring: Array) -> None:
    """Count from the window's tail on, so that the total stays within its integer for ever."""
    for row in range(ref.tail, ref.head + 1):
        ring[row & MASK, SQUARES] -= ref.squares_base
    ref.squares -= ref.squares_base
    ref.squares_base = 0


@kernel
def observed_s(ref: Record, now: int) -> float:
    """Seconds that the sum of squares covers."""
    return min(float(SPAN_S), (now - ref.first_ts) / NANO) if ref.price > 0 else 0.0


@kernel
def sigma(ref: Record, now: int) -> float:
    """Volatility per square root of a second; 0 before anything was observed."""
    seconds = observed_s(ref, now)
    return math.sqrt((ref.squares - ref.squares_base) * 1e-18 / seconds) if seconds > 0.0 else 0.0
