"""A listener so plain that it can be read: dictionaries, told totals, whole books, and the trim."""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from polytraders.contracts.inputs import ASK, BID, NO_PRICE, Flag, Kind
from polytraders.venues.polymarket.wire import Decoder

Sides = tuple[dict[int, int], dict[int, int]]


class Followed(NamedTuple):
    """What a plain book made of what it heard."""

    books: dict[str, Sides]
    mismatched: list[int]
    trimmed: int
    differences: int
    after: int
    crossed: int
    counters: Counter[str]


def bests(sides: Sides) -> tuple[int, int]:
    """Best bid and ask, NO_PRICE for an empty side."""
    return max(sides[BID], default=NO_PRICE), min(sides[ASK], default=NO_PRICE)


def follow(recording: Iterable[bytes], known: Decoder | None = None) -> Followed:
    """Decode, and keep dictionaries: told levels are totals, whole books replace, told best prices trim.

    Args:
        recording: Frames. Books nobody has told yet are empty.
        known: A decoder that already knows the registry's half.
    """
    known = known or Decoder()
    books: dict[int, Sides] = {}
    staged: Sides = ({}, {})
    mismatched: list[int] = []
    trimmed = differences = after = crossed = 0
    for number, raw in enumerate(recording):
        decoded = known.decode(raw)
        assert decoded.code is None, raw
        for kind, side, flags, market, price, size, bid, ask, _ in decoded.rows:
            if kind == Kind.SNAP_OPEN:
                staged = ({}, {})
            elif kind == Kind.SNAP_LEVEL:
                staged[side][price] = size
            elif kind == Kind.SNAP_CLOSE:
                differences += market in books and books[market] != staged
                books[market] = staged
            elif kind == Kind.LEVEL:
                own = books.setdefault(market, ({}, {}))
                own[side][price] = size
                if size == 0:
                    del own[side][price]
                if not flags & Flag.BEST:
                    continue
                if bests(own) != (bid, ask):
                    mismatched.append(number)
                    crossed += NO_PRICE != bests(own)[0] >= bests(own)[1] != NO_PRICE
                    trimmed += trim(own, bid, ask)
                after += bests(own) != (bid, ask)
    named = {known.markets[index]: sides for index, sides in books.items()}
    return Followed(named, mismatched, trimmed, differences, after, crossed, known.counters)


def trim(own: Sides, bid: int, ask: int) -> int:
    """Take away what is better than the told best prices; how many levels that were."""
    gone = [(BID, price) for price in own[BID] if bid == NO_PRICE or price > bid]
    gone += [(ASK, price) for price in own[ASK] if ask == NO_PRICE or price < ask]
    for side, price in gone:
        del own[side][price]
    return len(gone)
