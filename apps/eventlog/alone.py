"""One job at a time: a task that is given out twice must not be done twice at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import Any, Final

import psycopg

from apps.eventlog.faults import Unavailable

CLASS: Final = 0x504F4A00
"""First half of the advisory lock's key, with the job; the second is the shard. The writer's has another."""


class Job(IntEnum):
    """What is done alone."""

    SEGMENTS = 1  # closed segments are read and packed
    REPLAY = 2
    PROJECTIONS = 3
    RECORD = 8  # log and ledger are proved
    WORK = 4  # places at the bench of jobs; the number is the place's
    JOB = 5  # one job; the number is its own
    SCORES = 7
    BOOKS = 6


@contextmanager
def alone(connection: psycopg.Connection[Any], job: Job, shard: int) -> Iterator[bool]:
    """Whether nobody else is at the same job of the same shard; held until the block ends, or the connection does.

    Args:
        connection: In autocommit: a job must not keep a transaction open.
        job: What is to be done.
        shard: Of which log.
    """
    key = (CLASS | job, shard)
    found = connection.execute("SELECT pg_try_advisory_lock(%s, %s)", key).fetchone()
    is_ours = bool(found and found[0])
    try:
        yield is_ours
    finally:
        if is_ours:
            connection.execute("SELECT pg_advisory_unlock(%s, %s)", key)


@contextmanager
def connected_alone(dsn: str | None, job: Job, shard: int) -> Iterator[psycopg.Connection[Any] | None]:
    """A connection in autocommit for a job that is done alone; None when somebody else is at it.

    Args:
        dsn: Of any role; None = the settings name no database.
        job: What is to be done.
        shard: Of which log.

    Raises:
        Unavailable: There is no database to connect to.
    """
    if not dsn:
        raise Unavailable("DATABASE_URL is not set")
    with psycopg.connect(dsn, autocommit=True) as connection, alone(connection, job, shard) as is_ours:
        yield connection if is_ours else None
