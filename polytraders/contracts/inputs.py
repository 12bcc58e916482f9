"""Inputs: the rows that enter the loop, and nothing else does.

One row is 80 bytes, little-endian, in `INPUT`'s layout. A stretch of rows is the canonical segment, a replay's block
and the preimage of the input chain, so the layout is a contract: fields are only ever added by a new `INPUT_VERSION`.

Units: prices in the instrument's unit (Polymarket 0.0001), sizes 1e-6 shares, reference prices 1e-8, times ns UTC.
"""

from enum import IntEnum

import numpy as np

from polytraders.contracts.scope import Scope as Scope  # noqa: PLC0414  it was here before, and is still looked for here

INPUT_VERSION = 1

PRICE_UNIT = 10_000
"""Price units in one pUSD: a Polymarket price p is the integer p * 10,000."""

SIZE_UNIT = 1_000_000
"""Size units in one share, and micro-pUSD in one pUSD."""

SIZE_MAX = 10_000_000 * SIZE_UNIT
"""Largest size the door lets in, so that every product in the loop stays below 2**63."""

NANO = 1_000_000_000
"""Units of q_exec, net_edge and probabilities in one pUSD per share, and nanoseconds in a second."""

TICK_NS = 250_000_000
"""Loop time between two TICK inputs."""

GROUP = 1_024
"""Inputs in one group of the input chain."""

BID, ASK = 0, 1
NO_PRICE = -1
"""In `a` or `b` of a LEVEL row: the venue said that this side of the book is empty."""

YES, NO = 0, 1

UP, DOWN = 1, -1
"""Direction of a trade in YES terms: UP takes asks or joins bids (buy YES, sell NO), DOWN the mirror."""

INPUT = np.dtype(
    [
        ("in_seq", "<i8"),  # gapless, from 1
        ("recv_ts", "<i8"),  # when the bytes arrived; running maximum of source times if synthetic
        ("source_ts", "<i8"),  # the venue's own time: data, never an order; 0 = not given
        ("proc_ts", "<i8"),  # when the row was sealed
        ("kind", "u1"),  # Kind
        ("side", "u1"),  # BID or ASK of a level (YES terms); aggressor of a trade: BID = bought YES
        ("flags", "<u2"),  # Flag bits
        ("market", "<i4"),  # index in the shard, -1 = none or all
        ("price", "<i8"),
        ("size", "<i8"),
        ("a", "<i8"),  # the meaning of a and b depends on kind, see Kind
        ("b", "<i8"),
        ("frame", "<i8"),  # 0-based number of the raw frame it came from, -1 = made by the loop process
    ]
)


class Kind(IntEnum):
    """What a row says. Additive: a number is never reused."""

    EPOCH = 1  # a run of a build begins; a, b = first 16 bytes of the build hash
    CLOCK = 2  # a = 1: times are synthetic; b = new loop time when the clock jumped, else 0; size = ppm of wall time
    TICK = 3  # 250 ms of loop time have passed
    FACT = 4  # registry: price = Fact, size = value; flag ASSUMED when it came from a file, not from the venue
    TICK_SIZE = 5  # price = the market's tick from now on, in price units
    SNAP_OPEN = 6  # a whole book follows; a = token it was told for (YES or NO), size = number of SNAP_LEVEL rows
    SNAP_LEVEL = 7  # one level of it, in YES terms
    SNAP_CLOSE = 8  # the book is complete: compare, then replace ours
    LEVEL = 9  # new total at a price, YES terms; on the frame's last row of a market (flag LAST) a, b = best bid, ask
    TRADE = 10  # somebody traded, YES terms; a = token it was printed for
    REFUSED = 11  # a frame the door refused: a = reason-code number; its market (or -1: all of `b`) goes to RESYNC
    GAP = 12  # something was missed: market, or all markets of connection b, go to RESYNC
    ALIVE = 13  # a PONG or other proof of life on connection b
    WITNESS = 14  # an independent REST book agreed with ours
    REFERENCE = 15  # market = reference index, price = value in 1e-8
    LIMIT = 16  # price = index in LIMITS, size = value
    PARAM = 17  # market = strategy, price = index of the parameter, size = the float64's bits
    SETTING = 18  # market = strategy, price = Setting, size = value
    KILL = 19  # price = Scope, size = index in the scope
    RELEASE = 20  # likewise
    ROLLOUT = 21  # market = strategy, size = Stage
    CAPITAL = 22  # size = micro-pUSD deposited (negative: withdrawn)
    RESOLVED = 23  # size = payout of one YES share in price units
    FLATTEN = 24  # price = Scope, size = index, a = 1 begin, 0 end: only reducing trades of the scope may pass
    VENUE = 25  # price = venue index, size = 1 allowed, 0 not
    COMMAND = 26  # somebody asked for something: price = Command, b = reason number of its refusal, 0 = taken


