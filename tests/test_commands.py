"""Kill, release, rollout and limits: what is written where, in which order, and what holds when a part is away."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from apps.eventlog import inbox
from apps.risk import controls
from polytraders import commands, fence
from polytraders.commands import By, CommandError
from polytraders.contracts.control import EVERYTHING, Killed
from polytraders.contracts.scope import Scope
from polytraders.killing.spool import Kill

BY = By("test:ada", "a drill")
ALL = Killed(Scope.GLOBAL)
RAIN = Killed(Scope.MARKET, "will-it-rain")


@pytest.fixture
def conn(app_dsn: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(app_dsn, autocommit=True) as made:
        yield made


@pytest.fixture
def home(tmp_path: Path) -> Path:
    fence.create(tmp_path / fence.FILE)
    return tmp_path


def test_a_kill_is_in_fence_table_and_inbox_and_a_release_takes_it_from_all(conn: Any, home: Path) -> None:
    @contextmanager
    def connect() -> Iterator[Any]:
        assert fence.killed(home / fence.FILE) == {RAIN}, "the fence comes before the database is asked"
        yield conn

    fenced: list[Kill] = []
    command = commands.kill(home, connect, RAIN, BY, fenced.append)
    assert [kill.fence for kill in fenced] == [""]
    assert command is not None
    assert controls.killed(conn, 0) == {RAIN}
    (row,) = inbox.take(conn, 0)
    assert (row.kind, row.permission, row.key) == ("kill", "kill", command.key)
    assert row.payload == {"scope": "market", "name": "will-it-rain", "reason": "a drill"}
    assert commands.waits(conn, command.key)
    assert commands.answered(conn, command) is None

    released = commands.release(home, conn, RAIN, BY)
    assert fence.killed(home / fence.FILE) == frozenset()
    assert controls.killed(conn, 0) == frozenset()
    assert [row.kind for row in inbox.take(conn, 0)] == ["kill", "release"]
    assert released.key != command.key


def test_without_a_database_the_fence_holds(home: Path) -> None:
    @contextmanager
    def connect() -> Iterator[Any]:
        raise psycopg.OperationalError("away")
        yield

    assert commands.kill(home, connect, ALL, BY, lambda _: None) is None
    assert fence.killed(home / fence.FILE) == EVERYTHING


@pytest.mark.parametrize("killed", [Killed(Scope.GLOBAL, "x"), Killed(Scope.MARKET), Killed(Scope.MARKET, "a\0b")])
def test_a_scope_that_cannot_be_named_changes_nothing(conn: Any, home: Path, killed: Killed) -> None:
    for act in (
        lambda: commands.kill(home, lambda: pytest.fail("asked for a connection"), killed, BY, lambda _: None),
        lambda: commands.release(home, conn, killed, BY),
    ):
        with pytest.raises(CommandError) as refused:
            act()
        assert refused.value.code == "GOV_COMMAND_INVALID"
    assert fence.killed(home / fence.FILE) == frozenset()
    assert inbox.take(conn, 0) == []


def test_a_kill_between_record_and_fence_wins(conn: Any, app_dsn: str, home: Path) -> None:
    path = home / fence.FILE
    fence.kill(path, RAIN.scope, RAIN.name)
    epoch = fence.epoch(path)
    noted: list[bool] = []

    def note() -> None:
        noted.append(RAIN in fence.killed(path))
        with psycopg.connect(app_dsn) as other:
            rows = other.execute("SELECT count(*) FROM risk_control WHERE act = 'release'").fetchone()
            assert rows == (0,), "it is in the transaction of the record"
        fence.kill(path, Scope.STRATEGY, "makes")

    with pytest.raises(CommandError, match="something was killed since"):
        commands.release(home, conn, RAIN, BY, epoch=epoch, noted=note)
    assert noted == [True], "the record comes before the fence"
    assert fence.killed(path) == {RAIN, Killed(Scope.STRATEGY, "makes")}
    assert inbox.take(conn, 0) == []
    with pytest.raises(CommandError, match="killed or released since"):
        commands.release(home, conn, RAIN, BY, epoch=epoch, noted=note)
    assert len(noted) == 1, "what is old before it begins leaves no record"


def test_a_release_needs_its_reason_and_a_fence(conn: Any, home: Path) -> None:
    with pytest.raises(CommandError, match="reason") as refused:
        commands.release(home, conn, RAIN, BY._replace(reason=" "))
    assert refused.value.code == "GOV_RELEASE_PRECONDITION"
    (home / fence.FILE).unlink()
    with pytest.raises(CommandError, match="fence"):
        commands.release(home, conn, RAIN, BY)
    assert inbox.take(conn, 0) == []


def test_rollout_and_limits_wait_in_the_inbox_with_their_permission(conn: Any) -> None:
    commands.rollout(conn, "makes", "shadow", BY)
    commands.limit(conn, "spread_max", 500, BY)
    found = [(row.kind, row.permission, json.dumps(row.payload)) for row in inbox.take(conn, 0)]
    assert found == [
        ("rollout", "rollout", '{"reason": "a drill", "stage": "shadow", "strategy": "makes"}'),
        ("limit", "limits", '{"name": "spread_max", "reason": "a drill", "value": 500}'),
    ]
    assert commands.limits_in_force(conn) is None, "there is no log yet"
