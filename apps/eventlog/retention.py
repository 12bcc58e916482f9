"""What the owner of the database does for the log: partitions in time, and letting whole old ones go.

By default everything is kept. With POLYTRADERS_RETENTION_DAYS blocks and outputs older than that go, always as whole
partitions, with the segments that hold nothing else, and only below an input that a believable checkpoint covers.
Controls and records stay: they are small, and they say who did what. Before anything goes, the stretch is verified and
`log_floor` gets what the chains need to begin after it.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import psycopg
from psycopg import sql

from apps.eventlog import checkpoints
from apps.eventlog.packed import PACKED
from apps.eventlog.segments import CANONICAL, RAW, canonical_folder, raw_folder
from apps.eventlog.walk import Walk

PARTITION_ROWS: Final = 200_000_000
"""Inputs of a partition; the migration made the first two."""
AHEAD: Final = 2
PARTITIONED: Final = ("log_block", "log_control", "log_output")
DROPPED: Final = ("log_block", "log_output")

OLD: Final = """
SELECT max(last_seq) FROM log_block
WHERE shard = %s AND first_seq < %s AND committed_at < clock_timestamp() - make_interval(days => %s)"""
FLOOR: Final = """
INSERT INTO log_floor (shard, first_seq, input_link, input_rest, output_link, output_links, output_last_seq)
VALUES (%s, %s, %s, %s, %s, %s, %s)"""


class Droppable(NamedTuple):
    """What the retention setting would let go.

    Attributes:
        first_seq: First input that would be kept, of every shard.
        tables: Partitions.
        files: Segments.
    """

    first_seq: dict[int, int]
    tables: tuple[str, ...]
    files: tuple[Path, ...]


def days(environ: Mapping[str, str] = os.environ) -> int | None:
    """POLYTRADERS_RETENTION_DAYS; None = keep everything.

    Raises:
        ValueError: It is set to something that is not a whole number of days from 1 on.
    """
    value = environ.get("POLYTRADERS_RETENTION_DAYS")
    if not value:
        return None
    if not re.fullmatch(r"[1-9]\d{0,4}", value):
        raise ValueError(f"POLYTRADERS_RETENTION_DAYS is {value!r}: it must be a whole number of days from 1 on")
    return int(value)


def ahead(owner: psycopg.Connection[Any], rows: int = PARTITION_ROWS) -> list[str]:
    """Make the partitions that the log will need next; to be called now and then, before they are needed.

    Args:
        owner: Connection of the owner, in autocommit.
        rows: Inputs of a partition.

    Returns:
        Partitions that were made. A range whose rows already lie in the default partition stays there.
    """
    found = owner.execute("SELECT coalesce(max(seq), 0) FROM log_head").fetchone()
    newest = (found[0] if found else 0) // rows
    made = []
    for parent in PARTITIONED:
        there = set(_partitions(owner, parent))
        for number in range(newest, newest + AHEAD + 1):
            bounds = f"FOR VALUES FROM ({number * rows}) TO ({(number + 1) * rows})"
            if number in there:
                continue
            try:
                owner.execute("SELECT eventlog_partition(%s, %s, %s)", (parent, str(number), bounds))
            except psycopg.errors.CheckViolation:
                continue
            made.append(f"{parent}_{number}")
    return made


def _partitions(owner: psycopg.Connection[Any], parent: str) -> dict[int, tuple[int, int]]:
    """Numbered partitions with their bounds."""
    told = owner.execute(
        "SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid"
        " WHERE inhparent = %s::regclass",
        (parent,),
    ).fetchall()
    found = {}
    for name, bound in told:
        ends = re.findall(r"'(\d+)'", bound)
        if len(ends) == 2:
            found[int(name.removeprefix(f"{parent}_"))] = (int(ends[0]), int(ends[1]))
    return found


def droppable(owner: psycopg.Connection[Any], home: Path, older_days: int) -> Droppable:
    """What may go.

    Args:
        owner: Connection of the owner.
        home: Folder of segments and checkpoints.
        older_days: Days after which a block may go.
    """
    shards = [row[0] for row in owner.execute("SELECT shard FROM log_head ORDER BY shard").fetchall()]
    bounds = []
    for shard in shards:
        covered = checkpoints.latest(owner, home, shard)
        found = owner.execute(OLD, (shard, covered.in_seq if covered else 0, older_days)).fetchone()
        bounds.append(min(found[0] or 0, covered.in_seq) if found and covered else 0)
    bound = min(bounds, default=0)
    numbers = [n for n, (_, end) in _partitions(owner, "log_block").items() if end <= bound]
    if not numbers:
        return Droppable({}, (), ())
    end = max(_partitions(owner, "log_block")[n][1] for n in numbers)
    firsts = {shard: _first_kept(owner, shard, end) for shard in shards}
    tables = tuple(f"{parent}_{n}" for parent in DROPPED for n in sorted(numbers))
    files = [path for shard, first in firsts.items() for path in _files_before(owner, home, shard, first)]
    return Droppable(firsts, tables, tuple(files))


def _first_kept(owner: psycopg.Connection[Any], shard: int, end: int) -> int:
    """First input of the first block that is not in a partition up to `end`."""
    found = owner.execute("SELECT min(first_seq) FROM log_block WHERE shard = %s AND first_seq >= %s", (shard, end))
    row = found.fetchone()
    return int(row[0]) if row and row[0] is not None else end


def _files_before(owner: psycopg.Connection[Any], home: Path, shard: int, first: int) -> list[Path]:
    """Segments all of whose blocks come before input `first`; names rise with time."""
    found = owner.execute(
        "SELECT segment, raw_segment FROM log_block WHERE shard = %s AND first_seq = %s", (shard, first)
    ).fetchone()
    if found is None:
        return []
    files: list[Path] = []
    for folder, suffix, kept in (
        (canonical_folder(home, shard), CANONICAL, found[0]),
        (raw_folder(home, shard), RAW, found[1]),
    ):
        there = [path for path in sorted(folder.glob(f"*{suffix}*")) if ".orphan-" not in path.name]
        files += [path for path in there if path.name.removesuffix(PACKED) < kept]
    return files


def drop(owner: psycopg.Connection[Any], home: Path, what: Droppable) -> None:
    """Let go of it: the floor is recorded and the partitions are gone in one transaction, the files after it.

    Args:
        owner: Connection of the owner, in autocommit.
        home: Folder of segments and checkpoints.
        what: From `droppable`.

    Raises:
        Corrupt: The stretch does not verify; nothing was dropped.
    """
    if not what.tables:
        return
    floors = []
    for shard, first in what.first_seq.items():
        walk = Walk(owner, home, shard)
        walk.to(first - 1)
        inputs, outputs = walk.inputs.state(), walk.outputs.state()
        floors.append((shard, first, inputs.link, inputs.rest, *outputs))
    with owner.transaction():
        for floor in floors:
            owner.execute(FLOOR, floor)
        for table in what.tables:
            parent = table.rpartition("_")[0]
            names = sql.Identifier(parent), sql.Identifier(table)
            owner.execute(sql.SQL("ALTER TABLE {} DETACH PARTITION {}").format(*names))
            owner.execute(sql.SQL("DROP TABLE {}").format(names[1]))
    for path in what.files:
        path.unlink(missing_ok=True)


def keep_within(dsn_owner: str, home: Path, older_days: int | None) -> Droppable:
    """Make partitions ahead and, when the setting says so, let old ones go: the one call of a nightly job."""
    with psycopg.connect(dsn_owner, autocommit=True) as owner:
        ahead(owner)
        if older_days is None:
            return Droppable({}, (), ())
        what = droppable(owner, home, older_days)
        drop(owner, home, what)
        return what
