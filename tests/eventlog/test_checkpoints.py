"""Checkpoints: the newest that can be believed, and no other."""

from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest

from apps.eventlog import checkpoints
from apps.eventlog.checkpoints import latest, save

Connection = psycopg.Connection[Any]

BUILD, OTHER = bytes(32), bytes(range(32))


def state(seed: int, size: int = 300_000) -> np.ndarray[Any, Any]:
    block = np.zeros(size, np.uint8)
    block[:500] = np.random.default_rng(seed).integers(0, 256, 500)
    return block


def test_the_newest_state_comes_back(app: Connection, home: Path) -> None:
    assert latest(app, home, 0) is None
    save(home, app, 0, 1_000, state(1), BUILD)
    path = save(home, app, 0, 2_000, state(2), BUILD)
    found = latest(app, home, 0, BUILD)
    assert found is not None and found.in_seq == 2_000 and np.array_equal(found.block, state(2))
    found.block[0] = 1
    before = latest(app, home, 0, until=1_999)
    assert before is not None and before.in_seq == 1_000 and np.array_equal(before.block, state(1))
    assert latest(app, home, 0, until=999) is None
    assert latest(app, home, 1) is None
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.stat().st_size < 1_500


def test_another_builds_state_is_passed_over(app: Connection, home: Path) -> None:
    save(home, app, 0, 1_000, state(1), BUILD)
    save(home, app, 0, 2_000, state(2), OTHER)
    said: list[tuple[str, str]] = []
    found = latest(app, home, 0, BUILD, passed_over=lambda code, words: said.append((code, words)))
    assert found is not None and found.in_seq == 1_000
    assert [code for code, _ in said] == ["GOV_CHECKPOINT_UNUSABLE"]
    assert "another build" in said[0][1]


def damaged(path: Path, damage: str) -> None:
    data = path.read_bytes()
    if damage == "gone":
        path.unlink()
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "torn":
        path.write_bytes(data[:-3])
    elif damage == "longer":
        path.write_bytes(data + b"x")
    elif damage == "flipped in the state":
        path.write_bytes(data[:-40] + bytes((data[-40] ^ 1,)) + data[-39:])
    elif damage == "another's head":
        path.write_bytes(data.replace(b'"in_seq": 2000', b'"in_seq": 2001'))
    elif damage == "no head":
        path.write_bytes(b"\x00" * 4_000)
    elif damage == "head that is no JSON":
        path.write_bytes(checkpoints.MAGIC + b"{\n" + data)
    elif damage == "another kind of head":
        path.write_bytes(checkpoints.MAGIC + b"[1]\n" + data)
    elif damage == "newer":
        path.write_bytes(data.replace(b'"version": 1', b'"version": 2'))
    else:
        path.write_bytes((path.parent / damage).read_bytes())


@pytest.mark.parametrize(
    "damage",
    [
        "gone", "empty", "torn", "flipped in the state", "another's head", "no head", "head that is no JSON", "newer",
        "another kind of head", f"{1_000:020d}-{'0' * 12}.state",
    ],
)  # fmt: skip
def test_a_broken_or_foreign_file_is_never_trusted(app: Connection, home: Path, damage: str) -> None:
    save(home, app, 0, 1_000, state(1), BUILD)
    damaged(save(home, app, 0, 2_000, state(2), BUILD), damage)
    said: list[str] = []
    found = latest(app, home, 0, passed_over=lambda code, words: said.append(f"{code}: {words}"))
    assert found is not None and found.in_seq == 1_000
    assert len(said) == 1 and said[0].startswith("GOV_CHECKPOINT_UNUSABLE: 00000000000000002000-")


def test_a_state_that_the_database_was_not_told_of_is_not_found(app: Connection, home: Path) -> None:
    save(home, app, 0, 1_000, state(1), BUILD)
    app.execute("DELETE FROM log_checkpoint")
    assert latest(app, home, 0) is None


def test_the_last_24_are_kept_and_nothing_half_written_stays(app: Connection, home: Path) -> None:
    folder = checkpoints.folder_of(home, 0)
    for number in range(1, 31):
        save(home, app, 0, number * 100, state(number, 4_000), BUILD)
        (folder / f"{number}.partial").touch()
    save(home, app, 0, 5_000, state(0, 4_000), BUILD)
    assert [path.name[:20] for path in sorted(folder.iterdir())] == [
        f"{n:020d}" for n in [*range(800, 3_001, 100), 5_000]
    ]
    assert app.execute("SELECT count(*), min(in_seq) FROM log_checkpoint").fetchone() == (24, 800)


@pytest.mark.parametrize("point", ["checkpoint written", "checkpoint named"])
def test_a_process_that_ends_while_saving_leaves_the_older_one_usable(app: Connection, home: Path, point: str) -> None:
    def ends(reached: str) -> None:
        if reached == point:
            raise KeyboardInterrupt

    save(home, app, 0, 1_000, state(1), BUILD)
    with pytest.raises(KeyboardInterrupt):
        save(home, app, 0, 2_000, state(2), BUILD, reached=ends)
    found = latest(app, home, 0)
    assert found is not None and found.in_seq == 1_000
    save(home, app, 0, 2_000, state(2), BUILD)
    found = latest(app, home, 0)
    assert found is not None and found.in_seq == 2_000
