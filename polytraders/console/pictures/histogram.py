"""How long things take, as columns of equal width over buckets that grow: what is rare and long is still seen."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from polytraders.console.pictures.scale import HEIGHT, WIDTH

LEFT: Final = 10
FLOOR: Final = HEIGHT - 40
TOP: Final = 20
FAR: Final = 0.99
"""What lies behind this part of all is drawn in the other colour."""


@dataclass(frozen=True)
class Column:
    """One bucket: its upper end in words, how many, their part, and the drawn column; `is_far` = behind the 99 %."""

    words: str
    count: int
    share: float
    x: float
    y: float
    width: float
    height: float
    middle: float
    is_far: bool


class Histogram(NamedTuple):
    """Columns, how many there are together, and the buckets in which half and 99 % of them are reached, in words."""

    columns: tuple[Column, ...]
    total: int
    p50: str
    p99: str


def histogram(buckets: Sequence[tuple[float, float]]) -> Histogram:
    """Draw counts that add up.

    Args:
        buckets: Upper end in seconds, rising, the last one may be infinite; and how many are at most that long.
    """
    total = int(buckets[-1][1]) if buckets else 0
    width = (WIDTH - 2 * LEFT) / max(len(buckets), 1)
    counts = [int(now - before) for (_, now), (_, before) in zip(buckets, [(0.0, 0.0), *buckets], strict=False)]
    most = max(counts, default=0) or 1
    columns = []
    before = 0
    for place, ((end, _), count) in enumerate(zip(buckets, counts, strict=True)):
        height = round((FLOOR - TOP) * count / most, 1)
        if count:
            height = max(height, 1.5)
        x = round(LEFT + place * width, 1)
        columns.append(
            Column(
                seconds(end), count, count / total if total else 0.0, round(x + 3, 1), round(FLOOR - height, 1),
                round(width - 6, 1), height, round(x + width / 2, 1), bool(total) and before >= FAR * total,
            )
        )  # fmt: skip
        before += count
    return Histogram(tuple(columns), total, _reached(buckets, 0.5), _reached(buckets, FAR))


def _reached(buckets: Sequence[tuple[float, float]], part: float) -> str:
    total = buckets[-1][1] if buckets else 0
    return next((seconds(end) for end, count in buckets if total and count >= part * total), "\N{EN DASH}")


def seconds(end: float) -> str:
    """The upper end of a bucket."""
    if end == float("inf"):
        return "more"
    if end >= 1:
        return f"≤ {end:g} s"
    return f"≤ {end * 1_000:g} ms" if end >= 1e-3 else f"≤ {end * 1e6:g} µs"
