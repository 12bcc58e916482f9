"""Last run of each regular job, signs of life of worker and beat, and an alert for a job that fails. Told by Celery."""

import logging
import os
import time
from collections.abc import Callable
from typing import Any, Final

import celery
from celery.signals import before_task_publish, task_failure, task_prerun, task_success
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.models import F
from django.utils import timezone

from apps.monitoring import alerting
from apps.monitoring.models import AlertRecord, PulseRecord, TaskRecord
from polytraders.logs import without_secrets

log = logging.getLogger(__name__)

FAILED: Final = "GOV_JOB_FAILED"
OURS: Final = ("apps.", "polytraders.")
PULSE_S: Final = 5.0
TOLD_MOST: Final = 300

_beaten: dict[str, float] = {}


def pulse(name: str, **told: Any) -> None:
    """A process lives, or a look was taken."""
    PulseRecord.objects.update_or_create(name=name, defaults={"at": timezone.now(), "told": told})


def began(name: str) -> None:
    """A job begins."""
    at = timezone.now()
    TaskRecord.objects.get_or_create(name=name, defaults={"started_at": at})
    TaskRecord.objects.filter(name=name).update(started_at=at, runs=F("runs") + 1)


def ended(name: str, told: str) -> None:
    """A job has ended as it should; an alert about it is over."""
    TaskRecord.objects.filter(name=name).update(ended_at=timezone.now(), is_ok=True, told=told[:TOLD_MOST])
    alerting.over(AlertRecord.objects.filter(code=FAILED, scope=f"job {name}", is_open=True))


def failed(name: str, error: str) -> None:
    """A job has failed."""
    words = without_secrets(error)[:TOLD_MOST]
    TaskRecord.objects.filter(name=name).update(
        ended_at=timezone.now(), is_ok=False, told=words, failures=F("failures") + 1
    )
    alerting.raised(alerting.Seen(FAILED, f"job {name}", words), "job")


def _safely(act: Callable[..., None], *args: Any, **told: Any) -> None:
    """What is said about a job never makes the job fail."""
    try:
        act(*args, **told)
    except DatabaseError as error:
        connection.close()
        log.warning("not told: %s", str(error).strip().partition("\n")[0])


def _beat(name: str) -> None:
    if time.monotonic() - _beaten.get(name, -PULSE_S) < PULSE_S:
        return
    _beaten[name] = time.monotonic()
    _safely(pulse, name, pid=os.getpid(), celery=celery.__version__)


@task_prerun.connect
def on_begin(task: Any = None, **_signal: Any) -> None:
    """A worker begins a task."""
    if task.name.startswith(OURS):
        _beat("worker")
        _safely(began, task.name)


@task_success.connect
def on_success(sender: Any = None, result: Any = None, **_signal: Any) -> None:
    """A task has ended."""
    if sender.name.startswith(OURS):
        _safely(ended, sender.name, "" if result is None else str(result))


@task_failure.connect
def on_failure(sender: Any = None, exception: Any = None, **_signal: Any) -> None:
    """A task has raised."""
    if sender.name.startswith(OURS):
        _safely(failed, sender.name, f"{type(exception).__name__}: {exception}".partition("\n")[0])


@before_task_publish.connect
def on_publish(**_signal: Any) -> None:
    """Beat gives out a task. Others do so too; they are not the clock."""
    if settings.PROCESS == "beat":
        _beat("beat")
