"""Segments: what was written comes back, a torn end is cut where the last whole thing ends and kept, and no further."""

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.eventlog import packed
from apps.eventlog.faults import Corrupt
from apps.eventlog.segments import (
    HOUR_S,
    CanonicalSegment,
    RawSegment,
    Received,
    batches,
    cut,
    set_aside_after,
    whole,
)
from tests.eventlog import made

FRAMES = [
    [Received(0, 1_700_000_000_000_000_000, b'{"event_type":"book"}'), Received(255, -1, b"")],
    [Received(1, 5, b"PONG")],
    [Received(2, 2**62, bytes(range(256)) * 40)],
]


def raw(folder: Path) -> tuple[Path, list[int]]:
    segment = RawSegment(folder, fence=3)
    ends = [segment.write(frames).end for frames in FRAMES]
    segment.close()
    return folder / segment.name, ends


def test_frames_come_back_with_time_and_connection(tmp_path: Path) -> None:
    path, ends = raw(tmp_path)
    assert path.name == "000003-000001.raw"
    assert list(batches(path)) == list(zip(ends, FRAMES, strict=True))
    assert [frames for _, frames in batches(path, ends[0], ends[1])] == [FRAMES[1]]
    assert whole(path) == ends[-1]


@given(
    st.lists(
        st.lists(
            st.builds(Received, st.integers(0, 255), st.integers(-(2**63), 2**63 - 1), st.binary(max_size=300)),
            min_size=1,
            max_size=5,
        ),
        max_size=5,
    )
)
def test_any_frames_come_back(tmp_path_factory: pytest.TempPathFactory, written: list[list[Received]]) -> None:
    segment = RawSegment(tmp_path_factory.mktemp("raw"), fence=1)
    for frames in written:
        segment.write(frames)
    segment.close()
    read = [frames for _, frames in batches(segment.folder / segment.name)] if written else []
    assert read == written


def test_a_torn_tail_is_cut_at_the_last_whole_batch_wherever_it_is_torn(tmp_path: Path) -> None:
    path, ends = raw(tmp_path)
    data = path.read_bytes()
    for length in {*range(0, len(data), 7), *(end + near for end in ends[:-1] for near in range(-5, 6))}:
        torn = tmp_path / "torn.raw"
        torn.write_bytes(data[:length])
        end = max((e for e in [0, *ends] if e <= length), default=0)
        assert whole(torn) == end, length
        orphan = cut(torn, whole(torn))
        assert torn.read_bytes() == data[:end]
        if length == end:
            assert orphan is None
        else:
            assert orphan is not None and orphan.read_bytes() == data[end:length]
            orphan.unlink()


def test_a_flipped_bit_of_a_batch_is_found_wherever_it_is(tmp_path: Path) -> None:
    path, ends = raw(tmp_path)
    data = path.read_bytes()
    for place in range(ends[0]):
        flipped = bytearray(data)
        flipped[place] ^= 1
        path.write_bytes(flipped)
        with pytest.raises(Corrupt, match="GOV_CHAIN_BROKEN"):
            list(batches(path))


def test_a_segment_that_ends_before_its_committed_bytes_is_corrupt(tmp_path: Path) -> None:
    path, ends = raw(tmp_path)
    with pytest.raises(Corrupt, match=f"{ends[-1] + 1} are committed"):
        list(batches(path, 0, ends[-1] + 1))
    with pytest.raises(Corrupt, match="are committed"):
        cut(path, ends[-1] + 1)
    with pytest.raises(Corrupt, match="0 bytes"):
        cut(tmp_path / "gone.rows", 80)


@pytest.mark.parametrize(
    "frame", [Received(256, 0, b""), Received(-1, 0, b""), Received(0, 0, bytes(4 * 1024 * 1024 + 1))]
)
def test_what_the_door_refuses_has_no_place_in_a_raw_segment(tmp_path: Path, frame: Received) -> None:
    with pytest.raises(ValueError, match="not a frame"):
        RawSegment(tmp_path, 1).write([frame])


