"""What belongs to one correlation id, step by step: input rows, outputs, movements of the ledger, settlement."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from django.conf import settings
from django.db import connection

from apps.eventlog import reading
from apps.eventlog.faults import LogFault
from apps.eventlog.packed import Reader
from apps.eventlog.segments import batches, canonical_folder, raw_folder
from apps.ledger.models import Movement
from apps.registry.models import MarketRecord
from polytraders.contracts import checks as c
from polytraders.contracts import state as s
from polytraders.contracts.inputs import INPUT, Kind
from polytraders.contracts.reasons import by_number

AROUND: Final = 2
"""Input rows shown before the one that was decided on."""
BEHIND: Final = 1
MOVEMENTS_MOST: Final = 300
OUTPUTS_MOST: Final = 200
FRAME_MOST: Final = 4_000
"""Bytes of a raw frame that are shown."""
KINDS: Final = ("verdict", "approval", "count", "fill", "end of order", "book", "settlement")
BLOCK: Final = """
SELECT first_seq, last_seq, epoch_seq, outputs, segment, byte_from, byte_to, raw_segment, raw_from, raw_to, digest,
       output_link
FROM log_block WHERE shard = %s AND first_seq <= %s ORDER BY first_seq DESC LIMIT 1"""
OUTPUTS: Final = f"""
SELECT body FROM (
    (SELECT in_seq, ordinal, body FROM log_output WHERE shard = %(shard)s AND in_seq = %(in_seq)s
        AND market = %(market)s AND strategy = %(strategy)s AND (order_seq IS NULL OR order_seq = %(in_seq)s))
    UNION (SELECT in_seq, ordinal, body FROM log_output WHERE shard = %(shard)s AND order_seq = %(in_seq)s
        AND market = %(market)s AND strategy = %(strategy)s)
    UNION (SELECT in_seq, ordinal, body FROM log_output WHERE shard = %(shard)s AND in_seq = %(resolved)s
        AND kind = {s.SETTLED} AND market = %(market)s AND strategy IN (%(strategy)s, {s.NONE}))) AS told
