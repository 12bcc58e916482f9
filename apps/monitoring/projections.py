"""What each stage has done, counted, and which scopes are killed: from control inputs and output rows."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from psycopg import Cursor

from polytraders.contracts import checks as c
from polytraders.contracts import state as s
from polytraders.contracts.inputs import Kind
from polytraders.contracts.reasons import number
from polytraders.contracts.stretch import Stretch, control_rows

TABLES: Final = ("monitoring_stage", "monitoring_scope", "monitoring_strategy", "monitoring_code")
CODE_NS: Final = 600_000_000_000
"""Codes are counted by ten minutes of loop time."""
SAYS_CODE: Final = (Kind.REFUSED, Kind.GAP)
"""Kinds of control inputs whose `a` is the number of a code."""
CONTROLS: Final = {
    Kind.FACT: (1, "facts"), Kind.REFUSED: (2, "refused"), Kind.GAP: (2, "gaps"), Kind.RESOLVED: (9, "resolutions"),
    Kind.EPOCH: (3, "epochs"), Kind.KILL: (11, "kills"), Kind.RELEASE: (11, "releases"),
    Kind.ROLLOUT: (11, "rollouts"), Kind.LIMIT: (11, "limits"),
}  # fmt: skip
"""Stage and counter of each kind of control input that has one."""
OUTS: Final = {
    s.APPROVAL: (7, "approvals"), s.FILL: (8, "fills"), s.DONE: (8, "ends"), s.SETTLED: (9, "payouts"),
    s.BOOK: (2, "book changes"),
}  # fmt: skip


class _Counts:
    """Counters of one stretch with the time of their last."""

    def __init__(self) -> None:
        self.count: Counter[tuple[int, str]] = Counter()
        self.last_ts: dict[tuple[int, str], int] = {}

    def add(self, stage: int, what: str, rows: np.ndarray, count: int | None = None, ts: str = "ts") -> None:
        """Count the rows, or `count` where a row stands for more than one."""
        if len(rows):
            self.count[stage, what] += len(rows) if count is None else count
            self.last_ts[stage, what] = int(rows[ts].max())


def apply(cursor: Cursor[Any], stretch: Stretch) -> None:
    """Bring the tables up to the end of the stretch, in the caller's transaction."""
    rows = control_rows(stretch.controls)
    counts = _counted(stretch, rows)
    keys = sorted(counts.count)
    if keys:
        cursor.execute(
            "INSERT INTO monitoring_stage (shard, stage, what, count, last_ts)"
            " SELECT %s, * FROM unnest(%s::int[], %s::text[], %s::bigint[], %s::bigint[])"
            " ON CONFLICT (shard, stage, what) DO UPDATE SET count = monitoring_stage.count + excluded.count,"
            " last_ts = greatest(monitoring_stage.last_ts, excluded.last_ts)",
            (
                stretch.shard,
                [stage for stage, _ in keys],
                [what for _, what in keys],
                [counts.count[key] for key in keys],
                [counts.last_ts.get(key) for key in keys],
            ),
        )
    codes = _codes(stretch, rows)
    if codes:
        cursor.execute(
            "INSERT INTO monitoring_code (shard, ts, code, count)"
            " SELECT %s, * FROM unnest(%s::bigint[], %s::int[], %s::bigint[])"
            " ON CONFLICT (shard, ts, code) DO UPDATE SET count = monitoring_code.count + excluded.count",
            (stretch.shard, *([key[part] for key in codes] for part in (0, 1)), list(codes.values())),
        )
    for scope in _scopes(stretch, rows):
        cursor.execute(
            'INSERT INTO monitoring_scope (shard, scope, "index", is_killed, in_seq, ts, actor, reason)'
            ' VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (shard, scope, "index") DO UPDATE SET'
            " is_killed = excluded.is_killed, in_seq = excluded.in_seq, ts = excluded.ts, actor = excluded.actor,"
            " reason = excluded.reason",
            scope,
        )
    for strategy, change in sorted(_strategies(stretch, rows).items()):
        cursor.execute(
            "INSERT INTO monitoring_strategy (shard, strategy, name, stage, changed_seq) VALUES (%s, %s, %s, %s, %s)"
            " ON CONFLICT (shard, strategy) DO UPDATE SET name = coalesce(%s, monitoring_strategy.name),"
            " stage = coalesce(%s, monitoring_strategy.stage), changed_seq = excluded.changed_seq",
            (
                *(stretch.shard, strategy, change.get("name", ""), change.get("stage"), change["changed_seq"]),
                *(change.get("name"), change.get("stage")),
            ),
        )


