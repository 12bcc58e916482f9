"""Retention: whole partitions go, below a checkpoint, and what is left still proves itself from its floor."""

from pathlib import Path

import numpy as np
import psycopg
import pytest

from apps.eventlog import checkpoints, reading, retention
from apps.eventlog.faults import Corrupt, Dropped
from apps.eventlog.segments import canonical_folder
from apps.eventlog.store import Writer
from apps.eventlog.verify import verify
from tests.eventlog import made
from tests.servers import Database

ROWS = 1_000


@pytest.fixture
def short(database: Database) -> Database:
    """A log whose partitions hold 1,000 inputs."""
    with psycopg.connect(database.owner_dsn, autocommit=True) as owner:
        for parent in retention.PARTITIONED:
            owner.execute(f"DROP TABLE {parent}_0, {parent}_1".encode())
        assert len(retention.ahead(owner, ROWS)) == 9
        assert retention.ahead(owner, ROWS) == []
    return database


def aged(database: Database, until: int, days: int) -> None:
    made.tamper(
        database.superuser_dsn,
        "UPDATE log_block SET committed_at = committed_at - make_interval(days => %s) WHERE last_seq <= %s",
        days,
        until,
    )


def checkpoint(database: Database, home: Path, in_seq: int) -> None:
    with psycopg.connect(database.app_dsn, autocommit=True) as app:
        checkpoints.save(home, app, 0, in_seq, np.zeros(100, np.uint8), bytes(32))


def asked(database: Database, home: Path, days: int = 30) -> retention.Droppable:
    with psycopg.connect(database.owner_dsn, autocommit=True) as owner:
        return retention.droppable(owner, home, days)


def test_old_partitions_go_and_the_rest_still_verifies(short: Database, home: Path) -> None:
    made.log(short.app_dsn, home)
    checkpoint(short, home, 2_800)
    aged(short, 2_702, 40)
    with psycopg.connect(short.owner_dsn, autocommit=True) as owner:
        what = retention.droppable(owner, home, 30)
        assert what.first_seq == {0: 2_003}
        assert what.tables == ("log_block_0", "log_block_1", "log_output_0", "log_output_1")
        assert [path.name for path in what.files] == ["000001-000001.rows"]
        retention.drop(owner, home, what)
        assert retention.droppable(owner, home, 30).tables == ()
    assert verify(short.app_dsn, home, True) is None
    rows = np.concatenate(list(reading.inputs(short.app_dsn, home, 0, after=2_002)))
    assert np.array_equal(
        rows, np.concatenate([made.inputs(2_003, 700), made.inputs(2_703, 1), made.inputs(2_704, 297)])
    )
    with pytest.raises(Dropped, match="GOV_LOG_DROPPED"):
        list(reading.inputs(short.app_dsn, home, 0))
    with psycopg.connect(short.app_dsn) as app:
        assert app.execute("SELECT count(*) > 0 FROM log_control WHERE in_seq < 2000").fetchone() == (True,)
    with Writer.open(short.app_dsn, 0, home) as writer:
        made.fill(writer, 100, [100])
    assert verify(short.app_dsn, home) is None


@pytest.mark.parametrize("missing", ["age", "checkpoint", "whole partition"])
def test_nothing_goes_without_age_and_checkpoint_over_a_whole_partition(
    short: Database, home: Path, missing: str
) -> None:
    made.log(short.app_dsn, home)
    if missing != "checkpoint":
        checkpoint(short, home, 900 if missing == "whole partition" else 2_800)
    aged(short, 2_702, 29 if missing == "age" else 40)
    assert asked(short, home) == retention.Droppable({}, (), ())


def test_a_damaged_stretch_is_not_let_go(short: Database, home: Path) -> None:
    made.log(short.app_dsn, home)
    checkpoint(short, home, 2_800)
    aged(short, 2_702, 40)
    path = canonical_folder(home, 0) / "000001-000001.rows"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with psycopg.connect(short.owner_dsn, autocommit=True) as owner:
        what = retention.droppable(owner, home, 30)
        with pytest.raises(Corrupt, match="GOV_CHAIN_BROKEN"):
            retention.drop(owner, home, what)
        assert owner.execute("SELECT count(*) FROM log_block WHERE first_seq < 1000").fetchone() == (3,)
    assert path.exists()


def test_partitions_are_made_before_they_are_needed(short: Database, home: Path) -> None:
    made.log(short.app_dsn, home, total=2_900)
    with psycopg.connect(short.owner_dsn, autocommit=True) as owner:
        assert retention.ahead(owner, ROWS) == [f"{parent}_{n}" for parent in retention.PARTITIONED for n in (3, 4)]
        ask = "SELECT DISTINCT tableoid::regclass::text FROM log_output"
        assert {row[0] for row in owner.execute(ask)} == {"log_output_0", "log_output_1", "log_output_2"}


def test_the_nightly_call_keeps_everything_by_default(short: Database, home: Path) -> None:
    made.log(short.app_dsn, home)
    checkpoint(short, home, 2_800)
    aged(short, 2_702, 4_000)
    assert retention.keep_within(short.owner_dsn, home, retention.days({})).tables == ()
    assert (
        len(retention.keep_within(short.owner_dsn, home, retention.days({"POLYTRADERS_RETENTION_DAYS": "30"})).tables)
        == 4
    )


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "many", "123456"])
def test_a_retention_that_cannot_be_meant_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="POLYTRADERS_RETENTION_DAYS"):
        retention.days({"POLYTRADERS_RETENTION_DAYS": value})


def test_the_application_cannot_let_anything_go(short: Database, home: Path) -> None:
    made.log(short.app_dsn, home)
    what = retention.Droppable({0: 2_003}, ("log_block_0",), ())
    with (
        psycopg.connect(short.app_dsn, autocommit=True) as app,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        retention.drop(app, home, what)
    assert verify(short.app_dsn, home) is None