class Flag(IntEnum):
    """Bits of `flags`."""

    LAST = 1  # last row of its market in its frame: the book is whole again
    BEST = 2  # a and b carry the venue's own best bid and ask
    MIRRORED = 4  # the frame's other token said the same, mirrored
    MIRROR_BROKEN = 8  # the frame's other token said something else
    ASSUMED = 16  # a fact from a file, not from the venue
    TWIN = 32  # this snapshot is the other token's, at the same timestamp
    HASH_OK = 64  # the venue's own book hash reproduced
    HASH_BAD = 128
    HASH_EMPTY = 256


class Fact(IntEnum):
    """What the registry knows about a market. The first eight must be known before anything is traded."""

    VENUE = 0  # venue index
    MIN_SIZE = 1  # 1e-6 shares
    FEE_RATE = 2  # 1e-6; fee per share = rate * (p (1 - p))^exponent
    FEE_EXPONENT = 3  # 1e-3
    FEE_TAKER_ONLY = 4  # 1: makers pay nothing
    TAKER_DELAY_MS = 5
    CLOSE_TS = 6  # ns; trading ends
    CLUSTER = 7  # index of the correlation cluster
    NEG_RISK = 8
    FEE_BPS = 9  # flat fee in basis points of the notional, added to the curve
    STATUS = 10  # MarketStatus
    ALLOWED = 11  # 1: on the allow-list
    GAP_P999_MS = 12  # the market's own 99.9 % gap between rows
    REFERENCE = 13  # index of the reference price, -1 = none
    STRIKE = 14  # 1e-8
    CONNECTION = 15
    SYNCED_TS = 16  # ns; when the registry last agreed with the venue


class MarketStatus(IntEnum):
    """Life of a market; only OPEN may be increased."""

    OPEN = 0
    PAUSED = 1
    HALTED = 2
    RESOLVING = 3
    RESOLVED = 4


class Command(IntEnum):
    """What can be asked of the loop through its inbox."""

    MARKET = 1  # these facts of a market, from the registry
    KILL = 2
    RELEASE = 3
    ROLLOUT = 4
    LIMIT = 5
    CAPITAL = 6
    RESOLVED = 7
    FLATTEN = 8
    PARAMETER = 9  # a setting of a strategy


MARKET_DATA = frozenset(
    {
        Kind.TICK, Kind.TICK_SIZE, Kind.SNAP_OPEN, Kind.SNAP_LEVEL, Kind.SNAP_CLOSE, Kind.LEVEL, Kind.TRADE,
        Kind.ALIVE, Kind.WITNESS, Kind.REFERENCE,
    }
)  # fmt: skip
"""Kinds that stand in the canonical segment only; each other input has a row of the log as well."""


class Stage(IntEnum):
    """Rollout ladder of a strategy."""

    REPLAY = 0
    SHADOW = 1
    PAPER = 2
    CANARY = 3
    LIVE = 4


class Setting(IntEnum):
    """Integer settings of a strategy; its float parameters are PARAM inputs."""

    MODEL = 0  # which compiled model: polytraders/strategies/__init__.py
    WINDOWS = 1  # bit w = it reads window w (60 s, 5 m, 1 h)
    IMMEDIATE = 2  # 1: does not wait for the ranking at the next TICK
    MAKER = 3  # 1: rests post-only at the best price, 0: takes
    SIZE = 4  # wished size of one trade, 1e-6 shares
    EXPOSURE_MAX = 5  # micro-pUSD over all markets
    REST_MS = 6  # life of an order
    EDGE_MIN = 7  # 1e-9 per share
    KELLY_PPM = 8  # 0: no Kelly scaling; 250,000 = quarter Kelly
    VOLATILITY_TARGET_PPM = 9  # 0: no volatility scaling; else target sigma of one-tick log returns, 1e-6
    COLLAR = 10  # farthest from the mid a price may be, price units
    BAND_MAX = 11  # widest band (UB - LB) that is still an opinion, 1e-9


def empty(rows: int) -> np.ndarray:
    """`rows` zeroed inputs with market and frame at -1."""
    made = np.zeros(rows, INPUT)
    made["market"] = -1
    made["frame"] = -1
    return made
