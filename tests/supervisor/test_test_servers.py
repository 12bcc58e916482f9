"""The servers that tests use are their own, and what one test writes no other sees."""

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection, connections

from polytraders.supervisor.postgres import SUPERUSER, Postgres
from tests import servers

ROOT = Path(__file__).resolve().parents[2]


def user(dsn: str) -> tuple[object, ...] | None:
    with psycopg.connect(dsn) as made:
        return made.execute("SELECT current_user::text, current_database()::text").fetchone()


def test_a_test_gets_a_database_with_both_roles(database: servers.Database, app_dsn: str, owner_dsn: str) -> None:
    assert user(app_dsn) == ("polytraders_app", database.name)
    assert user(owner_dsn) == ("polytraders_owner", database.name)


@pytest.mark.parametrize("turn", [1, 2])
def test_what_one_test_writes_no_other_sees(turn: int, owner_dsn: str) -> None:
    with psycopg.connect(owner_dsn) as made:
        made.execute("CREATE TABLE mark (turn int)")


def test_the_app_role_writes_rows_and_makes_no_table(app_dsn: str) -> None:
    with psycopg.connect(app_dsn, autocommit=True) as made:
        made.execute("INSERT INTO access_setuplink (digest, expires_at, roles, made_by) VALUES ('x', now(), '[]', '')")
        for refused in (
            "CREATE TABLE mine (a int)", "TRUNCATE access_setuplink", "ALTER TABLE access_setuplink ADD COLUMN a int",
            "DROP TABLE access_setuplink", "CREATE ROLE other", "SET ROLE polytraders_owner",
        ):  # fmt: skip
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                made.execute(refused)


@pytest.mark.django_db
def test_django_uses_a_copy_as_the_app_role() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user::text, current_database()::text")
        role, name = cursor.fetchone()
    assert (role, name[:5]) == ("polytraders_app", "test_")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("turn", [1, 2])
def test_django_empties_its_tables_after_a_test_that_commits(turn: int) -> None:
    assert not User.objects.exists()
    User.objects.create(username="somebody")


def test_a_server_of_the_environment_is_never_seen() -> None:
    program = (
        "import tests.isolation, polytraders.settings as s;"
        "print(s.DATABASE_URL, s.DATABASE_OWNER_URL, s.REDIS_URL, s.VENUE)"
    )
    found = {
        "DATABASE_URL": "postgresql://a:b@db.invalid/x", "DATABASE_OWNER_URL": "postgresql://a:b@db.invalid/x",
        "REDIS_URL": "redis://db.invalid", "POLYTRADERS_VENUE": "polymarket",
    }  # fmt: skip
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **found}, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "None None None simulator", done.stderr
    assert "DATABASE_URL" not in os.environ
    assert settings.DATABASE_URL is None
    assert connections["owner"].alias == "owner"


def test_a_server_that_holds_a_record_is_refused(database: servers.Database, owner_dsn: str) -> None:
    servers.refuse_a_record(owner_dsn)
    with psycopg.connect(owner_dsn, autocommit=True) as made:
        made.execute("DROP TABLE IF EXISTS log_head CASCADE")
        made.execute("CREATE TABLE log_head (shard int PRIMARY KEY)")
        made.execute("INSERT INTO log_head (shard) VALUES (7)")
    with pytest.raises(servers.RefusedError, match="log_head has rows"):
        servers.refuse_a_record(database.superuser_dsn)


def test_a_server_named_for_tests_is_used_unless_it_holds_a_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Postgres(tmp_path, durable=False) as outside:
        monkeypatch.setenv("POLYTRADERS_TEST_DATABASE_URL", outside.url(SUPERUSER, "postgres"))
        with servers.running(tmp_path / "unused", tmp_path / "cache") as server, servers.copied(server) as made:
            assert user(made.app_dsn) == ("polytraders_app", made.name)
            assert f":{outside.port}/" in made.app_dsn
        assert not (tmp_path / "unused").exists()
        with psycopg.connect(outside.url(SUPERUSER), autocommit=True) as connection:
            connection.execute("DROP TABLE IF EXISTS log_head CASCADE")
            connection.execute("CREATE TABLE log_head (shard int PRIMARY KEY)")
            connection.execute("INSERT INTO log_head (shard) VALUES (7)")
        with pytest.raises(servers.RefusedError, match="log_head has rows"):
            servers.running(tmp_path / "unused", tmp_path / "cache").__enter__()
        with psycopg.connect(outside.url(SUPERUSER)) as connection:
            assert connection.execute("SELECT shard FROM log_head").fetchall() == [(7,)]


def test_a_server_lives_in_memory_where_there_is_room_and_leaves_nothing(tmp_path: Path) -> None:
    memory, disk = tmp_path / "memory", tmp_path / "disk"
    memory.mkdir()
    of_the_dead, of_the_living = memory / f"{servers.IN_MEMORY}{2**22 + 1}", memory / f"{servers.IN_MEMORY}1"
    of_the_dead.mkdir()
    of_the_living.mkdir()
    with servers.quick_folder(disk, memory, room=1) as folder:
        (folder / "some").touch()
        assert folder.parent == memory
        assert not of_the_dead.exists()
    assert list(memory.iterdir()) == [of_the_living]
    with servers.quick_folder(disk, memory, room=2**62) as folder:
        assert folder == disk
    with servers.quick_folder(disk, tmp_path / "none") as folder:
        assert folder == disk
