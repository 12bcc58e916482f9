"""The database server of a test run: made once, migrated once by the owner, copied for whoever needs a database."""

import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from polytraders.supervisor.migrations import migrations_hash
from polytraders.supervisor.postgres import APP, DATABASE, OWNER, SUPERUSER, Postgres, see_to_roles

ROOT = Path(__file__).resolve().parents[1]
EVENT_LOG = ("log_head", "log_block", "log_control", "log_output", "ledger_transfer")
"""Where one of these has rows, somebody's record is kept."""
IN_MEMORY = "polytraders-test-"
ROOM = 4 << 30
"""Bytes that have to be free there: three runs side by side stay far below."""


class Database(NamedTuple):
    """One database of its own, migrated; the passwords are those of the test server."""

    name: str
    owner_dsn: str
    app_dsn: str
    superuser_dsn: str


class RefusedError(RuntimeError):
    """The server named for tests is not for tests."""


def migrate(owner_dsn: str, app_dsn: str) -> None:
    """Run all migrations as the owner, in a process of its own."""
    environ = {**os.environ, "DATABASE_URL": app_dsn, "DATABASE_OWNER_URL": owner_dsn}
    command = [sys.executable, "manage.py", "migrate", "--database", "owner", "--verbosity", "0"]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        raise RuntimeError(f"migrations failed:\n{done.stdout}{done.stderr}")


def refuse_a_record(url: str) -> None:
    """Raise RefusedError where the database at `url` holds an event log or a ledger: tests would write into it."""
    with psycopg.connect(url, autocommit=True) as connection:
        for table in EVENT_LOG:
            found = connection.execute("SELECT to_regclass(%s)", (table,)).fetchone()
            if found and found[0] and connection.execute(f"SELECT 1 FROM {table} LIMIT 1").rowcount:
                raise RefusedError(
                    f"POLYTRADERS_TEST_DATABASE_URL names a database whose {table} has rows: not for tests"
                )


class Outside:
    """A server that POLYTRADERS_TEST_DATABASE_URL names, seen as `Postgres` is; the URL is a superuser's."""

    def __init__(self, url: str) -> None:
        refuse_a_record(url)
        self._base = urlsplit(url)
        self._passwords = {role: uuid.uuid4().hex for role in (OWNER, APP)}
        with psycopg.connect(url, autocommit=True) as connection:
            if connection.execute("SELECT FROM pg_database WHERE datname = %s", (DATABASE,)).rowcount:
                # The next line but one drops it.
                refuse_a_record(self.url(SUPERUSER))
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(DATABASE)))
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
        with psycopg.connect(self.url(SUPERUSER), autocommit=True) as connection:
            see_to_roles(connection, self._passwords)

    def url(self, role: str = APP, database: str = DATABASE) -> str:
        if role == SUPERUSER:
            return self._base._replace(path=f"/{database}").geturl()
        place = f"{role}:{self._passwords[role]}@{self._base.hostname}:{self._base.port or 5432}"
        return self._base._replace(netloc=place, path=f"/{database}").geturl()

    @property
    def owner_url(self) -> str:
        return self.url(OWNER)

    @property
    def app_url(self) -> str:
        return self.url(APP)


@contextmanager
def quick_folder(otherwise: Path, memory: Path = Path("/dev/shm"), room: int = ROOM) -> Iterator[Path]:
    """A folder for a server's files: in memory, gone afterwards, or `otherwise` where memory has no such room.

    A copied database has several hundred files. Where as many were deleted within the last five seconds, ext4 walks
    over all their inodes for each new one, and a copy takes ten times as long.
    """
    made = memory / f"{IN_MEMORY}{os.getpid()}"
    try:
        # What runs that were killed have left.
        for left in memory.glob(f"{IN_MEMORY}*"):
            if not Path("/proc", left.name.removeprefix(IN_MEMORY)).exists():
                shutil.rmtree(left, ignore_errors=True)
        enough = shutil.disk_usage(memory).free >= room
        if enough:
            made.mkdir(mode=0o700)
    except OSError:
        enough = False
    try:
        yield made if enough else otherwise
    finally:
        if enough:
            shutil.rmtree(made)


@contextmanager
def running(folder: Path, cache: Path) -> Iterator[Postgres | Outside]:
    """The migrated server. The cluster of the last run is taken as it was when no migration has changed since."""
    named = os.environ.get("POLYTRADERS_TEST_DATABASE_URL")
    if named:
        outside = Outside(named)
        migrate(outside.owner_url, outside.app_url)
        yield outside
        return
    kept = cache / f"cluster-{migrations_hash()}-{os.geteuid()}"
    try:
        shutil.copytree(kept, folder, dirs_exist_ok=True)
    except (FileNotFoundError, shutil.Error):
        shutil.rmtree(folder, ignore_errors=True)
    fresh = not (folder / "secrets").exists()
    server = Postgres(folder, durable=False)
    server.start()
    try:
        if fresh:
            migrate(server.owner_url, server.app_url)
            server.stop()
            keep(folder, kept)
            server.start()
        yield server
    finally:
        server.stop()


def keep(folder: Path, kept: Path) -> None:
    """Put a stopped cluster where the next run finds it; of two runs at once the first one wins."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    made = kept.with_name(f"{kept.name}.{os.getpid()}.new")
    shutil.copytree(folder, made)
    try:
        made.rename(kept)
    except OSError:
        shutil.rmtree(made)
    for old in kept.parent.glob("cluster-*"):
        if old != kept and not old.name.endswith(".new"):
            shutil.rmtree(old, ignore_errors=True)


@contextmanager
def copied(server: Postgres | Outside, of: str = DATABASE) -> Iterator[Database]:
    """A copy of the migrated database, or of another, under a name of its own, dropped afterwards."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    identifier = sql.Identifier(name)
    with psycopg.connect(server.url(SUPERUSER, "postgres"), autocommit=True) as connection:
        # Copied as files: a third of the time of going through the write-ahead log, which nothing needs here.
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {} STRATEGY FILE_COPY")
        connection.execute(statement.format(identifier, sql.Identifier(of), sql.Identifier(OWNER)))
        try:
            yield Database(name, server.url(OWNER, name), server.url(APP, name), server.url(SUPERUSER, name))
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(identifier))


def let_django_empty_its_tables(database: Database) -> None:
    """Let the app role TRUNCATE what Django manages, in this copy only: Django's test cases end with that.

    Tables that are not Django's (log, ledger) stay as the migrations made them.
    """
    from django.apps import apps

    tables = {model._meta.db_table for model in apps.get_models(include_auto_created=True) if model._meta.managed}
    with psycopg.connect(database.owner_dsn, autocommit=True) as connection:
        for table in sorted(tables):
            connection.execute(sql.SQL("GRANT TRUNCATE ON {} TO {}").format(sql.Identifier(table), sql.Identifier(APP)))


def point_django_at(dsn: str, alias: str) -> None:
    """Make a connection of Django's use this database, without a pool: a pool would keep it from being dropped."""
    from django.db import connections

    from polytraders.settings import database

    described: dict[str, Any] = database("DATABASE_URL", dsn)
    # One that an earlier test has left open would go on with the database of before.
    connections[alias].close()
    connections[alias].settings_dict.update(described)
