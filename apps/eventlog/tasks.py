"""What is done with closed segments: a copy for the lake, then packed; and the owner's nightly care.

Each may be given out twice, at once or after a crash: a file is there whole or not at all, and what is there is not
made again. None of them writes to the log.
"""

import logging

from celery import shared_task
from django.conf import settings

from apps.eventlog import retention
from apps.eventlog.alone import Job, connected_alone
from apps.eventlog.packed import pack_closed
from apps.eventlog.segments import canonical_folder

log = logging.getLogger(__name__)


@shared_task
def export_lake(shard: int = 0) -> int:
    """Copy closed segments to the lake; how many files were made. One that is there is not made again."""
    # Takes a third of a second and is needed here only.
    from apps.eventlog.lake import Lake, export_closed  # noqa: PLC0415

    with connected_alone(settings.DATABASE_URL, Job.SEGMENTS, shard) as connection:
        if connection is None:
            return 0
        lake = Lake(settings.LAKE)
        lake.forget_partial(shard)
        made = export_closed(connection, settings.HOME, shard, lake)
    for file in made:
        log.info("lake: %s, inputs %d to %d, %d bytes", *file)
    return len(made)


@shared_task
def pack_segments(shard: int = 0) -> int:
    """Pack closed segments, a few bytes a row instead of 80; how many."""
    with connected_alone(settings.DATABASE_URL, Job.SEGMENTS, shard) as connection:
        if connection is None:
            return 0
        head = connection.execute("SELECT canonical_file FROM log_head WHERE shard = %s", (shard,)).fetchone()
        return len(pack_closed(canonical_folder(settings.HOME, shard), head[0])) if head else 0


@shared_task
def keep_within() -> int:
    """Make the log's next partitions and let go of what retention no longer keeps; how many partitions went.

    Only who has the owner's address can; in an installation that is the worker.
    """
    if not settings.DATABASE_OWNER_URL:
        log.warning("the owner's address is not known here: partitions stay as they are")
        return 0
    return len(retention.keep_within(settings.DATABASE_OWNER_URL, settings.HOME, retention.days()).tables)
