"""The log as it was written: inputs out of segments through their digests, outputs, names and what was in force."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import psycopg

from apps.eventlog.bodies import What, body, unbody, unpack
from apps.eventlog.core.lag import first_gap
from apps.eventlog.faults import Corrupt, Dropped
from apps.eventlog.packed import Reader
from apps.eventlog.segments import canonical_folder
from polytraders.contracts.inputs import INPUT, Kind
from polytraders.contracts.state import DETAIL, LIMITS, MARKET, NONE, OUT, PARAMS, STRATEGY
from polytraders.naming import Moment, Names

__all__ = ["Sealed", "blocks", "body", "inputs", "moment", "names", "outputs", "unbody"]

Rows = np.ndarray[Any, Any]
Connection = psycopg.Connection[Any]

BLOCK_ROWS: Final = 65_536
OUTPUT_ROWS: Final = 4_096
BLOCKS_AT_ONCE: Final = 2_000
PARAMETERS: Final = np.dtype([("of", "<f8", (PARAMS,))])

BLOCKS: Final = """
SELECT first_seq, last_seq, epoch_seq, outputs, segment, byte_from, byte_to, raw_segment, raw_from, raw_to, digest,
       output_link
FROM log_block WHERE shard = %s AND first_seq > %s ORDER BY first_seq LIMIT %s"""
BLOCK_OF: Final = """
SELECT coalesce(max(first_seq), 1) - 1 FROM log_block WHERE shard = %s AND first_seq <= %s"""
OUTPUTS: Final = """
SELECT in_seq, body FROM log_output WHERE shard = %s AND in_seq > %s AND in_seq <= %s
ORDER BY in_seq, ordinal LIMIT %s"""
TOLD: Final = """
SELECT kind, market, payload FROM log_control
WHERE shard = %s AND payload IS NOT NULL AND kind = ANY(%s) ORDER BY in_seq"""
IN_FORCE: Final = """
SELECT w.what, r.body FROM unnest(%s::smallint[], %s::int[]) w (what, index) CROSS JOIN LATERAL (
    SELECT body FROM log_record
    WHERE shard = %s AND what = w.what AND index = w.index AND in_seq <= %s ORDER BY in_seq DESC LIMIT 1) r"""


class Sealed(NamedTuple):
    """A row of `log_block`."""

    first_seq: int
    last_seq: int
    epoch_seq: int
    outputs: int
    segment: str
    byte_from: int
    byte_to: int
    raw_segment: str
    raw_from: int
    raw_to: int
    digest: bytes
    output_link: bytes | None


@contextmanager
def connected(dsn_or_connection: "str | Connection") -> "Iterator[Connection]":
    """A connection: the one given, or one of our own for as long as it takes."""
    if isinstance(dsn_or_connection, str):
        with psycopg.connect(dsn_or_connection, autocommit=True) as connection:
            yield connection
    else:
        yield dsn_or_connection


def floor(connection: Connection, shard: int) -> int:
    """First input that is still kept: 1, unless the retention setting has let older ones go."""
    found = connection.execute("SELECT max(first_seq) FROM log_floor WHERE shard = %s", (shard,)).fetchone()
    return found[0] if found and found[0] is not None else 1


def blocks(connection: Connection, shard: int, after: int = 0) -> Iterator[Sealed]:
    """Block rows in order, from the one that holds input `after` + 1."""
    found = connection.execute(BLOCK_OF, (shard, after + 1)).fetchone()
    last = found[0] if found else 0
    while rows := connection.execute(BLOCKS, (shard, last, BLOCKS_AT_ONCE)).fetchall():
        for row in rows:
            yield Sealed(*row)
        last = rows[-1][0]


def sealed_rows(reader: Reader, sealed: Sealed) -> Rows:
    """The inputs of one block.

    Raises:
        Corrupt: The segment does not give them any more.
    """
    where = f"block {sealed.first_seq} in segment {sealed.segment}, bytes {sealed.byte_from} to {sealed.byte_to}"
    data = reader.read(sealed.byte_from, sealed.byte_to)
    count = sealed.last_seq - sealed.first_seq + 1
    if len(data) != sealed.byte_to - sealed.byte_from or len(data) != count * INPUT.itemsize:
        raise Corrupt(f"{where}: {len(data)} bytes are there for {count} inputs")
    if hashlib.sha256(data).digest() != sealed.digest:
        raise Corrupt(f"{where}: the bytes do not give the digest that was committed")
    rows = np.frombuffer(data, INPUT)
    gap = first_gap(rows["in_seq"], sealed.first_seq - 1)
    if gap is not None:
        raise Corrupt(f"{where}: input {gap.expected} is due, {gap.found} is there")
    return rows


def inputs(
    dsn_or_connection: "str | Connection",
    home: Path,
    shard: int,
    after: int = 0,
    until: int | None = None,
    block_rows: int = BLOCK_ROWS,
) -> Iterator[Rows]:
    """Inputs of the log, each block checked by its digest.

    Args:
        dsn_or_connection: Of any role that may read.
        home: Folder that holds `canonical/`.
        shard: Number of the shard.
        after: Begin with the input after this one.
        until: Last input wanted; None = all that is committed.
        block_rows: Rows of a piece; the last one is shorter.

    Yields:
        (n,) INPUT, read-only, going on by one.

    Raises:
        Corrupt: A block is missing or damaged; the first such is named. What was yielded before is whole.
        Dropped: The retention setting has let these inputs go.
    """
    with connected(dsn_or_connection) as connection:
        first = floor(connection, shard)
        if after + 1 < first:
            raise Dropped(f"inputs {after + 1} to {first - 1} of shard {shard} are no longer kept")
        kept: list[Rows] = []
        count = 0
        for rows in _checked(connection, canonical_folder(home, shard), shard, after, until):
            kept.append(rows)
            count += len(rows)
            if count >= block_rows:
                whole = np.concatenate(kept)
                full = count - count % block_rows
                yield from (whole[at : at + block_rows] for at in range(0, full, block_rows))
                kept, count = [whole[full:]], count - full
        if count:
            yield np.concatenate(kept)


def _checked(connection: Connection, folder: Path, shard: int, after: int, until: int | None) -> Iterator[Rows]:
    reader: Reader | None = None
    due = after + 1
    try:
        for sealed in blocks(connection, shard, after):
            if until is not None and sealed.first_seq > until:
                return
            if sealed.last_seq < due:
                # It holds `after` and nothing behind it.
                continue
            if sealed.first_seq > due:
                raise Corrupt(f"log_block of shard {shard} has no block with input {due}")
            if reader is None or reader.name != sealed.segment:
                if reader is not None:
                    reader.close()
                reader = Reader(folder, sealed.segment)
            rows = sealed_rows(reader, sealed)
            last = sealed.last_seq if until is None else min(until, sealed.last_seq)
            yield rows[due - sealed.first_seq : last - sealed.first_seq + 1]
            due = sealed.last_seq + 1
    finally:
        if reader is not None:
            reader.close()


def outputs(
    connection: Connection, shard: int, after: int = 0, until: int | None = None, most: int = OUTPUT_ROWS
) -> Iterator[tuple[Rows, Rows]]:
    """Outputs as recorded, all rows of an input in one piece.

    Args:
        connection: Of any role that may read.
        shard: Number of the shard.
        after: Begin with outputs of later inputs.
        until: Last input wanted; None = all.
        most: Rows asked for at once; an input with more gets a piece of its own size.

    Yields:
        OUT rows, and the DETAIL rows that their `detail` points into.

    Raises:
        Corrupt: A body is damaged; it is named.
    """
    last = until if until is not None else 2**63 - 1
    wanted = most
    while found := connection.execute(OUTPUTS, (shard, after, last, wanted)).fetchall():
        if len(found) == wanted:
            # The rest of the last input's rows may not be among them.
            whole = [row for row in found if row[0] != found[-1][0]]
            if not whole:
                wanted *= 2
                continue
            found = whole
        yield _stacked([packed for _, packed in found], f"log_output of shard {shard}", [seq for seq, _ in found])
        after, wanted = found[-1][0], most


def _stacked(bodies: list[bytes], table: str, seqs: list[int]) -> tuple[Rows, Rows]:
    outs = np.empty(len(bodies), OUT)
    details = np.empty(len(bodies), DETAIL)
    count = 0
    for index, packed in enumerate(bodies):
        try:
            out, detail = unbody(packed)
        except Corrupt as error:
            raise Corrupt(f"{table}, input {seqs[index]}: {error.args[0]}") from error
        outs[index] = out
        if detail is not None:
            details[count] = detail
            outs["detail"][index] = count
            count += 1
        else:
            outs["detail"][index] = NONE
    return outs, details[:count].copy()


def names(connection: Connection, shard: int) -> Names:
    """What the indices in rows are called, from the payloads of control rows.

    A FACT row's payload may say {"market": index, "id", "tokens": [yes, no], "title", "cluster": name,
    "cluster_index": index}; a SETTING row's {"strategy": index, "name"}; an EPOCH row's {"venues": [...],
    "clusters": [...], "strategies": [...]}. What an index was told last holds; one never told is "".
    """
    found: dict[str, dict[int, Any]] = {key: {} for key in ("id", "tokens", "title", "strategy", "cluster", "venue")}
    kinds = [int(Kind.EPOCH), int(Kind.FACT), int(Kind.SETTING)]
    for kind, market, payload in connection.execute(TOLD, (shard, kinds)):
        told = json.loads(payload)
        if kind == Kind.FACT:
            index = int(told.get("market", market))
            found["id"].update({index: told["id"]} if "id" in told else {})
            found["tokens"].update({index: tuple(told["tokens"])} if told.get("tokens") else {})
            found["title"].update({index: told["title"]} if "title" in told else {})
            if "cluster" in told and "cluster_index" in told:
                found["cluster"][int(told["cluster_index"])] = told["cluster"]
        elif kind == Kind.SETTING and "name" in told:
            found["strategy"][int(told.get("strategy", market))] = told["name"]
        elif kind == Kind.EPOCH:
            for key, many in (("strategy", "strategies"), ("cluster", "clusters"), ("venue", "venues")):
                found[key].update(enumerate(told.get(many, ())))
    return Names(
        markets=_listed(found["id"], ""),
        tokens=_listed(found["tokens"], ()),
        strategies=_listed(found["strategy"], ""),
        clusters=_listed(found["cluster"], ""),
        venues=_listed(found["venue"], ""),
        titles=_listed(found["title"], ""),
    )


def _listed(told: dict[int, Any], absent: Any) -> tuple[Any, ...]:
    return tuple(told.get(index, absent) for index in range(max(told, default=-1) + 1))


def moment(connection: Connection, shard: int, market: int, strategy: int, in_seq: int) -> Moment:
    """What was in force when the outputs of an input were made.

    Args:
        connection: Of any role that may read.
        shard: Number of the shard.
        market: Index of the market.
        strategy: Index of the strategy.
        in_seq: The input.

    Raises:
        LookupError: Nothing was recorded for one of them at or before that input.
        Corrupt: A record is damaged.
    """
    places = {What.MARKET: market, What.STRATEGY: strategy, What.LIMITS: 0, What.PARAMS: strategy}
    asked = ([int(what) for what in places], list(places.values()), shard, in_seq)
    found = dict(connection.execute(IN_FORCE, asked).fetchall())

    def record(what: What, dtype: "np.dtype[Any]") -> Rows:
        index = places[what]
        if int(what) not in found:
            raise LookupError(f"no {what.name} {index} of shard {shard} at or before input {in_seq}")
        data = unpack(found[int(what)])
        if len(data) != dtype.itemsize:
            raise Corrupt(f"log_record {what.name} {index} of shard {shard} has {len(data)} bytes")
        return np.frombuffer(data, dtype)

    return Moment(
        record(What.MARKET, MARKET)[0],
        record(What.STRATEGY, STRATEGY)[0],
        record(What.LIMITS, LIMITS)[0],
        record(What.PARAMS, PARAMETERS)["of"][0],
    )
