"""Instrument truth: which facts of a market are known, how old they are, and what may be quoted on it.

The functions read the registry part of a MARKET record (contracts/state.py). A fact that was never told is missing,
and a missing one is not a zero: `missing` names it by its bit, and stage 7 refuses the market with that word.
"""

from typing import Any, Final

from polytraders.contracts.inputs import Fact, MarketStatus
from polytraders.kernel import money
from polytraders.kernel.jit import kernel

REQUIRED: Final = (1 << (Fact.CLUSTER + 1)) - 1
"""Bits of the facts that must be known before anything is traded: VENUE to CLUSTER."""

TICK_MISSING: Final = 1 << 32
"""Bit of the tick size, which arrives with the book and is no Fact; clear of every Fact's bit."""

NS_PER_MS: Final = 1_000_000

OPEN: Final = int(MarketStatus.OPEN)
PAUSED: Final = int(MarketStatus.PAUSED)
HALTED: Final = int(MarketStatus.HALTED)
RESOLVING: Final = int(MarketStatus.RESOLVING)
RESOLVED: Final = int(MarketStatus.RESOLVED)

PROTOCOL_UNKNOWN, PROTOCOL_V1, PROTOCOL_V2 = 0, 1, 2


@kernel
def missing(mk: Any) -> int:
    """Bits of the required facts that nobody has told yet; 0 when the market may be judged.

    Args:
        mk: MARKET record; `known` has bit f set when Fact f has been told, `tick` is 0 until the first book.

    Returns:
        Bit f for each missing Fact f, and TICK_MISSING.
    """
    bits = REQUIRED & ~int(mk.known)
    if mk.tick <= 0:
        bits |= TICK_MISSING
    return bits


def named(bits: int) -> tuple[str, ...]:
    """Names of the facts in `missing`'s word, for packets and pages."""
    names = tuple(fact.name for fact in Fact if bits >> fact & 1)
    return names + ("TICK_SIZE",) if bits & TICK_MISSING else names


@kernel
def age_ms(mk: Any, now: int) -> int:
    """Milliseconds since the registry last agreed with the venue, a part of one counting as a whole.

    Args:
        mk: MARKET record; `synced_ts` is ns UTC, 0 when it never agreed: then the age is that of the epoch, so every
            limit stops it.
        now: Loop time, ns UTC.

    Returns:
        freshness_ms of the specification (stage 1, formula 4). Negative when the sync is stamped ahead of loop time.
    """
    return money.ceil_div(now - mk.synced_ts, NS_PER_MS)


@kernel
def price_valid(mk: Any, price: int) -> bool:
    """Whether a price (1e-4 pUSD) lies on the market's present grid, strictly between 0 and 1; no tick, no price."""
    return money.on_grid(price, mk.tick)


@kernel
def size_valid(mk: Any, size: int) -> bool:
    """Whether an order of `size` (1e-6 shares) reaches the market's minimum."""
    return money.size_in_range(size, mk.min_size)


@kernel
def is_open(mk: Any) -> bool:
    """Whether positions in the market may grow; every status but OPEN stops them."""
    return int(mk.status) == OPEN


@kernel
def close_in_ms(mk: Any, now: int) -> int:
    """Milliseconds until trading ends, rounded down; negative after the end."""
    return int((mk.close_ts - now) // NS_PER_MS)


def status(
    *, active: bool, accepting_orders: bool, halted: bool, closed: bool, resolution_begun: bool, resolved: bool
) -> MarketStatus:
    """One status from the venue's many flags, which lag behind each other: the furthest along its life wins.

    Args:
        active: The catalogue lists the market as active.
        accepting_orders: The venue takes orders for it.
        halted: The venue or an operator has stopped it.
        closed: Trading has ended.
        resolution_begun: An outcome has been proposed or is disputed.
        resolved: The payout is final.

    Source: observed on the venue, where `active` was true on closed markets.
    """
    if resolved:
        return MarketStatus.RESOLVED
    if closed or resolution_begun:
        return MarketStatus.RESOLVING
    if halted:
        return MarketStatus.HALTED
    return MarketStatus.OPEN if active and accepting_orders else MarketStatus.PAUSED


def protocol(version: str) -> int:
    """Protocol of a market by the venue's `version`: PROTOCOL_V1 also when it says none, PROTOCOL_UNKNOWN otherwise."""
    return {"": PROTOCOL_V1, "v1": PROTOCOL_V1, "v2": PROTOCOL_V2}.get(version, PROTOCOL_UNKNOWN)
