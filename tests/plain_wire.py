"""The venue's market channel read the slow way: json, Fraction-exact numbers, one frame at a time.

It knows nothing of the product's decoder, so what both say about the same bytes is evidence. It trusts its input:
recorded or generated frames only.
"""

import gzip
import json
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from polytraders.contracts.inputs import (
    ASK,
    BID,
    NO,
    NO_PRICE,
    PRICE_UNIT,
    SIZE_UNIT,
    YES,
    Flag,
    Kind,
    empty,
)

COLUMNS = ("kind", "side", "flags", "market", "price", "size", "a", "b", "source_ts")
Row = tuple[int, int, int, int, int, int, int, int, int]


def lines(path: Path) -> Iterator[bytes]:
    """Frames of a capture, one a line."""
    with gzip.open(path) as capture:
        yield from (line.rstrip(b"\n") for line in capture)


def units(text: str, unit: int) -> int:
    """A decimal string as a whole number of units; refuses what is not one."""
    scaled = Decimal(text) * unit
    assert scaled == int(scaled), text
    return int(scaled)


class Reader:
    """Turns frames into rows in YES terms; the first token seen of a market is its YES."""

    def __init__(self) -> None:
        self.markets: list[str] = []
        self.tokens: list[list[str]] = []
        self.ticks: dict[int, int] = {}
        self.no_first = 0
        self.mirrored = 0

    def place(self, event: dict[str, Any], token: str) -> tuple[int, int]:
        """Index of the market and of the token in it."""
        if event["market"] not in self.markets:
            self.markets.append(event["market"])
            self.tokens.append([])
        market = self.markets.index(event["market"])
        known = self.tokens[market]
        if token not in known:
            known.append(token)
        assert len(known) <= 2
        return market, known.index(token)

    def rows(self, frame: bytes) -> list[Row]:
        """Rows of one frame, an object or an array of them."""
        said = json.loads(frame)
        made: list[Row] = []
        for event in said if isinstance(said, list) else [said]:
            made += getattr(self, event["event_type"])(event, int(event["timestamp"]) * 1_000_000)
        return made

    def price_change(self, event: dict[str, Any], ts: int) -> list[Row]:
        """One LEVEL row for each pair of mirrored changes, best prices on the last."""
        told = [(*self.place(event, c["asset_id"]), c) for c in event["price_changes"]]
        self.no_first += told[0][1] == NO
        found: dict[tuple[int, ...], int] = {}
        for market, token, change in told:
            price = units(change["price"], PRICE_UNIT)
            side = BID if change["side"] == "BUY" else ASK
            best = tuple(units(change[name], PRICE_UNIT) for name in ("best_bid", "best_ask"))
            if token == NO:
                price, side, best = PRICE_UNIT - price, 1 - side, (PRICE_UNIT - best[1], PRICE_UNIT - best[0])
            level = (market, side, price, units(change["size"], SIZE_UNIT), *best)
            found[level] = found.get(level, 0) + 1
        self.mirrored += sum(count == 2 for count in found.values())
        assert len({level[0] for level in found}) == 1
        made: list[Row] = []
        for nth, ((market, side, price, size, bid, ask), count) in enumerate(found.items(), 1):
            flags, bests = Flag.MIRRORED if count == 2 else 0, (0, 0)
            if nth == len(found):
                flags |= Flag.LAST | Flag.BEST
                bests = (bid if bid > 0 else NO_PRICE, ask if ask < PRICE_UNIT else NO_PRICE)
            made.append((Kind.LEVEL, side, flags, market, price, size, *bests, ts))
        return made

    def book(self, event: dict[str, Any], ts: int) -> list[Row]:
        """A whole book, after a TICK_SIZE row when the tick is news."""
        market, token = self.place(event, event["asset_id"])
        made: list[Row] = []
        tick = units(event["tick_size"], PRICE_UNIT)
        if self.ticks.get(market) != tick:
            self.ticks[market] = tick
            made.append((Kind.TICK_SIZE, 0, 0, market, tick, 0, 0, 0, ts))
        levels = []
        for side, name in ((BID, "bids"), (ASK, "asks")):
            for level in event[name]:
                price, size = units(level["price"], PRICE_UNIT), units(level["size"], SIZE_UNIT)
                levels.append((side, price, size) if token == YES else (1 - side, PRICE_UNIT - price, size))
        made.append((Kind.SNAP_OPEN, 0, 0, market, 0, len(levels), token, 0, ts))
        made += [(Kind.SNAP_LEVEL, side, 0, market, price, size, token, 0, ts) for side, price, size in levels]
        made.append((Kind.SNAP_CLOSE, 0, Flag.LAST, market, 0, 0, token, 0, ts))
        return made

    def last_trade_price(self, event: dict[str, Any], ts: int) -> list[Row]:
        """A trade; the side is the aggressor's, mirrored when it was printed for the NO token."""
        market, token = self.place(event, event["asset_id"])
        price, side = units(event["price"], PRICE_UNIT), BID if event["side"] == "BUY" else ASK
        if token == NO:
            price, side = PRICE_UNIT - price, 1 - side
        size = units(event["size"], SIZE_UNIT)
        return [(Kind.TRADE, side, Flag.LAST, market, price, size, token, 0, ts)]

    def tick_size_change(self, event: dict[str, Any], ts: int) -> list[Row]:
        """A new tick."""
        market, _ = self.place(event, event["asset_id"])
        self.ticks[market] = units(event["new_tick_size"], PRICE_UNIT)
        return [(Kind.TICK_SIZE, 0, Flag.LAST, market, self.ticks[market], 0, 0, 0, ts)]


def read(frames: Iterable[bytes], reader: Reader | None = None) -> np.ndarray:
    """All rows of `frames` as INPUT rows with synthetic receive times, no TICK rows."""
    reader = reader or Reader()
    numbered = [(number, row) for number, frame in enumerate(frames) for row in reader.rows(frame)]
    made = empty(len(numbered))
    for name, column in zip(COLUMNS, zip(*(row for _, row in numbered), strict=True), strict=True):
        made[name] = column
    made["frame"] = [number for number, _ in numbered]
    made["recv_ts"] = made["proc_ts"] = np.maximum.accumulate(made["source_ts"])
    made["in_seq"] = np.arange(1, len(made) + 1)
    return made
