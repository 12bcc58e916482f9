"""The eleven stages as boxes and arrows, in the order in which one input passes them."""

from typing import Final, NamedTuple

from polytraders.console import stages

WIDTH: Final = 1_000
HEIGHT: Final = 320
BOX_W: Final = 172
BOX_H: Final = 62
GAP: Final = 20
ROWS: Final = (16, 126, 236)
PLACES: Final = {
    1: (0, 0), 2: (1, 0), 3: (2, 0), 4: (3, 0), 5: (4, 0),
    6: (4, 1), 7: (3, 1), 8: (2, 1), 9: (1, 1),
    10: (0, 1), 11: (3, 2),
}  # fmt: skip
"""Column and row of each stage: the loop goes to the right and comes back to the left; two look at it from outside."""
ARTEFACTS: Final = {
    1: "Market", 2: "BookSnapshot", 3: "Event", 4: "FeatureVector", 5: "FairValue", 6: "ExecutionEstimate",
    7: "DecisionPacket", 8: "Order, Fill", 9: "Transfer, Position", 10: "ReplayReport", 11: "incidents, controls",
}  # fmt: skip
TERMS: Final = (
    ("p_hat", 5, "what a share is worth by the forecast"),
    ("q_exec", 6, "what it trades at, walking the book with the wished size"),
    ("fees", 6, "the venue's, a share"),
    ("uncertainty_buffer", 5, "what the forecast may be wrong by"),
    ("net_edge", 7, "what is left; the gate compares it with the least edge that is enough"),
)
"""Terms of the formula: name, the stage that makes it, meaning."""
FLOWS: Final = ((1, 2), (2, 3), (3, 4), (4, 5), (5, 6), (6, 7), (7, 8), (8, 9))
"""Who hands what on to whom, within one input."""
BACK: Final = ((9, 7), (3, 10), (11, 7))
"""What comes round: positions and capital to the gate, the record to the replay, kills and rollout to the gate."""


class Box(NamedTuple):
    """One stage: corner and middle in units, its words, and the terms of the formula that it makes."""

    stage: stages.Stage
    x: int
    y: int
    lines: tuple[str, ...]
    artefact: str
    terms: str


class Arrow(NamedTuple):
    """A path from box to box; `is_back` = it does not belong to the way of one input."""

    path: str
    is_back: bool


def corner(number: int) -> tuple[int, int]:
    """Upper left corner of a stage's box."""
    column, row = PLACES[number]
    return 30 + column * (BOX_W + GAP), ROWS[row]


def boxes() -> list[Box]:
    """All eleven."""
    made = []
    for stage in stages.STAGES:
        x, y = corner(stage.number)
        terms = ", ".join(name for name, where, _ in TERMS if where == stage.number)
        made.append(Box(stage, x, y, wrapped(stage.title), ARTEFACTS[stage.number], terms))
    return made


def wrapped(title: str, most: int = 25) -> tuple[str, ...]:
    """A title on at most two lines; what does not fit ends with an ellipsis."""
    lines = [""]
    for word in title.split():
        longer = f"{lines[-1]} {word}".strip()
        if len(longer) <= most or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    if len(lines) <= 2:
        return tuple(lines)
    return lines[0], f"{lines[1].rstrip(',')} …"


def arrows() -> list[Arrow]:
    """Straight where boxes are neighbours, else round by the middle between two rows."""
    return [Arrow(between(a, b), False) for a, b in FLOWS] + [Arrow(between(a, b), True) for a, b in BACK]


def between(start: int, end: int) -> str:
    """Path from the edge of one box to the edge of another."""
    (x0, y0), (x1, y1) = corner(start), corner(end)
    middle = BOX_W // 2
    if y0 == y1 and abs(PLACES[start][0] - PLACES[end][0]) == 1:
        left, right = (x0 + BOX_W, x1) if x1 > x0 else (x0, x1 + BOX_W)
        return f"M{left} {y0 + BOX_H // 2} H{right}"
    if y0 == y1:
        down = y0 + BOX_H + 14
        return f"M{x0 + middle + 30} {y0 + BOX_H} V{down} H{x1 + middle - 30} V{y1 + BOX_H}"
    if x0 == x1:
        return f"M{x0 + middle} {y0 + BOX_H if y1 > y0 else y0} V{y1 if y1 > y0 else y1 + BOX_H}"
    half = (y0 + BOX_H + y1) // 2 if y1 > y0 else (y1 + BOX_H + y0) // 2
    return f"M{x0 + middle} {y0 + BOX_H if y1 > y0 else y0} V{half} H{x1 + middle} V{y1 if y1 > y0 else y1 + BOX_H}"
