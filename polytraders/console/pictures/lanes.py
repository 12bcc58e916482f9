"""Settlement lanes: one row a state, one column an age; how much stands where, and what is oldest."""

from typing import Final, NamedTuple

SECOND_NS: Final = 1_000_000_000
AGES_NS: Final = tuple(seconds * SECOND_NS for seconds in (0, 1, 10, 60, 600, 3_600, 86_400))
"""Lower ends of the columns; what is younger than nothing counts as the first."""
COLUMNS: Final = ("< 1 s", "1 s", "10 s", "1 min", "10 min", "1 h", "1 d")
LANES: Final = (
    ("held", "pending", "money that open orders hold; it comes back or becomes shares"),
    ("posted", "posted", "the newest fills, booked for good: this is money"),
    ("voided", "voided", "the newest orders whose rest was given up and its hold let go"),
    ("unsettled", "unsettled", "shares of markets that have closed and have not paid yet"),
)
LEFT: Final = 100
CELL: Final = 128
HEIGHT: Final = 44


class Count(NamedTuple):
    """How many things of a lane are in a column (its number from 1; 0 = from the future), their money, the oldest."""

    lane: str
    column: int
    number: int
    money: int | None
    oldest_ts: int | None


class Cell(NamedTuple):
    """One box: where it stands, how tall its bar is, and its number."""

    x: float
    y: float
    height: float
    number: int
    age: str


class Lane(NamedTuple):
    """One row: its names, the middle of its line, its boxes, its sums, and how old its oldest is (None = empty)."""

    name: str
    state: str
    meaning: str
    y: float
    cells: tuple[Cell, ...]
    number: int
    money: int
    oldest_ns: int | None


class Lanes(NamedTuple):
    """The picture."""

    lanes: tuple[Lane, ...]
    columns: tuple[tuple[float, str], ...]
    height: int


def drawn(counts: list[Count], now: int) -> Lanes:
    """Lanes from top to bottom; a bar's height is its part of the fullest box of its lane."""
    made = []
    for place, (name, state, meaning) in enumerate(LANES):
        mine = [count for count in counts if count.lane == name]
        sums = [0] * len(COLUMNS)
        for count in mine:
            sums[min(max(count.column - 1, 0), len(COLUMNS) - 1)] += count.number
        most = max(*sums, 1)
        y = 22 + place * HEIGHT
        cells = tuple(
            Cell(
                LEFT + column * CELL,
                round(y + 34 - 26 * total / most, 1),
                round(max(2.0, 26 * total / most), 1),
                total,
                COLUMNS[column],
            )
            for column, total in enumerate(sums)
            if total
        )
        oldest = min((count.oldest_ts for count in mine if count.oldest_ts is not None), default=None)
        made.append(
            Lane(
                name, state, meaning, y, cells, sum(sums), sum(count.money or 0 for count in mine),
                None if oldest is None else max(0, now - oldest),
            )
        )  # fmt: skip
    columns = tuple((LEFT + place * CELL, text) for place, text in enumerate(COLUMNS))
    return Lanes(tuple(made), columns, 22 + HEIGHT * len(LANES))
