"""The kill fence: what is written stays written, what cannot be read is a kill, and nobody sees half a change."""

import multiprocessing
from pathlib import Path

import pytest

from polytraders import fence
from polytraders.contracts.control import EVERYTHING, Killed
from polytraders.contracts.inputs import Scope
from polytraders.fence import Fence, FenceError

MARKET = "0x" + "5f" * 32


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / fence.FILE
    fence.create(made)
    return made


def test_worked_example(path: Path) -> None:
    assert fence.killed(path) == frozenset()
    fence.kill(path, Scope.STRATEGY, "logit")
    fence.kill(path, Scope.GLOBAL)
    assert fence.killed(path) == {Killed(Scope.STRATEGY, "logit"), Killed(Scope.GLOBAL)}
    assert fence.release(path, Scope.GLOBAL)
    assert fence.killed(path) == {Killed(Scope.STRATEGY, "logit")}


@pytest.mark.parametrize(
    ("scope", "name"),
    [
        (Scope.GLOBAL, ""), (Scope.VENUE, "polymarket"), (Scope.CLUSTER, "btc"), (Scope.MARKET, MARKET),
        (Scope.STRATEGY, "gbm_updown"), (Scope.CLUSTER, "Präsidentenwahl"),
    ],
)  # fmt: skip
def test_every_scope_can_be_killed_and_released(path: Path, scope: Scope, name: str) -> None:
    fence.kill(path, scope, name)
    fence.kill(path, scope, name)
    assert fence.killed(path) == {Killed(scope, name)}
    assert fence.release(path, scope, name)
    assert fence.release(path, scope, name)
    assert fence.killed(path) == frozenset()


def test_a_kill_outlives_another_creation(path: Path) -> None:
    fence.kill(path, Scope.GLOBAL)
    fence.create(path)
    assert fence.killed(path) == EVERYTHING


@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "longer", "magic", "slots"])
def test_a_fence_that_cannot_be_read_means_killed(path: Path, damage: str) -> None:
    data = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes({
            "empty": b"", "cut": data[:-1], "longer": data + b"\0", "magic": b"X" + data[1:],
            "slots": data[:16] + b"\x01" + data[17:],
        }[damage])  # fmt: skip
    assert fence.killed(path) == EVERYTHING
    fence.kill(path, Scope.STRATEGY, "logit")
    assert fence.killed(path) == EVERYTHING
    assert not fence.release(path, Scope.STRATEGY, "logit")
    assert fence.killed(path) == EVERYTHING
    assert fence.release(path, Scope.GLOBAL)
    assert fence.killed(path) == frozenset()


def test_a_reader_sees_a_change_and_a_file_put_in_its_place(path: Path) -> None:
    reader = Fence(path)
    assert reader.killed() == frozenset()
    fence.kill(path, Scope.CLUSTER, "btc")
    assert reader.killed() == {Killed(Scope.CLUSTER, "btc")}
    path.unlink()
    assert reader.killed() == EVERYTHING
    fence.create(path)
    assert reader.killed() == frozenset()


def test_a_fence_without_room_kills_everything(path: Path) -> None:
    for number in range(fence.SLOTS - 1):
        fence.kill(path, Scope.CLUSTER, f"c{number}")
    assert len(fence.killed(path)) == fence.SLOTS - 1
    fence.kill(path, Scope.CLUSTER, "one too many")
    assert Killed(Scope.GLOBAL) in fence.killed(path)


def test_a_released_slot_serves_another_scope(path: Path) -> None:
    for number in range(2 * fence.SLOTS):
        fence.kill(path, Scope.CLUSTER, f"c{number}")
        assert fence.release(path, Scope.CLUSTER, f"c{number}")
    assert fence.killed(path) == frozenset()


@pytest.mark.parametrize(("scope", "name"), [(Scope.GLOBAL, "x"), (Scope.MARKET, ""), (Scope.CLUSTER, "x" * 81)])
def test_a_scope_that_cannot_be_written_is_refused(path: Path, scope: Scope, name: str) -> None:
    with pytest.raises(FenceError):
        fence.kill(path, scope, name)
    assert fence.killed(path) == frozenset()


def _kill_many(path: str, first: int) -> None:
    for number in range(first, first + 50):
        fence.kill(Path(path), Scope.CLUSTER, f"c{number}")


def test_kills_of_several_processes_at_once_are_all_kept(path: Path) -> None:
    workers = [
        multiprocessing.get_context("fork").Process(target=_kill_many, args=(str(path), n * 50)) for n in range(4)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
        assert worker.exitcode == 0
    assert fence.killed(path) == {Killed(Scope.CLUSTER, f"c{number}") for number in range(200)}


def test_nobody_else_may_read_it(path: Path) -> None:
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in path.parent.iterdir()] == [fence.FILE]
