"""The act itself, whoever asks: the fence first, then a file, then table and inbox.

The fence needs nothing but its file. What comes after it is record, and may come late.
"""

import time
import uuid
from pathlib import Path
from typing import Any, Final, NamedTuple

import psycopg

from apps.eventlog import inbox
from apps.risk import controls
from polytraders import fence
from polytraders.contracts.control import Killed
from polytraders.contracts.scope import Scope
from polytraders.killing import spool
from polytraders.killing.spool import Kill

PERMISSION: Final = "kill"
EXPIRES_S: Final = 60.0
KILL_KIND: Final = 19
"""contracts/inputs.py Kind.KILL, which this process does not load for its numpy; a test compares the two."""
COMMITTED: Final = """
SELECT c.in_seq, extract(epoch FROM b.committed_at)::float8
FROM log_control c JOIN log_block b ON b.shard = c.shard AND b.first_seq <= c.in_seq AND b.last_seq >= c.in_seq
WHERE c.shard = %s AND c.in_seq > %s AND b.first_seq > %s - 20000 AND c.kind = %s
  AND b.committed_at >= to_timestamp(%s) ORDER BY c.in_seq LIMIT 1"""
OPEN: Final = "SELECT count(*) FROM oms_order WHERE shard = %s AND is_open"
HEAD: Final = "SELECT seq FROM log_head WHERE shard = %s"


class Seen(NamedTuple):
    """What the log has of a kill: the input, and the wall clock of its commit, ns."""

    in_seq: int
    at_ns: int


def stop(
    home: Path, scope: Scope, name: str, actor: str, *, through: str, reason: str = "", session: str = "",
    began: float | None = None, shard: int = 0,
) -> Kill:  # fmt: skip
    """Write the fence, then keep the kill in its file.

    Args:
        home: Folder of the installation.
        scope: What.
        name: Which, "" = the global scope.
        actor: Who.
        through: Which door: endpoint, console, drill.
        reason: Why, "" = asked afterwards.
        session: Digest of the session.
        began: `perf_counter` when the request arrived.
        shard: Whose loop.

    Raises:
        FenceError: The name is missing or too long; nothing was done.
        OSError: The fence is written and the file is not.
    """
    began = time.perf_counter() if began is None else began
    at_ns, trouble = time.time_ns(), ""
    try:
        fence.kill(home / fence.FILE, scope, name)
    except OSError as error:
        # Table and inbox may still stop it.
        trouble = str(error)
    took_us = round(1e6 * (time.perf_counter() - began))
    kill = Kill(
        f"kill:{uuid.uuid4().hex}", scope.name.lower(), name, actor, reason, at_ns, took_us, trouble, through, session,
        shard,
    )  # fmt: skip
    spool.keep(home, kill)
    return kill


def record(conn: "psycopg.Connection[Any]", kill: Kill) -> bool:
    """Control table and inbox, both or neither and once only; False when they had it already.

    Only who writes the table's row puts the command in: a kill that is told again later must not undo a release.
    """
    with conn.transaction():
        scope = Scope[kill.scope.upper()]
        fresh = controls.note(
            conn, kill.shard, Killed(scope, kill.name), controls.KILL, actor=kill.actor, reason=kill.reason,
            key=kill.key,
        )  # fmt: skip
        if fresh:
            told = {"scope": kill.scope, "name": kill.name, "reason": kill.reason}
            inbox.put(conn, "kill", kill.actor, PERMISSION, kill.key, told, EXPIRES_S, kill.shard)
    return fresh


def record_all(conn: "psycopg.Connection[Any]", home: Path) -> int:
    """Record whatever waits in files, oldest first; how many were new to the database."""
    return sum(record(conn, kill) for kill in spool.waiting(home))


def seen(conn: "psycopg.Connection[Any]", kill: Kill, after: int) -> Seen | None:
    """The first KILL input behind `after` that was committed since the kill was asked for; None = not yet."""
    row = conn.execute(COMMITTED, (kill.shard, after, after, KILL_KIND, kill.at_ns / 1e9)).fetchone()
    return None if row is None else Seen(row[0], round(row[1] * 1e9))


def head(conn: "psycopg.Connection[Any]", shard: int = 0) -> int:
    """Where the log ends."""
    row = conn.execute(HEAD, (shard,)).fetchone()
    return 0 if row is None else int(row[0])


def open_orders(conn: "psycopg.Connection[Any]", shard: int = 0) -> int:
    """Orders that have not ended."""
    row = conn.execute(OPEN, (shard,)).fetchone()
    return 0 if row is None else int(row[0])
