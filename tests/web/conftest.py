"""A console over a log that a world has written, and the loop's own row as a test wants it."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from django.test import Client

import polytraders.celery  # noqa: F401  the app that views ask, and its broker in memory
from apps.monitoring import status
from apps.monitoring.status import Feed, Status
from polytraders.access.permissions import Role
from tests import servers
from tests.written import Written, busy

HOSTILE = "<script>alert(1)</script>\u202e\x07 " + "very " * 2_000 + "long?"
Says = Callable[..., Status]


@pytest.fixture(scope="module")
def log(postgres_server: Any, tmp_path_factory: pytest.TempPathFactory, django_db_blocker: Any) -> Iterator[Written]:
    """A database with a log, and Django pointed at it as the app role."""
    with servers.copied(postgres_server) as made, django_db_blocker.unblock():
        before = dict(connections["default"].settings_dict)
        servers.point_django_at(made.app_dsn, "default")
        written = busy(made.app_dsn, tmp_path_factory.mktemp("log"), titles=(HOSTILE, "Will it rain tomorrow?"))
        try:
            yield written
        finally:
            written.close()
            connections.close_all()
            connections["default"].settings_dict.update(before)


@pytest.fixture
def empty(database: servers.Database, django_db_blocker: Any) -> Iterator[servers.Database]:
    """A database in which nothing has happened yet."""
    with django_db_blocker.unblock():
        before = dict(connections["default"].settings_dict)
        connections["default"].close()
        servers.point_django_at(database.app_dsn, "default")
        try:
            yield database
        finally:
            connections.close_all()
            connections["default"].settings_dict.update(before)


def said(**changed: Any) -> Status:
    """What a healthy loop says now."""
    usual: dict[str, Any] = {
        "shard": 0, "at_ns": time.time_ns(), "state": "running", "mode": "paper", "venue": "simulator", "speed": 1.0,
        "pid": 1, "build_hash": "b" * 64, "epoch_seq": 1, "in_seq": 1_234_567, "loop_ts": 1_780_315_274_000_000_000,
        "lag_ms": 4, "input_head": "1" * 64, "output_head": "2" * 64, "chain_head": "3" * 64,
        "rss_bytes": 412 << 20, "is_killed": False, "queues": {"frames": 0, "inbox": 0, "commits": 1},
        "books": {"ok": 19, "none": 0, "resync": 1}, "feeds": [Feed("market", 0, "up", 120)],
        "money": {"cash": 9_800_000_000, "reserved": 25_000_000, "equity": 10_012_340_000},
        "metrics": "polytraders_event_log_seq 1.234567e+06\n",
    }  # fmt: skip
    return Status(**(usual | changed))


@pytest.fixture
def says() -> Iterator[Says]:
    """Write the loop's row; it is gone after the test."""

    def write(**changed: Any) -> Status:
        made = said(**changed)
        with connections["default"].cursor() as cursor:
            status.write(cursor, made)  # type: ignore[arg-type]
        return made

    yield write
    with connections["default"].cursor() as cursor:
        cursor.execute("DELETE FROM monitoring_loop")


@pytest.fixture
def ada() -> Client:
    """Somebody who may do everything."""
    return entered("ada", Role.ADMIN)


def entered(name: str, *roles: Role) -> Client:
    """A browser in which somebody with these roles is logged in."""
    from django.contrib.auth import get_user_model
    from django.contrib.auth.models import Group

    user = get_user_model().objects.get_or_create(username=name)[0]
    user.groups.set([Group.objects.get_or_create(name=role.value)[0] for role in roles])
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """For files of one test."""
    return tmp_path
