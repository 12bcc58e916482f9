"""The nightly replay: the whole log through this build's loop, in a process of its own, and its report kept."""

import json
import logging
import os
import signal
import subprocess
import sys
import time
from typing import Any, Final

from celery import shared_task
from django.conf import settings

from apps.eventlog.alone import Job, connected_alone
from apps.replay import scoring
from apps.replay.jobs import work
from apps.replay.models import ReplayRecord
from polytraders.tied import tied_to

__all__ = ["replay_log", "score", "work"]

log = logging.getLogger(__name__)

REPORTED: Final = (0, 1)
"""Exit codes with a report: parity, and a difference."""
NICE: Final = 15
SECONDS_MAX: Final = 6 * 3_600.0
WORDS_MAX: Final = 2_000


@shared_task
def replay_log(shard: int = 0) -> str:
    """Replay a shard's log and keep the report; its code, "" when another replay is at it.

    The loop is not disturbed: the replay reads only, and gives way to whatever else wants the processor.
    """
    with connected_alone(settings.DATABASE_URL, Job.REPLAY, shard) as connection:
        if connection is None:
            return ""
        record = _kept(shard)
    level = logging.INFO if record.verdict_code == "GOV_REPLAY_MATCH" else logging.ERROR
    log.log(level, "%s: %s %s", record.verdict_code, record, record.first_difference)
    return record.verdict_code


@shared_task
def score(shard: int = 0) -> int:
    """Judge forecasts and fills that can be judged by now; how many markets and orders."""
    with connected_alone(settings.DATABASE_URL, Job.SCORES, shard) as connection:
        if connection is None:
            return 0
        return scoring.score_markets(connection, shard) + scoring.score_orders(connection, shard)


def _kept(shard: int) -> ReplayRecord:
    began = time.monotonic()
    try:
        code, out, words = _run(shard)
        report = json.loads(out) if code in REPORTED else None
    except (subprocess.TimeoutExpired, ValueError) as error:
        report, words = None, str(error)
    seconds = round(time.monotonic() - began, 3)
    if report is None:
        return ReplayRecord.objects.create(
            shard=shard, verdict_code="GOV_REPLAY_ABORTED", first_difference=words[-WORDS_MAX:], seconds=seconds
        )
    return ReplayRecord.objects.create(shard=shard, seconds=seconds, report=report, **columns(report))


def columns(report: dict[str, Any]) -> dict[str, Any]:
    """What a row says of a report beside the whole of it."""
    same = ("verdict_code", "input_head", "output_head", "chain_head", "events_per_second", "build")
    found = {name: report[name] for name in same}
    found |= {name: report["log"][name] for name in ("from_seq", "to_seq", "parity", "drift")}
    return {**found, "first_difference": report["first_difference"] or ""}


def _run(shard: int) -> tuple[int, str, str]:
    """Exit code, report and last words of `polytraders replay log`; it ends with us, however we end."""
    command = [sys.executable, "-m", "polytraders.cli", "replay", "log", "--shard", str(shard), "--json"]
    environ = {**os.environ, "DATABASE_URL": settings.DATABASE_URL or "", "POLYTRADERS_HOME": str(settings.HOME)}
    with subprocess.Popen(  # noqa: S603  our own command
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environ,
        cwd=settings.BASE_DIR,
        preexec_fn=tied_to(os.getpid(), signal.SIGKILL),  # noqa: PLW1509  one system call and nothing else
    ) as process:
        try:
            os.setpriority(os.PRIO_PROCESS, process.pid, NICE)
            out, words = process.communicate(timeout=SECONDS_MAX)
        except BaseException:
            process.kill()
            raise
    return process.returncode, out, words.strip()
