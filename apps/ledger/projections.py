"""Positions as rows, from fills and payouts, with the loop's own rounding of average cost; and what is sold off."""

from typing import Any, Final

import numpy as np
from psycopg import Cursor

from polytraders.contracts import state as s
from polytraders.contracts.inputs import Kind, Scope
from polytraders.contracts.stretch import Stretch, control_rows

TABLES: Final = ("ledger_position", "ledger_flatten")
Key = tuple[int, int, int]
"""market, strategy, outcome."""
SIZE, COST, REALISED, FEES, TS, SEQ = range(6)


def apply(cursor: Cursor[Any], stretch: Stretch) -> None:
    """Bring the table up to the end of the stretch, in the caller's transaction."""
    _flatten(cursor, stretch)
    outs = stretch.outs
    # A payout that was refused moved nothing and belongs to no strategy.
    told = outs[(outs["kind"] == s.FILL) | (outs["kind"] == s.SETTLED) & (outs["strategy"] != s.NONE)]
    if not len(told):
        return
    held = _held(cursor, stretch.shard, {_key(out) for out in told})
    for out in told:
        position = held.setdefault(_key(out), [0, 0, 0, 0, 0, 0])
        if out["kind"] == s.FILL and out["action"] == s.BUY:
            position[SIZE] += int(out["size"])
            position[COST] += int(out["money"])
        else:
            received = -int(out["money"]) if out["kind"] == s.FILL else int(out["money"])
            _sold(position, int(out["size"]), received)
        position[FEES] += int(out["fee"])
        position[REALISED] -= int(out["fee"])
        position[TS], position[SEQ] = int(out["ts"]), int(out["in_seq"])
    cursor.executemany(
        "INSERT INTO ledger_position (shard, market, strategy, outcome, size, cost, realised, fees, changed_ts,"
        " changed_seq) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (shard, market, strategy, outcome)"
        " DO UPDATE SET size = excluded.size, cost = excluded.cost, realised = excluded.realised, fees = excluded.fees,"
        " changed_ts = excluded.changed_ts, changed_seq = excluded.changed_seq",
        [(stretch.shard, *key, *position) for key, position in sorted(held.items())],
    )


def _flatten(cursor: Cursor[Any], stretch: Stretch) -> None:
    rows = control_rows(stretch.controls)
    for row, (_, actor, _, _) in zip(rows, stretch.controls, strict=True):
        if row["kind"] != Kind.FLATTEN:
            continue
        scope = int(row["price"])
        index = 0 if scope == Scope.GLOBAL else int(row["size"])
        cursor.execute(
            'INSERT INTO ledger_flatten (shard, scope, "index", is_on, in_seq, ts, actor)'
            ' VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (shard, scope, "index") DO UPDATE SET'
            " is_on = excluded.is_on, in_seq = excluded.in_seq, ts = excluded.ts, actor = excluded.actor",
            (stretch.shard, scope, index, bool(row["a"]), int(row["in_seq"]), int(row["recv_ts"]), actor),
        )


def _key(out: np.void) -> Key:
    return int(out["market"]), int(out["strategy"]), int(out["outcome"])


def _sold(position: list[int], size: int, received: int) -> None:
    # The last share takes the rest of the cost, as in core/positions.py; Python's integers need no long division.
    cost = position[COST] if size >= position[SIZE] else position[COST] * size // position[SIZE]
    position[SIZE] -= size
    position[COST] -= cost
    position[REALISED] += received - cost


def _held(cursor: Cursor[Any], shard: int, keys: set[Key]) -> dict[Key, list[int]]:
    columns = [list(column) for column in zip(*sorted(keys), strict=True)]
    cursor.execute(
        "SELECT market, strategy, outcome, size, cost, realised, fees, changed_ts, changed_seq FROM ledger_position"
        " WHERE shard = %s AND (market, strategy, outcome) IN"
        " (SELECT * FROM unnest(%s::int[], %s::int[], %s::int[]))",
        (shard, *columns),
    )
    return {(market, strategy, outcome): list(rest) for market, strategy, outcome, *rest in cursor.fetchall()}
