"""Looks from outside the loop: each thing that can be wrong has its code, and a check never makes the loop wait."""

import os
import shutil
import time
from collections import namedtuple
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection

from apps.eventlog import inbox
from apps.monitoring import looking, projecting, status, tasks
from tests.web.conftest import said
from tests.written import busy

Usage = namedtuple("Usage", "total used free")


def say(**changed: Any) -> None:
    cursor: Any
    with connection.cursor() as cursor:
        status.write(cursor, said(**changed))


@pytest.fixture
def healthy(db: None, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    settings.HOME = tmp_path
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(100 << 30, 50 << 30, 50 << 30))
    say()
    return monkeypatch


def test_a_healthy_system_has_nothing_wrong(healthy: pytest.MonkeyPatch) -> None:
    assert tasks.check_health() == []


@pytest.mark.django_db
def test_a_loop_that_never_ran_is_silent(settings: Any, tmp_path: Path) -> None:
    settings.HOME = tmp_path
    assert "GOV_LOOP_SILENT" in tasks.check_health()


def test_a_loop_that_has_said_nothing_for_long_is_silent(healthy: pytest.MonkeyPatch, caplog: Any) -> None:
    say(at_ns=time.time_ns() - 11 * 10**9)
    assert tasks.check_health() == ["GOV_LOOP_SILENT"]
    assert "GOV_LOOP_SILENT: the loop of shard 0 has said nothing for 11 s" in caplog.text


def test_a_start_has_time_before_its_silence_is_told(
    healthy: pytest.MonkeyPatch, settings: Any, tmp_path: Path
) -> None:
    say(at_ns=time.time_ns() - 11 * 10**9)
    ready = tmp_path / "worker.ready"
    settings.ENVIRON = {"POLYTRADERS_READY_FILE": str(ready)}
    assert tasks.check_health() == [], "not ready yet"
    ready.touch()
    assert tasks.check_health() == []
    os.utime(ready, (time.time() - 181, time.time() - 181))
    assert tasks.check_health() == ["GOV_LOOP_SILENT"]


@pytest.mark.parametrize("free", [(2 << 30) - 1, int(0.049 * (100 << 30))])
def test_little_room_is_told_before_there_is_none(healthy: pytest.MonkeyPatch, free: int) -> None:
    healthy.setattr(shutil, "disk_usage", lambda path: Usage(100 << 30, 0, free))
    assert tasks.check_health() == ["GOV_DISK_LOW"]


def test_a_command_that_waits_is_told_when_it_has_waited_too_long(healthy: pytest.MonkeyPatch) -> None:
    connection.ensure_connection()
    inbox.put(connection.connection, "kill", "tester", "kill", "k", {"scope": "global"}, 60.0)
    assert tasks.check_health() == []
    healthy.setattr(looking, "INBOX_AGE_S_MAX", 0.0)
    assert tasks.check_health() == ["GOV_INBOX_BACKLOG"]


def test_a_check_of_the_projections_finds_what_is_spoilt_and_changes_nothing(
    system: Any, app_dsn: str, tmp_path: Path, settings: Any, caplog: Any
) -> None:
    settings.DATABASE_URL = app_dsn
    assert tasks.check_projections() == [], "there is no log yet"
    busy(app_dsn, tmp_path).close()
    assert tasks.check_projections() == []
    with psycopg.connect(app_dsn) as conn:
        conn.execute("UPDATE monitoring_stage SET count = count + 1 WHERE stage = 7")
    for _ in range(2):
        assert tasks.check_projections() == ["monitoring_stage"]
    assert "GOV_PROJECTION_DRIFT: monitoring_stage" in caplog.text


def test_a_check_does_not_wait_for_the_loop_nor_the_loop_for_it(app_dsn: str, tmp_path: Path) -> None:
    busy(app_dsn, tmp_path).close()
    with psycopg.connect(app_dsn) as loop:
        loop.execute("SELECT seq FROM log_head FOR UPDATE")
        loop.execute("SET statement_timeout = '5s'")
        impatient = psycopg.conninfo.make_conninfo(app_dsn, options="-c lock_timeout=2s")
        found = projecting.rebuild(impatient, 0, only_check=True)
    assert [line for line in found if not line.is_equal] == []
