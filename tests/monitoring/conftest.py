"""A database of its own that Django works on as the app role does, committing; and a clock that a test moves."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connections

from tests import servers


class Clock:
    """Says the time that it was told; Friday, 16:00 UTC, at first."""

    def __init__(self) -> None:
        self.now = dt.datetime(2026, 11, 27, 16, tzinfo=dt.UTC)

    def __call__(self) -> dt.datetime:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += dt.timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def system(
    database: servers.Database, django_db_blocker: Any, settings: Any, tmp_path: Path
) -> Iterator[servers.Database]:
    """An empty installation."""
    with django_db_blocker.unblock():
        before = dict(connections["default"].settings_dict)
        connections["default"].close()
        servers.point_django_at(database.app_dsn, "default")
        settings.HOME = tmp_path
        settings.DATABASE_URL = database.app_dsn
        try:
            yield database
        finally:
            connections.close_all()
            connections["default"].settings_dict.update(before)
