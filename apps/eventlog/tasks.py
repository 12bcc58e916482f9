"""What is done with closed segments: a copy for the lake, then packed.

Each may be given out twice, at once or after a crash: a file is there whole or not at all, and what is there is not
made again. Neither writes to the log.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from celery import shared_task
from django.conf import settings

from apps.eventlog.alone import Job, alone
from apps.eventlog.packed import pack_closed
from apps.eventlog.segments import canonical_folder

log = logging.getLogger(__name__)


@contextmanager
def _at_segments(shard: int) -> Iterator[psycopg.Connection[Any] | None]:
    with (
        psycopg.connect(settings.DATABASE_URL, autocommit=True) as connection,
        alone(connection, Job.SEGMENTS, shard) as is_ours,
    ):
        yield connection if is_ours else None


@shared_task
def export_lake(shard: int = 0) -> int:
    """Copy closed segments to the lake; how many files were made. One that is there is not made again."""
    # Takes a third of a second and is needed here only.
    from apps.eventlog.lake import Lake, export_closed  # noqa: PLC0415

    with _at_segments(shard) as connection:
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
    with _at_segments(shard) as connection:
        if connection is None:
            return 0
        head = connection.execute("SELECT canonical_file FROM log_head WHERE shard = %s", (shard,)).fetchone()
        return len(pack_closed(canonical_folder(settings.HOME, shard), head[0])) if head else 0
