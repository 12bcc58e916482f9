"""Kill, release, rollout and limits: one function each, for the terminal, the pages and the interface.

Nothing here prints or waits. A kill is written to the fence first, which needs only the file; then to the control
table, then to the loop's inbox. A release goes the other way round: table, fence, and last the loop, which lets the
scope trade only when the other two agree. What the loop says to a command stands in its log: `answered` looks there.
"""

import json
import uuid
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import psycopg

from apps.eventlog import inbox
from apps.eventlog.bodies import What, unpack
from apps.risk import controls
from polytraders import fence
from polytraders.config import load_limits
from polytraders.contracts.control import Killed
from polytraders.contracts.inputs import Kind
from polytraders.contracts.scope import Scope
from polytraders.contracts.state import LIMITS
from polytraders.killing import stopping
from polytraders.killing.spool import Kill

SCOPES: Final = tuple(scope.name.lower() for scope in Scope)
STAGES: Final = ("replay", "shadow", "paper", "canary", "live")
NAME_MAX: Final = 200
EXPIRES_S: Final = 60.0
ANSWER_ROWS: Final = 1_000_000
"""Inputs after which a command that expires in a minute has been answered or never will be."""
ANSWERED: Final = """
SELECT payload, in_seq FROM log_control WHERE shard = %s AND in_seq > %s AND in_seq <= %s AND kind = %s AND key = %s"""
WAITS: Final = "SELECT 1 FROM inbox WHERE key = %s"
LIMITS_NOW: Final = "SELECT body FROM log_record WHERE shard = %s AND what = %s ORDER BY in_seq DESC LIMIT 1"
PRECONDITION: Final = "GOV_RELEASE_PRECONDITION"

Connection = psycopg.Connection[Any]
Connect = Callable[[], AbstractContextManager[Connection]]
Whole = Callable[[], AbstractContextManager[Any]]


class CommandError(ValueError):
    """It cannot be asked; nothing was changed. `code` says why."""

    def __init__(self, code: str, words: str) -> None:
        """`words` are for a person."""
        super().__init__(words)
        self.code = code


class By(NamedTuple):
    """Who asks.

    Attributes:
        actor: `cli:ada`, `web:ada`, `key:reports`.
        reason: Why, "" = not said.
        key: Idempotency key of the command; made here when nobody brings one.
        shard: Whose loop.
    """

    actor: str
    reason: str = ""
    key: str = ""
    shard: int = 0


class Command(NamedTuple):
    """A command on its way to the loop.

    Attributes:
        key: Under which its answer will stand in the log.
        after_seq: Last input before it; the answer is a later one.
        shard: Whose loop.
    """

    key: str
    after_seq: int
    shard: int = 0


class Answered(NamedTuple):
    """What the loop said as which input; `code` is "" when the command was taken."""

    code: str
    words: str
    in_seq: int = 0


def kill(home: Path, connect: Connect, killed: Killed, by: By, fenced: Callable[[Kill], None]) -> Command | None:
    """Stop a scope: fence, file, table, inbox, in this order (`killing/stopping.py`).

    Args:
        home: Folder of the installation.
        connect: Gives a connection of the application's role; it is asked only when the fence is written.
        killed: What.
        by: Who, and why if it has been said.
        fenced: Called as soon as the fence is written, or could not be.

    Returns:
        None when the database cannot be reached: the fence holds, and the record follows by itself.

    Raises:
        CommandError: The scope cannot be named.
    """
    _named(killed)
    made = stopping.stop(
        home, killed.scope, killed.name, by.actor, through="terminal", reason=by.reason, key=by.key, shard=by.shard
    )
    fenced(made)
    try:
        with connect() as conn:
            after_seq = stopping.head(conn, by.shard)
            stopping.record(conn, made)
    except psycopg.OperationalError:
        return None
    return Command(made.key, after_seq, by.shard)


