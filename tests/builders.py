"""Drawn books, input rows in a few words, and a block that takes them through the loop.

A book is drawn as a trader would write it: "300 @ 0.64 | 0.65 @ 200 | 0.66 @ 500" has 300 shares bid at 0.64 and two
asks. A row is a dict of the INPUT fields that matter; the others are filled in. All prices and sizes of rows are in the
loop's units, YES terms.
"""

from typing import Any

import numpy as np

from polytraders import loop
from polytraders.contracts.inputs import (
    ASK,
    BID,
    NANO,
    NO_PRICE,
    PRICE_UNIT,
    SIZE_UNIT,
    Fact,
    Flag,
    Kind,
    empty,
)
from polytraders.contracts.reasons import by_number
from polytraders.contracts.state import BOOK, BOOK_OK, DETAIL, OUT, Sizes, State
from polytraders.kernel.block import new_block, open_state, views
from polytraders.kernel.jit import JIT_OFF

Told = dict[str, int]
Level = tuple[int, int, int]

START = 1_780_315_200 * NANO
"""A Monday's noon, UTC: when a world begins."""


def px(text: str | float) -> int:
    """A price in pUSD as price units."""
    return round(float(text) * PRICE_UNIT)


def shares(count: str | float) -> int:
    """Shares as 1e-6."""
    return round(float(count) * SIZE_UNIT)


def levels(drawing: str) -> list[Level]:
    """(side, price, size) of each level drawn: bids say their size first, asks their price."""
    made = []
    for part in filter(None, (part.strip() for part in drawing.split("|"))):
        left, right = part.split("@")
        bid = right.strip().startswith("0.")
        assert bid != left.startswith("0."), f"{part!r}: one of the two is a price, which begins with 0."
        made.append((BID, px(right), shares(left)) if bid else (ASK, px(left), shares(right)))
    return made


def drawing(state: State, market: int = 0) -> str:
    """The compiled book of a market, drawn: best bid and best ask in the middle."""
    bids, asks = sides(state, market)
    made = [f"{size / SIZE_UNIT:g} @ {price / PRICE_UNIT:g}" for price, size in sorted(bids.items())]
    made += [f"{price / PRICE_UNIT:g} @ {size / SIZE_UNIT:g}" for price, size in sorted(asks.items())]
    return " | ".join(made)


def sides(state: State, market: int = 0) -> tuple[dict[int, int], dict[int, int]]:
    """The compiled book of a market as size by price: window and overflow list together."""
    mk = state.markets[market]
    found: tuple[dict[int, int], dict[int, int]] = ({}, {})
    for side, base, count in ((BID, "bid_base", "bid_overflow"), (ASK, "ask_base", "ask_overflow")):
        for slot in np.flatnonzero(state.levels[market, side, : int(mk["slots"])]).tolist():
            found[side][(slot + int(mk[base])) * int(mk["tick"])] = int(state.levels[market, side, slot])
        outside = state.overflow[market, side, : int(mk[count])].tolist()
        assert not found[side].keys() & {price for price, _ in outside}
        found[side].update(outside)
    return found


def tick_size(tick: str | float, market: int = 0) -> Told:
    """The market's tick from now on."""
    return {"kind": Kind.TICK_SIZE, "market": market, "price": px(tick)}


def snapshot(drawn: str | list[Level], market: int = 0, *, flags: int = 0) -> list[Told]:
    """A whole book; `flags` go on its last row."""
    inner = levels(drawn) if isinstance(drawn, str) else drawn
    rows: list[Told] = [{"kind": Kind.SNAP_OPEN, "market": market, "size": len(inner)}]
    for side, price, size in inner:
        rows.append({"kind": Kind.SNAP_LEVEL, "market": market, "side": side, "price": price, "size": size})
    return [*rows, {"kind": Kind.SNAP_CLOSE, "market": market, "flags": Flag.LAST | flags}]