def _counted(stretch: Stretch, rows: np.ndarray) -> _Counts:
    counts, outs = _Counts(), stretch.outs
    for kind, (stage, what) in CONTROLS.items():
        counts.add(stage, what, rows[rows["kind"] == kind], ts="recv_ts")
    counts.count[2, "rows"] += stretch.inputs - len(rows)
    counts.count[3, "inputs"] += stretch.inputs
    counts.add(3, "outputs", outs)
    for said, (stage, what) in OUTS.items():
        counts.add(stage, what, outs[outs["kind"] == said])
    counted = outs[(outs["counted"] > 0) & (outs["counted_first"] != s.NONE)]
    counts.add(7, "evaluations", counted, int(counted["counted"].sum()))
    decided = outs[(outs["kind"] == s.PACKET) | (outs["kind"] == s.APPROVAL)]
    counts.add(7, "packets", decided)
    if len(decided):
        details = stretch.details[decided["detail"]]
        two_sided = (details["best_bid"] != s.NONE) & (details["best_ask"] != s.NONE)
        measured = (details["quality"] == s.BOOK_OK) & two_sided
        counts.add(4, "measured", decided[measured])
        counts.add(5, "forecasts", decided[measured & (decided["votes"] >> c.FAIR_VALUE & 1 == 0)])
        counts.add(6, "estimates", decided[details["filled"] > 0])
    counts.count = Counter({key: count for key, count in counts.count.items() if count})
    return counts


def _codes(stretch: Stretch, rows: np.ndarray) -> Counter[tuple[int, int]]:
    """How often each code was said, by the beginning of its ten minutes and its number."""
    found: Counter[tuple[int, int]] = Counter()
    outs = stretch.outs
    counted = outs[(outs["counted"] > 0) & (outs["counted_first"] != s.NONE)]
    for ts, first, count in _plain(counted, "ts", "counted_first", "counted"):
        found[ts // CODE_NS * CODE_NS, number(c.code_of(first))] += count
    for ts, code in _plain(outs[outs["kind"] == s.DONE], "ts", "first"):
        found[ts // CODE_NS * CODE_NS, code] += 1
    for ts, code in _plain(rows[np.isin(rows["kind"], SAYS_CODE) & (rows["a"] > 0)], "recv_ts", "a"):
        found[ts // CODE_NS * CODE_NS, code] += 1
    return found


def _plain(rows: np.ndarray, *names: str) -> Iterator[tuple[int, ...]]:
    return zip(*(rows[name].tolist() for name in names), strict=True)


def _strategies(stretch: Stretch, rows: np.ndarray) -> dict[int, dict[str, Any]]:
    changes: dict[int, dict[str, Any]] = {}
    for row, (_, _, _, payload) in zip(rows, stretch.controls, strict=True):
        if row["kind"] == Kind.ROLLOUT:
            said: dict[str, Any] = {"stage": int(row["size"])}
        elif row["kind"] == Kind.SETTING and payload:
            name = json.loads(payload).get("name")
            said = {"name": _text(name)} if isinstance(name, str) else {}
        elif row["kind"] == Kind.EPOCH and payload:
            for index, name in enumerate(json.loads(payload).get("strategies") or ()):
                changes.setdefault(index, {}).update(name=_text(name), changed_seq=int(row["in_seq"]))
            continue
        else:
            continue
        changes.setdefault(int(row["market"]), {}).update(said, changed_seq=int(row["in_seq"]))
    return changes


def _text(said: Any) -> str:
    """What PostgreSQL can hold of a text that somebody else wrote."""
    return str(said or "").replace("\x00", "")


def _scopes(stretch: Stretch, rows: np.ndarray) -> Iterator[tuple[Any, ...]]:
    for row, (_, actor, _, payload) in zip(rows, stretch.controls, strict=True):
        if row["kind"] in (Kind.KILL, Kind.RELEASE):
            said = json.loads(payload) if payload else {}
            reason = _text(said.get("reason"))
            killed = bool(row["kind"] == Kind.KILL)
            # A global kill covers the whole shard, whatever number stands in its row.
            yield (
                stretch.shard, int(row["price"]), int(row["size"]) if row["price"] else 0, killed, int(row["in_seq"]),
                int(row["recv_ts"]), actor, reason,
            )  # fmt: skip
