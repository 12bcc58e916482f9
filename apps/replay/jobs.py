"""Jobs: work that needs the loop, or time, done outside the web in a process of its own, with progress.

A job is a row. `start` makes it, or finds the one that does the same already; a worker takes the oldest, holds an
advisory lock for as long as it is at it, and passes on what the child process tells. The row of a worker that died is
nobody's lock, so the next one takes it up again. Whoever ends a row does it once, whatever ran twice.
"""

import hashlib
import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import psycopg
from celery import shared_task
from django.conf import settings
from django.db import connection as web
from django.db import transaction
from kombu.exceptions import KombuError

from apps.eventlog.alone import Job, alone
from apps.replay.child import Child, Starts, started
from apps.replay.models import JobRecord
from polytraders.contracts import job as j

log = logging.getLogger(__name__)

KINDS: Final[dict[str, j.Kind]] = {
    "book": j.Kind("Book at this decision", "polytraders.revisiting:book", 300.0, "console/_job_book.html"),
    "again": j.Kind("Replay of this decision", "polytraders.revisiting:again", 300.0, "console/_job_again.html"),
    "replay": j.Kind("Replay of the log", "polytraders.scrubbing:whole", 3_600.0, "console/_job_replay.html"),
    "state": j.Kind("State behind this input", "polytraders.scrubbing:state", 900.0, "console/_job_state.html"),
}
"""Everything that can be asked for. A new one needs a line here and a runner (`polytraders/working.py`)."""

AT_ONCE: Final = 1
"""Jobs at once: the other process of the worker is left to what must go on."""
ALIVE_MOST: Final = 24
MINE_MOST: Final = 6
"""Jobs that may wait or run: of all people, and of one."""
ATTEMPTS_MOST: Final = 3
LOOK_S: Final = 0.5
WORDS_MAX: Final = 500
KEPT: Final = 2_000
ID_MAX: Final = 2**31
Clock = Callable[[], float]

TAKE: Final = """
UPDATE replay_job SET state = 'running', attempts = attempts + 1, began_at = coalesce(began_at, now()), part = 0,
    words = '' WHERE id = %s AND state IN ('queued', 'running') RETURNING kind, arguments, attempts, is_cancelled"""
TELL: Final = """
UPDATE replay_job SET part = greatest(part, %s), words = %s WHERE id = %s AND state = 'running' AND attempts = %s
RETURNING is_cancelled"""
END: Final = """
UPDATE replay_job SET state = %s, part = CASE WHEN %s = 'done' THEN 1 ELSE part END, words = %s, code = %s,
    result = %s::jsonb, ended_at = now() WHERE id = %s AND state IN ('queued', 'running') AND attempts = %s"""
WAITING: Final = "SELECT id FROM replay_job WHERE state IN ('queued', 'running') ORDER BY id"
FORGET: Final = """
DELETE FROM replay_job WHERE state IN ('done', 'failed') AND id <= (SELECT max(id) FROM replay_job) - %s"""


class Busy(Exception):  # noqa: N818  what the workers are
    """As many jobs wait as may."""

    code = j.BUSY


def digest_of(kind: str, arguments: Mapping[str, Any]) -> str:
    """SHA-256 of a question, hex: the same for the same kind and arguments."""
    told = json.dumps(arguments, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(f"{kind} {told}".encode()).hexdigest()


class Started(NamedTuple):
    """A job by its id, and whether it was made just now: False is an earlier one that does, or did, the same."""

    id: int
    is_new: bool


def start(kind: str, arguments: Mapping[str, Any], asked_by: str, *, fresh: bool = False) -> int:
    """The same as `ask`, for who wants the id only."""
    return ask(kind, arguments, asked_by, fresh=fresh).id


def ask(kind: str, arguments: Mapping[str, Any], asked_by: str, *, fresh: bool = False) -> Started:
    """Ask for a job; in the caller's transaction, if there is one.

    Args:
        kind: One of `KINDS`.
        arguments: JSON; what they mean is the runner's business, and it must not believe them.
        asked_by: Who, for the record and for the bound of each person.
        fresh: Do it again although its result is there. By default the same question has the same answer.

    Raises:
        KeyError: There is no such kind.
        Busy: Too many wait.
    """
    KINDS[kind]
    digest = digest_of(kind, arguments)
    states = j.ALIVE if fresh else (*j.ALIVE, j.DONE)
    with transaction.atomic():
        with web.cursor() as cursor:
            # One asker after the other, or two of them would both find that nobody has asked yet.
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext('replay_job'))")
        same = JobRecord.objects.filter(digest=digest, state__in=states).order_by("-id").values_list("id", flat=True)
        found = same.first()
        if found is not None:
            return Started(found, is_new=False)
        waiting = list(JobRecord.objects.filter(state__in=j.ALIVE).values_list("asked_by", flat=True))
        if len(waiting) >= ALIVE_MOST or waiting.count(asked_by) >= MINE_MOST:
            raise Busy(f"{len(waiting)} jobs wait, {waiting.count(asked_by)} of them yours")
        made = JobRecord.objects.create(kind=kind, arguments=dict(arguments), digest=digest, asked_by=asked_by)
        transaction.on_commit(_wake)
    return Started(made.id, is_new=True)