ORDER BY in_seq, ordinal LIMIT {OUTPUTS_MOST}"""  # noqa: S608


@dataclass(frozen=True)
class Step:
    """One step.

    Attributes:
        what: One or two words.
        where: Input and ordinal, or the movement's id.
        ts: Loop time, ns.
        delay: Since the step before, ns; None for the first.
        words: What happened.
        code: Reason code, "" = none.
        body: JSON to be folded out.
        digest: SHA-256 of the recorded bytes, hex; "" where there are none.
        address: Page of it, "" = none.
        is_ours: False for a neighbouring input.
        stage: Number of the stage.
    """

    what: str
    where: str
    ts: int
    delay: int | None
    words: str
    code: str
    body: str
    digest: str
    address: str
    is_ours: bool
    stage: int


@dataclass(frozen=True)
class Trace:
    """All of it; `block` seals the input, `missing` says what could not be read."""

    market: MarketRecord | None
    steps: tuple[Step, ...]
    block: "reading.Sealed | None"
    missing: str
    frames: tuple[str, ...]

    @property
    def has_order(self) -> bool:
        """Whether it was approved, so that there is an order of this id."""
        return any(step.what == KINDS[s.APPROVAL] for step in self.steps)


def trace(in_seq: int, market: int, strategy: int, shard: int = 0) -> Trace | None:
    """The steps in the order of the log; None when nothing has this correlation. Four questions.

    Args:
        in_seq: Input of the decision.
        market: Its market.
        strategy: Its strategy.
        shard: Of which log.
    """
    told = MarketRecord.objects.filter(shard=shard, market=market).first()
    resolved = told.resolved_seq if told is not None else None
    wanted = {"shard": shard, "in_seq": in_seq, "market": market, "strategy": strategy, "resolved": resolved}
    with connection.cursor() as cursor:
        cursor.execute(OUTPUTS, wanted)
        found = [reading.unbody(bytes(body)) for (body,) in cursor.fetchall()]
        if not found:
            return None
        cursor.execute(BLOCK, (shard, in_seq))
        row = cursor.fetchone()
    sealed = reading.Sealed(*row) if row is not None else None
    steps: list[tuple[tuple[int, int, int], Step]] = []
    frames: tuple[str, ...] = ()
    missing = ""
    try:
        rows = _inputs(shard, sealed, in_seq)
        frames = _frames(shard, sealed, rows, in_seq)
        steps += [((int(one["in_seq"]), -1, 0), _input(one, in_seq, market)) for one in rows]
    except (LogFault, OSError) as error:
        missing = (
            f"The input rows cannot be read here: {error if isinstance(error, LogFault) else type(error).__name__}"
        )
    steps += [((int(out["in_seq"]), int(out["ordinal"]), 0), _output(out, detail)) for out, detail in found]
    steps += [((made.in_seq, made.ordinal, made.pk), _movement(made)) for made in _movements(shard, found)]
    ordered = [step for _, step in sorted(steps, key=lambda pair: pair[0])]
    return Trace(told, tuple(_delayed(ordered)), sealed, missing, frames)


def _inputs(shard: int, sealed: "reading.Sealed | None", in_seq: int) -> np.ndarray:
    """The input and its neighbours in its block."""
    if sealed is None or not sealed.first_seq <= in_seq <= sealed.last_seq:
        return np.zeros(0, INPUT)
    with Reader(canonical_folder(settings.HOME, shard), sealed.segment) as reader:
        rows = reading.sealed_rows(reader, sealed)
    at = in_seq - sealed.first_seq
    return rows[max(0, at - AROUND) : at + BEHIND + 1]


def _frames(shard: int, sealed: "reading.Sealed | None", rows: np.ndarray, in_seq: int) -> tuple[str, ...]:
    """The raw bytes that came when the input's row did, as text."""
    mine = rows[rows["in_seq"] == in_seq]
    if sealed is None or not len(mine) or mine["frame"][0] < 0 or sealed.raw_to <= sealed.raw_from:
        return ()
    path = raw_folder(settings.HOME, shard) / sealed.raw_segment
    came = int(mine["recv_ts"][0])
    return tuple(
        frame.raw[:FRAME_MOST].decode("utf-8", "replace")
        for _, batch in batches(path, sealed.raw_from, sealed.raw_to)
        for frame in batch
        if frame.recv_ts == came
    )


def _movements(shard: int, found: list[tuple[np.void, np.void | None]]) -> list[Movement]:
    events = {(int(out["in_seq"]), int(out["ordinal"])) for out, _ in found}
    rows = Movement.objects.filter(shard=shard, in_seq__in={seq for seq, _ in events})
    rows = rows.select_related("from_account", "to_account").order_by("id")[:MOVEMENTS_MOST]
    return [made for made in rows if (made.in_seq, made.ordinal) in events]


def _input(row: np.void, in_seq: int, market: int) -> Step:
    kind = Kind(int(row["kind"])) if int(row["kind"]) in set(Kind) else None
    named = {name: int(row[name]) for name in INPUT.names or ()}
    here = int(row["in_seq"])
    late = int(row["recv_ts"]) - int(row["source_ts"]) if row["source_ts"] > 0 else None
    words = "the one that was decided on" if here == in_seq else "neighbour"
    words += f", market {int(row['market'])}" if row["market"] >= 0 and int(row["market"]) != market else ""
    if late is not None:
        words += f", received {abs(late) / 1e6:,.1f} ms {'after' if late >= 0 else 'before'} the venue's own time"
    name = kind.name.lower().replace("_", " ") if kind is not None else f"kind {int(row['kind'])}"
    digest = hashlib.sha256(row.tobytes()).hexdigest()
    return Step(f"input: {name}", f"{here}", int(row["recv_ts"]), None, words, "", _json(named), digest,
                f"/replays/scrub?seq={here}", here == in_seq, 2)  # fmt: skip


