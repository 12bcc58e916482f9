"""Exposure of strategies by clusters as a grid whose ink grows with the money."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from polytraders.console.pictures.scale import WIDTH

LEFT, TOP, ROW = 170, 34, 30
COLUMNS_MOST = 10
INK_MOST = 0.6
"""More would hide the number."""


class Cell(NamedTuple):
    """One pair: place, ink from 0 to INK_MOST, amount in micro-pUSD."""

    x: float
    y: float
    width: float
    ink: float
    amount: int


class Heat(NamedTuple):
    """What the template draws, and the same as rows for the table."""

    height: int
    columns: list[tuple[float, str]]
    rows: list[tuple[float, str]]
    cells: list[Cell]
    table: list[tuple[str, list[int], int]]
    names: list[str]


def heat(rows: Sequence[str], amounts: Mapping[tuple[str, str], int]) -> Heat:
    """The grid; beyond ten clusters the smallest share a column "others".

    Args:
        rows: Strategies in their order.
        amounts: Micro-pUSD by (strategy, cluster), not negative.
    """
    totals: dict[str, int] = {}
    for (_, cluster), amount in amounts.items():
        totals[cluster] = totals.get(cluster, 0) + amount
    names = sorted(totals, key=lambda name: (-totals[name], name))
    kept = names if len(names) <= COLUMNS_MOST else [*names[: COLUMNS_MOST - 1], "others"]
    table = []
    for row in rows:
        line = [amounts.get((row, name), 0) for name in kept if name != "others"]
        if len(names) > COLUMNS_MOST:
            line.append(sum(amounts.get((row, name), 0) for name in names[COLUMNS_MOST - 1 :]))
        table.append((row, line, sum(line)))
    most = max((amount for _, line, _ in table for amount in line), default=0) or 1
    width = round((WIDTH - LEFT - 10) / max(1, len(kept)), 1)
    cells = [
        Cell(LEFT + column * width, TOP + place * ROW, width - 2, round(INK_MOST * amount / most, 3), amount)
        for place, (_, line, _) in enumerate(table)
        for column, amount in enumerate(line)
    ]
    columns = [(LEFT + column * width + width / 2, name) for column, name in enumerate(kept)]
    return Heat(TOP + len(rows) * ROW + 6, columns, [(TOP + at * ROW + 19, row) for at, row in enumerate(rows)],
                cells, table, kept)  # fmt: skip
