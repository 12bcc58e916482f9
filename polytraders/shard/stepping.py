"""From sequenced rows to a block that can be committed: drives the loop and notes what was in force when it mattered.

Rows that change what is in force (facts, ticks, limits, settings, parameters) are stepped apart from market data, so
that the records noted behind them are those that every later packet was made with.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np

from apps.eventlog.bodies import What
from apps.eventlog.store import Record
from apps.ledger.verification import MOVING
from apps.replay.runner import Drive
from polytraders.contracts import state as s
from polytraders.contracts.inputs import Kind

FORCES: Final = {
    Kind.FACT: What.MARKET,
    Kind.TICK_SIZE: What.MARKET,
    Kind.SETTING: What.STRATEGY,
    Kind.ROLLOUT: What.STRATEGY,
    Kind.PARAM: What.PARAMS,
    Kind.LIMIT: What.LIMITS,
}
"""What a kind of input changes."""


class Stepped(NamedTuple):
    """What rows came to.

    Attributes:
        outs: OUT rows, `detail` pointing into `details`.
        details: DETAIL rows.
        records: What is in force behind the rows that changed it.
        approved: An approval is among the outputs.
        moved: Money or shares moved.
    """

    outs: np.ndarray
    details: np.ndarray
    records: list[Record]
    approved: bool
    moved: bool


def step(drive: Drive, rows: np.ndarray) -> Stepped:
    """Drive rows, in log order, through the loop.

    Raises:
        KernelFault: The loop refused to go on.
    """
    outs: list[np.ndarray] = []
    details: list[np.ndarray] = []
    records: list[Record] = []
    offset = 0
    for part, changes in stretches(rows):
        for out, detail in drive.outputs(part):
            if len(out):
                kept = out.copy()
                kept["detail"] = np.where(kept["detail"] >= 0, kept["detail"] + offset, kept["detail"])
                outs.append(kept)
                details.append(detail.copy())
                offset += len(detail)
        if changes:
            records += in_force(drive.state, part)
    made = np.concatenate(outs) if outs else np.zeros(0, s.OUT)
    numbers = np.concatenate(details) if details else np.zeros(0, s.DETAIL)
    kinds = made["kind"]
    approved = bool((kinds == s.APPROVAL).any())
    moved = bool(np.isin(kinds, sorted(MOVING)).any() or (rows["kind"] == Kind.CAPITAL).any())
    return Stepped(made, numbers, records, approved, moved)


def stretches(rows: np.ndarray) -> Iterator[tuple[np.ndarray, bool]]:
    """The rows cut where they begin or cease to change what is in force, and whether they do."""
    changes = np.isin(rows["kind"], list(FORCES))
    cuts = np.flatnonzero(np.diff(changes)) + 1
    for part in np.split(np.arange(len(rows)), cuts):
        if len(part):
            yield rows[part[0] : part[-1] + 1], bool(changes[part[0]])


def in_force(state: s.State, rows: np.ndarray) -> list[Record]:
    """The records that `rows` changed, as they are behind them."""
    last: dict[tuple[What, int], int] = {}
    for in_seq, kind, market in zip(
        rows["in_seq"].tolist(), rows["kind"].tolist(), rows["market"].tolist(), strict=True
    ):
        what = FORCES[Kind(kind)]
        last[what, 0 if what == What.LIMITS else market] = in_seq
    tables = {
        What.MARKET: state.markets,
        What.STRATEGY: state.strategies,
        What.LIMITS: state.limits,
        What.PARAMS: state.params,
    }
    return [Record(what, index, in_seq, tables[what][index].tobytes()) for (what, index), in_seq in last.items()]
