"""Jobs about the whole log: its replay with a report that is kept, the state behind an input, and its proof."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connections

from apps.eventlog import checkpoints
from apps.monitoring import tasks
from apps.monitoring.core.incidents import Priority
from apps.monitoring.models import IncidentRecord, PulseRecord
from apps.replay.models import ReplayRecord
from polytraders import working
from polytraders.kernel.jit import build_hash
from tests import servers
from tests.eventlog.made import tamper
from tests.shard.rig import Rig, frames


@pytest.fixture(scope="module")
def log(
    postgres_server: Any, tmp_path_factory: pytest.TempPathFactory, django_db_blocker: Any
) -> Iterator[servers.Database]:
    """A log of a real loop process, with a checkpoint on the way."""
    from django.conf import settings

    home = tmp_path_factory.mktemp("home")
    with servers.copied(postgres_server) as made, django_db_blocker.unblock():
        before = dict(connections["default"].settings_dict)
        kept = settings.DATABASE_URL, settings.HOME
        settings.DATABASE_URL, settings.HOME = made.app_dsn, home
        servers.point_django_at(made.app_dsn, "default")
        with Rig(made.app_dsn, home, checkpoint_inputs=1_000) as rig:
            rig.list_markets()
            rig.play(frames(3_000))
        try:
            yield made
        finally:
            settings.DATABASE_URL, settings.HOME = kept
            connections.close_all()
            connections["default"].settings_dict.update(before)


def told(runner: str, **arguments: Any) -> list[dict[str, Any]]:
    out = io.StringIO()
    working.do(f"polytraders.scrubbing:{runner}", arguments, out)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def head(log: servers.Database) -> int:
    with psycopg.connect(log.app_dsn) as conn:
        (seq,) = conn.execute("SELECT seq FROM log_head").fetchone() or (0,)
    return int(seq)


def test_a_replay_is_kept_with_its_report(log: servers.Database) -> None:
    *steps, last = told("whole", until=None)
    row = ReplayRecord.objects.get(id=last["result"]["replay"])
    assert (row.verdict_code, row.parity, row.to_seq) == ("GOV_REPLAY_MATCH", 1.0, head(log))
    assert last["result"] == {"replay": row.id, "code": row.verdict_code, "to_seq": row.to_seq}
    parts = [step["part"] for step in steps]
    assert parts == sorted(parts)
    assert parts[-1] <= 1
    assert row.report is not None
    assert row.report["counts_by_code"]


def test_a_replay_ends_where_it_was_asked_to(log: servers.Database) -> None:
    row = ReplayRecord.objects.get(id=told("whole", until=500)[-1]["result"]["replay"])
    assert (row.to_seq, row.verdict_code) == (500, "GOV_REPLAY_MATCH")


def test_the_state_behind_an_input_is_the_checkpoints_and_the_replays(log: servers.Database, settings: Any) -> None:
    with psycopg.connect(log.app_dsn, autocommit=True) as conn:
        (at,) = conn.execute("SELECT min(in_seq) FROM log_checkpoint").fetchone() or (0,)
        assert checkpoints.latest(conn, settings.HOME, 0, build_hash(), until=at) is not None
        (recorded,) = conn.execute("SELECT state_hash FROM log_checkpoint WHERE in_seq = %s", (at,)).fetchone() or (
            b"",
        )
    found = told("state", in_seq=at)[-1]["result"]
    assert (found["in_seq"], found["checkpoint"], found["build"]) == (at, 0, build_hash().hex())
    assert found["state_hash"] == bytes(recorded).hex()
    later = told("state", in_seq=at + 200)[-1]["result"]
    assert later["checkpoint"] == at, "it begins at the nearest checkpoint"
    row = ReplayRecord.objects.get(id=told("whole", until=at + 200)[-1]["result"]["replay"])
    assert row.report is not None
    assert later["state_hash"] == row.report["log"]["state_hash"]
    assert later["money"]["equity"] == row.report["equity"]
    assert later["counts"]["approvals"] == row.report["approved"]


@pytest.mark.parametrize("wrong", [0, -1, "7", True, 1.5, 1 << 40])
def test_what_is_no_input_is_refused_with_a_code(log: servers.Database, wrong: Any) -> None:
    for runner, arguments in (("state", {"in_seq": wrong}), ("whole", {"until": wrong})):
        assert told(runner, **arguments)[-1]["code"] == "GOV_NOT_FOUND"


def test_an_input_that_is_not_there_yet_is_refused(log: servers.Database) -> None:
    for runner, name in (("state", "in_seq"), ("whole", "until")):
        assert told(runner, **{name: head(log) + 1})[-1]["code"] == "GOV_NOT_FOUND"


def test_the_record_is_proved_and_a_changed_row_is_the_most_urgent_alert(log: servers.Database, tmp_path: Path) -> None:
    assert tasks.prove_record() == ""
    assert PulseRecord.objects.get(name="record").told["code"] == ""
    change = "UPDATE log_output SET market = market {} 1 WHERE in_seq = (SELECT max(in_seq) FROM log_output)"
    assert tamper(log.superuser_dsn, change.format("+"))
    code = tasks.prove_record()
    assert code
    incident = IncidentRecord.objects.get()
    assert (incident.code, incident.priority) == (code, Priority.P0)
    assert PulseRecord.objects.get(name="record").told["code"] == code
    assert tamper(log.superuser_dsn, change.format("-"))
    assert tasks.prove_record() == ""
    assert not incident.alerts.filter(is_open=True).exists()
