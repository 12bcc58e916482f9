"""What shares are really worth, and what somebody who is late believes they are worth. Values are chances, 0 to 1.

No value has a drift that could be traded on: each is the best forecast of its own future.
"""

from collections import deque
from math import exp, log, sqrt
from random import Random
from typing import Final

SIGMA: Final = 0.004
"""Of a slow market's log odds, per square root of a second: about two cents in five minutes at even odds."""

EDGE: Final = 0.02
"""Values of slow markets stay this far from certainty."""


class Late:
    """A value as it was some time ago."""

    def __init__(self, lag_ns: int) -> None:
        self._lag_ns = lag_ns
        self._seen: deque[tuple[int, float]] = deque()

    def note(self, ts_ns: int, value: float) -> float:
        """Note the value of now; the value of `lag` ago, or the oldest noted."""
        seen = self._seen
        seen.append((ts_ns, value))
        until = ts_ns - self._lag_ns
        while len(seen) > 1 and seen[1][0] <= until:
            seen.popleft()
        return seen[0][1]


class Slow:
    """One chance that wanders in log odds; `value` is a martingale away from the edges."""

    def __init__(self, rng: Random, value: float) -> None:
        self._rng = rng
        self.value = value

    def step(self, seconds: float) -> None:
        """Let time pass."""
        deviation = SIGMA * sqrt(seconds)
        odds = log(self.value / (1 - self.value))
        # The second term keeps the chance, and not its log odds, free of drift.
        odds += deviation * self._rng.gauss(0.0, 1.0) + (self.value - 0.5) * deviation**2
        self.value = min(max(1 / (1 + exp(-odds)), EDGE), 1 - EDGE)


class Exclusive:
    """Chances of outcomes of which exactly one happens: they always sum to 1."""

    def __init__(self, rng: Random, values: list[float]) -> None:
        self._rng = rng
        self.values = [value / sum(values) for value in values]

    def step(self, seconds: float) -> None:
        """Let time pass."""
        deviation = SIGMA * sqrt(seconds)
        news = [deviation * self._rng.gauss(0.0, 1.0) for _ in self.values]
        mean = sum(value * new for value, new in zip(self.values, news, strict=True))
        moved = [max(value * (1 + new - mean), EDGE) for value, new in zip(self.values, news, strict=True)]
        self.values = [value / sum(moved) for value in moved]
