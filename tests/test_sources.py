"""From a capture file to numbered input rows with loop time."""

import gzip
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from polytraders.config import Row
from polytraders.contracts.inputs import INPUT, NANO, TICK_NS, Kind
from polytraders.quarantine import Quarantine, read_back
from polytraders.sequencing import CLOCK_GAP_NS
from polytraders.sources import EARLIEST_NS, LINE_MAX, Capture, is_whole, lines
from polytraders.venues.polymarket.wire import Decoder
from polytraders.venues.simulator import capture as simulator
from tests.venues.polymarket.said import book, frame, pair

MS = 1_000_000
START_MS = 1_780_795_912_000
"""On a whole second, so on a TICK."""


def at(ms: int) -> bytes:
    """A change told `ms` after the start."""
    return frame(pair(timestamp=str(START_MS + ms)))


FIRST = frame(book(timestamp=str(START_MS)))


def setup(now: int) -> list[Row]:
    """One set-up row, so that its place and time can be seen."""
    return [(Kind.CLOCK, 0, 0, -1, 0, 0, 1, 0)]


def opened(
    path: Path, *, block_rows: int = 65_536, frames_most: int | None = None, folder: Path | None = None
) -> Capture:
    """A capture file as a source."""
    quarantine = Quarantine(folder)
    return Capture(path, Decoder(), setup, quarantine, block_rows=block_rows, frames_most=frames_most)


def rows(source: Capture) -> np.ndarray:
    """All rows of a source."""
    return np.concatenate([np.zeros(0, INPUT), *source])


def read(folder: Path, frames: Iterable[bytes]) -> np.ndarray:
    """Rows of frames written one a line."""
    path = folder / "capture.jsonl"
    path.write_bytes(b"".join(line + b"\n" for line in frames))
    return rows(opened(path))


def times(found: np.ndarray, kind: int) -> list[int]:
    """Loop times of the rows of a kind, ms after the start."""
    return ((found["recv_ts"][found["kind"] == kind] - START_MS * MS) // MS).tolist()


def sound(found: np.ndarray) -> None:
    """What holds for the rows of any capture."""
    assert found["in_seq"].tolist() == list(range(1, len(found) + 1))
    assert (np.diff(found["recv_ts"]) >= 0).all()
    assert (found["proc_ts"] == found["recv_ts"]).all()
    ticks = found["recv_ts"][found["kind"] == Kind.TICK]
    assert (ticks % TICK_NS == 0).all()
    assert (np.diff(ticks) > 0).all()
    # Before the first row at or past it: no row follows a boundary whose TICK has not been.
    boundary = found["recv_ts"] // TICK_NS
    latest = np.maximum.accumulate(np.where(found["kind"] == Kind.TICK, boundary, boundary[0] if len(found) else 0))
    assert (boundary[found["kind"] != Kind.CLOCK] == latest[found["kind"] != Kind.CLOCK]).all()


def test_worked_example(tmp_path: Path) -> None:
    """Changes 100, 250 and 760 ms after the first book: TICKs at 250, 500 and 750, before what comes then."""
    found = read(tmp_path, [FIRST, at(100), at(250), at(760)])
    assert times(found, Kind.TICK) == [250, 500, 750]
    assert times(found, Kind.LEVEL) == [100, 250, 760]
    kinds = found["kind"][-6:].tolist()
    assert kinds == [Kind.LEVEL, Kind.TICK, Kind.LEVEL, Kind.TICK, Kind.TICK, Kind.LEVEL]
    assert found["frame"][-6:].tolist() == [1, -1, 2, -1, -1, 3]
    assert (found["kind"][0], found["recv_ts"][0]) == (Kind.CLOCK, START_MS * MS)
    sound(found)


def test_loop_time_never_steps_back_and_the_venues_own_time_is_kept(tmp_path: Path) -> None:
    found = read(tmp_path, [FIRST, at(5_000), at(2_100), at(5_100)])
    assert times(found, Kind.LEVEL) == [5_000, 5_000, 5_100]
    told = found["source_ts"][found["kind"] == Kind.LEVEL]
    assert ((told - START_MS * MS) // MS).tolist() == [5_000, 2_100, 5_100]
    sound(found)


def test_ten_minutes_of_silence_are_ticks_and_more_is_a_jump_of_the_clock(tmp_path: Path) -> None:
    found = read(tmp_path, [FIRST, at(600_000)])
    assert times(found, Kind.TICK) == list(range(250, 600_001, 250))
    found = read(tmp_path, [FIRST, at(600_130), at(600_300)])
    assert times(found, Kind.TICK)[-2:] == [600_000, 600_250] and len(times(found, Kind.TICK)) == 2
    jump = found[found["kind"] == Kind.CLOCK][-1]
    assert (jump["a"], jump["b"]) == (1, START_MS * MS + 600_000 * MS)
    assert jump["recv_ts"] == jump["b"]
    kinds = found["kind"][-5:].tolist()
    assert kinds == [Kind.CLOCK, Kind.TICK, Kind.LEVEL, Kind.TICK, Kind.LEVEL]
    sound(found)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(st.integers(-2_900, 1_000), st.integers(0, 3_000_000)), max_size=12))