def test_segments_end_with_the_hour_and_at_their_size(tmp_path: Path) -> None:
    now = [10 * HOUR_S + 3599.0]
    segment = CanonicalSegment(tmp_path, 1, bytes_max=160, clock=lambda: now[0])
    rows = made.inputs(1, 1).tobytes()
    places = [segment.write(rows)]
    now[0] += 1.0
    places += [segment.write(rows) for _ in range(4)]
    segment.close()
    assert [(place.segment[7:13], place.start) for place in places] == [
        ("000001", 0), ("000002", 0), ("000002", 80), ("000003", 0), ("000003", 80),
    ]  # fmt: skip


def test_files_are_private_and_an_older_orphan_is_never_overwritten(tmp_path: Path) -> None:
    segment = CanonicalSegment(tmp_path / "shard", 1)
    segment.write(bytes(240))
    segment.close()
    path = tmp_path / "shard" / segment.name
    assert path.stat().st_mode & 0o777 == 0o600
    first, second = cut(path, 160), cut(path, 80)
    assert [orphan and orphan.suffix for orphan in (first, second)] == [".orphan-0", ".orphan-1"]
    (tmp_path / "shard" / "000001-000002.rows").write_bytes(bytes(80))
    (aside,) = set_aside_after(tmp_path / "shard", ".rows", segment.name)
    assert aside.name == "000001-000002.rows.orphan-0"
    assert path.exists()


def test_a_packed_segment_gives_every_stretch_of_the_plain_one(tmp_path: Path) -> None:
    count = 2 * packed.PIECE // packed.ROW + 777
    data = made.inputs(1, count).tobytes()
    (tmp_path / "000001-000001.rows").write_bytes(data)
    size = packed.pack(tmp_path, "000001-000001.rows")
    assert not (tmp_path / "000001-000001.rows").exists()
    assert size * 3 < len(data)
    with packed.Reader(tmp_path, "000001-000001.rows") as reader:
        for first, last in ((0, count), (0, 1), (65_535, 65_537), (count - 1, count), (5, 5), (131_072, count)):
            assert reader.read(first * 80, last * 80) == data[first * 80 : last * 80]
        assert reader.read(len(data) - 80, len(data) + 800) == data[-80:]


def test_any_bytes_of_whole_rows_come_back_from_the_packed_form(tmp_path: Path) -> None:
    data = random.Random(5).randbytes(80 * 1_000)
    (tmp_path / "a.rows").write_bytes(data)
    packed.pack(tmp_path, "a.rows")
    with packed.Reader(tmp_path, "a.rows") as reader:
        assert reader.read(0, len(data)) == data


def test_an_empty_segment_packs_too(tmp_path: Path) -> None:
    (tmp_path / "a.rows").touch()
    packed.pack(tmp_path, "a.rows")
    with packed.Reader(tmp_path, "a.rows") as reader:
        assert reader.read(0, 80) == b""


def test_only_closed_segments_are_packed(tmp_path: Path) -> None:
    for name in ("000001-000001.rows", "000001-000002.rows", "000002-000001.rows"):
        (tmp_path / name).write_bytes(made.inputs(1, 10).tobytes())
    assert packed.pack_closed(tmp_path, "000001-000002.rows") == ["000001-000001.rows"]
    assert packed.pack_closed(tmp_path, "000001-000002.rows") == []


def test_a_damaged_packed_segment_is_corrupt_wherever_it_is_damaged(tmp_path: Path) -> None:
    data = made.inputs(1, 40).tobytes()
    (tmp_path / "a.rows").write_bytes(data)
    packed.pack(tmp_path, "a.rows")
    path = tmp_path / "a.rows.zst"
    good = path.read_bytes()
    silent = []
    for place in range(len(good)):
        flipped = bytearray(good)
        flipped[place] ^= 1
        path.write_bytes(flipped)
        try:
            with packed.Reader(tmp_path, "a.rows") as reader:
                if reader.read(0, len(data)) != data:
                    silent.append(place)
        except Corrupt:
            continue
    # What comes back unnoticed comes back right: the skippable frame's own head is read by other programs only.
    assert silent == []


def test_half_a_row_is_not_packed(tmp_path: Path) -> None:
    (tmp_path / "a.rows").write_bytes(bytes(81))
    with pytest.raises(Corrupt, match="not whole rows"):
        packed.pack(tmp_path, "a.rows")
    assert (tmp_path / "a.rows").exists()
