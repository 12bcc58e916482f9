"""What holds for all tests: the loop is compiled before any of them is timed, made-up cases can be repeated, and the
servers are their own (`isolation.py` sees to it that no other is ever found)."""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from polytraders.supervisor.postgres import Postgres
from polytraders.supervisor.valkey import Valkey
from tests import servers

# Every worker has to collect the same tests, so what differs from run to run is chosen once, by the first process.
os.environ.setdefault("FAULTS_SEED", str(time.time_ns() // 10**9 % 100_000))
settings.register_profile("repeat", deadline=None, derandomize=True)
# HYPOTHESIS_PROFILE=explore looks for cases that nobody has seen yet.
settings.register_profile("explore", deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeat"))


def pytest_sessionstart(session: pytest.Session) -> None:
    """Load the loop from the cache, or compile it, which takes up to a minute, outside of any test's time."""
    from polytraders.compiling import compile_loop

    if not session.config.option.collectonly:
        compile_loop()


def pytest_configure() -> None:
    """Let a person and a browser be made in a moment: tests make thousands of them."""
    from django.conf import settings as ours

    # Argon2 takes a fifth of a second a password by design; `test_access.py` sees to it that people get it.
    ours.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    # A file is looked for when it is asked for, and not all of them anew for each test's browser.
    ours.WHITENOISE_AUTOREFRESH = True


@pytest.fixture(autouse=True)
def nobody_has_asked_too_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests ask for more in a minute than a person may; each begins with nothing counted, and no minute ends in one."""
    if (limiting := sys.modules.get("polytraders.access.limiting")) is not None:
        monkeypatch.setattr(limiting.counter, "_clock", lambda: 60 * 1_000 + 15.0)
        limiting.counter.forget()


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Postgres | servers.Outside]":
    """A PostgreSQL of this run, migrated by the owner. Nobody connects to its database `polytraders`: it is copied."""
    cache = Path(__file__).resolve().parents[1] / ".cache" / "tests"
    with (
        servers.quick_folder(tmp_path_factory.mktemp("postgres")) as folder,
        servers.running(folder, cache) as server,
    ):
        yield server


@pytest.fixture
def database(postgres_server: "Postgres | servers.Outside") -> Iterator[servers.Database]:
    """An empty, migrated database for one test, which may commit, drop and destroy in it what it likes."""
    with servers.copied(postgres_server) as made:
        yield made


@pytest.fixture
def app_dsn(database: servers.Database) -> str:
    """Address of `database` as the role that everything at run time uses."""
    return database.app_dsn


@pytest.fixture
def owner_dsn(database: servers.Database) -> str:
    """Address of the same database as the role that makes tables."""
    return database.owner_dsn


@pytest.fixture
def valkey_server(tmp_path: Path) -> Iterator[Valkey]:
    """A Valkey of this test."""
    with Valkey(tmp_path) as server:
        yield server


@pytest.fixture(scope="session")
def django_db_setup(postgres_server: "Postgres | servers.Outside", django_db_blocker: object) -> Iterator[None]:
    """Django's database in tests: a copy like any other, used as the app role. Replaces pytest-django's own."""
    from django.db import connections

    with servers.copied(postgres_server) as made:
        servers.let_django_empty_its_tables(made)
        servers.point_django_at(made.app_dsn, "default")
        servers.point_django_at(made.owner_dsn, "owner")
        yield
        connections.close_all()
