"""The chain of the audit rows: what is hashed, and a walk that names the first row that does not follow.

Nothing here needs Django, so that `polytraders verify` walks the chain with any connection.
"""

import datetime as dt
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import psycopg

NOTHING: Final = bytes(32)
"""What the first row follows."""
BROKEN: Final = "GOV_AUDIT_BROKEN"
PAGE: Final = 2_000
COLUMNS: Final = (
    "id", "at", "actor", "act", "target", "reason", "before", "after", "ip", "agent", "prev_hash", "hash",
)  # fmt: skip
ROWS: Final = f"SELECT {', '.join(COLUMNS)} FROM access_audit WHERE id > %s ORDER BY id LIMIT {PAGE}"  # noqa: S608
HEAD: Final = "SELECT last_id, last_hash FROM access_audit_head"
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICRO: Final = dt.timedelta(microseconds=1)


class Wrong(NamedTuple):
    """The first row that is not what was written.

    Attributes:
        id: Of the row; of the place where it should be, when it is missing.
        field: Column.
        words: What is wrong with it.
    """

    id: int
    field: str
    words: str

    def in_words(self) -> str:
        """One line for a person."""
        return f"{BROKEN}: access_audit, row {self.id}, {self.field}: {self.words}"

    def as_dict(self) -> dict[str, Any]:
        """For a program."""
        return {"code": BROKEN, "table": "access_audit", **self._asdict()}


class Walked(NamedTuple):
    """What a walk has found.

    Attributes:
        first: Id of the first row that was read, 0 = none.
        last: Id of the last row that is as it should be, 0 = none.
        head: Its hash.
        wrong: None = every row follows from the one before it.
    """

    first: int
    last: int
    head: bytes
    wrong: Wrong | None


def spelled(value: Mapping[str, Any]) -> str:
    """A JSON object in the one spelling that is stored and hashed."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(row: Mapping[str, Any], prev_hash: bytes) -> bytes:
    """SHA-256 over the row before it and this one.

    Args:
        row: `COLUMNS` but the hashes; `at` with its zone, `before` and `after` as they are stored.
        prev_hash: 32 bytes.
    """
    told = {name: row[name] for name in COLUMNS[:-2]}
    # Microseconds as a whole number: no clock's spelling, no zone's.
    told["at"] = (row["at"] - _EPOCH) // _MICRO
    return hashlib.sha256(prev_hash + spelled(told).encode()).digest()


def pages(connection: "psycopg.Connection[Any]", after: int = 0) -> Iterator[tuple[Any, ...]]:
    """All rows after `after`, oldest first, in pages: no row count makes it hold more than one."""
    while True:
        page = connection.execute(ROWS, (after,)).fetchall()
        yield from page
        if len(page) < PAGE:
            return
        after = page[-1][0]


def walk(rows: Iterable[tuple[Any, ...]], after: int = 0, head: bytes = NOTHING) -> Walked:
    """Follow the chain.

    Args:
        rows: `COLUMNS`, ascending by id, without gaps from `after` + 1 on.
        after: Last row that is known to be good.
        head: Its hash.
    """
    first = 0
    for values in rows:
        row = dict(zip(COLUMNS, values, strict=True))
        prev_hash, own = bytes(row["prev_hash"]), bytes(row["hash"])
        wrong = None
        if row["id"] != after + 1:
            wrong = Wrong(after + 1, "id", "the row is gone")
        elif prev_hash != head:
            wrong = Wrong(row["id"], "prev_hash", "it does not follow from the row before it")
        elif digest(row, prev_hash) != own:
            wrong = Wrong(row["id"], "hash", "it is not what was written")
        if wrong is not None:
            return Walked(first, after, head, wrong)
        first, after, head = first or row["id"], row["id"], own
    return Walked(first, after, head, None)


def first_wrong(dsn: str) -> Wrong | None:
    """The first wrong row of the whole chain in one snapshot; None = it is whole.

    Raises:
        psycopg.Error: The database cannot be reached, or has no such table yet.
    """
    with psycopg.connect(dsn) as connection:
        connection.read_only = True
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        return verify(connection).wrong


def verify(connection: "psycopg.Connection[Any]", after: int = 0, head: bytes = NOTHING) -> Walked:
    """Walk the stored chain up to its head, in the connection's open transaction.

    Args:
        connection: Of any role that may read; one snapshot (repeatable read) if rows may come meanwhile.
        after: Last row that is known to be good.
        head: Its hash.
    """
    recorded = connection.execute(HEAD).fetchone()
    found = walk(pages(connection, after), after, head)
    if found.wrong is None and recorded is not None:
        # A chain whose end was cut off is whole in itself; the head says how far it went.
        if recorded[0] > found.last:
            return found._replace(wrong=Wrong(found.last + 1, "id", "the rows from here to the head are gone"))
        if recorded[0] == found.last and bytes(recorded[1]) != found.head:
            return found._replace(wrong=Wrong(found.last, "hash", "the head names another hash"))
    return found
