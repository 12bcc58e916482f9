"""How books were lost, and what was refused, as rows made from the log."""

from pathlib import Path
from typing import Any

import psycopg
import pytest

from apps.ingest import projections
from apps.monitoring import projecting
from polytraders.contracts.inputs import Kind
from polytraders.contracts.reasons import number
from tests.written import Written, busy

NOT_JSON = number("INTEL_FRAME_NOT_JSON")
GAP = number("INTEL_BOOK_GAP")


@pytest.fixture
def log(app_dsn: str, tmp_path: Path) -> Any:
    made = busy(app_dsn, tmp_path)
    yield made
    made.close()


def rows(dsn: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(query.encode()).fetchall()


def test_a_book_that_is_found_lost_and_found_again_leaves_three_rows(log: Written, app_dsn: str) -> None:
    world = log.world
    world.row(Kind.REFUSED, market=0, a=NOT_JSON)
    log.commit()
    world.wait(2.0)
    world.snapshot(market=0)
    log.commit()
    found = rows(app_dsn, "SELECT state, why FROM ingest_change WHERE market = 0 AND what = 0 ORDER BY id")
    assert found[-3:] == [(0, 0), (2, NOT_JSON), (0, 0)]


def test_refused_frames_are_counted_by_code_and_connection(log: Written, app_dsn: str) -> None:
    for _ in range(3):
        log.world.row(Kind.REFUSED, market=0, a=NOT_JSON)
    log.commit()
    log.world.row(Kind.REFUSED, market=-1, a=GAP, b=1)
    log.commit()
    found = rows(app_dsn, "SELECT connection, code, count FROM ingest_refusal ORDER BY 1, 2")
    assert found == [(0, NOT_JSON, 3), (1, GAP, 1)]


def test_a_connection_that_missed_something_is_a_row_of_its_own(log: Written, app_dsn: str) -> None:
    log.world.row(Kind.GAP, market=-1, a=GAP, b=0)
    log.commit()
    found = rows(app_dsn, f"SELECT market, connection, why FROM ingest_change WHERE what = {projections.MISSED}")
    assert found == [(-1, 0, GAP)]
    assert len(rows(app_dsn, f"SELECT 1 FROM ingest_change WHERE why = {GAP} AND what = 0")) == 2, "both books are lost"


def test_a_rebuild_gives_the_same_rows(log: Written, app_dsn: str) -> None:
    log.world.row(Kind.GAP, market=-1, a=GAP, b=0)
    log.world.row(Kind.REFUSED, market=0, a=NOT_JSON)
    log.commit()
    found = {line.table: line for line in projecting.rebuild(app_dsn, 0, only_check=True)}
    for table in projections.TABLES:
        assert found[table].is_equal and found[table].rows, table
