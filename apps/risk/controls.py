"""Kills and releases as they were asked for: the table that, beside fence and log, may say that a scope is killed.

Append only. The newest row of a scope is its word.
"""

from typing import Any, Final

import psycopg

from polytraders.contracts.control import Killed
from polytraders.contracts.scope import Scope

KILL, RELEASE = "kill", "release"

NOTE: Final = """
INSERT INTO risk_control (shard, scope, name, act, actor, reason, key) VALUES (%s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (key) DO NOTHING"""
NEWEST: Final = """
SELECT scope, name FROM (
    SELECT DISTINCT ON (scope, name) scope, name, act FROM risk_control WHERE shard = %s ORDER BY scope, name, id DESC
) AS newest WHERE act = 'kill'"""


def note(
    conn: psycopg.Connection[Any], shard: int, killed: Killed, act: str, *, actor: str, reason: str, key: str
) -> bool:
    """Write down a kill or a release; the same key is written once, and False says that it had been.

    Args:
        conn: Of the application's role.
        shard: Whose.
        killed: The scope.
        act: KILL or RELEASE.
        actor: Who.
        reason: Why, "" = not said yet.
        key: Of the command that goes with it.
    """
    return conn.execute(NOTE, (shard, int(killed.scope), killed.name, act, actor, reason, key)).rowcount == 1


def killed(conn: psycopg.Connection[Any], shard: int) -> frozenset[Killed]:
    """Every scope whose newest row is a kill."""
    return frozenset(Killed(Scope(scope), name) for scope, name in conn.execute(NEWEST, (shard,)))
