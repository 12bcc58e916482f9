"""Commands from pages to the loop: put into its inbox, and answered by its log."""

import json
import time
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import psycopg
from django.db import connection

from apps.eventlog import inbox
from polytraders.contracts.inputs import Kind
from polytraders.killing import stopping

EXPIRES_S: Final = 60.0
WAIT_S: Final = 3.0
LOOK_S: Final = 0.05
ANSWERED: Final = (
    "SELECT in_seq, payload FROM log_control WHERE shard = %s AND in_seq > %s AND kind = %s AND key = %s LIMIT 1"
)


class Answered(NamedTuple):
    """What the loop said: `code` is "" when the command was taken."""

    in_seq: int
    code: str
    words: str


def raw() -> "psycopg.Connection[Any]":
    """The driver's connection beneath Django's."""
    connection.ensure_connection()
    found: psycopg.Connection[Any] = connection.connection
    return found


def put(kind: str, permission: str, actor: str, told: Mapping[str, Any], key: str, shard: int = 0) -> int:
    """Hand a command to the loop with the caller's transaction; where the log ended, for `answer`."""
    after = stopping.head(raw(), shard)
    inbox.put(raw(), kind, actor, permission, key, told, EXPIRES_S, shard)
    return after


def find(key: str, after: int, shard: int = 0) -> Answered | None:
    """The loop's answer, None = none yet. `after` bounds the search."""
    row = raw().execute(ANSWERED, (shard, after, int(Kind.COMMAND), key)).fetchone()
    if row is None:
        return None
    told = json.loads(bytes(row[1]))
    return Answered(int(row[0]), told["code"], told["words"])


def answer(key: str, after: int, wait_s: float | None = None, shard: int = 0) -> Answered | None:
    """Wait for the loop's answer; call it outside of a transaction."""
    ends = time.monotonic() + (WAIT_S if wait_s is None else wait_s)
    while True:
        found = find(key, after, shard)
        if found is not None or time.monotonic() >= ends:
            return found
        time.sleep(LOOK_S)
