"""A made-up market, event by event: random orders around a wandering price, compiled.

Makers act at all distances from the best price, as in a recorded sports market: one act in ten is at it, one in four
more than ten ticks away. Trades are ten times as frequent as there, so that every stage has work. Good for ratios
between systems. Every draw comes from an integer generator of our own, so a seed gives the same bytes with any version
of numpy.
"""

import math
from typing import NamedTuple

import numpy as np

from polytraders.kernel.jit import entry, kernel

CLEAR, LEVEL, TRADE, SNAPSHOT = range(4)
"""Kinds of event: a snapshot begins, new total of a level, a trade, one level of the snapshot."""

EVENT = np.dtype(
    [
        ("ts_exch", "<i8"),  # ns
        ("ts_local", "<i8"),  # ns, strictly increasing from message to message of one market
        ("market", "<i4"),
        ("kind", "u1"),
        ("side", "u1"),  # level: 0 bid, 1 ask; trade: the aggressor, 0 bought
        ("px", "<i2"),  # ticks of 0.01
        ("qty", "<i8"),  # 1e-6 shares
    ]
)

LEVELS = 100
FLOOR = 3
"""So many levels at each end of the grid never empty: the book always has two sides."""
LOT = 10_000
START_NS = 1_767_225_600_000_000_000


class Shape(NamedTuple):
    """What a market looks like: events, events between snapshots, mean nanoseconds between events."""

    events: int
    snapshot_every: int
    gap_ns: int


@kernel
def _uniform(seed):
    """Next number in [0, 1) of the splitmix64 sequence whose state is seed[0]."""
    seed[0] += np.uint64(0x9E3779B97F4A7C15)
    z = seed[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return float(z >> np.uint64(11)) * 2.0**-53


@kernel
def _waiting(seed, mean):
    """An exponential draw."""
    return -mean * math.log(1.0 - _uniform(seed))


@kernel
def _lot(seed, mean):
    """A size with two decimals, at least 0.01 shares."""
    return (1 + int(_waiting(seed, mean * 100.0))) * LOT


@entry
def _open_book(seed, held):
    """Fill an empty book around a random price. `held[p]` is the size at price p: positive bids, negative asks."""
    middle = 15 + int(_uniform(seed) * 70.0)
    for p in range(1, LEVELS):
        if p != middle and (abs(p - middle) < 10 or p <= FLOOR or p >= LEVELS - FLOOR or _uniform(seed) < 0.7):
            held[p] = _lot(seed, 350.0) * (1 if p < middle else -1)
    return float(middle)


@kernel
def _best(held):
    """Highest bid and lowest ask."""
    bid = ask = 0
    for p in range(1, LEVELS):
        if held[p] > 0:
            bid = p
        elif held[p] < 0 and ask == 0:
            ask = p
    return bid, ask


@kernel
def _change(seed, held, bid, ask, lean):
    """One maker's act: the price whose total changes and its new signed total, or price 0 when nothing fits."""
    up = _uniform(seed) < 0.5 + 0.12 * lean
    sign = 1 if up else -1
    best = bid if up else ask
    distance = int(_uniform(seed) * 10.0) if _uniform(seed) < 0.72 else 10 + int(_waiting(seed, 14.0))
    p = best - sign * distance
    if ask - bid > 1 and _uniform(seed) < 0.15:
        p = best + sign
    if p < 1 or p >= LEVELS or held[p] * sign < 0:
        return 0, 0
    size = abs(held[p])
    r = _uniform(seed)
    against = lean * sign < 0.0
    if size == 0 or r < (0.44 if against else 0.54):
        return p, sign * (size + _lot(seed, 140.0))
    if r < 0.86 and size > LOT:
        return p, sign * (size - int(size * _uniform(seed)) // LOT * LOT)
    if p <= FLOOR or p >= LEVELS - FLOOR:
        return 0, 0
    return p, 0


@kernel
def _put(row, ts, local, market, kind, side, px, qty):
    row.ts_exch = ts
    row.ts_local = local
    row.market = market
    row.kind = kind
    row.side = side
    row.px = px
    row.qty = qty


@entry
def _simulate(seed, held, clock, fair, market, events, snapshot_every, gap_ns, out):
    """Write `events` more events of one market to `out`; returns rows written. All state is in the arguments."""
    n = 0
    done = 0
    bid, ask = _best(held)
    while done < events:
        gap = gap_ns * (0.04 if _uniform(seed) < 0.35 else 1.5)
        clock[0] += int(_waiting(seed, gap)) // 1_000_000 * 1_000_000
        ts = clock[0]
        clock[1] = max(clock[1] + 1_000, ts + 18_000_000 + int(_waiting(seed, 14_000_000.0)))
        local = clock[1]
        if clock[2] <= 0:
            clock[2] += snapshot_every
            _put(out[n], ts, local, market, CLEAR, 0, 0, 0)
            n += 1
            for p in range(1, LEVELS):
                if held[p] != 0:
                    _put(out[n], ts, local, market, SNAPSHOT, 0 if held[p] > 0 else 1, p, abs(held[p]))
                    n += 1
        fair[0] += 0.14 * (_uniform(seed) + _uniform(seed) - 1.0)
        fair[0] = min(max(fair[0], 2.0), LEVELS - 2.0)
        lean = min(max(fair[0] - 0.5 * (bid + ask), -1.0), 1.0)
        if _uniform(seed) < 0.041 and done + 2 <= events:
            buys = _uniform(seed) < 0.5 + 0.3 * lean
            p = ask if buys else bid
            if p <= FLOOR or p >= LEVELS - FLOOR:
                continue
            taken = min(abs(held[p]), _lot(seed, 110.0))
            held[p] -= taken if held[p] > 0 else -taken
            _put(out[n], ts, local, market, TRADE, 0 if buys else 1, p, taken)
            _put(out[n + 1], ts, local, market, LEVEL, 1 if buys else 0, p, abs(held[p]))
            n += 2
            done += 2
            clock[2] -= 2
        else:
            p, total = _change(seed, held, bid, ask, lean)
            if p == 0:
                continue
            side = 0 if held[p] > 0 or total > 0 else 1
            held[p] = total
            _put(out[n], ts, local, market, LEVEL, side, p, abs(total))
            n += 1
            done += 1
            clock[2] -= 1
        bid, ask = _best(held)
    return n


class Market:
    """The book and clock of one simulated market; `more` goes on where it stopped, so a set can be made in chunks.

    Args:
        seed: Any integer; together with `market` it decides every draw.
        market: Index written into the rows.
        shape: Density of events and snapshots.
    """

    def __init__(self, seed: int, market: int, shape: Shape) -> None:
        self.seed = np.array([(seed << 32) + market * 0x51ED27 + 1], np.uint64)
        self.market = market
        self.shape = shape
        self.held = np.zeros(LEVELS + 1, np.int64)
        self.clock = np.array([START_NS, START_NS, 0], np.int64)
        self.fair = np.array([_open_book(self.seed, self.held)])

    def more(self, events: int) -> np.ndarray:
        """The next `events` level updates and trades, with the snapshots that fall among them."""
        shape = self.shape
        room = np.empty(events + (events // shape.snapshot_every + 2) * (LEVELS + 1), EVENT)
        rows = _simulate(
            self.seed, self.held, self.clock, self.fair, self.market, events, shape.snapshot_every, shape.gap_ns, room
        )
        return room[:rows]
