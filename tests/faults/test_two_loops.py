"""Two loop processes on one shard: never two writers, whatever one of them believes."""

import signal
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests import servers
from tests.faults.crashes import SEED, Line
from tests.faults.proof import head
from tests.faults.shardprocess import LoopProcess
from tests.supervisor.processes import until

TAKEN = 3
LOCK_HOLDER = """
SELECT pg_terminate_backend(a.pid) FROM pg_stat_activity a
WHERE a.datname = current_database() AND a.application_name = 'polytraders-loop-0'"""


@pytest.fixture
def line(database: servers.Database, tmp_path: Path) -> Iterator[Line]:
    made = Line(database.app_dsn, tmp_path / "home", seed=SEED)
    try:
        yield made
    finally:
        made.end()


def grown(line: Line, by: int, loop: LoopProcess) -> None:
    before = head(line.dsn).seq
    until(lambda: line.log.see().seq > before + by, f"{by} inputs more", 20.0, loop.said)


def test_the_second_loop_refuses_and_the_first_goes_on(line: Line) -> None:
    first = line.start()
    first.wait_ready()
    grown(line, 200, first)
    second = LoopProcess(line.dsn, line.home, line.exchange)
    assert second.wait_end(30.0) == TAKEN
    assert "GOV_SHARD_TAKEN" in second.said()
    grown(line, 200, first)
    assert first.stop() == 0, first.said()
    line.log.prove()
    assert line.log.epochs == [1]


def test_a_stalled_loop_that_has_lost_its_lock_cannot_append(line: Line, database: servers.Database) -> None:
    first = line.start()
    first.wait_ready()
    grown(line, 500, first)
    first.send(signal.SIGSTOP)
    with psycopg.connect(database.superuser_dsn, autocommit=True) as conn:
        assert conn.execute(LOCK_HOLDER).rowcount == 1
        until(
            lambda: (
                conn.execute(
                    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database ="
                    " (SELECT oid FROM pg_database WHERE datname = current_database())"
                ).fetchone()
                == (0,)
            ),
            "the lock is free",
        )
    second = line.start()
    second.wait_ready()
    grown(line, 500, second)
    first.send(signal.SIGCONT)
    assert first.wait_end(30.0) == TAKEN
    assert "GOV_FENCE_LOST" in first.said()
    grown(line, 500, second)
    assert second.stop() == 0, second.said()
    seen = line.log.prove()
    assert len(line.log.epochs) == 2
    assert seen.fence == 2
