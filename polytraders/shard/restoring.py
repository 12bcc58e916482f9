"""Where the last run ended: state, names and open holds, from the nearest checkpoint and the inputs behind it.

A checkpoint is a hint. Without one, or with one that cannot be used, everything is folded from the first input, and the
result is the same. Outputs of the fold are not written again: the log has them.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import psycopg

from apps.eventlog import checkpoints, reading
from apps.eventlog.store import Head
from apps.replay.runner import Drive, Kernel
from polytraders.contracts import state as s
from polytraders.contracts.inputs import INPUT, Kind
from polytraders.kernel import block
from polytraders.shard import snapshots
from polytraders.shard.directory import Directory, read_identity
from polytraders.venues.polymarket.listing import Listing

TOLD: Final = """
SELECT DISTINCT ON (market) payload FROM log_control
WHERE shard = %s AND kind = %s AND payload IS NOT NULL ORDER BY market, in_seq DESC"""
ROWS: Final = "SELECT row FROM log_control WHERE shard = %s AND kind = %s ORDER BY in_seq"


class Restored(NamedTuple):
    """What a run begins with.

    Attributes:
        drive: The loop over the restored state.
        from_seq: Input of the checkpoint, 0 = folded from the beginning.
        folded: Inputs stepped again.
    """

    drive: Drive
    from_seq: int
    folded: int


def restore(
    conn: psycopg.Connection[Any],
    home: Path,
    head: Head,
    kernel: Kernel,
    sizes: s.Sizes,
    build: bytes,
) -> Restored:
    """The state behind the log's last committed input.

    Args:
        conn: Reads the log.
        home: Folder with segments and checkpoints.
        head: Where the log ends.
        kernel: The compiled loop.
        sizes: What the block is to have room for.
        build: Build hash; a checkpoint of another build is not used.

    Raises:
        Corrupt: The log is not what was committed.
        KernelFault: The loop refused to go on.
    """
    state, from_seq = None, 0
    for found in _usable(conn, home, head, build):
        try:
            state, from_seq = snapshots.unpack(found.block, sizes), found.in_seq
            break
        except ValueError:
            # Of other sizes, or damaged in a way its hash does not tell: folding gives the same state.
            state = None
    drive = Drive(kernel, state if state is not None else block.new_block(sizes))
    folded = 0
    for rows in reading.inputs(conn, home, head.shard, after=from_seq, until=head.seq):
        for _ in drive.outputs(rows):
            pass
        folded += len(rows)
    return Restored(drive, from_seq, folded)


def _usable(conn: psycopg.Connection[Any], home: Path, head: Head, build: bytes) -> Iterator[checkpoints.Checkpoint]:
    """States to begin with, best first: the one that the last run handed over, whatever its build, then our own's.

    Behind a state of another build nothing may be folded: this build might decide otherwise than what is recorded.
    """
    handed = checkpoints.latest(conn, home, head.shard, until=head.seq) if head.seq else None
    if handed is not None and handed.in_seq == head.seq:
        yield handed
    own = checkpoints.latest(conn, home, head.shard, build, until=head.seq) if head.seq else None
    if own is not None:
        yield own


def strategy_names(conn: psycopg.Connection[Any], shard: int) -> tuple[str, ...]:
    """Strategies of the log, in the order of their indices."""
    return tuple(reading.names(conn, shard).strategies)


def restore_directory(conn: psycopg.Connection[Any], shard: int, directory: Directory) -> None:
    """Names and newest listings of every market that the log has told, and the payouts of those that have resolved."""
    listings: dict[int, Listing] = {}
    for (payload,) in conn.execute(TOLD, (shard, int(Kind.FACT))):
        index, listing = read_identity(bytes(payload))
        if listing is not None:
            listings[index] = listing
    directory.restore(reading.names(conn, shard), listings)
    for (row,) in conn.execute(ROWS, (shard, int(Kind.RESOLVED))):
        resolved = np.frombuffer(row, INPUT)[0]
        directory.note_resolved(int(resolved["market"]), int(resolved["size"]))
