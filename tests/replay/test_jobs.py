"""Jobs: asked for once, done once, bounded, cancelled, and taken up again when a worker dies; in real processes."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connections

from apps.eventlog.alone import Job, alone
from apps.replay import jobs
from apps.replay.child import Said
from apps.replay.models import JobRecord
from polytraders.celery import app
from polytraders.contracts import job as j
from tests import servers

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_S = 30.0


@pytest.fixture
def place(
    database: servers.Database, tmp_path: Path, settings: Any, django_db_blocker: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """A database for jobs, with kinds of the tests' own; its address."""
    settings.DATABASE_URL, settings.HOME = database.app_dsn, tmp_path
    for name in ("doubled", "refused", "broken", "killed", "lasting"):
        monkeypatch.setitem(jobs.KINDS, name, j.Kind(name, f"tests.replay.made_jobs:{name}", 20.0))
    with django_db_blocker.unblock():
        before = dict(connections["default"].settings_dict)
        servers.point_django_at(database.app_dsn, "default")
        try:
            yield database.app_dsn
        finally:
            connections.close_all()
            connections["default"].settings_dict.update(before)


def reached(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def one(job_id: int) -> JobRecord:
    return JobRecord.objects.get(id=job_id)


def test_a_job_is_done_in_a_process_of_its_own_and_its_result_kept(place: str) -> None:
    asked = jobs.start("doubled", {"number": 21}, "ada")
    assert one(asked).state == j.QUEUED
    assert jobs.work() == 1
    done = one(asked)
    assert (done.state, done.result, done.part, done.code) == (j.DONE, {"doubled": 42}, 1.0, "")
    assert done.began_at is not None and done.ended_at is not None and done.asked_by == "ada"


def test_running_it_twice_gives_one_result(place: str) -> None:
    asked = jobs.start("doubled", {"number": 1}, "ada")
    assert [jobs.work(), jobs.work()] == [1, 0]
    assert one(asked).attempts == 1


def test_whoever_starts_one_tells_the_workers_without_waiting_for_a_broker(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(jobs, "tell_workers", lambda: told.append(threading.current_thread().name))
    jobs.start("doubled", {"number": 1}, "ada")
    reached(lambda: told == ["wake"])
    jobs.start("doubled", {"number": 1}, "ada")
    assert told == ["wake"]
    assert jobs.work.app is app and jobs.work.name in app.tasks


def test_the_same_question_is_asked_once_and_again_only_on_demand(place: str) -> None:
    first = jobs.start("doubled", {"number": 1, "why": "x"}, "ada")
    assert jobs.start("doubled", {"why": "x", "number": 1}, "bob") == first
    assert jobs.start("doubled", {"number": 2, "why": "x"}, "bob") != first
    jobs.work()
    assert jobs.start("doubled", {"number": 1, "why": "x"}, "ada") == first
    again = jobs.start("doubled", {"number": 1, "why": "x"}, "ada", fresh=True)
    assert again != first
    assert jobs.start("doubled", {"number": 1, "why": "x"}, "ada", fresh=True) == again


@pytest.mark.parametrize(
    ("kind", "code", "words"),
    [
        ("refused", "GOV_NOT_FOUND", "there is no such thing"),
        ("broken", j.BROKEN, "ZeroDivisionError: nought"),
        ("killed", j.BROKEN, "ended with -9"),
    ],
)
def test_what_has_no_result_says_why(place: str, kind: str, code: str, words: str) -> None:
    asked = jobs.start(kind, {}, "ada")
    assert jobs.work() == 1
    found = one(asked)
    assert (found.state, found.code, found.result) == (j.FAILED, code, None)
    assert words in found.words
    # A failure is no answer: the same may be asked again.
    assert jobs.start(kind, {}, "ada") != asked


def test_an_unknown_kind_is_our_own_fault_and_one_of_another_build_is_refused(place: str) -> None:
    with pytest.raises(KeyError):
        jobs.start("none such", {}, "ada")
    made = JobRecord.objects.create(kind="of tomorrow", arguments={}, digest="0", asked_by="ada")
    assert jobs.work() == 1
    assert one(made.pk).code == j.REFUSED


def test_not_more_than_may_wait_of_one_person_or_of_all(place: str) -> None:
    for number in range(jobs.MINE_MOST):
        jobs.start("doubled", {"number": number}, "ada")
    with pytest.raises(jobs.Busy):
        jobs.start("doubled", {"number": 99}, "ada")
    # What waits already may be asked for by anybody.
    assert jobs.start("doubled", {"number": 0}, "ada")
    for number in range(100, 100 + jobs.ALIVE_MOST - jobs.MINE_MOST):
        jobs.start("doubled", {"number": number}, f"person {number}")
    with pytest.raises(jobs.Busy):
        jobs.start("doubled", {"number": 99}, "bob")


def test_one_that_waits_is_cancelled_at_once_and_one_that_is_over_not_at_all(place: str) -> None:
    asked = jobs.start("doubled", {"number": 1}, "ada")
    assert jobs.cancel(asked)
    assert (one(asked).state, one(asked).code) == (j.FAILED, j.CANCELLED)
    assert not jobs.cancel(asked)
    assert jobs.work() == 0


def test_one_that_runs_is_cancelled_and_its_process_ended(place: str, tmp_path: Path) -> None:
    asked = jobs.start("lasting", {"file": str(tmp_path / "pids")}, "ada")
    worker = threading.Thread(target=jobs.work)
    worker.start()
    reached(lambda: one(asked).words == "at it")
    assert one(asked).part == 0.25
    assert jobs.cancel(asked)
    worker.join(DEADLINE_S)
    assert not worker.is_alive()
    assert (one(asked).state, one(asked).code) == (j.FAILED, j.CANCELLED)
    assert not alive(int((tmp_path / "pids").read_text(encoding="utf-8")))


def test_a_job_whose_worker_is_killed_midway_is_taken_up_again(place: str, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    asked = jobs.start("lasting", {"file": str(pids)}, "ada")
    program = (
        "import django; django.setup();"
        "from apps.replay import jobs; from polytraders.contracts import job as j;"
        "jobs.KINDS['lasting'] = j.Kind('lasting', 'tests.replay.made_jobs:lasting', 20.0); jobs.work()"
    )
    environ = {
        **os.environ, "DATABASE_URL": place, "POLYTRADERS_HOME": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "polytraders.settings",
    }  # fmt: skip
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, env=environ) as worker:
        reached(lambda: one(asked).words == "at it")
        worker.kill()
    child = int(pids.read_text(encoding="utf-8"))
    reached(lambda: not alive(child))
    assert one(asked).state == j.RUNNING
    # The lock went with its holder's connection; the next worker does it, and this time it comes to an end.
    jobs.KINDS["lasting"] = j.Kind("lasting", "tests.replay.made_jobs:doubled", 20.0)
    JobRecord.objects.filter(id=asked).update(arguments={"number": 4})
    reached(lambda: jobs.work() == 1)
    assert (one(asked).state, one(asked).result, one(asked).attempts) == (j.DONE, {"doubled": 8}, 2)


def test_a_job_that_kills_its_workers_is_given_up(place: str) -> None:
    asked = jobs.start("doubled", {"number": 1}, "ada")
    JobRecord.objects.filter(id=asked).update(state=j.RUNNING, attempts=jobs.ATTEMPTS_MOST)
    assert jobs.work() == 1
    assert (one(asked).state, one(asked).code) == (j.FAILED, j.BROKEN)


def test_a_job_that_somebody_is_at_is_left_to_them_and_the_others_are_done(place: str) -> None:
    first, second = jobs.start("doubled", {"number": 1}, "ada"), jobs.start("doubled", {"number": 2}, "ada")
    with psycopg.connect(place, autocommit=True) as other, alone(other, Job.JOB, first) as is_ours:
        assert is_ours
        assert jobs.work() == 1
    assert (one(first).state, one(second).state) == (j.QUEUED, j.DONE)


def test_as_many_at_once_as_there_are_places(place: str) -> None:
    asked = jobs.start("doubled", {"number": 1}, "ada")
    with psycopg.connect(place, autocommit=True) as other, alone(other, Job.WORK, 0) as is_ours:
        assert is_ours and jobs.AT_ONCE == 1
        assert jobs.work() == 0
    assert one(asked).state == j.QUEUED


class Slow:
    """A child that says what it is told to, while a clock of its own runs."""

    def __init__(self, says: list[list[Said]]) -> None:
        self.now = 100.0
        self.says = says
        self.waits: list[float] = []
        self.is_ended = False

    @contextmanager
    def __call__(self, runner: str, arguments: dict[str, Any]) -> Iterator["Slow"]:
        yield self
        self.is_ended = True

    def said(self, wait_s: float) -> list[Said]:
        self.waits.append(wait_s)
        if self.says:
            return self.says.pop(0)
        self.now += wait_s
        return []


def test_its_time_is_bounded_by_the_clock_and_it_is_ended_then(place: str) -> None:
    asked = jobs.start("doubled", {"number": 1}, "ada")
    child = Slow([[j.Progress(0.7, "nearly")]])
    with psycopg.connect(place, autocommit=True) as connection:
        assert jobs.work_off(connection, starts=child, clock=lambda: child.now) == 1
    found = one(asked)
    assert (found.state, found.code, found.part) == (j.FAILED, j.TIME_OUT, 0.7)
    assert child.is_ended and child.now == 120.0
    assert max(child.waits) <= jobs.LOOK_S


def test_progress_never_goes_back_and_stays_within_one(place: str) -> None:
    asked = jobs.start("doubled", {"number": 1}, "ada")
    seen: list[float] = []
    told: list[Any] = [j.Progress(part, "x") for part in (0.4, 0.2, 7.0, -1.0)]
    child = Slow([*([one] for one in told), [j.Result({})]])

    def clock() -> float:
        seen.append(one(asked).part)
        return child.now

    with psycopg.connect(place, autocommit=True) as connection:
        jobs.work_off(connection, starts=child, clock=clock)
    assert seen == sorted(seen) and max(seen) == 1.0


def test_old_jobs_are_forgotten_and_live_ones_are_not(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "KEPT", 2)
    ids = [jobs.start("doubled", {"number": number}, "ada") for number in range(4)]
    JobRecord.objects.filter(id__in=ids[:3]).update(state=j.DONE)
    jobs.work()
    assert list(JobRecord.objects.order_by("id").values_list("id", flat=True)) == ids[2:]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