def release(
    home: Path,
    conn: Connection,
    killed: Killed,
    by: By,
    *,
    epoch: int | None = None,
    whole: Whole | None = None,
    noted: Callable[[], None] = lambda: None,
) -> Command:
    """Let a scope trade again: table and its commit, fence, inbox, in this order, so that a kill in between wins.

    Args:
        home: Folder of the installation.
        conn: Of the application's role, in autocommit and outside of any transaction.
        killed: What.
        by: Who and why.
        epoch: Of the fence when it was decided, 0 = there was none; a kill since then wins.
        whole: A transaction on `conn` by whoever manages it; psycopg's own by default.
        noted: Called in the transaction of the table's row, for what must be kept with it.

    Raises:
        CommandError: It has no reason, the scope cannot be named, something was killed since, or the fence is missing
            and this is not the global scope.
    """
    if not by.reason.strip():
        raise CommandError(PRECONDITION, "a release needs its reason")
    _named(killed)
    path, key, begun = home / fence.FILE, by.key or f"release:{uuid.uuid4().hex}", whole or conn.transaction
    if epoch is not None and fence.epoch(path) != epoch:
        raise CommandError(PRECONDITION, "something was killed or released since: look again")
    with begun():
        # A kill that still waits for its record is older than this release, and must stand before it.
        stopping.record_all(conn, home)
        controls.note(conn, by.shard, killed, controls.RELEASE, actor=by.actor, reason=by.reason, key=key)
        noted()
    if not fence.release(path, killed.scope, killed.name, at=epoch or None):
        raise CommandError(PRECONDITION, "the fence is missing, or something was killed since: look again")
    told = {"scope": killed.scope.name.lower(), "name": killed.name, "reason": by.reason}
    with begun():
        return put(conn, "release", "release", by._replace(key=key), told)


def rollout(conn: Connection, strategy: str, stage: str, by: By) -> Command:
    """Move a strategy on the ladder; the loop says whether it may."""
    told = {"strategy": strategy, "stage": stage, "reason": by.reason}
    return put(conn, "rollout", "rollout", by, told)


def limit(conn: Connection, name: str, value: int, by: By) -> Command:
    """Change one portfolio limit; the loop says whether the value can be."""
    return put(conn, "limit", "limits", by, {"name": name, "value": value, "reason": by.reason})


def limits_in_force(conn: Connection, shard: int = 0) -> dict[str, tuple[int, str]] | None:
    """Value and unit of each portfolio limit as the log has it; None where there is no log yet."""
    row = conn.execute(LIMITS_NOW, (shard, int(What.LIMITS))).fetchone()
    if row is None:
        return None
    record = np.frombuffer(unpack(row[0]), LIMITS)[0]
    shipped = load_limits()
    return {name: (int(record[name]), shipped[name].unit) for name in LIMITS.names or ()}


def answered(conn: Connection, command: Command) -> Answered | None:
    """What the loop has said to a command; None = nothing yet, or it was never asked."""
    last = command.after_seq + ANSWER_ROWS
    found = conn.execute(ANSWERED, (command.shard, command.after_seq, last, int(Kind.COMMAND), command.key)).fetchone()
    if found is None:
        return None
    told = json.loads(bytes(found[0]))
    return Answered(told["code"], told["words"], found[1])


def waits(conn: Connection, key: str) -> bool:
    """Whether the loop has not taken the command yet."""
    return conn.execute(WAITS, (key,)).fetchone() is not None


def _named(killed: Killed) -> None:
    if (killed.scope is Scope.GLOBAL) != (not killed.name):
        raise CommandError("GOV_COMMAND_INVALID", "the global scope has no name, every other has one")
    if "\0" in killed.name or len(killed.name) > NAME_MAX:
        raise CommandError("GOV_COMMAND_INVALID", f"a name has 1 to {NAME_MAX} characters, and no NUL")


def put(conn: Connection, kind: str, permission: str, by: By, told: Mapping[str, Any]) -> Command:
    """Put a command into the inbox of the loop, with the transaction of `conn`."""
    key = by.key or f"{kind}:{uuid.uuid4().hex}"
    after = stopping.head(conn, by.shard)
    inbox.put(conn, kind, by.actor, permission, key, told, EXPIRES_S, by.shard)
    return Command(key, after, by.shard)
