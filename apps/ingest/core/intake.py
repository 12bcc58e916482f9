"""Stage 2's decisions about a book: when it is whole, when it is lost, when the venue's own best price says so."""

from apps.ingest.core import book
from polytraders.contracts import reasons
from polytraders.contracts.inputs import Flag
from polytraders.contracts.state import BOOK_OK, BOOK_RESYNC, NONE, STAGED, Array, Record
from polytraders.kernel.jit import cold, kernel

NO_SNAPSHOT = reasons.number("INTEL_NO_SNAPSHOT")
OFF_GRID = reasons.number("INTEL_PRICE_OFF_GRID")
BOOK_OVERFLOW = reasons.number("INTEL_BOOK_OVERFLOW")
BEST_MISMATCH = reasons.number("INTEL_BEST_MISMATCH")
COMPLEMENT_BROKEN = reasons.number("INTEL_COMPLEMENT_BROKEN")
GAP = reasons.number("INTEL_BOOK_GAP")
TICK_CHANGED = reasons.number("INTEL_TICK_CHANGED")


@kernel
def reason_of(status: int) -> int:
    """Why a book operation failed."""
    return OFF_GRID if status == book.OFF_GRID else BOOK_OVERFLOW


@cold
def lose(mk: Record, why: int) -> bool:
    """The book may be wrong: nothing trades on it until a snapshot. True = it was valid until now."""
    was_valid: bool = mk.state == BOOK_OK
    mk.state = BOOK_RESYNC
    mk.why = why
    mk.resyncs += 1
    return was_valid


@cold
def open_snapshot(mk: Record, flags: int, token: int) -> None:
    """A whole book begins to arrive."""
    mk.staging = 1
    mk.staged = 0
    mk.snap_token = token


@cold
def stage_level(mk: Record, rows: Array, side: int, price: int, size: int) -> None:
    """One of its levels. More than `STAGED` of them is no book."""
    if mk.staging == 0:
        return
    if mk.staged >= STAGED:
        mk.staging = 2
        return
    rows[mk.staged, 0] = side
    rows[mk.staged, 1] = price
    rows[mk.staged, 2] = size
    mk.staged += 1


@cold
def close_snapshot(mk: Record, levels: Array, overflow: Array, rows: Array, flags: int) -> int:
    """The whole book has arrived: compare it with ours, then take it. Returns 0 or the reason why it cannot be used."""
    if mk.staging != 1:
        return BOOK_OVERFLOW
    mk.staging = 0
    mk.snapshots += 1
    if mk.state == BOOK_OK:
        differing = book.differences(mk, levels, overflow, rows, mk.staged)
        mk.snapshot_differences += differing
        if flags & Flag.TWIN and differing > 0:
            return COMPLEMENT_BROKEN
    status = book.rebuild(mk, levels, overflow, rows, mk.staged)
    if status != book.OK:
        return reason_of(status)
    mk.state = BOOK_OK
    mk.why = 0
    return 0


@cold
def told_best(
    mk: Record, pf: Record, levels: Array, overflow: Array, rows: Array, bid_px: int, ask_px: int, frame: int
) -> int:
    """The venue's best prices differ from ours: trim, and give the book up if that does not mend it; 0 or why."""
    mk.mismatches += 1
    if pf.first_mismatch_frame == NONE:
        pf.first_mismatch_frame = frame
    mk.repairs += book.trim(mk, levels, overflow, rows, bid_px, ask_px)
    if book.agrees(mk, bid_px, ask_px):
        return 0
    mk.best_mismatches += 1
    return BEST_MISMATCH
