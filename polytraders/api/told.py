"""The log as envelopes: what has been decided, ordered, filled and controlled, each with its place.

A place is `in_seq` for a control input and `in_seq:ordinal` for an output, which comes after its input. Each row of the
log is one envelope, whichever topics ask for it, so a place is enough to go on from.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np

from apps.eventlog import reading
from apps.oms.models import FillRecord
from apps.oms.projections import FILLED
from polytraders.api.places import iso, market_ref, markets, strategies
from polytraders.contracts import checks as c
from polytraders.contracts import state as s
from polytraders.contracts.inputs import INPUT, Kind, Scope, Stage
from polytraders.contracts.market import Action, Outcome
from polytraders.contracts.reasons import by_number
from polytraders.contracts.stretch import ORDINAL_BITS, SEQ_BITS, row_id
from polytraders.naming import correlation

SCHEMA: Final = 1
DIGITS_MOST: Final = 13
ROWS_MOST: Final = 200
SPAN: Final = 200_000
"""Inputs that one look covers at most, so that it is short however rare the topic is."""
INPUT_ITSELF: Final = -1
"""Ordinal of a control input: before all its outputs."""
LAST: Final = (1 << ORDINAL_BITS) - 1
"""Ordinal after which an input has no more outputs."""

APPROVED, REJECTED, WAITING, FILL, ENDED = (
    "envelope.approved", "envelope.rejected", "envelope.waiting", "order.filled", "order.ended",
)  # fmt: skip
TOPICS: Final[dict[str, frozenset[int]]] = {
    "decisions": frozenset({s.PACKET, s.APPROVAL}),
    "orders": frozenset({s.APPROVAL, s.FILL, s.DONE}),
    "fills": frozenset({s.FILL}),
    "controls": frozenset(),
    "loop": frozenset(),
}
"""Kinds of output rows that a topic wants."""
CONTROLS: Final = {
    kind: f"control.{kind.name.lower()}"
    for kind in (Kind.KILL, Kind.RELEASE, Kind.ROLLOUT, Kind.LIMIT, Kind.CAPITAL, Kind.RESOLVED, Kind.FLATTEN,
                 Kind.COMMAND, Kind.EPOCH)
}  # fmt: skip
OUTPUTS: Final = """
SELECT in_seq, ordinal, body FROM log_output
WHERE shard = %s AND (in_seq, ordinal) > (%s, %s) AND in_seq <= %s AND kind = ANY(%s)
ORDER BY in_seq, ordinal LIMIT %s"""
INPUTS: Final = """
SELECT in_seq, kind, actor, key, row, payload FROM log_control
WHERE shard = %s AND in_seq > %s AND in_seq <= %s AND kind = ANY(%s) ORDER BY in_seq LIMIT %s"""
HEAD: Final = "SELECT seq FROM log_head WHERE shard = %s"


class Place(NamedTuple):
    """Where something stands in the log."""

    in_seq: int
    ordinal: int = INPUT_ITSELF

    def __str__(self) -> str:
        """As envelopes say it."""
        return str(self.in_seq) if self.ordinal == INPUT_ITSELF else f"{self.in_seq}:{self.ordinal}"


@dataclass(frozen=True)
class Envelope:
    """One event.

    Attributes:
        place: In the log.
        ts: Loop time, ns UTC.
        kind: What happened.
        correlation_id: What decision, order and fills have in common; "" = none.
        causation_id: Input that caused an output; key of the command that caused a control.
        payload: Names and integers.
    """

    place: Place
    ts: int
    kind: str
    correlation_id: str
    causation_id: str
    payload: dict[str, Any]

    def told(self, prev_hash: str | None = None) -> tuple[dict[str, Any], str]:
        """As it is sent, and its hash: the SHA-256 of all the rest as canonical JSON."""
        body = {
            "seq": str(self.place), "ts": self.ts, "at": iso(self.ts), "kind": self.kind, "schema": SCHEMA,
            "correlation_id": self.correlation_id, "causation_id": self.causation_id, "payload": self.payload,
            "prev_hash": prev_hash,
        }  # fmt: skip
        digest = hashlib.sha256(canonical(body)).hexdigest()
        return body | {"hash": digest}, digest


def canonical(body: Mapping[str, Any]) -> bytes:
    """JSON with sorted keys and no spaces, UTF-8."""
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def place(told: str) -> Place | None:
    """A place from `in_seq` or `in_seq:ordinal`; None if it is none."""
    head, mark, tail = told.partition(":")
    parts = [head, tail] if mark else [head]
    if not all(part.isascii() and part.isdigit() and len(part) <= DIGITS_MOST for part in parts):
        return None
    found = Place(*map(int, parts))
    return found if found.in_seq < 1 << SEQ_BITS and found.ordinal <= LAST else None


def head(conn: Any, shard: int) -> int:
    """Last input that is committed; 0 without a log."""
    found = conn.execute(HEAD, (shard,)).fetchone()
    return found[0] if found else 0


def floor(conn: Any, shard: int) -> int:
    """First input that is still kept."""
    return reading.floor(conn, shard)


def read(
    conn: Any, shard: int, after: Place, topics: Collection[str], most: int = ROWS_MOST
) -> tuple[list[Envelope], Place]:
    """What comes after a place, oldest first.

    Args:
        conn: psycopg connection of the application's role.
        shard: Whose log.
        after: Where to go on.
        topics: Of TOPICS; each is asked for its kinds only.
        most: Envelopes at once.

    Returns:
        Envelopes, and the place up to which there is nothing else; it moves on even when nothing is of the topics.
    """
    end = min(head(conn, shard), after.in_seq + SPAN)
    kinds = sorted(set().union(*(TOPICS[topic] for topic in topics)))
    outs = conn.execute(OUTPUTS, (shard, *after, end, kinds, most)).fetchall() if kinds else []
    wanted = [int(kind) for kind in CONTROLS] if "controls" in topics else []
    ins = conn.execute(INPUTS, (shard, after.in_seq, end, wanted, most)).fetchall() if wanted else []
    rows = sorted([*((Place(*row[:2]), row) for row in outs), *((Place(row[0]), row) for row in ins)])[:most]
    full = len(outs) == most or len(ins) == most
    reached = rows[-1][0] if rows and full else max(after, Place(end, LAST))
    return _envelopes(shard, rows), reached


def newest(conn: Any, shard: int, before: int, most: int) -> list[Envelope]:
    """Control inputs before an input, newest first."""
    rows = conn.execute(
        "SELECT in_seq, kind, actor, key, row, payload FROM log_control WHERE shard = %s AND in_seq < %s"
        " ORDER BY in_seq DESC LIMIT %s",
        (shard, before, most),
    ).fetchall()
    return _envelopes(shard, [(Place(row[0]), row) for row in rows])


def _envelopes(shard: int, rows: Iterable[tuple[Place, tuple[Any, ...]]]) -> list[Envelope]:
    names = strategies(shard)
    opened: list[tuple[Place, Any, Any]] = [
        (at, *reading.unbody(bytes(row[2]))) if at.ordinal != INPUT_ITSELF else (at, row, None) for at, row in rows
    ]
    outs = [out for at, out, _ in opened if at.ordinal != INPUT_ITSELF]
    known = markets(shard, (int(out["market"]) for out in outs))
    ids = [row_id(shard, *at) for at, out, _ in opened if at.ordinal != INPUT_ITSELF and int(out["kind"]) == s.FILL]
    codes = dict(FillRecord.objects.filter(id__in=ids).values_list("id", "code")) if ids else {}
    found = []
    for at, out, detail in opened:
        if at.ordinal == INPUT_ITSELF:
            found.append(_control(at, out, names))
            continue
        about = {
            "market": market_ref(int(out["market"]), known).model_dump(),
            "strategy": names.get(int(out["strategy"])) or f"strategy {int(out['strategy'])}",
            "action": Action(int(out["action"])).name,
            "outcome": Outcome(int(out["outcome"])).name,
        }
        found.append(_output(at, out, detail, about, codes.get(row_id(shard, *at)) == FILLED))
    return found


def _output(at: Place, out: Any, detail: Any, about: dict[str, Any], is_whole: bool) -> Envelope:
    kind, market, strategy = int(out["kind"]), int(out["market"]), int(out["strategy"])
    order = correlation(int(out["order_seq"]), market, strategy)
    if kind in (s.PACKET, s.APPROVAL):
        name, said = _decided(out, detail)
        order = correlation(at.in_seq, market, strategy)
        said |= {"decision": str(at)}
    elif kind == s.FILL:
        name = FILL
        said = {
            "order": order, "fill": str(at), "price": int(out["price"]), "size": int(out["size"]),
            "money": int(out["money"]), "fee": int(out["fee"]), "is_maker": bool(out["votes"] != 0),
            "is_whole": is_whole,
        }  # fmt: skip
    else:
        name = ENDED
        said = {"order": order, "cancelled": int(out["size"]), "reason_code": by_number(int(out["first"])).code}
    return Envelope(at, int(out["ts"]), name, order, f"input:{at.in_seq}", about | said)


def _decided(out: Any, detail: Any) -> tuple[str, dict[str, Any]]:
    bits, is_approved = int(out["votes"]), int(out["kind"]) == s.APPROVAL
    name = APPROVED if is_approved else WAITING if bits == 1 << c.RANK else REJECTED
    said: dict[str, Any] = {"reason_code": c.code_of(int(out["first"]))}
    if is_approved:
        said |= {"price": int(out["price"]), "approved_size": int(out["size"])}
    if detail is not None and detail["filled"] > 0:
        said |= {key: int(detail[key]) for key in ("p_own", "q_exec", "fee", "buffer", "net_edge")}
    return name, said


def _control(at: Place, row: tuple[Any, ...], names: Mapping[int, str]) -> Envelope:
    _, kind, actor, key, packed, payload = row
    told = np.frombuffer(bytes(packed), INPUT)[0]
    name = CONTROLS.get(Kind(kind), f"control.{Kind(kind).name.lower()}")
    said: dict[str, Any] = {"actor": actor}
    if kind in (Kind.KILL, Kind.RELEASE, Kind.FLATTEN):
        said |= {"scope": Scope(int(told["price"])).name.lower(), "index": int(told["size"])}
    elif kind == Kind.ROLLOUT:
        index = int(told["market"])
        said |= {"strategy": names.get(index) or f"strategy {index}", "stage": Stage(int(told["size"])).name.lower()}
    else:
        said |= {"index": int(told["price"]), "value": int(told["size"])}
    if kind == Kind.COMMAND and int(told["b"]):
        said["reason_code"] = by_number(int(told["b"])).code
    said["told"] = _payload(payload)
    return Envelope(at, int(told["recv_ts"]), name, "", key, said)


def _payload(payload: Any) -> Any:
    """What was said with it; None where nothing was, or nothing that can be read."""
    try:
        return None if payload is None else json.loads(bytes(payload))
    except ValueError:
        return None