def test_any_times_give_sound_rows(tmp_path_factory: pytest.TempPathFactory, gaps: list[int]) -> None:
    told = np.cumsum([0, *gaps]).tolist()
    found = read(tmp_path_factory.mktemp("capture"), [FIRST, *(at(ms) for ms in told if ms >= -2_900)])
    sound(found)
    after = found[found["kind"] == Kind.LEVEL]
    expected = np.maximum.accumulate([0, *[ms for ms in told if ms >= -2_900]])[1:]
    assert ((after["recv_ts"] - START_MS * MS) // MS).tolist() == expected.tolist()
    for one, other in pairwise(found):
        jumped = other["kind"] == Kind.CLOCK
        assert jumped or int(other["recv_ts"]) - int(one["recv_ts"]) <= CLOCK_GAP_NS


def test_frames_before_the_first_time_wait_for_it(tmp_path: Path) -> None:
    found = read(tmp_path, [b"PONG", FIRST, at(0)])
    assert (found["recv_ts"] == START_MS * MS).all()
    assert found["kind"].tolist()[:2] == [Kind.CLOCK, Kind.ALIVE]


def test_a_capture_without_any_time_has_the_earliest(tmp_path: Path) -> None:
    for told in ([], [b"PONG"] * 300):
        found = read(tmp_path, told)
        assert (found["recv_ts"] == EARLIEST_NS).all()
        assert len(found) == 1 + len(told)


def test_empty_lines_and_carriage_returns_are_no_frames(tmp_path: Path) -> None:
    plain = read(tmp_path, [FIRST, at(5)])
    assert read(tmp_path, [b"", FIRST + b"\r", b"", b"\r", at(5)]).tobytes() == plain.tobytes()
    (tmp_path / "open.jsonl").write_bytes(FIRST + b"\n" + at(5))
    assert rows(opened(tmp_path / "open.jsonl")).tobytes() == plain.tobytes()


def test_reading_can_stop_after_some_frames(tmp_path: Path) -> None:
    read(tmp_path, [FIRST, at(5), at(10)])
    source = opened(tmp_path / "capture.jsonl", frames_most=2)
    assert times(rows(source), Kind.LEVEL) == [5]
    assert (source.frames, source.broken) == (2, "")


def packed(folder: Path, name: str, data: bytes) -> Path:
    """A file with these bytes."""
    (folder / name).write_bytes(data)
    return folder / name


MADE = b"".join(line + b"\n" for line in simulator.frames(seed=3, count=1_500))
GZ = gzip.compress(MADE)
ZST = zstandard.ZstdCompressor(write_checksum=True).compress(MADE)


def test_plain_gz_and_zst_give_the_same_rows_whatever_the_file_is_called(tmp_path: Path) -> None:
    half = MADE.index(b"\n", len(MADE) // 2) + 1
    parts = [zstandard.ZstdCompressor().compress(part) for part in (MADE[:half], MADE[half:])]
    skippable = b"\x51\x2a\x4d\x18\x04\x00\x00\x00abcd"
    files = [MADE, GZ, gzip.compress(MADE[:half]) + gzip.compress(MADE[half:]), ZST, parts[0] + skippable + parts[1]]
    found = []
    for data in files:
        source = opened(packed(tmp_path, "capture.anything", data))
        found.append(rows(source).tobytes())
        assert (source.frames, source.broken) == (1_500, "")
    assert set(found) == {found[0]}


@pytest.mark.parametrize("data", [GZ, ZST, zstandard.ZstdCompressor().compress(MADE)], ids=["gz", "zst", "zst, no sum"])
@pytest.mark.parametrize("part", [0.3, 0.9, -1, -5])
def test_a_file_that_was_cut_short_gives_what_it_has_and_says_so(tmp_path: Path, data: bytes, part: float) -> None:
    cut = int(len(data) * part) if part > 0 else len(data) + int(part)
    source = opened(packed(tmp_path, "capture", data[:cut]))
    found = rows(source)
    assert source.broken != ""
    whole = rows(opened(packed(tmp_path, "capture", MADE)))
    assert 100 < source.frames <= 1_500 or part == 0.3
    # The last frame may be half of one; what comes before it is what it would have been.
    kept = found[found["frame"] < source.frames - 1]
    assert kept.tobytes() == whole[: len(kept)].tobytes()


@pytest.mark.parametrize("data", [GZ, ZST], ids=["gz", "zst"])
def test_a_damaged_file_gives_what_it_has_and_says_so(tmp_path: Path, data: bytes) -> None:
    harmed = bytearray(data)
    harmed[len(data) // 2] ^= 0xFF
    source = opened(packed(tmp_path, "capture", bytes(harmed)))
    sound(rows(source))
    assert source.broken != ""


def test_whole_files_are_whole_and_others_are_not(tmp_path: Path) -> None:
    path = packed(tmp_path, "capture", b"")
    for data, whole in (
        (b"", True), (MADE, True), (GZ, True), (ZST, True), (ZST + ZST, True), (ZST[:-1], False), (ZST[:5], False),
        (ZST + ZST[:-4], False), (ZST + b"more", False),
    ):  # fmt: skip
        path.write_bytes(data)
        with path.open("rb") as file:
            assert is_whole(file) == whole, data[-8:]


def test_blocks_of_any_size_hold_the_same_rows(tmp_path: Path) -> None:
    path = packed(tmp_path, "capture", MADE)
    whole = rows(opened(path))
    for block_rows in (1, 7, 1_000, len(whole)):
        blocks = list(opened(path, block_rows=block_rows))
        assert {len(block) for block in blocks[:-1]} <= {block_rows}
        assert 0 < len(blocks[-1]) <= block_rows
        assert np.concatenate(blocks).tobytes() == whole.tobytes()


def test_a_line_without_an_end_is_one_refused_frame_and_takes_no_more_than_a_frame_of_memory(tmp_path: Path) -> None:
    path = packed(tmp_path, "capture", FIRST + b"\n" + b"x" * (3 * LINE_MAX) + b"\n" + at(100) + b"\n")
    with path.open("rb") as file:
        assert max(len(line) for line in lines(file)) <= LINE_MAX
    source = opened(path, folder=tmp_path / "quarantine")
    found = rows(source)
    assert (source.frames, times(found, Kind.LEVEL)) == (3, [100])
    (kept,) = read_back(tmp_path / "quarantine")
    assert (kept.code, kept.frame) == ("INTEL_FRAME_TOO_LARGE", 1)


def test_the_longest_line_that_fits_is_a_frame(tmp_path: Path) -> None:
    padded = at(100) + b" " * (LINE_MAX - 2 - len(at(100)))
    for ending in (b"\n", b"\r\n"):
        source = opened(packed(tmp_path, "capture", FIRST + b"\n" + padded + ending + at(200) + b"\n"))
        assert times(rows(source), Kind.LEVEL) == [100, 200]


def test_refused_frames_are_put_aside_with_their_number_and_stand_in_the_rows(tmp_path: Path) -> None:
    path = packed(tmp_path, "capture", b"\n".join([FIRST, b"{not json", at(100), b"[1]", at(200)]))
    source = opened(path, folder=tmp_path / "quarantine")
    found = rows(source)
    kept = read_back(tmp_path / "quarantine")
    assert [(one.frame, one.raw) for one in kept] == [(1, b"{not json"), (3, b"[1]")]
    assert found["frame"][found["kind"] == Kind.REFUSED].tolist() == [1, 3]
    assert kept[0].code == "INTEL_FRAME_NOT_JSON"


def test_the_clock_of_a_capture_is_its_own(tmp_path: Path) -> None:
    # 2.9 s back is usual; it is never told as time, and nothing of it depends on when the capture is read.
    first = read(tmp_path, [FIRST, at(3_000), at(100)])
    assert first.tobytes() == read(tmp_path, [FIRST, at(3_000), at(100)]).tobytes()
    assert int(first["recv_ts"][-1]) == START_MS * MS + 3 * NANO
