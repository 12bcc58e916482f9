"""The trading floor: everything that happens to a book happens here, is remembered here, and is told from here.

What is told has the channel's habits: the NO row first in a third of the changes, timestamps of a moment ago, frames
said twice, prints for one token only, books some time after a trade; and when an order takes out levels and rests, the
levels it took are not told as gone: only the best prices and the next book show it.
"""

from collections import deque
from collections.abc import Callable
from random import Random
from typing import Any, Final, NamedTuple

from polytraders.contracts.inputs import ASK, BID
from polytraders.venues.simulator import frames
from polytraders.venues.simulator.listing import Market
from polytraders.venues.simulator.matching import Fill, Placed
from polytraders.venues.simulator.texts import price_text

MS: Final = 1_000_000
NO_FIRST: Final = 1 / 3
BACK: Final = 0.008
BACK_MS_MAX: Final = 2_900
TWICE: Final = 0.0025
TRADES_MAX: Final = 200_000
BOTH: Final = -1


class Told(NamedTuple):
    """One message for those who listen.

    Attributes:
        ts_ns: When it left.
        event: Event type; of Binance, the stream's name; of the exchange itself, `down` or `up`.
        market: Condition id, "" for none.
        token: Which token's listeners it is for, BOTH for either's.
        custom: Only for those who asked for the custom features.
        raw: The bytes.
    """

    ts_ns: int
    event: str
    market: str
    token: int
    custom: bool
    raw: bytes


class Trade(NamedTuple):
    """A trade as it truly was: YES terms, price units, 1e-6 shares."""

    ts_ns: int
    market: str
    side: int
    price: int
    size: int
    taker: str
    maker: str
    printed_for: int


class Floor:
    """See the module.

    Attributes:
        now_ns: The exchange's time; whoever drives it moves it.
        trades: The last 200,000, oldest first; `trade_count` counts all.
    """

    def __init__(self, rng: Random, tell: Callable[[Told], None], books_later: Callable[[Market, int], None]) -> None:
        """Open.

        Args:
            rng: Chance for the habits of the channel.
            tell: Takes each message.
            books_later: Asked to have `tell_books` called for a market after so many ns.
        """
        self._rng = rng
        self._tell = tell
        self._books_later = books_later
        self._said = 0
        self.now_ns = 0
        self.trades: deque[Trade] = deque(maxlen=TRADES_MAX)
        self.trade_count = 0

    @property
    def now_ms(self) -> int:
        """The exchange's time in the venue's unit."""
        return self.now_ns // MS

    def place(
        self, market: Market, owner: str, side: int, price: int, size: int, *, rests: bool = True, secret: bool = False
    ) -> Placed:
        """Have an order matched, and tell what the venue tells about it.

        Args:
            market: Where.
            owner: Who, for the record.
            side: BID buys YES.
            price: Price units, on the grid.
            size: 1e-6 shares.
            rests: False: what does not trade at once is dropped.
            secret: A fault: no book follows the trade.
        """
        book = market.book
        before = book.best(BID), book.best(ASK)
        placed = book.place(owner, side, price, size, rests=rests)
        taken = list(dict.fromkeys(fill.price for fill in placed.fills))
        for level in taken:
            market.history.note(self.now_ns, book, 1 - side, level)
        if placed.rested:
            market.history.note(self.now_ns, book, side, price)
        if taken:
            self._print(market, owner, side, placed.fills)
        told = [(side, price)] if placed.rested else [(1 - side, level) for level in taken]
        if told:
            self._change(market, told, before)
        if taken and not secret and not market.books_due:
            market.books_due = True
            self._books_later(market, self._rng.randrange(1, 300) * MS)
        return placed

    def cancel(self, market: Market, number: int) -> None:
        """Take an order off the book, if it is still there."""
        book = market.book
        before = book.best(BID), book.best(ASK)
        order = book.cancel(number)
        if order is not None:
            market.history.note(self.now_ns, book, order.side, order.price)
            self._change(market, [(order.side, order.price)], before)

    def _print(self, market: Market, owner: str, side: int, fills: list[Fill]) -> None:
        sums: dict[int, int] = {}
        token = int(self._rng.random() < 0.5)
        for fill in fills:
            sums[fill.price] = sums.get(fill.price, 0) + fill.size
            self.trades.append(
                Trade(self.now_ns, market.condition, side, fill.price, fill.size, owner, fill.owner, token)
            )
        self.trade_count += len(fills)
        for price, size in sums.items():
            market.last_trade = price_text(frames.of(token, price))
            market.volume += size
            self._said += 1
            self.say(market, frames.trade(market, token, side, price, size, self._time(), self._said), token)

    def _change(self, market: Market, told: list[tuple[int, int]], before: tuple[int, int]) -> None:
        order = (1, 0) if self._rng.random() < NO_FIRST else (0, 1)
        self._said += 1
        frame = frames.price_change(market, told, order, self._time(), self._said)
        self.say(market, frame, BOTH)
        if self._rng.random() < TWICE:
            self.say(market, frame, BOTH)
        if (market.book.best(BID), market.book.best(ASK)) != before:
            for token in (0, 1):
                self.say(market, frames.best_bid_ask(market, token, self.now_ms), token, custom=True)

    def tell_books(self, market: Market) -> None:
        """Whole books of both tokens."""
        market.books_due = False
        for token in (1, 0) if self._rng.random() < NO_FIRST else (0, 1):
            self.say(market, frames.book(market, token, self.now_ms), token)

    def change_tick(self, market: Market, tick: int, *, told: bool = True) -> None:
        """Another grid, whole books after it; a fault may keep it to itself."""
        old, market.tick = market.tick, tick
        if told:
            for token in (0, 1):
                self.say(market, frames.tick_size_change(market, token, old, self.now_ms), token)
            self.tell_books(market)

    def say(self, market: Market, frame: dict[str, Any], token: int, *, custom: bool = False) -> None:
        """Hand a message out."""
        raw = frames.encode(frame)
        self._tell(Told(self.now_ns, frame["event_type"], market.condition, token, custom, raw))

    def _time(self) -> int:
        """Milliseconds, sometimes of a moment ago."""
        back = self._rng.randrange(1, BACK_MS_MAX + 1) if self._rng.random() < BACK else 0
        return self.now_ms - back
