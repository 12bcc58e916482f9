"""The feed strip: one lane a market with the states of its book over time, and how late rows came as bars."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from polytraders.console.pictures.prices import time_ticks
from polytraders.console.pictures.scale import WIDTH, Scale, Tick

LANE: Final = 18.0
"""Height of a lane."""
LEFT, RIGHT = 0.0, float(WIDTH)
SEEN: Final = 4.0
"""Units below which two stretches of a lane cannot be told apart."""
BAR_HEIGHT: Final = 120.0


class Change(NamedTuple):
    """From `ts` on the book was valid (0), unknown (1) or waited for a whole one (2), and why."""

    ts: int
    state: int
    why: int


class Band(NamedTuple):
    """A stretch in one state: where it lies, which state, why."""

    x: float
    width: float
    state: int
    why: int
    start: int
    end: int


def bands(changes: Iterable[Change], start: int, end: int, before: int = 1) -> list[Band]:
    """One lane between two moments.

    Args:
        changes: In the order of time; those before `start` say what the state was then.
        start: ns.
        end: ns, later.
        before: The state before the first change.
    """
    x = Scale(start, end, LEFT, RIGHT)
    made: list[Band] = []
    at, state, why = start, before, 0
    for change in changes:
        if change.ts > start:
            moment = min(change.ts, end)
            if moment > at:
                made.append(Band(x(at), round(max(1.0, x(moment) - x(at)), 1), state, why, at, moment))
            at = moment
        state, why = change.state, change.why
    if at < end:
        made.append(Band(x(at), round(max(1.0, x(end) - x(at)), 1), state, why, at, end))
    return made


def drawn(lane: Iterable[Band], least: float = SEEN) -> list[Band]:
    """A lane for the eye: stretches too short to be told apart become one, in the worst of their states."""
    made: list[Band] = []
    for band in lane:
        last = made[-1] if made else None
        if last is not None and (last.width < least or (band.width < least and band.state <= last.state)):
            worst = max(last, band, key=lambda each: each.state)
            width = round(band.x + band.width - last.x, 1)
            made[-1] = Band(last.x, width, worst.state, worst.why, last.start, band.end)
        else:
            made.append(band)
    return made


def lost(changes: Iterable[Change], start: int, end: int, before: int = 0) -> list[tuple[int, int]]:
    """The stretches in which the book was not valid."""
    return [(band.start, band.end) for band in bands(changes, start, end, before) if band.state != 0]


def axis(start: int, end: int) -> list[Tick]:
    """Times of day under the lanes."""
    return time_ticks(Scale(start, end, LEFT, RIGHT))


class Bar(NamedTuple):
    """One bar of a histogram: up to which edge, how many rows, their part of all, and where it is drawn."""

    words: str
    rows: int
    part: float
    x: float
    y: float
    width: float
    height: float


def histogram(counts: Sequence[int], edges: Sequence[int]) -> list[Bar]:
    """Bars of counts by edge; the last count is of what lies beyond the last edge."""
    total, most = sum(counts), max(counts, default=0)
    if not total:
        return []
    width = WIDTH / len(counts)
    made = []
    for place, count in enumerate(counts):
        height = round(BAR_HEIGHT * count / most, 1)
        height = max(height, 1.0) if count else 0.0
        words = f"≤ {_short(edges[place])}" if place < len(edges) else f"> {_short(edges[-1])}"
        x = round(place * width + 2, 1)
        made.append(Bar(words, count, count / total, x, BAR_HEIGHT - height, round(width - 4, 1), height))
    return made


def _short(value: int) -> str:
    return f"{value // 1_000}k" if value >= 1_000 else str(value)


def quantile(counts: Sequence[int], edges: Sequence[int], part: float) -> int | None:
    """The edge below which `part` of all lie; None for none, or beyond the last edge."""
    total, seen = sum(counts), 0
    for place, count in enumerate(counts):
        seen += count
        if total and seen >= part * total:
            return edges[place] if place < len(edges) else None
    return None
