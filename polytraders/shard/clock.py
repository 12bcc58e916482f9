"""The clock of the loop process: the monotonic one, from a fixed point, at a fixed rate.

Receive time is `fixed + (monotonic - then) * rate`. The point and the rate are a logged CLOCK input and nothing else
changes them while a run lasts, so receive times never step back and a replay needs no clock.
"""

import time
from collections.abc import Callable
from typing import Final

PPM: Final = 1_000_000


class Clock:
    """Receive time in ns UTC, or in the simulated venue's time."""

    def __init__(self, fixed: int, *, speed: float = 1.0, monotonic: Callable[[], int] = time.monotonic_ns) -> None:
        """Show `fixed` now and run `speed` times as fast as the monotonic clock.

        Args:
            fixed: ns; the time at this moment.
            speed: 1 to 100; only a simulated venue's time runs faster than the wall's.
            monotonic: ns that never go back.

        Raises:
            ValueError: The speed is not of that range.
        """
        if not 1.0 <= speed <= 100.0:
            raise ValueError(f"a speed of {speed} is not from 1 to 100")
        self.fixed = fixed
        self.rate_ppm = round(speed * PPM)
        self._monotonic = monotonic
        self._then = monotonic()

    def __call__(self) -> int:
        """Now, ns."""
        return self.fixed + (self._monotonic() - self._then) * self.rate_ppm // PPM

    def wall_s(self, span_ns: int) -> float:
        """Seconds on the wall in which `span_ns` pass on this clock."""
        return span_ns * PPM / self.rate_ppm / 1e9
