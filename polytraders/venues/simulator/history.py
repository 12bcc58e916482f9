"""The recent past of one book, compact: a whole book now and then, and every change since."""

from array import array
from bisect import bisect_right
from collections import deque
from typing import Final

from polytraders.venues.simulator.matching import OrderBook

Sides = tuple[dict[int, int], dict[int, int]]

STRETCH_NS: Final = 60 * 1_000_000_000
STRETCH_ROWS: Final = 5_000
STRETCHES_MAX: Final = 400


class _Stretch:
    __slots__ = ("keys", "sizes", "start", "start_ns", "times")

    def __init__(self, start_ns: int, start: Sides) -> None:
        self.start_ns = start_ns
        self.start = start
        self.times = array("q")
        self.keys = array("i")
        self.sizes = array("q")


class History:
    """What a book was at any instant of the last while. At most 2,000,000 changes are kept."""

    def __init__(self, window_ns: int) -> None:
        self._window_ns = window_ns
        self._stretches: deque[_Stretch] = deque()

    def note(self, ts_ns: int, book: OrderBook, side: int, price: int) -> None:
        """Note that a level has changed, after it has; times never go back."""
        stretches = self._stretches
        last = stretches[-1] if stretches else None
        if last is None or ts_ns - last.start_ns > STRETCH_NS or len(last.times) >= STRETCH_ROWS:
            last = _Stretch(ts_ns, (dict(book.totals[0]), dict(book.totals[1])))
            stretches.append(last)
            while len(stretches) > STRETCHES_MAX or (
                len(stretches) > 1 and stretches[1].start_ns <= ts_ns - self._window_ns
            ):
                stretches.popleft()
        last.times.append(ts_ns)
        last.keys.append(2 * price + side)
        last.sizes.append(book.totals[side].get(price, 0))

    def forget(self) -> None:
        """Drop everything: nobody may ask any more."""
        self._stretches.clear()

    def at(self, ts_ns: int) -> Sides | None:
        """Price to size, bids and asks, after everything up to and with that instant; None for before what is kept."""
        for stretch in reversed(self._stretches):
            if stretch.start_ns <= ts_ns:
                sides = (dict(stretch.start[0]), dict(stretch.start[1]))
                for row in range(bisect_right(stretch.times, ts_ns)):
                    side, price, size = stretch.keys[row] & 1, stretch.keys[row] >> 1, stretch.sizes[row]
                    if size:
                        sides[side][price] = size
                    else:
                        sides[side].pop(price, None)
                return sides
        return None

    def changes(self, from_ns: int, to_ns: int, most: int) -> list[tuple[int, int, int, int]]:
        """(ts_ns, side, price, new total) after `from_ns`, up to and with `to_ns`; the first `most` of them."""
        found = []
        for stretch in self._stretches:
            for row in range(bisect_right(stretch.times, from_ns), bisect_right(stretch.times, to_ns)):
                key = stretch.keys[row]
                found.append((stretch.times[row], key & 1, key >> 1, stretch.sizes[row]))
                if len(found) == most:
                    return found
        return found
