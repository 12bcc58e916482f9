"""Stage 2's artefact: a market's book at one input, in YES terms, valid or refused with a reason."""

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple


class BookValidity(Enum):
    """Whether the book may be traded on."""

    VALID = "valid"
    STALE = "stale"
    RESYNCING = "resyncing"
    INVALID = "invalid"


class Level(NamedTuple):
    """What is on offer at one price: price units of 1e-4 pUSD, 1e-6 shares > 0."""

    price: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BookSnapshot:
    """The whole book of a market.

    Attributes:
        market: Index of the market.
        in_seq: Input after which the book looked like this.
        ts: Loop time of that input, ns.
        tick: Price step, price units.
        bids: Highest price first.
        asks: Lowest price first.
        validity: Only VALID may be traded.
        code: Reason of any other validity, None when VALID.
        hash: SHA-256 over tick and levels, hex; the same book gives the same hash however it came about.
        row_ts: Time of the last accepted row, ns; 0 = none yet.
        witness_ts: Time of the last independent book that agreed, ns; 0 = none yet.
        stale_ms: Age of the last accepted row.
        snapshots: Whole books received so far.
        snapshot_differences: Levels in which they differed from ours.
        repairs: Levels removed because the venue's best prices said that they were gone.
        resyncs: How often the book had to wait for a whole one.
    """

    market: int
    in_seq: int
    ts: int
    tick: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    validity: BookValidity
    code: str | None
    hash: str
    row_ts: int
    witness_ts: int
    stale_ms: int
    snapshots: int
    snapshot_differences: int
    repairs: int
    resyncs: int

    @property
    def spread(self) -> int | None:
        """Best ask minus best bid, price units; None with an empty side."""
        if not self.bids or not self.asks:
            return None
        return self.asks[0].price - self.bids[0].price
