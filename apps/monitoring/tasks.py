"""Looks at the system from outside the loop: is it alive, is there room, does anything wait, are the tables right?"""

import logging
import shutil
import time
from typing import Final, NamedTuple

from celery import shared_task
from django.conf import settings
from django.db import DatabaseError, connection

from apps.eventlog.alone import Job, connected_alone
from apps.monitoring import projecting
from apps.monitoring.models import LoopRecord

log = logging.getLogger(__name__)

LOOP_AGE_S_MAX: Final = 10.0
INBOX_AGE_S_MAX: Final = 30.0
FREE_BYTES_MIN: Final = 2 << 30
FREE_SHARE_MIN: Final = 0.05
DRIFT: Final = "GOV_PROJECTION_DRIFT"
WAITING: Final = """
SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0) FROM inbox WHERE shard = %s"""


class Wrong(NamedTuple):
    """Something that somebody should look at."""

    code: str
    words: str


def wrongs(shard: int) -> list[Wrong]:
    """Everything that is wrong now.

    Raises:
        DatabaseError: The database cannot be asked.
    """
    found = []
    loop = LoopRecord.objects.filter(shard=shard).only("at_ns").first()
    age_s = (time.time_ns() - loop.at_ns) / 1e9 if loop else None
    if age_s is None or age_s > LOOP_AGE_S_MAX:
        said = "never said anything" if age_s is None else f"said nothing for {age_s:.0f} s"
        found.append(Wrong("GOV_LOOP_SILENT", f"the loop of shard {shard} has {said}"))
    free = shutil.disk_usage(settings.HOME)
    if free.free < FREE_BYTES_MIN or free.free < FREE_SHARE_MIN * free.total:
        found.append(Wrong("GOV_DISK_LOW", f"{free.free >> 20:,} MB of {free.total >> 20:,} MB are free"))
    with connection.cursor() as cursor:
        cursor.execute(WAITING, (shard,))
        count, oldest_s = cursor.fetchone()
    if count and oldest_s > INBOX_AGE_S_MAX:
        found.append(Wrong("GOV_INBOX_BACKLOG", f"{count:,} commands wait, the oldest for {oldest_s:.0f} s"))
    return found


@shared_task
def check_health(shard: int = 0) -> list[str]:
    """Say what is wrong, with its code, in the log; the codes."""
    try:
        found = wrongs(shard)
    except DatabaseError as error:
        # Who asks is not the one who keeps the log; it has its own code for this.
        connection.close()
        log.error("the database cannot be asked: %s", str(error).strip().partition("\n")[0])
        return []
    for wrong in found:
        log.error("%s: %s", *wrong)
    return [wrong.code for wrong in found]


@shared_task
def check_projections(shard: int = 0) -> list[str]:
    """Compare every table that is made from the log with the log; the tables that differ. Nothing is changed."""
    with connected_alone(settings.DATABASE_URL, Job.PROJECTIONS, shard) as own:
        if own is None:
            return []
        try:
            found = projecting.rebuild(settings.DATABASE_URL or "", shard, only_check=True)
        except LookupError:
            return []
    wrong = [line for line in found if not line.is_equal]
    for line in wrong:
        log.error("%s: %s: %d missing, %d surplus", DRIFT, line.table, line.missing, line.surplus)
    return [line.table for line in wrong]
