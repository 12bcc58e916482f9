"""Rolling windows of 60 s, 5 min and 1 h over flow, mid moves and unobserved time.

Totals since the start are kept as integers, and each window remembers their values at its tail, so a window's sum is a
subtraction and nothing drifts. The ring has one row per second with activity; a window holds whole seconds, the current
one included. 3,601 seconds is the most it can hold, below `RING`, so it cannot overflow; `open_second` still counts.

Log returns are integers in 1e-6: one tick at p = 0.5 is 20,000 of them.
"""

import math

from polytraders.contracts.inputs import BID, NANO
from polytraders.contracts.state import BOOK_OK, NONE, RING, SPANS_S, WINDOWS, Array, Record
from polytraders.kernel.jit import kernel

SECOND, BUY, SELL, MOVES, SUM, SQUARES, LOST = range(7)
RETURN_UNIT = 1_000_000
MASK = RING - 1


@kernel
def lost_until(mk: Record, now: int) -> int:
    """Time since the start of observation in which the book was not valid, ns."""
    return int(mk.lost_ns + (now - mk.lost_ts if mk.state != BOOK_OK and mk.lost_ts > 0 else 0))


@kernel
def rebase(mk: Record, ring: Array, window: int, tail: int) -> None:
    """Move a window's tail and remember the totals before it."""
    mk.tail[window] = tail
    if tail > mk.head:
        mk.buy_base[window] = mk.buy
        mk.sell_base[window] = mk.sell
        mk.moves_base[window] = mk.moves
        mk.sum_base[window] = mk.move_sum
        mk.squares_base[window] = mk.move_squares
        mk.lost_base[window] = mk.lost_ns
        return
    row = ring[tail & MASK]
    mk.buy_base[window] = row[BUY]
    mk.sell_base[window] = row[SELL]
    mk.moves_base[window] = row[MOVES]
    mk.sum_base[window] = row[SUM]
    mk.squares_base[window] = row[SQUARES]
    mk.lost_base[window] = row[LOST]


@kernel
def roll(mk: Record, ring: Array, now: int) -> None:
    """Enter a new second: drop what has left each window."""
    start = now // NANO * NANO
    mk.second = start + NANO
    mk.dirty = 1
    for window in range(WINDOWS):
        gone = start - SPANS_S[window] * NANO
        tail = mk.tail[window]
        moved = tail
        while moved <= mk.head and ring[moved & MASK, SECOND] <= gone:
            moved += 1
        if moved != tail:
            rebase(mk, ring, window, moved)


@kernel
def open_second(mk: Record, ring: Array) -> bool:
    """The ring row of the current second; totals before it are written when it is new. False = the ring is full."""
    start = mk.second - NANO
    if mk.head >= 0 and ring[mk.head & MASK, SECOND] == start:
        return True
    if mk.head + 1 - mk.tail[WINDOWS - 1] >= RING:
        return False
    mk.head += 1
    row = ring[mk.head & MASK]
    row[SECOND] = start
    row[BUY] = mk.buy
    row[SELL] = mk.sell
    row[MOVES] = mk.moves
    row[SUM] = mk.move_sum
    row[SQUARES] = mk.move_squares
    row[LOST] = mk.lost_ns
    return True


@kernel
def note_trade(mk: Record, ring: Array, aggressor: int, price: int, size: int) -> bool:
    """A trade that crossed the spread: buy flow when YES was bought. False = the ring is full."""
    if not open_second(mk, ring):
        return False
    mk.last_price = price
    mk.dirty = 1
    if aggressor == BID:
        mk.buy += size
    else:
        mk.sell += size
    return True


@kernel
def log_odds(mid2: int) -> int:
    """ln(mid / (1 - mid)) in 1e-9 for a mid given as bid + ask in price units; 0 < mid < 1."""
    return int(math.floor(math.log(mid2 / (20_000.0 - mid2)) * 1e9 + 0.5)) if 0 < mid2 < 20_000 else 0


@kernel
def note_mid(mk: Record, ring: Array) -> bool:
    """The mid after a change of the best prices; a one-sided book has none and keeps the last. False = ring full."""
    if mk.bid_px == NONE or mk.ask_px == NONE:
        return True
    mid2 = mk.bid_px + mk.ask_px
    before = mk.mid2
    if mid2 == before:
        return True
    mk.mid2 = mid2
    mk.log_odds = log_odds(mid2)
    if before == 0:
        return True
    if not open_second(mk, ring):
        return False
    move = int(math.floor(math.log(mid2 / before) * RETURN_UNIT + 0.5))
    mk.moves += 1
    mk.move_sum += move
    mk.move_squares += move * move
    mk.dirty = 1
    return True


@kernel
def note_lost(mk: Record, ring: Array, now: int) -> None:
    """The book has become invalid: from now on the windows miss something."""
    if mk.lost_ts == 0 and mk.observed_ts > 0:
        mk.lost_ts = now


@kernel
def note_found(mk: Record, ring: Array, now: int) -> bool:
    """The book is valid again, or for the first time. False = the ring is full."""
    if mk.observed_ts == 0:
        mk.observed_ts = now
        return True
    if mk.lost_ts == 0:
        return True
    if not open_second(mk, ring):
        return False
    mk.lost_ns += now - mk.lost_ts
    mk.lost_ts = 0
    return True


@kernel
def completeness(mk: Record, window: int, now: int) -> float:
    """Observed part of a window, 0..1."""
    if mk.observed_ts == 0:
        return 0.0
    span = SPANS_S[window] * NANO
    seen: int = min(span, now - mk.observed_ts) - (lost_until(mk, now) - mk.lost_base[window])
    return max(seen, 0) / span


@kernel
def volatility(moves: int, move_sum: int, move_squares: int) -> float:
    """Standard deviation of one-move log returns of the mid; 0 with fewer than two moves."""
    if moves < 2:
        return 0.0
    mean = move_sum / moves
    return math.sqrt(max(move_squares / moves - mean * mean, 0.0)) / RETURN_UNIT
