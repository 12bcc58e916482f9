"""Stage 3's artefact: one fact of the log, an input row told in words."""

from dataclasses import dataclass
from enum import Enum

from polytraders.contracts.inputs import Kind


class EventQuality(Enum):
    """How far a fact can be relied on."""

    CLEAN = "clean"
    DEGRADED = "degraded"
    SUSPECT = "suspect"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An input as the log holds it.

    Attributes:
        in_seq: Number of the input, gapless from 1.
        kind: What the row says.
        source_ref: 0-based number of the raw frame it came from; None = made by the loop process.
        correlation_id: Joins everything that one frame, command or tick caused.
        market: Index of the market; None = none or all.
        side: 0 bid, 1 ask, in YES terms.
        price: Unit depends on kind: price units, 1e-8, or an index.
        size: Unit depends on kind: 1e-6 shares, or a value.
        a: Meaning depends on kind.
        b: Meaning depends on kind.
        flags: Flag bits.
        source_ts: The venue's own time, ns; None = not told.
        recv_ts: When the bytes arrived, ns.
        proc_ts: When the row was sealed, ns.
        lag_ms: proc_ts minus source_ts; None where the venue told no time.
        quality: CLEAN, or why not.
        book_hash: SHA-256 of the market's book after the event, hex; None where no book is concerned.
        schema_version: Layout of the row.
    """

    in_seq: int
    kind: Kind
    source_ref: int | None
    correlation_id: str
    market: int | None
    side: int
    price: int
    size: int
    a: int
    b: int
    flags: int
    source_ts: int | None
    recv_ts: int
    proc_ts: int
    lag_ms: int | None
    quality: EventQuality
    book_hash: str | None
    schema_version: int
