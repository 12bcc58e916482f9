"""Frames put aside."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polytraders.quarantine import FILE, OLDER, Kept, Quarantine, read_back


def test_worked_example(tmp_path: Path) -> None:
    quarantine = Quarantine(tmp_path, kept_bytes=4)
    quarantine.keep("INTEL_FRAME_NOT_JSON", 3_307, b"\xff\x00{truncated")
    kept = Kept("INTEL_FRAME_NOT_JSON", 3_307, 12, b"\xff\x00{t")
    assert list(quarantine.newest) == read_back(tmp_path) == [kept]
    assert quarantine.counts == {"INTEL_FRAME_NOT_JSON": 1}


def test_without_a_folder_the_newest_stay_in_memory() -> None:
    quarantine = Quarantine(None, memory_max=3)
    for number in range(10):
        quarantine.keep("INTEL_UNKNOWN_EVENT" if number % 2 else "INTEL_FIELD_TYPE", number, b"x")
    assert [kept.frame for kept in quarantine.newest] == [7, 8, 9]
    assert quarantine.counts == {"INTEL_UNKNOWN_EVENT": 5, "INTEL_FIELD_TYPE": 5}


def test_of_a_large_frame_the_first_64_kilobytes_are_kept() -> None:
    quarantine = Quarantine(None)
    quarantine.keep("INTEL_FRAME_TOO_LARGE", 0, b"a" * 5_000_000)
    (kept,) = quarantine.newest
    assert kept.size == 5_000_000
    assert len(kept.raw) == 65_536


def test_the_file_is_bounded_and_the_newest_survive(tmp_path: Path) -> None:
    quarantine = Quarantine(tmp_path, file_bytes_max=2_000)
    for number in range(200):
        quarantine.keep("INTEL_FIELD_TYPE", number, b"y" * 50)
        assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 4_400
    assert {path.name for path in tmp_path.iterdir()} <= {FILE, OLDER}
    numbers = [kept.frame for kept in read_back(tmp_path)]
    assert numbers == list(range(numbers[0], 200))
    assert len(numbers) >= 15


def test_a_second_process_goes_on_with_the_file(tmp_path: Path) -> None:
    Quarantine(tmp_path).keep("INTEL_FIELD_TYPE", 1, b"a")
    Quarantine(tmp_path).keep("INTEL_FIELD_TYPE", 2, b"b")
    assert [kept.raw for kept in read_back(tmp_path)] == [b"a", b"b"]


def test_a_line_that_was_cut_short_takes_no_other_with_it(tmp_path: Path) -> None:
    quarantine = Quarantine(tmp_path)
    quarantine.keep("INTEL_FIELD_TYPE", 1, b"a")
    quarantine.keep("INTEL_FIELD_TYPE", 2, b"b")
    path = tmp_path / FILE
    path.write_bytes(path.read_bytes()[:-9])
    quarantine.keep("INTEL_FIELD_TYPE", 3, b"c")
    assert [kept.frame for kept in read_back(tmp_path)] == [1, 3]


def test_a_missing_folder_holds_nothing(tmp_path: Path) -> None:
    assert read_back(tmp_path / "nowhere") == []
    Quarantine(tmp_path / "made" / "here").keep("INTEL_FIELD_TYPE", 1, b"")
    assert [kept.raw for kept in read_back(tmp_path / "made" / "here")] == [b""]


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_any_bytes_come_back(tmp_path_factory: pytest.TempPathFactory, frames: list[bytes]) -> None:
    folder = tmp_path_factory.mktemp("quarantine")
    quarantine = Quarantine(folder)
    for number, raw in enumerate(frames):
        quarantine.keep("INTEL_FRAME_NOT_JSON", number, raw)
    assert [kept.raw for kept in read_back(folder)] == frames
