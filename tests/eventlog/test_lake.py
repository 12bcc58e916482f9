"""The lake: what closed segments hold comes back byte by byte, once, whole or not at all."""

from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pyarrow.parquet as pq
import pytest

from apps.eventlog import lake as lakes
from apps.eventlog import packed, reading, tasks
from apps.eventlog.alone import Job, alone
from apps.eventlog.faults import Corrupt
from apps.eventlog.lake import Lake, export_closed
from apps.eventlog.segments import canonical_folder
from apps.eventlog.store import Writer
from tests.eventlog import made
from tests.servers import Database

FIRST = "inputs/shard=0/000001-000001.parquet"


@pytest.fixture
def log(app_dsn: str, home: Path) -> str:
    """A log whose writer has been started a second time: its first two segments are closed."""
    made.log(app_dsn, home)
    with Writer.open(app_dsn, 0, home) as writer:
        made.fill(writer, 100, [60, 40])
    return app_dsn


def export(dsn: str, home: Path, place: Path) -> list[lakes.Exported]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        return export_closed(connection, home, 0, Lake(str(place)))


def closed_rows(dsn: str, home: Path) -> np.ndarray[Any, Any]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        last = [block.last_seq for block in reading.blocks(connection, 0) if block.segment < "000002"][-1]
    return np.concatenate(list(reading.inputs(dsn, home, 0, until=last)))


@pytest.mark.parametrize("is_packed", [False, True])
def test_closed_segments_come_back_byte_by_byte_and_open_ones_stay_out(
    log: str, home: Path, tmp_path: Path, is_packed: bool
) -> None:
    if is_packed:
        packed.pack_closed(canonical_folder(home, 0), "000002-000001.rows")
    files = export(log, home, tmp_path / "lake")
    rows = closed_rows(log, home)
    lake = Lake(str(tmp_path / "lake"))
    assert np.concatenate([lake.read(file.path) for file in files]).tobytes() == rows.tobytes()
    assert (files[0].first_seq, files[-1].last_seq) == (1, len(rows))
    assert not lake.has("inputs/shard=0/000002-000001.parquet")


def test_the_file_says_what_it_is_and_tells_columns_by_their_differences(log: str, home: Path, tmp_path: Path) -> None:
    file = export(log, home, tmp_path)[0]
    told = pq.read_metadata(tmp_path / file.path)
    assert told.metadata[b"polytraders.segment"] == b"000001-000001.rows"
    columns = {told.row_group(0).column(n).path_in_schema: told.row_group(0).column(n) for n in range(told.num_columns)}
    assert "DELTA_BINARY_PACKED" in columns["in_seq"].encodings
    assert {column.compression for column in columns.values()} == {"ZSTD"}


def test_nothing_is_exported_twice(log: str, home: Path, tmp_path: Path) -> None:
    assert len(export(log, home, tmp_path)) == 2
    before = (tmp_path / FIRST).stat()
    assert export(log, home, tmp_path) == []
    assert (tmp_path / FIRST).stat().st_mtime_ns == before.st_mtime_ns


def test_a_write_that_fails_leaves_nothing_and_the_next_one_makes_it_whole(
    log: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(lakes, "_digest", lambda path, files: b"")
        with pytest.raises(Corrupt, match="does not read back"):
            export(log, home, tmp_path / "lake")
    assert [path for path in (tmp_path / "lake").rglob("*") if path.is_file()] == []
    assert len(export(log, home, tmp_path / "lake")) == 2


def test_a_damaged_segment_is_not_exported(log: str, home: Path, tmp_path: Path) -> None:
    path = canonical_folder(home, 0) / "000001-000001.rows"
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)
    with pytest.raises(Corrupt):
        export(log, home, tmp_path / "lake")
    assert [path for path in (tmp_path / "lake").rglob("*") if path.is_file()] == []


def test_the_task_does_what_a_crash_has_left_and_leaves_it_to_another_that_is_at_it(
    log: str, home: Path, tmp_path: Path, settings: Any
) -> None:
    settings.DATABASE_URL, settings.HOME, settings.LAKE = log, home, f"file://{tmp_path}/lake"
    left = tmp_path / "lake" / f"{FIRST}.0123.partial"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"PAR1 and no more")
    with psycopg.connect(log, autocommit=True) as other, alone(other, Job.SEGMENTS, 0) as is_ours:
        assert is_ours
        assert tasks.export_lake() == tasks.pack_segments() == 0
    assert tasks.export_lake() == 2
    assert tasks.export_lake() == 0
    assert not left.exists() and (tmp_path / "lake" / FIRST).is_file()
    assert tasks.pack_segments() == 2
    assert tasks.pack_segments() == 0


def test_there_is_nothing_to_do_without_a_log(app_dsn: str, home: Path, settings: Any) -> None:
    settings.DATABASE_URL, settings.HOME, settings.LAKE = app_dsn, home, str(home / "lake")
    assert tasks.export_lake() == tasks.pack_segments() == 0


def test_the_owner_makes_partitions_ahead_and_nobody_else_tries(
    database: Database, home: Path, settings: Any, caplog: Any
) -> None:
    made.log(database.app_dsn, home)
    settings.HOME, settings.DATABASE_OWNER_URL = home, None
    assert tasks.keep_within() == 0
    assert "not known here" in caplog.text
    settings.DATABASE_OWNER_URL = database.owner_dsn
    assert tasks.keep_within() == 0
    with psycopg.connect(database.app_dsn) as connection:
        assert connection.execute("SELECT to_regclass('log_output_2')").fetchall() != [(None,)]


def test_every_job_that_is_scheduled_is_one_that_there_is() -> None:
    from polytraders.celery import app
    from polytraders.settings import CELERY_BEAT_SCHEDULE

    app.loader.import_default_modules()
    assert {entry["task"] for entry in CELERY_BEAT_SCHEDULE.values()} <= set(app.tasks)
