"""The nightly replay: the real command in a process of its own, and what is kept of it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import DatabaseError, transaction

from apps.eventlog.alone import Job, alone
from apps.eventlog.segments import canonical_folder
from apps.replay.models import ReplayRecord
from apps.replay.tasks import replay_log
from polytraders.kernel.jit import build_hash
from tests.shard.rig import Rig, frames


@pytest.fixture
def log(app_dsn: str, tmp_path: Path, settings: Any) -> str:
    settings.DATABASE_URL, settings.HOME = app_dsn, tmp_path
    with Rig(app_dsn, tmp_path) as rig:
        rig.list_markets()
        rig.play(frames(500))
    return app_dsn


@pytest.mark.django_db
def test_a_report_is_kept_and_a_later_one_comes_before_it(log: str, tmp_path: Path) -> None:
    assert replay_log() == "GOV_REPLAY_MATCH"
    kept = ReplayRecord.objects.get()
    with psycopg.connect(log) as conn:
        head = conn.execute("SELECT seq, input_head, output_link FROM log_head").fetchall()[0]
    assert (kept.from_seq, kept.to_seq, kept.parity, kept.drift) == (1, head[0], 1.0, None)
    assert (kept.input_head, kept.output_head) == (bytes(head[1]).hex(), bytes(head[2]).hex())
    assert kept.report is not None
    assert kept.build == build_hash().hex() and kept.report["log"]["epochs"][0]["claimed"]
    assert kept.first_difference == ""
    # A segment that is damaged by the next night ends the next replay, which says where.
    path = sorted(canonical_folder(tmp_path, 0).glob("*.rows"))[0]
    path.write_bytes(path.read_bytes()[:-1])
    assert replay_log() == "GOV_REPLAY_ABORTED"
    newest = ReplayRecord.objects.all()[0]
    assert newest.pk != kept.pk and newest.parity is None and path.name in newest.first_difference


@pytest.mark.django_db
def test_one_replay_at_a_time(log: str) -> None:
    with psycopg.connect(log, autocommit=True) as other, alone(other, Job.REPLAY, 0) as is_ours:
        assert is_ours
        assert replay_log() == ""
    assert not ReplayRecord.objects.exists()


@pytest.mark.django_db
def test_what_is_kept_is_not_changed() -> None:
    kept = ReplayRecord.objects.create(shard=0, verdict_code="GOV_REPLAY_REGRESSION", seconds=1.0)
    with pytest.raises(DatabaseError), transaction.atomic():
        ReplayRecord.objects.update(verdict_code="GOV_REPLAY_MATCH")
    with pytest.raises(DatabaseError), transaction.atomic():
        kept.delete()


def test_a_child_that_is_tied_ends_with_its_parent(tmp_path: Path) -> None:
    code = (
        "import os, signal, subprocess, sys, time\n"
        "from polytraders.tied import tied_to\n"
        "child = subprocess.Popen(['sleep', '60'], preexec_fn=tied_to(os.getpid(), signal.SIGKILL))\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        os.kill(parent.pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while _is_alive(child):
        assert time.monotonic() < deadline, "the child goes on without its parent"
        time.sleep(0.01)


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
