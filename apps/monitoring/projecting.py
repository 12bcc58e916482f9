"""All projections together: brought up to date by the loop with each block, and rebuilt or checked from the log.

The same functions do both. A rebuild writes them into temporary tables of the same names, which stand before the real
ones for its own connection alone; only then are the two compared, and the real ones replaced.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

import numpy as np
import psycopg
from psycopg import sql

from apps.eventlog import reading
from apps.eventlog.store import nothing
from apps.ingest import projections as ingest
from apps.ledger import projections as ledger
from apps.monitoring import projections as monitoring
from apps.oms import projections as oms
from apps.registry import projections as registry
from apps.risk import projections as risk
from polytraders.contracts.state import DETAIL, OUT
from polytraders.contracts.stretch import Control, Stretch

ALL: Final = (registry, ingest, risk, oms, ledger, monitoring)
TABLES: Final = tuple(table for projection in ALL for table in projection.TABLES)
CONTROLS_AT_ONCE: Final = 10_000
CONTROLS: Final = """
SELECT "row", actor, key, payload FROM log_control WHERE shard = %s AND in_seq <= %s ORDER BY in_seq"""


class Found(NamedTuple):
    """What a rebuild found in one table.

    Attributes:
        table: Its name.
        rows: How many rows the log gives.
        missing: Rows that the log gives and the table did not have.
        surplus: Rows that the table had and the log does not give.
    """

    table: str
    rows: int
    missing: int
    surplus: int

    @property
    def is_equal(self) -> bool:
        """Whether the table was as the log says."""
        return self.missing == self.surplus == 0


def apply(cursor: psycopg.Cursor[Any], stretch: Stretch, *, reached: Callable[[str], None] = nothing) -> None:
    """Bring every projection up to the end of the stretch, in the transaction that appends it.

    Args:
        cursor: Of that transaction.
        stretch: What is appended.
        reached: Told the point between two projections that a crash may fall on.
    """
    for projection in ALL:
        projection.apply(cursor, stretch)
        if projection is oms:
            reached("mid projection")


def rebuild(dsn: str, shard: int, *, only_check: bool = False) -> list[Found]:
    """Make all projections of a shard from its log, in one transaction.

    The head's row is locked meanwhile: a running loop waits with its next block, readers see the rows of before. A mere
    check locks nothing: it looks at one snapshot, and the loop goes on.

    Args:
        dsn: Of the app role or the owner.
        shard: Which log.
        only_check: Compare and leave everything as it is.

    Raises:
        LookupError: The shard has no log.
    """
    with psycopg.connect(dsn, prepare_threshold=None) as writer, psycopg.connect(dsn) as reader:
        cursor = writer.cursor()
        if only_check:
            writer.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        lock = sql.SQL("" if only_check else " FOR UPDATE")
        cursor.execute(sql.SQL("SELECT seq FROM log_head WHERE shard = %s{}").format(lock), (shard,))
        head = cursor.fetchone()
        if head is None:
            raise LookupError(f"shard {shard} has no log")
        for table in TABLES:
            cursor.execute(
                sql.SQL("CREATE TEMP TABLE {0} (LIKE public.{0} INCLUDING ALL) ON COMMIT DROP").format(
                    sql.Identifier(table)
                )
            )
        for stretch in stretches(reader, shard, int(head[0])):
            apply(cursor, stretch)
        found = [_compared(cursor, shard, table) for table in TABLES]
        if not only_check:
            for line in found:
                if not line.is_equal:
                    _replace(cursor, shard, line.table)
    return found


def stretches(conn: psycopg.Connection[Any], shard: int, last_seq: int) -> Iterator[Stretch]:
    """The log of a shard up to an input, as stretches.

    No projection looks at controls and outputs together, so they come apart. What a running loop appends meanwhile
    comes after `last_seq`.
    """
    outs, details = np.zeros(0, OUT), np.zeros(0, DETAIL)
    told = 0
    with conn.cursor("controls") as cursor:
        cursor.execute(CONTROLS, (shard, last_seq))
        while found := cursor.fetchmany(CONTROLS_AT_ONCE):
            controls: list[Control] = [(bytes(row), actor, key, payload) for row, actor, key, payload in found]
            told += len(controls)
            yield Stretch(shard, last_seq, len(controls), controls, outs, details)
    yield Stretch(shard, last_seq, last_seq - told, (), outs, details)
    for outs, details in reading.outputs(conn, shard, until=last_seq):
        yield Stretch(shard, last_seq, 0, (), outs, details)


def _compared(cursor: psycopg.Cursor[Any], shard: int, table: str) -> Found:
    name = sql.Identifier(table)
    cursor.execute(
        sql.SQL(
            "SELECT (SELECT count(*) FROM pg_temp.{0}),"
            " (SELECT count(*) FROM (SELECT * FROM pg_temp.{0}"
            " EXCEPT ALL SELECT * FROM public.{0} WHERE shard = {1}) AS missing),"
            " (SELECT count(*) FROM (SELECT * FROM public.{0} WHERE shard = {1}"
            " EXCEPT ALL SELECT * FROM pg_temp.{0}) AS surplus)"
        ).format(name, sql.Literal(shard))
    )
    rows, missing, surplus = cursor.fetchone() or (0, 0, 0)
    return Found(table, rows, missing, surplus)


def _replace(cursor: psycopg.Cursor[Any], shard: int, table: str) -> None:
    name = sql.Identifier(table)
    cursor.execute(sql.SQL("DELETE FROM public.{} WHERE shard = {}").format(name, sql.Literal(shard)))
    cursor.execute(sql.SQL("INSERT INTO public.{0} SELECT * FROM pg_temp.{0}").format(name))
