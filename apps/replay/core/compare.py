"""Two runs' outputs, row by row and byte by byte: the first difference, named by packet and field."""

from typing import Any, Final, NamedTuple

import numpy as np

from polytraders.contracts.checks import CHECKS
from polytraders.contracts.state import DETAIL, FEATURES, NONE, OUT
from polytraders.contracts.stretch import ORDINAL_BITS

Rows = np.ndarray[Any, Any]

BATCH: Final = 4_096
PRESENT, ABSENT = "present", "absent"

NAMES: Final[dict[str, tuple[str, ...]]] = {
    "features": FEATURES,
    "values": tuple(check.name for check in CHECKS),
    "limits": tuple(check.name for check in CHECKS),
}
"""What the elements of a detail's array fields are called."""


class Outputs(NamedTuple):
    """What a run wrote: (n,) OUT in order, and the (m,) DETAIL rows that its `detail` points into."""

    out: Rows
    detail: Rows


class Difference(NamedTuple):
    """The first place where two runs differ.

    Attributes:
        in_seq: Input of the packet.
        ordinal: Its place among that input's outputs.
        field: Field of OUT or DETAIL ("limits.market_quality" for an element); "row" when one run lacks the packet,
            "detail" when it lacks the packet's detail.
        recorded: Value of the first run.
        replayed: Value of the second.
    """

    in_seq: int
    ordinal: int
    field: str
    recorded: float | int | str
    replayed: float | int | str

    def in_words(self) -> str:
        """One line for a report."""
        return (
            f"input {self.in_seq}, output {self.ordinal}: {self.field} was {self.recorded!r} and is {self.replayed!r}"
        )


def first_difference(recorded: Outputs, replayed: Outputs) -> Difference | None:
    """The first packet and field that differ; None when both runs wrote the same, bit for bit.

    Where a detail lies in its array is no part of the comparison. Floats are compared by their bits, so that not a
    number equals itself and a zero's sign counts, as in the output chain.
    """
    shared = min(len(recorded.out), len(replayed.out))
    for start in range(0, shared, BATCH):
        span = slice(start, min(start + BATCH, shared))
        unlike = _unlike(recorded, replayed, span)
        if len(unlike):
            return _name(recorded, replayed, start + int(unlike[0]))
    for run, values in ((recorded, (PRESENT, ABSENT)), (replayed, (ABSENT, PRESENT))):
        if len(run.out) > shared:
            return Difference(int(run.out["in_seq"][shared]), int(run.out["ordinal"][shared]), "row", *values)
    return None


def equal_rows(recorded: Outputs, replayed: Outputs) -> int:
    """How many rows both runs have, of the same input and ordinal and alike in every byte, details included."""
    # An input has fewer outputs than this, see contracts/stretch.py.
    keys = [run.out["in_seq"] << ORDINAL_BITS | run.out["ordinal"] for run in (recorded, replayed)]
    _, ours, theirs = np.intersect1d(*keys, return_indices=True)
    equal = 0
    for start in range(0, len(ours), BATCH):
        left = Outputs(recorded.out[ours[start : start + BATCH]], recorded.detail)
        right = Outputs(replayed.out[theirs[start : start + BATCH]], replayed.detail)
        equal += len(left.out) - len(_unlike(left, right, slice(0, BATCH)))
    return equal


def code_of(difference: Difference | None) -> str:
    """Reason code of a comparison's result."""
    return "GOV_REPLAY_MATCH" if difference is None else "GOV_REPLAY_REGRESSION"


def _words(rows: Rows) -> Rows:
    return np.ascontiguousarray(rows).view(np.int64).reshape(len(rows), -1)


def _plain(rows: Rows) -> Rows:
    made = rows.copy()
    made["detail"] = np.minimum(rows["detail"], 0)
    return made


def _unlike(recorded: Outputs, replayed: Outputs, span: slice) -> Rows:
    # Indices within the span, ascending.
    ours, theirs = recorded.out[span], replayed.out[span]
    unlike = (_words(_plain(ours)) != _words(_plain(theirs))).any(axis=1)
    both = np.flatnonzero((ours["detail"] != NONE) & (theirs["detail"] != NONE))
    if len(both):
        left = _words(recorded.detail[ours["detail"][both]])
        right = _words(replayed.detail[theirs["detail"][both]])
        unlike[both] |= (left != right).any(axis=1)
    return np.flatnonzero(unlike)


def _name(recorded: Outputs, replayed: Outputs, index: int) -> Difference:
    ours, theirs = recorded.out[index], replayed.out[index]
    here, there = ((int(row["in_seq"]), int(row["ordinal"])) for row in (ours, theirs))
    if here != there:
        # The earlier of the two packets is the one that the other run did not write.
        return Difference(*here, "row", PRESENT, ABSENT) if here < there else Difference(*there, "row", ABSENT, PRESENT)
    left, right = int(ours["detail"]), int(theirs["detail"])
    if (left == NONE) != (right == NONE):
        return Difference(*here, "detail", *((ABSENT, PRESENT) if left == NONE else (PRESENT, ABSENT)))
    found = _first_field(_plain(recorded.out[index : index + 1]), _plain(replayed.out[index : index + 1]), OUT)
    if found is None:
        found = _first_field(recorded.detail[left : left + 1], replayed.detail[right : right + 1], DETAIL)
    assert found is not None, "rows that differ have a field that differs"  # noqa: S101  a fault of ours
    return Difference(*here, *found)


def _first_field(ours: Rows, theirs: Rows, layout: np.dtype[Any]) -> tuple[str, Any, Any] | None:
    for name in layout.names or ():
        left, right = np.ravel(ours[name]), np.ravel(theirs[name])
        for element, (a, b) in enumerate(zip(left, right, strict=True)):
            if a.tobytes() != b.tobytes():
                return (f"{name}.{NAMES[name][element]}" if name in NAMES else name), a.item(), b.item()
    return None
