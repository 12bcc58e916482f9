"""How often a caller may ask: a bucket for each, in this process, that fills again steadily."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

PER_SECOND: Final = 50.0
BURST: Final = 200.0
UNSAFE_COST: Final = 5.0
"""What changes something takes as much as five questions."""
CALLERS_MOST: Final = 10_000


class Buckets:
    """One bucket a caller; the one that was not used for longest is forgotten first, full again."""

    def __init__(
        self, per_second: float = PER_SECOND, burst: float = BURST, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Each bucket holds `burst` and fills by `per_second`."""
        self._per_second, self._burst, self._clock = per_second, burst, clock
        self._lock = threading.Lock()
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, caller: str, cost: float = 1.0) -> float:
        """Take from a caller's bucket; seconds to wait when there is not enough in it, 0 when there was."""
        now = self._clock()
        with self._lock:
            left, seen = self._left.pop(caller, (self._burst, now))
            left = min(self._burst, left + (now - seen) * self._per_second)
            enough = left >= cost
            self._left[caller] = (left - cost if enough else left, now)
            if len(self._left) > CALLERS_MOST:
                self._left.popitem(last=False)
        return 0.0 if enough else (cost - left) / self._per_second

    def forget(self) -> None:
        """Every bucket is full again."""
        with self._lock:
            self._left.clear()


buckets: Final = Buckets()
"""Of this process; the console has one web process."""
