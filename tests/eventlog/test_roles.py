"""Who may do what to the log: tried as the application, and where only triggers stand in the way, as the owner."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege

from apps.eventlog import inbox
from apps.eventlog.store import Writer
from polytraders.supervisor.postgres import Postgres
from tests import servers
from tests.eventlog import made

LOG = ("log_block", "log_control", "log_output", "log_record")
PARTITIONS = ("log_block_0", "log_control_0", "log_output_0", "log_output_rest")
CHANGES = {
    "update": "UPDATE {} SET shard = shard",
    "update of what stands in it": "UPDATE {} SET in_seq = 1",
    "delete": "DELETE FROM {}",
    "truncate": "TRUNCATE {}",
    "add a column": "ALTER TABLE {} ADD COLUMN more int",
    "disable triggers": "ALTER TABLE {} DISABLE TRIGGER ALL",
    "drop": "DROP TABLE {}",
    "new trigger": "CREATE TRIGGER mine BEFORE INSERT ON {} EXECUTE FUNCTION eventlog_refuse()",
    "lock everybody out": "DO $$ BEGIN LOCK TABLE {} IN ACCESS EXCLUSIVE MODE; END $$",
}


@pytest.fixture(scope="module")
def filled(
    postgres_server: "Postgres | servers.Outside", tmp_path_factory: pytest.TempPathFactory
) -> Iterator[servers.Database]:
    """One log for all these tests: what they try is refused."""
    with servers.copied(postgres_server) as database:
        with Writer.open(database.app_dsn, 0, tmp_path_factory.mktemp("home")) as writer:
            writer.append(made.block(1, 100))
        with psycopg.connect(database.app_dsn, autocommit=True) as connection:
            inbox.put(connection, "kill", "ann", "kill", "k1", {}, 60)
        yield database


@pytest.fixture
def app(filled: servers.Database) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(filled.app_dsn, autocommit=True) as connection:
        yield connection


@pytest.fixture
def owner(filled: servers.Database) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(filled.owner_dsn, autocommit=True) as connection:
        yield connection


def count(connection: psycopg.Connection[Any], table: str) -> int:
    found = connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()
    assert found is not None
    return int(found[0])


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("table", LOG)
def test_the_application_may_only_add_to_the_log(app: psycopg.Connection[Any], table: str, change: str) -> None:
    before = count(app, table)
    assert before > 0
    with pytest.raises(psycopg.ProgrammingError) as refused:
        app.execute(CHANGES[change].format(table).encode())
    assert refused.type is InsufficientPrivilege or change.startswith("update of")
    assert count(app, table) == before


@pytest.mark.parametrize("table", PARTITIONS)
@pytest.mark.parametrize(
    "statement", ["SELECT * FROM {}", "DELETE FROM {}", "TRUNCATE {}", "INSERT INTO {} DEFAULT VALUES"]
)
def test_the_application_cannot_go_through_a_partition(
    app: psycopg.Connection[Any], table: str, statement: str
) -> None:
    with pytest.raises(InsufficientPrivilege):
        app.execute(statement.format(table).encode())


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE log_head SET shard = 7",
        "UPDATE log_head SET seq = seq - 1",
        "UPDATE log_head SET fence = fence - 1",
        "DELETE FROM log_head",
        "TRUNCATE log_head",
        "INSERT INTO log_floor VALUES (0, 1, '', '', '', 0, 0)",
        "UPDATE inbox SET shard = 1",
        "UPDATE inbox SET payload = '{}'",
        "TRUNCATE inbox",
        "UPDATE log_checkpoint SET bytes = 0",
        "CREATE TABLE mine (n int)",
        "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "SELECT eventlog_partition('log_block', '9', 'FOR VALUES FROM (1) TO (2)')",
        "SET session_replication_role = replica",
        "SET ROLE polytraders_owner",
    ],
)
def test_the_application_is_refused(app: psycopg.Connection[Any], statement: str) -> None:
    with pytest.raises(InsufficientPrivilege):
        app.execute(statement.encode())


@pytest.mark.parametrize("table", [*LOG, "log_head", *PARTITIONS[:3]])
@pytest.mark.parametrize("statement", ["DELETE FROM {}", "TRUNCATE {}"])
def test_even_the_owner_is_refused_by_triggers(owner: psycopg.Connection[Any], table: str, statement: str) -> None:
    before = count(owner, table)
    assert before > 0
    with pytest.raises(InsufficientPrivilege, match="only ever appended to"):
        owner.execute(statement.format(table).encode())
    assert count(owner, table) == before


@pytest.mark.parametrize("table", LOG)
def test_even_the_owner_cannot_update_a_row(owner: psycopg.Connection[Any], table: str) -> None:
    with pytest.raises(InsufficientPrivilege, match="only ever appended to"):
        owner.execute(f"UPDATE {table} SET shard = 1".encode())


def test_the_head_only_goes_forward(owner: psycopg.Connection[Any]) -> None:
    for change in ("seq = seq - 1", "fence = fence - 1", "version = 0", "shard = 3"):
        with pytest.raises(InsufficientPrivilege, match="GOV_EVENT_ORDER"):
            owner.execute(f"UPDATE log_head SET {change}".encode())


def test_rows_beyond_the_last_partition_still_find_a_place(app: psycopg.Connection[Any]) -> None:
    place = (
        "INSERT INTO log_output VALUES (0, 5000000000, 0, NULL, 1, 0, 0, 0, 0, 'x') RETURNING tableoid::regclass::text"
    )
    assert app.execute(place).fetchone() == ("log_output_rest",)


def test_without_the_applications_role_the_migration_says_which_one_is_missing(owner: psycopg.Connection[Any]) -> None:
    from importlib import import_module

    text = import_module("apps.eventlog.migrations.0001_log").ROLES.replace("polytraders_app", "polytraders_nobody")
    with pytest.raises(psycopg.errors.RaiseException, match="role polytraders_nobody does not exist") as refused:
        owner.execute(text)
    assert "CREATE ROLE polytraders_nobody" in (refused.value.diag.message_hint or "")


def test_models_describe_the_tables_as_they_are(owner: psycopg.Connection[Any]) -> None:
    from apps.eventlog import models

    for model in (models.Head, models.Block, models.Control, models.Output, models.Command):
        fields = {field.column: field.null for field in model._meta.local_fields if field.column}
        told = owner.execute(
            "SELECT column_name, is_nullable = 'YES' FROM information_schema.columns WHERE table_name = %s",
            (model._meta.db_table,),
        ).fetchall()
        assert fields == dict(told), model.__name__
