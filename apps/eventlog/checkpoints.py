"""The loop's memory on disk, so that a restart need not read the whole log: a hint, never truth.

A file is believed only if its own header, its SHA-256 and the row in `log_checkpoint` agree; anything else is passed
over with a code, and the next older one is tried.
"""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import psycopg
import zstandard

from apps.eventlog.segments import sync_folder
from apps.eventlog.store import nothing

UNUSABLE: Final = "GOV_CHECKPOINT_UNUSABLE"
KEPT: Final = 24
LEVEL: Final = 1
"""A state is mostly zeros; more effort buys little."""
VERSION: Final = 1
MAGIC: Final = b"polytraders checkpoint\n"
HEAD_MAX: Final = 4_096

ROW: Final = """
INSERT INTO log_checkpoint (shard, in_seq, state_hash, build_hash, file, bytes) VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT DO NOTHING"""
NEWEST: Final = """
SELECT in_seq, state_hash, build_hash, file FROM log_checkpoint
WHERE shard = %s AND in_seq <= %s ORDER BY in_seq DESC, made_at DESC"""
OLD: Final = """
DELETE FROM log_checkpoint WHERE shard = %(shard)s AND (in_seq, build_hash) NOT IN (
    SELECT in_seq, build_hash FROM log_checkpoint WHERE shard = %(shard)s ORDER BY in_seq DESC LIMIT %(kept)s)
RETURNING file"""


class Checkpoint(NamedTuple):
    """A state that was kept: after which input, and the block."""

    in_seq: int
    block: np.ndarray[Any, Any]


class Unusable(Exception):  # noqa: N818  what is said of a file
    """A checkpoint that is not believed, and why."""


def folder_of(home: Path, shard: int) -> Path:
    """Where a shard's checkpoints lie."""
    return home / "checkpoints" / str(shard)


def save(
    home: Path,
    connection: psycopg.Connection[Any],
    shard: int,
    in_seq: int,
    state_block: np.ndarray[Any, Any],
    build_hash: bytes,
    *,
    reached: Callable[[str], None] = nothing,
) -> Path:
    """Keep the state after an input that is committed.

    Args:
        home: Folder that holds `checkpoints/`.
        connection: Of the application's role, in autocommit.
        shard: Number of the shard.
        in_seq: Last input the state has seen.
        state_block: uint8, the whole block; not changed meanwhile.
        build_hash: Of the build that made it.
        reached: Told the name of each point that a crash may fall on.

    Returns:
        The file.

    Raises:
        OSError: It cannot be written; older ones are untouched.
    """
    folder = folder_of(home, shard)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    data = np.ascontiguousarray(state_block).view(np.uint8).data
    state_hash = hashlib.sha256(data).digest()
    head = {"version": VERSION, "shard": shard, "in_seq": in_seq, "bytes": data.nbytes, "build": build_hash.hex()}
    text = json.dumps({**head, "sha256": state_hash.hex()}, sort_keys=True).encode()
    name = f"{in_seq:020d}-{build_hash.hex()[:12]}.state"
    partial = folder / f"{name}.partial"
    with partial.open("wb") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(MAGIC + text + b"\n")
        with zstandard.ZstdCompressor(level=LEVEL).stream_writer(file, size=data.nbytes, closefd=False) as writer:
            writer.write(data)
        file.flush()
        os.fsync(file.fileno())
    reached("checkpoint written")
    path = partial.replace(folder / name)
    sync_folder(folder)
    reached("checkpoint named")
    row = (shard, in_seq, state_hash, build_hash, name, path.stat().st_size)
    connection.execute(ROW, row)
    for (old,) in connection.execute(OLD, {"shard": shard, "kept": KEPT}).fetchall():
        (folder / old).unlink(missing_ok=True)
    for left in folder.glob("*.partial"):
        left.unlink(missing_ok=True)
    return path


def latest(
    connection: psycopg.Connection[Any],
    home: Path,
    shard: int,
    build_hash: bytes | None = None,
    *,
    until: int = 2**63 - 1,
    passed_over: Callable[[str, str], None] | None = None,
) -> Checkpoint | None:
    """The newest state that can be believed.

    Args:
        connection: Of any role that may read.
        home: Folder that holds `checkpoints/`.
        shard: Number of the shard.
        build_hash: Only of this build; None = of any.
        until: Last input it may have seen: the head's, or the one before a moment that is to be explained.
        passed_over: Told the code and the words about each one that is not believed.

    Returns:
        None when there is none; the log itself has everything.
    """
    rows = connection.execute(NEWEST, (shard, until)).fetchall()
    for in_seq, state_hash, made_by, name in rows:
        try:
            if build_hash is not None and bytes(made_by) != build_hash:
                raise Unusable("another build made it")
            return Checkpoint(in_seq, _read(folder_of(home, shard) / name, shard, in_seq, bytes(state_hash)))
        except (Unusable, OSError, ValueError, KeyError, TypeError, zstandard.ZstdError) as error:
            if passed_over is not None:
                passed_over(UNUSABLE, f"{name}: {error}")
    return None


def _read(path: Path, shard: int, in_seq: int, state_hash: bytes) -> np.ndarray[Any, Any]:
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise Unusable("it is no checkpoint")
        head = json.loads(file.readline(HEAD_MAX))
        if head["version"] > VERSION:
            raise Unusable(f"it has version {head['version']}, this build knows {VERSION}")
        if (head["shard"], head["in_seq"], head["sha256"]) != (shard, in_seq, state_hash.hex()):
            raise Unusable("it is not the one that was recorded")
        block = np.zeros(int(head["bytes"]), np.uint8)
        with zstandard.ZstdDecompressor().stream_reader(file) as reader:
            filled = 0
            while filled < len(block) and (count := reader.readinto(block.data[filled:])):
                filled += count
            if filled != len(block) or reader.read(1):
                raise Unusable("it has another length than it says")
    if hashlib.sha256(block.data).digest() != state_hash:
        raise Unusable("its bytes do not give its hash")
    return block
