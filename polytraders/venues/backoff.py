"""How long to wait before trying again: twice as long each time, within bounds, and never all at the same moment."""

import random
from dataclasses import dataclass
from typing import Final

_DOUBLINGS_MAX: Final = 32


@dataclass(frozen=True, slots=True)
class Backoff:
    """Bounds of a growing pause.

    Attributes:
        first_s: Longest first pause, seconds.
        most_s: Longest pause of all, seconds.
    """

    first_s: float
    most_s: float

    def pause_s(self, attempt: int, chance: random.Random) -> float:
        """Seconds to wait after failure number `attempt`, from 1: between half of the bound in force and all of it.

        Args:
            attempt: Failures in a row so far, at least 1.
            chance: Spreads the retries of many clients over time.
        """
        bound = min(self.most_s, self.first_s * (1 << min(attempt - 1, _DOUBLINGS_MAX)))
        return bound * (0.5 + 0.5 * chance.random())