def level(drawn: str, market: int = 0, *, best: tuple[str | None, str | None] | None = None) -> Told:
    """A new total, drawn like one level of a book; `best` = the venue's own bid and ask, None = that side is empty."""
    ((side, price, size),) = levels(drawn)
    made: Told = {"kind": Kind.LEVEL, "market": market, "side": side, "price": price, "size": size, "flags": Flag.LAST}
    if best is not None:
        a, b = (NO_PRICE if text is None else px(text) for text in best)
        made |= {"flags": Flag.LAST | Flag.BEST, "a": a, "b": b}
    return made


def trade(aggressor: int, price: str | float, size: float, market: int = 0) -> Told:
    """A print; `aggressor` BID = YES was bought."""
    fields = {"side": aggressor, "price": px(price), "size": shares(size), "flags": Flag.LAST}
    return {"kind": Kind.TRADE, "market": market} | fields


def fact(which: Fact, value: int, market: int = 0) -> Told:
    """A registry fact."""
    return {"kind": Kind.FACT, "market": market, "price": which, "size": value}


class World:
    """A block of the loop's memory and what it has said.

    Attributes:
        state: Its arrays; records of it can be handed to compiled functions, and to the plain ones with the JIT off.
        now: Time of the next rows, ns.
        inputs: INPUT rows so far, in parts.
    """

    def __init__(self, drawn: str = "", *, tick: str | float = "0.01", markets: int = 1, strategies: int = 1) -> None:
        """Markets on `tick`; market 0 with the book drawn, if any."""
        self._block = new_block(Sizes(markets, strategies))
        self.state: State = (open_state if JIT_OFF else views)(self._block)
        self.now = START
        self.inputs: list[np.ndarray] = []
        self._in_seq = 0
        self._out = np.zeros(1_024, OUT)
        self._details = np.zeros(1_024, DETAIL)
        self.feed(*(tick_size(tick, market) for market in range(markets)))
        if drawn:
            self.feed(*snapshot(drawn))

    @property
    def mk(self) -> Any:
        """Record of market 0, no copy."""
        return self.state.markets[0]

    @property
    def x(self) -> Any:
        """Features of market 0 as last measured, no copy."""
        return self.state.features[0]

    @property
    def is_valid(self) -> bool:
        """Whether market 0 has a book that may be traded on."""
        return bool(self.mk["state"] == BOOK_OK)

    @property
    def why(self) -> str:
        """Why market 0 has none, a reason code; "" where no reason was given."""
        return by_number(int(self.mk["why"])).code if self.mk["why"] else ""

    def rows(self, *told: Told) -> np.ndarray:
        """Numbered INPUT rows at `now`."""
        made = empty(len(told))
        made["in_seq"] = np.arange(self._in_seq + 1, self._in_seq + 1 + len(told))
        made["recv_ts"] = made["proc_ts"] = made["source_ts"] = self.now
        made["frame"] = made["in_seq"]
        for number, fields in enumerate(told):
            for name, value in fields.items():
                made[name][number] = value
        self._in_seq += len(told)
        return made

    def feed(self, *told: Told, after: float = 0.0) -> np.ndarray:
        """`after` seconds later, take rows through the loop; returns the OUT rows they caused."""
        self.now += round(after * NANO)
        return self.run(self.rows(*told))

    def run(self, rows: np.ndarray) -> np.ndarray:
        """Take INPUT rows through the loop; returns the OUT rows they caused."""
        self.inputs.append(rows)
        found = [np.zeros(0, OUT)]
        at = 0
        while at < len(rows):
            data = rows.view(np.uint8)
            at = loop.run(self._block, data, at, len(rows), self._out.view(np.uint8), self._details.view(np.uint8))
            assert int(self.mk["slots"]) >= 0 and int(self.state.portfolio["fault"][0]) == 0
            found.append(self._out[: int(self.state.portfolio["count"][0])].copy())
        return np.concatenate(found)


def book_reasons(outs: np.ndarray) -> list[str]:
    """The BOOK rows among OUT rows, in words: the reason code of a loss, "" for a book that became valid."""
    numbers = outs["first"][outs["kind"] == BOOK].tolist()
    return [by_number(number).code if number > 0 else "" for number in numbers]
