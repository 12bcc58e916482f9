"""The product's decoder against the plain one: the same rows for the same bytes."""

from collections.abc import Iterable

from polytraders.contracts.inputs import Flag, Kind
from polytraders.venues.polymarket.wire import Decoder
from polytraders.venues.simulator import capture
from tests.plain_wire import Reader, Row, lines
from tests.recorded import CAPTURE, needs_capture

SHARED = Flag.LAST | Flag.BEST | Flag.MIRRORED | Flag.MIRROR_BROKEN
SNAPSHOT_INSIDE = (Kind.SNAP_LEVEL, Kind.SNAP_CLOSE)


def common(row: Row) -> Row:
    """What both decoders promise: hashes and twins are the product's alone, a snapshot's token stands in SNAP_OPEN."""
    kind, side, flags, market, price, size, a, b, source_ts = row
    if kind in SNAPSHOT_INSIDE:
        a = b = 0
    if kind == Kind.SNAP_CLOSE:
        size = 0
    return kind, side, flags & SHARED, market, price, size, a, b, source_ts


def compare(frames: Iterable[bytes]) -> int:
    """Rows of both, frame by frame; returns how many frames."""
    decoder, reader = Decoder(), Reader()
    count = 0
    for count, frame in enumerate(frames, 1):
        decoded = decoder.decode(frame)
        assert decoded.code is None
        assert [common(row) for row in decoded.rows] == [common(row) for row in reader.rows(frame)], count - 1
    assert decoder.markets == reader.markets
    return count


def test_worked_example() -> None:
    """Twelve thousand generated frames, with every habit of the channel."""
    assert compare(capture.frames(seed=11, count=12_000)) == 12_000


@needs_capture
def test_the_recorded_frames_give_the_same_rows() -> None:
    assert compare(lines(CAPTURE)) == 77_712
