"""The naive twin of the compiled book and windows: dicts, lists and whole recounts, fed with the same INPUT rows.

It judges the fast path, so it is written for a reader: nothing is kept incrementally, nothing is packed. All in YES
terms; prices in price units, sizes in 1e-6 shares.
"""

import math
from dataclasses import dataclass, field

import numpy as np

from polytraders.contracts.inputs import ASK, BID, NANO, NO_PRICE, Fact, Flag, Kind
from polytraders.contracts.state import BOOK_NONE, BOOK_OK, BOOK_RESYNC

Side = dict[int, int]
"""Size by price."""


@dataclass
class Windows:
    """Everything that happened to one market, with the whole second in which it did; sums are recounted when asked.

    A window of n seconds holds the current second and the n - 1 before it.
    """

    trades: list[tuple[int, int, int]] = field(default_factory=list)
    moves: list[tuple[int, int]] = field(default_factory=list)
    losses: list[tuple[int, int]] = field(default_factory=list)
    mid2: int = 0
    observed_ts: int = 0
    lost_ts: int = 0

    def note_mid(self, now: int, best: tuple[int, int]) -> None:
        """The best prices after a row; a side without one has no mid. Moves are log returns in 1e-6."""
        if NO_PRICE in best or sum(best) == self.mid2:
            return
        if self.mid2:
            self.moves.append((now // NANO, math.floor(math.log(sum(best) / self.mid2) * 1e6 + 0.5)))
        self.mid2 = sum(best)

    def note_state(self, now: int, valid: bool) -> None:
        """Whether the book is valid after a row: the time in which it was not is lost to every window."""
        if valid and not self.observed_ts:
            self.observed_ts = now
        elif valid and self.lost_ts:
            self.losses.append((now // NANO, now - self.lost_ts))
            self.lost_ts = 0
        elif not valid and self.observed_ts and not self.lost_ts:
            self.lost_ts = now

    def flow(self, now: int, span_s: int) -> tuple[int, int]:
        """Sizes bought and sold by aggressors, YES terms."""
        inside = [(side, size) for second, side, size in self.trades if second > now // NANO - span_s]
        bought = sum(size for side, size in inside if side == BID)
        return bought, sum(size for _, size in inside) - bought

    def volatility(self, now: int, span_s: int) -> float:
        """Standard deviation of one-move log returns; 0 with fewer than two."""
        inside = [move for second, move in self.moves if second > now // NANO - span_s]
        if len(inside) < 2:
            return 0.0
        mean = sum(inside) / len(inside)
        return math.sqrt(sum((move - mean) ** 2 for move in inside) / len(inside)) / 1e6

    def completeness(self, now: int, span_s: int) -> float:
        """Part of the window in which the book was valid."""
        if not self.observed_ts:
            return 0.0
        lost = sum(took for second, took in self.losses if second > now // NANO - span_s)
        lost += now - self.lost_ts if self.lost_ts else 0
        return max(min(span_s * NANO, now - self.observed_ts) - lost, 0) / (span_s * NANO)


@dataclass
class Book:
    """One market's book; `sides` is bids, asks."""

    state: int = BOOK_NONE
    tick: int = 1
    connection: int = 0
    sides: tuple[Side, Side] = field(default_factory=lambda: ({}, {}))
    arriving: tuple[Side, Side] | None = None

    def best(self) -> tuple[int, int]:
        """Highest bid and lowest ask, NO_PRICE for an empty side."""
        bids, asks = self.sides
        return max(bids, default=NO_PRICE), min(asks, default=NO_PRICE)

    def depth(self, side: int, levels: int = 5) -> int:
        """Sum of the sizes of the best levels of a side."""
        prices = sorted(self.sides[side], reverse=side == BID)
        return sum(self.sides[side][price] for price in prices[:levels])

    def trim(self, bid: int, ask: int) -> int:
        """Remove what is better than the venue's own best prices; returns levels removed."""
        bids, asks = self.sides
        worse = [price for price in bids if price > bid], [price for price in asks if price < ask or ask == NO_PRICE]
        for side, prices in zip(self.sides, worse, strict=True):
            for price in prices:
                del side[price]
        return len(worse[BID]) + len(worse[ASK])


def differences(one: tuple[Side, Side], other: tuple[Side, Side]) -> int:
    """How many levels of either side have another size in the two books."""
    pairs = zip(one, other, strict=True)
    return sum(a.get(price, 0) != b.get(price, 0) for a, b in pairs for price in a.keys() | b.keys())


class Oracle:
    """Books of all markets after the rows so far, and what was found wrong on the way.

    Attributes:
        books: By market index.
        windows: By market index.
        now: Loop time.
        mismatches: (frame, market) where our best prices before the trim were not the venue's.
        repairs: Levels that the trim removed.
        best_mismatches: (frame, market) where they still differed after it.
        snapshots: Whole books told.
        compared: Of them, those that met a valid book of ours.
        snapshot_differences: Levels in which a valid book of ours differed from the whole book that replaced it.
        mirrored: LEVEL rows that the other token confirmed.
    """

    def __init__(self) -> None:
        self.books: dict[int, Book] = {}
        self.windows: dict[int, Windows] = {}
        self.now = 0
        self.mismatches: list[tuple[int, int]] = []
        self.best_mismatches: list[tuple[int, int]] = []
        self.repairs = 0
        self.snapshots = 0
        self.compared = 0
        self.snapshot_differences = 0
        self.mirrored = 0

    def feed(self, rows: np.ndarray) -> "Oracle":
        """Take INPUT rows in order."""
        names = rows.dtype.names or ()
        for values in rows.tolist():
            self.take(dict(zip(names, values, strict=True)))
        return self

    def take(self, row: dict[str, int]) -> None:
        """Take one row. Kinds that say nothing about a book or a trade change nothing."""
        self.now = max(self.now, row["recv_ts"])
        kind, market = row["kind"], row["market"]
        if kind in (Kind.REFUSED, Kind.GAP):
            self.doubt(market, row["b"])
            return
        if market < 0 or not (kind == Kind.FACT or Kind.TICK_SIZE <= kind <= Kind.TRADE):
            return
        book = self.books.setdefault(market, Book())
        windows = self.windows.setdefault(market, Windows())
        if kind == Kind.FACT:
            book.connection = row["size"] if row["price"] == Fact.CONNECTION else book.connection
        elif kind == Kind.TRADE:
            windows.trades.append((self.now // NANO, row["side"], row["size"]))
        else:
            self.change(book, row)
            windows.note_state(self.now, book.state == BOOK_OK)
            if book.state == BOOK_OK and row["flags"] & Flag.LAST:
                windows.note_mid(self.now, book.best())

    def change(self, book: Book, row: dict[str, int]) -> None:
        """A row about a book."""
        kind = row["kind"]
        if kind == Kind.TICK_SIZE:
            self.tick(book, row["price"])
        elif kind == Kind.SNAP_OPEN:
            book.arriving = ({}, {})
        elif kind == Kind.SNAP_LEVEL and book.arriving is not None:
            book.arriving[row["side"]][row["price"]] = row["size"]
        elif kind == Kind.SNAP_CLOSE and book.arriving is not None:
            self.replace(book, bool(row["flags"] & Flag.TWIN))
        elif kind == Kind.LEVEL:
            self.mirrored += bool(row["flags"] & Flag.MIRRORED)
            if book.state == BOOK_OK:
                self.level(book, row)

    def doubt(self, market: int, connection: int) -> None:
        """A frame was refused or missed: the market's book, or all books of the connection, wait for a snapshot."""
        for index, book in self.books.items():
            if index == market if market >= 0 else book.connection == connection:
                book.state = BOOK_RESYNC
                self.windows[index].note_state(self.now, False)

    def tick(self, book: Book, tick: int) -> None:
        """A new tick; a book with a level off the new grid waits for a snapshot."""
        book.tick = tick
        if book.state == BOOK_OK and any(price % tick for side in book.sides for price in side):
            book.state = BOOK_RESYNC

    def replace(self, book: Book, twin: bool) -> None:
        """The whole book has arrived: compare it with ours if ours was valid, then take it.

        Two tokens of a market that tell different books at the same time leave none to believe; nor is a book off the
        grid one.
        """
        assert book.arriving is not None
        bids, asks = ({price: size for price, size in side.items() if size} for side in book.arriving)
        book.arriving = None
        self.snapshots += 1
        differing = 0
        if book.state == BOOK_OK:
            self.compared += 1
            differing = differences(book.sides, (bids, asks))
            self.snapshot_differences += differing
        if (twin and differing) or any(price % book.tick for price in bids | asks):
            book.state = BOOK_RESYNC
        else:
            book.sides, book.state = (bids, asks), BOOK_OK

    def level(self, book: Book, row: dict[str, int]) -> None:
        """A new total at a price, and at the end of the frame the venue's own best prices."""
        if row["price"] % book.tick:
            book.state = BOOK_RESYNC
            return
        side = book.sides[row["side"]]
        side[row["price"]] = row["size"]
        if row["size"] == 0:
            del side[row["price"]]
        if not row["flags"] & Flag.BEST:
            return
        told, where = (row["a"], row["b"]), (row["frame"], row["market"])
        if book.best() != told:
            self.mismatches.append(where)
        self.repairs += book.trim(*told)
        if book.best() != told:
            self.best_mismatches.append(where)
            book.state = BOOK_RESYNC
