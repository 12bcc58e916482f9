"""Explain one moment: drive the source up to an input, make every strategy of its market say its decision in full."""

from collections.abc import Iterable
from typing import NamedTuple, Protocol

import numpy as np

from apps.replay.runner import Runner
from polytraders.contracts import state as s
from polytraders.contracts.decision import DecisionPacket
from polytraders.contracts.inputs import Kind
from polytraders.explain import explain
from polytraders.naming import Names


class Run(Protocol):
    """A replay of whatever source.

    Attributes:
        names: What indices are called.
    """

    names: Names

    @property
    def runner(self) -> Runner:
        """The run, which may change its state's room between two blocks."""

    def packet(self, out: np.void, detail: np.void) -> DecisionPacket:
        """A decision of the last input in full."""


class Explained(NamedTuple):
    """The answer: `decided` is False where no decision was made at that input."""

    text: str
    decided: bool


def explained(run: Run, blocks: Iterable[np.ndarray], in_seq: int) -> Explained:
    """Replay the blocks up to `in_seq` and tell its decisions, those that were only counted included."""
    for rows in blocks:
        last = int(rows["in_seq"][-1])
        if last < in_seq:
            run.runner.feed(rows)
            continue
        at = in_seq - int(rows["in_seq"][0])
        if at < 0:
            return Explained(f"input numbers begin with 1; there is no {in_seq}", False)
        if at > 0:
            run.runner.feed(rows[:at])
        return _at(run, rows[at : at + 1])
    return Explained(f"the source ends at input {run.runner.inputs.rows:,}; there is no {in_seq:,}", False)


def _at(run: Run, row: np.ndarray) -> Explained:
    market = int(row["market"][0])
    if market >= 0:
        # No verdict compares equal to this, so each strategy's next one is told in full.
        run.runner.state.pairs["votes"][market] = s.NONE - 1
    run.runner.feed(row)
    outs, details = run.runner.outs(), run.runner.details()
    head = describe(row[0])
    made = [
        explain(run.packet(out, details[out["detail"]]), run.names)
        for out in outs
        if out["kind"] in (s.PACKET, s.APPROVAL)
    ]
    if not made:
        return Explained(f"{head}\nNo decision was made at this input.", False)
    return Explained("\n\n".join([head, *made]), True)


def describe(row: np.void) -> str:
    """One input row in words."""
    kind = Kind(int(row["kind"])).name
    where = f", market {int(row['market'])}" if row["market"] >= 0 else ""
    frame = f", frame {int(row['frame']):,}" if row["frame"] >= 0 else ""
    return f"INPUT {int(row['in_seq']):,}: {kind}{where}{frame}"