def _output(out: np.void, detail: np.void | None) -> Step:
    kind = int(out["kind"])
    body = {name: int(out[name]) for name in s.OUT.names or () if name != "detail"}
    if detail is not None:
        plain = {
            name: _plain(detail[name]) for name in s.DETAIL.names or () if name not in ("values", "limits", "features")
        }
        body["detail"] = plain | {
            "features": dict(zip(s.FEATURES, detail["features"].tolist(), strict=True)),
            "votes": {
                check.name: {"value": value, "limit": limit}
                for check, value, limit in zip(
                    c.CHECKS, detail["values"].tolist(), detail["limits"].tolist(), strict=True
                )
            },
        }  # type: ignore[assignment]
    where = f"{int(out['in_seq'])}:{int(out['ordinal'])}"
    page = PAGES.get(kind)
    digest = hashlib.sha256(out.tobytes() + (b"" if detail is None else detail.tobytes())).hexdigest()
    return Step(KINDS[kind], where, int(out["ts"]), None, _words(out), _code(out), _json(body), digest,
                f"{page}{where}" if page else "", True, STAGE[kind])  # fmt: skip


PAGES: Final = {
    s.PACKET: "/decisions/", s.APPROVAL: "/decisions/", s.FILL: "/ledger/?event=", s.DONE: "/ledger/?event=",
    s.SETTLED: "/ledger/?event=",
}  # fmt: skip
"""Where one sees an output, by its kind; its number follows."""
STAGE: Final = {s.PACKET: 7, s.APPROVAL: 7, s.COUNTS: 7, s.FILL: 8, s.DONE: 8, s.BOOK: 2, s.SETTLED: 9}


def _code(out: np.void) -> str:
    kind, first = int(out["kind"]), int(out["first"])
    if kind in (s.PACKET, s.APPROVAL):
        return c.code_of(first)
    if kind in (s.DONE, s.BOOK, s.SETTLED) and first > c.APPROVED:
        return by_number(first).code
    return "EXEC_FILL" if kind == s.FILL else ""


def _words(out: np.void) -> str:
    side = f"{'SELL' if out['action'] else 'BUY'} {'NO' if out['outcome'] else 'YES'}"
    size, price, money = int(out["size"]) / 1e6, int(out["price"]) / 1e4, int(out["money"]) / 1e6
    return {
        s.PACKET: f"{side}, not approved",
        s.APPROVAL: f"{side} {size:,.2f} at most {price:.4f}, {money:,.2f} held: the order is sent",
        s.COUNTS: f"the same verdict {int(out['counted']):,} times",
        s.FILL: f"{side} {size:,.2f} at {price:.4f}, money {money:+,.2f}, fee {int(out['fee']) / 1e6:,.4f}",
        s.DONE: f"{size:,.2f} not filled, its hold is free again",
        s.SETTLED: f"{size:,.2f} {'NO' if out['outcome'] else 'YES'} paid {money:,.2f}",
    }.get(int(out["kind"]), "")


def _movement(made: Movement) -> Step:
    body = {
        name: getattr(made, name)
        for name in ("id", "in_seq", "ordinal", "part", "phase", "asset", "amount", "ts", "correlation",
                     "resolves_seq", "resolves_ordinal", "resolves_part")
    }  # fmt: skip
    body |= {"from": made.from_account.code, "to": made.to_account.code}
    way = f"from {made.from_account.code} to {made.to_account.code}"
    words = f"{made.phase.replace('_', ' ')} {made.amount / 1e6:,.2f} {way}"
    page = f"/ledger/transfers/{made.pk}"
    return Step(f"ledger: {made.part}", str(made), made.ts, None, words, "", _json(body), "", page, True, 9)


def _plain(value: Any) -> Any:
    return value.item()


def _json(value: Any) -> str:
    return json.dumps(value, indent=1)


def _delayed(steps: list[Step]) -> list[Step]:
    made = []
    before: int | None = None
    for step in steps:
        made.append(Step(**{**step.__dict__, "delay": None if before is None else step.ts - before}))
        before = step.ts
    return made
