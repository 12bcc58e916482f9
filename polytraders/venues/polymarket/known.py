"""What the decoder knows about markets: their index, their two tokens, their tick, their last book.

Changes made while a frame is read are noted with their undoing: a frame is taken whole or leaves no trace.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final

from polytraders.venues.polymarket.numbers import CAPACITY, CONFLICT, MISSING, TYPE, Grid, Sizes, Text

_MARKET: Final = re.compile(r"0x[0-9a-f]{62}(?:[0-9a-f]{2})?")
_TOKEN: Final = re.compile(r"[0-9]{1,78}")
_PADDED: Final = 66
OUTCOMES: Final = 2


def canonical(market: str) -> str:
    """One spelling per condition id: Protocol v2 ids have 31 bytes and are right-padded with zeros to 32."""
    return market + "00" if len(market) == _PADDED - 2 and market.startswith("0x") else market


def is_token(text: str) -> bool:
    """True for what can be a token id: a whole number of up to 78 digits."""
    return _TOKEN.fullmatch(text) is not None


def is_market(text: str) -> bool:
    """True for what can be a condition id, in either spelling."""
    return _MARKET.fullmatch(text) is not None


class Known:
    """Markets by index, in order of first sight or registration. A token's spot is `2 * market + token`, YES = 0.

    Attributes:
        markets: Condition ids as first told.
        index: Every spelling of a condition id to its index.
        spots: Token id to its spot.
        tokens: Token ids of each market, YES first, at most two.
        grids: The prices that each market's tick allows.
        ticks: Tick of each market in price units, 0 = not known yet.
        facts: Registry's (min_order_size text, neg_risk) of each market, for the book hash; None = not known.
        books: Token and time of each market's last whole book.
        sizes: Size texts, shared by all markets.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.markets: list[str] = []
        self.index: dict[Text, int] = {}
        self.spots: dict[Text, int] = {}
        self.tokens: list[list[str]] = []
        self.grids: list[Grid] = []
        self.ticks: list[int] = []
        self.facts: list[tuple[str, bool] | None] = []
        self.books: list[tuple[int, int]] = []
        self.sizes = Sizes()
        self._by_tick: dict[int, Grid] = {}
        self._undo: list[Callable[[], object]] = []

    def keep(self) -> None:
        """Make what the frame changed final."""
        self._undo.clear()

    def forget(self) -> None:
        """Take back what the frame changed."""
        while self._undo:
            self._undo.pop()()

    def find(self, market: str) -> int | None:
        """Index of a market by either spelling of its id."""
        found = self.index.get(market)
        return self.index.get(canonical(market)) if found is None else found

    def place(self, market: Text, token: Text) -> int:
        """Spot of a token, learned on first sight: the first token of a market is its YES.

        Returns:
            The spot, or MISSING, TYPE (not an id), CONFLICT (a third token, or another market's), CAPACITY.
        """
        if not isinstance(market, str) or not isinstance(token, str) or not market or not token:
            return MISSING
        index = self.find(market)
        spot = self.spots.get(token)
        if spot is not None:
            return spot if index == spot >> 1 else CONFLICT
        if index is not None and len(self.tokens[index]) == OUTCOMES:
            return CONFLICT
        if not is_token(token) or (index is None and not is_market(market)):
            return TYPE
        if index is None:
            index = self.add_market(market)
            if index < 0:
                return index
        return self.add_token(index, token)

    def add_market(self, market: str) -> int:
        """Give a new market the next index, or CAPACITY."""
        index = len(self.markets)
        if index >= self.capacity:
            return CAPACITY
        self.markets.append(market)
        self.tokens.append([])
        self.grids.append(self._grid(1))
        self.ticks.append(0)
        self.facts.append(None)
        self.books.append((-1, -1))
        spellings = {market, canonical(market)}
        for spelling in spellings:
            self.index[spelling] = index
        self._undo.append(lambda: self._drop_market(spellings))
        return index

    def _drop_market(self, spellings: set[str]) -> None:
        for column in (self.markets, self.tokens, self.grids, self.ticks, self.facts, self.books):
            column.pop()
        for spelling in spellings:
            del self.index[spelling]

    def add_token(self, index: int, token: str) -> int:
        """Spot of a token that is new, in a market that has room for it."""
        tokens = self.tokens[index]
        spot = OUTCOMES * index + len(tokens)
        tokens.append(token)
        self.spots[token] = spot
        self._undo.append(lambda: (tokens.pop(), self.spots.pop(token)))
        return spot

    def set_tick(self, index: int, tick: int) -> bool:
        """Learn a market's tick; True when that is news."""
        was = self.ticks[index]
        if was == tick:
            return False
        self._set_tick(index, tick)
        self._undo.append(lambda: self._set_tick(index, was))
        return True

    def _set_tick(self, index: int, tick: int) -> None:
        self.ticks[index] = tick
        self.grids[index] = self._grid(tick or 1)

    def _grid(self, tick: int) -> Grid:
        return self._by_tick.setdefault(tick, Grid(tick))

    def set_book(self, index: int, token: int, time: int) -> bool:
        """Note a whole book; True when the one before it was the other token's at the same time."""
        was = self.books[index]
        self.books[index] = (token, time)
        self._undo.append(lambda: self.books.__setitem__(index, was))
        return was == (1 - token, time)

    def register(self, market: str, tokens: Sequence[str], min_size: str | None, neg_risk: bool | None) -> int:
        """Learn a market from the registry: its index, or CONFLICT with what is known, or CAPACITY."""
        index = self.find(market)
        seen = [] if index is None else self.tokens[index]
        if len(tokens) > OUTCOMES or len(set(tokens)) < len(tokens) or seen != list(tokens[: len(seen)]):
            return CONFLICT
        if {self.spots[token] >> 1 for token in tokens if token in self.spots} - {index}:
            return CONFLICT
        if index is None:
            index = self.add_market(market)
            if index < 0:
                return index
        for token in tokens[len(seen) :]:
            self.add_token(index, token)
        if min_size is not None and neg_risk is not None:
            self.facts[index] = (min_size, neg_risk)
        self.keep()
        return index
