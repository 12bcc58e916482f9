"""The canonical hash of a book: the same levels give the same 32 bytes, however they were learnt."""

import hashlib
import struct
from collections.abc import Iterable
from typing import Final

LABEL: Final = b"polytraders book 1\n"

COUNTS: Final = struct.Struct("<3q")
LEVEL: Final = struct.Struct("<2q")


def book_hash(tick: int, bids: Iterable[tuple[int, int]], asks: Iterable[tuple[int, int]]) -> str:
    """SHA-256 over the tick and every level, best first, as 64 hex digits.

    The preimage is LABEL, then little-endian int64: tick, number of bids, number of asks, and (price, size) of the bids
    from the highest price down and of the asks from the lowest up. The counts stand in front, so no level can move from
    one side to the other unnoticed. Order of the arguments and levels of size 0 do not matter.

    Args:
        tick: The market's tick, price units, > 0.
        bids: (price, size) in price units and 1e-6 shares, in any order; each price once.
        asks: Likewise.

    Raises:
        ValueError: A size is negative, a price is not a multiple of the tick within the grid, or one stands twice. The
            door refuses such levels, so one in our book is a fault of ours.

    Source: specification, stage 3, formula 2; the canonical form is ours.
    """
    down = _ordered(bids, tick)[::-1]
    up = _ordered(asks, tick)
    digest = hashlib.sha256(LABEL)
    digest.update(COUNTS.pack(tick, len(down), len(up)))
    digest.update(b"".join(LEVEL.pack(price, size) for price, size in (*down, *up)))
    return digest.hexdigest()


def _ordered(levels: Iterable[tuple[int, int]], tick: int) -> list[tuple[int, int]]:
    found = sorted(levels)
    for index, (price, size) in enumerate(found):
        if size < 0 or tick <= 0 or price <= 0 or price % tick:
            raise ValueError(f"not a level on tick {tick}: price {price}, size {size}")
        if index and found[index - 1][0] == price:
            raise ValueError(f"price {price} stands twice on one side")
    return [level for level in found if level[1] > 0]