def _wake() -> None:
    # A broker that is away takes seconds to be found away, and nobody's page is to wait for that.
    threading.Thread(target=tell_workers, name="wake", daemon=True).start()


def tell_workers() -> None:
    """Tell them that something waits; without a broker the schedule does it a little later."""
    try:
        work.apply_async(retry=False)
    except (KombuError, OSError) as error:
        log.warning("no broker, the job waits for the schedule: %s", type(error).__name__)


def cancel(job_id: int) -> bool:
    """End a job; one that runs ends within a second. False when it was over already."""
    asked: int = JobRecord.objects.filter(id=job_id, state__in=j.ALIVE).update(is_cancelled=True)
    if asked:
        # One that nobody has taken yet needs nobody to end it.
        with web.cursor() as cursor:
            words = "cancelled before it began"
            cursor.execute(
                "UPDATE replay_job SET state = %s, words = %s, code = %s, ended_at = now()"
                " WHERE id = %s AND state = 'queued'",
                (j.FAILED, words, j.CANCELLED, job_id),
            )
    return bool(asked)


@shared_task(acks_late=True)
def work() -> int:
    """Do what waits, one after the other, also what a worker that died has left; how many have come to an end.

    Given out twice it does nothing twice: who is second finds the place taken, or the job's lock, or its row ended.
    """
    dsn = settings.DATABASE_URL
    if not dsn:
        return 0
    done = 0
    with psycopg.connect(dsn, autocommit=True) as connection:
        # What is asked for while the place is given back would wait for the schedule: look once more.
        while connection.execute(WAITING + " LIMIT 1").fetchone():
            before = done
            for place in range(AT_ONCE):
                with alone(connection, Job.WORK, place) as is_ours:
                    if is_ours:
                        done += work_off(connection)
                        break
            if done == before:
                break
        connection.execute(FORGET, (KEPT,))
    return done


def work_off(connection: "psycopg.Connection[Any]", *, starts: Starts = started, clock: Clock = time.monotonic) -> int:
    """Jobs that wait, the oldest first, until none does; those that another worker is at are left to it.

    Args:
        connection: Of the application's role, in autocommit; holds the locks.
        starts: How a child process is started.
        clock: Seconds, of any beginning.
    """
    done = 0
    passed: set[int] = set()
    while True:
        ids = [job_id for (job_id,) in connection.execute(WAITING).fetchall() if job_id not in passed]
        if not ids:
            return done
        passed.add(ids[0])
        with alone(connection, Job.JOB, ids[0] % ID_MAX) as is_ours:
            if is_ours:
                done += _carry_out(connection, ids[0], starts, clock)


def _carry_out(connection: "psycopg.Connection[Any]", job_id: int, starts: Starts, clock: Clock) -> bool:
    """Take a job and bring it to its end."""
    taken = connection.execute(TAKE, (job_id,)).fetchone()
    if taken is None:
        return False
    kind, arguments, attempts, is_cancelled = taken
    ended: j.Result | j.Refusal
    if is_cancelled:
        ended = j.Refusal(j.CANCELLED, "cancelled")
    elif kind not in KINDS:
        ended = j.Refusal(j.REFUSED, f"this build knows no job {kind}")
    elif attempts > ATTEMPTS_MOST:
        ended = j.Refusal(j.BROKEN, f"its worker ended {ATTEMPTS_MOST} times before the job did")
    else:
        with starts(KINDS[kind].runner, arguments) as child:
            ended = _watch(connection, (job_id, attempts), KINDS[kind], child, clock)
    _end(connection, (job_id, attempts), ended)
    return True


def _watch(
    connection: "psycopg.Connection[Any]", which: tuple[int, int], kind: j.Kind, child: Child, clock: Clock
) -> "j.Result | j.Refusal":
    """What the child says, until it has said all, its time is up, or nobody wants it any more."""
    until = clock() + kind.seconds_max
    progress = j.Progress(0.0, "starting: the loop is being loaded")
    while True:
        told = connection.execute(TELL, (*progress, *which)).fetchone()
        if told is None or told[0]:
            return j.Refusal(j.CANCELLED, "cancelled")
        left = until - clock()
        if left <= 0:
            return j.Refusal(j.TIME_OUT, f"it took longer than {kind.seconds_max:g} s")
        for said in child.said(min(LOOK_S, left)):
            if not isinstance(said, j.Progress):
                return said
            progress = j.Progress(min(max(said.part, 0.0), 1.0), said.words[:WORDS_MAX])


def _end(connection: "psycopg.Connection[Any]", which: tuple[int, int], ended: "j.Result | j.Refusal") -> None:
    if isinstance(ended, j.Result):
        connection.execute(END, (j.DONE, j.DONE, "", "", json.dumps(ended.value), *which))
        return
    log.log(logging.INFO if ended.code == j.CANCELLED else logging.WARNING, "job %s: %s: %s", which[0], *ended)
    connection.execute(END, (j.FAILED, j.FAILED, ended.words[-WORDS_MAX:], ended.code, None, *which))
