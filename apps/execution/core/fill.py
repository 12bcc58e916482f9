"""Probability of a fill and the time to it. A prediction only: the paper venue fills by other code, on purpose."""

import math

from polytraders.contracts.inputs import ASK, BID, NANO, UP
from polytraders.contracts.state import BOOK_OK, NONE, Array, Record
from polytraders.kernel.jit import cold

WINDOW_S = 60.0
MS = 1_000

THIN, WIDE, STALE, PARTIAL = 1, 2, 4, 8
"""Warnings: thin book, spread of five ticks or more, book not valid, wish not wholly displayed."""

VALID_MS = 1_000
"""An estimate is for the book it was made from; after a second it has to be made anew."""


@cold
def taking(filled: float, wish: float, racing: float, delay_ms: int) -> tuple[float, int]:
    """(P(fill), ms): the displayed part of the wish survives `delay_ms` against `racing` shares a minute of rivals."""
    if wish <= 0 or filled <= 0:
        return 0.0, 0
    lost = racing * delay_ms / (WINDOW_S * MS)
    return filled / wish * math.exp(-lost / filled), delay_ms


@cold
def resting(queue: float, size: float, opposing: float, rest_ms: int, delay_ms: int) -> tuple[float, int]:
    """(P(fill), ms) of a resting order: opposing flow is Poisson at its last minute's rate, we wait behind `queue`."""
    if size <= 0:
        return 0.0, 0
    if opposing <= 0:
        return 0.0, rest_ms
    needed = queue + size
    expected = opposing * (rest_ms - delay_ms) / (WINDOW_S * MS)
    probability = 1.0 - math.exp(-max(expected, 0.0) / needed)
    return probability, delay_ms + int(needed / opposing * WINDOW_S * MS)


@cold
def predict(
    mk: Record, levels: Array, direction: int, maker: int, filled: int, wish: int, rest_ms: int, delay_ms: int
) -> tuple[float, int]:
    """(P(fill), ms to fill) of a wish against the book and the last minute's flow."""
    buys = mk.buy - mk.buy_base[0]
    sells = mk.sell - mk.sell_base[0]
    if maker == 0:
        return taking(float(filled), float(wish), float(buys if direction == UP else sells), delay_ms)
    if mk.bid_px == NONE or mk.ask_px == NONE:
        return 0.0, rest_ms
    queue = levels[BID, mk.best_bid] if direction == UP else levels[ASK, mk.best_ask]
    return resting(float(queue), float(wish), float(sells if direction == UP else buys), rest_ms, delay_ms)


@cold
def warnings(mk: Record, filled: int, wish: int) -> int:
    """Bits of what makes this estimate doubtful."""
    bits = 0
    if min(mk.bid_depth, mk.ask_depth) < 2 * wish:
        bits |= THIN
    if mk.bid_px != NONE and mk.ask_px != NONE and mk.ask_px - mk.bid_px >= 5 * mk.tick:
        bits |= WIDE
    if mk.state != BOOK_OK:
        bits |= STALE
    if filled < wish:
        bits |= PARTIAL
    return bits


@cold
def delay_ms(mk: Record, latency_ms: int, maker: int) -> int:
    """Decision to arrival: our latency and, for takers, the venue's own delay."""
    return latency_ms + (0 if maker != 0 else mk.taker_delay_ms)


@cold
def is_valid(made_ts: int, now: int) -> bool:
    """Whether an estimate may still be used."""
    return now - made_ts <= VALID_MS * (NANO // MS)
