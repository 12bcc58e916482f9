"""A line as small as a word: how one number went."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from polytraders.console.pictures.scale import Scale, line, thinned

WIDTH, HEIGHT = 160.0, 24.0
POINTS: Final = 120


class Spark(NamedTuple):
    """Paths, one for each stretch without a gap, and the ends of the axis."""

    paths: list[str]
    low: float
    high: float


def spark(values: Sequence[float | None]) -> Spark | None:
    """Draw values at even distances, a gap where there is none; None with fewer than two of them."""
    found = [value for value in values if value is not None]
    if len(found) < 2:
        return None
    x, y = Scale(0, len(values) - 1, 1.0, WIDTH - 1.0), Scale(min(found), max(found), HEIGHT - 2.0, 2.0)
    runs: list[list[tuple[float, float]]] = [[]]
    for place, value in enumerate(values):
        if value is None:
            runs.append([])
        else:
            runs[-1].append((x(place), y(value)))
    most = max(8, POINTS // max(1, len(runs)))
    return Spark([line(thinned(run, most)) for run in runs if len(run) > 1], min(found), max(found))
