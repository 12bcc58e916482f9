"""Commands on their way to the loop: anyone who may puts one in, the loop takes it, its block deletes it.

Taking changes nothing, so a loop that dies before its block is committed finds the command again. The channel `inbox`
of LISTEN only wakes; a command is found without it too.
"""

import json
from collections.abc import Collection, Mapping
from typing import Any, Final, NamedTuple

import psycopg

EXPIRED: Final = "GOV_COMMAND_EXPIRED"
CHANNEL: Final = "inbox"
MOST: Final = 256
PAYLOAD_MAX: Final = 65_536
LIFE_MAX_S: Final = 7 * 86_400

PUT: Final = """
INSERT INTO inbox (shard, kind, actor, permission, key, payload, expires_at)
VALUES (%s, %s, %s, %s, %s, %s, clock_timestamp() + make_interval(secs => %s))
ON CONFLICT (key) DO NOTHING"""
TAKE: Final = """
SELECT id, kind, actor, permission, key, payload, expires_at <= clock_timestamp()
FROM inbox WHERE shard = %s AND id <> ALL(%s) ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED"""


class InboxRow(NamedTuple):
    """A command that waits.

    Attributes:
        id: Of the row; the block that consumes it names it.
        kind: What is to be done: kill, release, rollout, limit, market, …
        actor: Who wants it.
        permission: By what right, checked by whoever put it in.
        key: Idempotency key.
        payload: What exactly.
        code: Reason for which it must not be done, None = it may be.
    """

    id: int
    kind: str
    actor: str
    permission: str
    key: str
    payload: dict[str, Any]
    code: str | None


def put(
    connection: psycopg.Connection[Any] | psycopg.Cursor[Any],
    kind: str,
    actor: str,
    permission: str,
    key: str,
    payload: Mapping[str, Any],
    expires_s: float,
    shard: int = 0,
) -> bool:
    """Hand a command to the loop.

    Args:
        connection: Of the application's role; outside of autocommit the command leaves with the caller's commit.
        kind: Lower-case word.
        actor: Who.
        permission: By what right.
        key: Whatever is put in twice with the same key is done once, while the first still waits.
        payload: What exactly, as JSON; at most 64 KB.
        expires_s: Seconds after which it must not be done any more, above 0 and at most a week.
        shard: Whose loop.

    Returns:
        False when a command with that key waits already.

    Raises:
        ValueError: A value is outside its bounds; nothing was put in.
    """
    text = json.dumps(dict(payload), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    if len(text.encode()) > PAYLOAD_MAX:
        raise ValueError(f"the payload has more than {PAYLOAD_MAX} bytes")
    if not 0 < expires_s <= LIFE_MAX_S:
        raise ValueError(f"a command lives for up to {LIFE_MAX_S} seconds, not {expires_s}")
    if not all(0 < len(word) <= 200 for word in (actor, permission, key)):
        raise ValueError("actor, permission and key have 1 to 200 characters")
    if not (kind.isascii() and kind.replace("_", "a").isalpha() and kind.islower() and len(kind) <= 32):
        raise ValueError(f"{kind!r} is no kind of command")
    return connection.execute(PUT, (shard, kind, actor, permission, key, text, expires_s)).rowcount == 1


def take(
    connection: psycopg.Connection[Any], shard: int, most: int = MOST, *, held: Collection[int] = ()
) -> list[InboxRow]:
    """Commands that wait, oldest first.

    Args:
        connection: Of the application's role. In autocommit the rows are free again at once; inside a transaction
            another taker passes over them until it ends, and so does the block that deletes them.
        shard: Whose.
        most: Commands at once.
        held: Rows taken before whose block is not committed yet.

    Returns:
        Commands; one that came too late has the code GOV_COMMAND_EXPIRED, and is still to be consumed.
    """
    rows = connection.execute(TAKE, (shard, [*held], most)).fetchall()
    return [
        InboxRow(number, kind, actor, permission, key, json.loads(payload), EXPIRED if late else None)
        for number, kind, actor, permission, key, payload, late in rows
    ]
