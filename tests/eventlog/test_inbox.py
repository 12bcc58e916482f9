"""The inbox: once by key, not after its time, and two takers never get the same command."""

from typing import Any

import psycopg
import pytest

from apps.eventlog import inbox

Connection = psycopg.Connection[Any]


def put(app: Connection, key: str, **changed: Any) -> bool:
    given: dict[str, Any] = {"kind": "limit", "actor": "ann", "permission": "limits", "payload": {"name": "spread_max"}}
    return inbox.put(app, **{**given, "key": key, "expires_s": 60, **changed})


def test_a_command_is_found_as_it_was_put_oldest_first(app: Connection) -> None:
    assert put(app, "k1", payload={"value": 600, "name": "spread_max", "why": "wide, “quiet” night"})
    assert put(app, "k2", kind="kill", actor="bob", permission="kill", payload={})
    assert put(app, "k3", shard=1)
    first, second = inbox.take(app, 0)
    assert first[1:] == (
        "limit", "ann", "limits", "k1", {"value": 600, "name": "spread_max", "why": "wide, “quiet” night"}, None,
    )  # fmt: skip
    assert (second.kind, second.actor, second.key) == ("kill", "bob", "k2")
    assert [row.id for row in inbox.take(app, 0, most=1)] == [first.id]
    assert [row.id for row in inbox.take(app, 0, held=[first.id])] == [second.id]


def test_the_same_key_is_taken_once(app: Connection) -> None:
    assert put(app, "k1", payload={"value": 1})
    assert not put(app, "k1", payload={"value": 2})
    assert [row.payload for row in inbox.take(app, 0)] == [{"value": 1}]


def test_a_command_that_came_too_late_says_so(app: Connection) -> None:
    assert put(app, "late", expires_s=0.001)
    assert put(app, "in time")
    app.execute("SELECT pg_sleep(0.002)")
    assert [(row.key, row.code) for row in inbox.take(app, 0)] == [("late", "GOV_COMMAND_EXPIRED"), ("in time", None)]


def test_two_takers_never_hold_the_same_command(app_dsn: str, app: Connection) -> None:
    for number in range(6):
        put(app, f"k{number}")
    with psycopg.connect(app_dsn) as one, psycopg.connect(app_dsn) as two:
        first, second = inbox.take(one, 0, most=4), inbox.take(two, 0, most=4)
        assert [len(first), len(second)] == [4, 2]
        assert {row.id for row in first}.isdisjoint(row.id for row in second)
        one.rollback()
        assert [row.id for row in inbox.take(two, 0, most=9)] == sorted(row.id for row in (*first, *second))


def test_putting_wakes_who_listens_when_it_is_committed(app_dsn: str, app: Connection) -> None:
    app.execute("LISTEN inbox")
    with psycopg.connect(app_dsn) as other:
        put(other, "k1", shard=3)
        assert list(app.notifies(timeout=0)) == []
        other.commit()
    (notice,) = app.notifies(timeout=5, stop_after=1)
    assert (notice.channel, notice.payload) == ("inbox", "3")


@pytest.mark.parametrize(
    "changed",
    [
        {"expires_s": 0}, {"expires_s": -1}, {"expires_s": 8 * 86_400}, {"key": ""}, {"key": "k" * 201}, {"actor": ""},
        {"permission": "p" * 201}, {"kind": "Kill"}, {"kind": ""}, {"kind": "kill; drop"}, {"kind": "k" * 33},
        {"payload": {"text": "x" * 65_536}}, {"payload": {"value": float("nan")}},
    ],
)  # fmt: skip
def test_a_command_outside_its_bounds_is_refused(app: Connection, changed: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"payload|lives|characters|kind|JSON"):
        put(app, **{"key": "k", **changed})
    assert inbox.take(app, 0) == []
