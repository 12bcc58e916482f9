"""Whether fills were possible: the naive book says what was displayed and printed, and every FILL is held against it.

A taker meets the book as it stood after the last input before its arrival, at its limit or better, best prices first,
and shares each level with our other takers until the venue shows more. A maker joins the queue that was displayed when
it arrived; prints at its price use up the queue before they reach it, and a print is shared by our orders.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from polytraders.contracts import state as s
from polytraders.contracts.inputs import ASK, BID, NO, PRICE_UNIT, YES, Kind
from polytraders.contracts.state import BOOK_OK
from tests.oracle import Oracle

MS_NS = 1_000_000


@dataclass
class Order:
    """One of our orders, in YES terms."""

    market: int
    buys_yes: bool
    price: int
    left: int
    maker: bool
    arrive_ts: int
    front: int | None = None


@dataclass
class Judge:
    """Follows inputs and outputs side by side.

    Attributes:
        latency_ms: From decision to arrival.
        makers: Which strategies rest.
        takers_filled: Fills of takers that were possible.
        makers_filled: Likewise, of makers.
        impossible: What was wrong, in words.
        flattening: Whether everything is being flattened; makers take then. Flattening of less is not followed.
    """

    latency_ms: int
    makers: tuple[bool, ...]
    oracle: Oracle = field(default_factory=Oracle)
    orders: dict[tuple[int, int], Order] = field(default_factory=dict)
    had: dict[tuple[int, int, int], int] = field(default_factory=dict)
    takers_filled: int = 0
    makers_filled: int = 0
    impossible: list[str] = field(default_factory=list)
    flattening: bool = False

    def take(self, rows: np.ndarray, outs: Iterable[np.void]) -> None:
        """Input rows and what the loop said about them."""
        said: dict[int, list[np.void]] = {}
        for out in outs:
            said.setdefault(int(out["in_seq"]), []).append(out)
        names = rows.dtype.names or ()
        for values in rows.tolist():
            row = dict(zip(names, values, strict=True))
            self.row(row, said.pop(row["in_seq"], []))
        assert not said, "outputs of inputs that were not given"

    def row(self, row: dict[str, int], outs: list[np.void]) -> None:
        """One input: fills first, for they met the book before it; then what it says itself."""
        now = max(self.oracle.now, row["recv_ts"])
        for order in self.orders.values():
            if order.front is None and order.maker and order.arrive_ts <= now:
                order.front = self.displayed(order)
        self.printed = row["size"] if row["kind"] == Kind.TRADE else 0
        for out in outs:
            if out["kind"] == s.FILL:
                self.fill(row, out, now)
            elif out["kind"] == s.DONE:
                del self.orders[int(out["market"]), int(out["strategy"])]
        self.oracle.take(row)
        self.shown(row)
        for out in outs:
            if out["kind"] == s.APPROVAL:
                self.approved(out)

    def approved(self, out: np.void) -> None:
        """A new order."""
        outcome, price = int(out["outcome"]), int(out["price"])
        where = int(out["market"]), int(out["strategy"])
        assert where not in self.orders, "two orders of one strategy in one market"
        self.orders[where] = Order(
            market=where[0],
            buys_yes=(out["action"] == s.BUY) == (outcome == YES),
            price=PRICE_UNIT - price if outcome == NO else price,
            left=int(out["size"]),
            maker=self.makers[where[1]] and not self.flattening,
            arrive_ts=int(out["ts"]) + self.latency_ms * MS_NS,
        )

    def fill(self, row: dict[str, int], out: np.void, now: int) -> None:
        """A fill: no more than its order, its level and the prints allow."""
        where = int(out["market"]), int(out["strategy"])
        order, size = self.orders[where], int(out["size"])
        price = PRICE_UNIT - int(out["price"]) if out["outcome"] == NO else int(out["price"])
        assert order.maker == bool(out["votes"])
        allowed = self.for_maker(order, row, price) if order.maker else self.for_taker(order, price)
        if size > allowed or size > order.left or now < order.arrive_ts:
            self.impossible.append(f"input {row['in_seq']}: {size} at {price}, possible {allowed} of {order}")
        self.takers_filled += not order.maker
        self.makers_filled += order.maker
        self.printed -= size * order.maker
        if not order.maker:
            level = order.market, ASK if order.buys_yes else BID, price
            self.had[level] = self.had.get(level, 0) + size
        order.left -= size
        if order.left == 0:
            del self.orders[where]

    def for_taker(self, order: Order, price: int) -> int:
        """What a taker can have at a price; nothing while a better one still has something."""
        book = self.oracle.books[order.market]
        side = ASK if order.buys_yes else BID
        free = {at: shown - self.had.get((order.market, side, at), 0) for at, shown in book.sides[side].items()}
        better = [at for at, left in free.items() if left > 0 and (at < price if order.buys_yes else at > price)]
        within = price <= order.price if order.buys_yes else price >= order.price
        return free.get(price, 0) if book.state == BOOK_OK and within and not better else 0

    def for_maker(self, order: Order, row: dict[str, int], price: int) -> int:
        """What a print leaves for a maker after the queue ahead of it."""
        meets = row["kind"] == Kind.TRADE and row["market"] == order.market
        if not meets or price != order.price or (row["side"] == ASK) != order.buys_yes or order.front is None:
            return 0
        through = row["price"] < order.price if order.buys_yes else row["price"] > order.price
        if through:
            order.front = 0
            return self.printed
        if row["price"] != order.price:
            return 0
        return max(min(self.printed, row["size"] - order.front), 0)

    def displayed(self, order: Order) -> int:
        """Size before an order that arrives now."""
        return self.oracle.books[order.market].sides[BID if order.buys_yes else ASK].get(order.price, 0)

    def shown(self, row: dict[str, int]) -> None:
        """What an input changes in queues and in what our takers can have had."""
        market, kind = row["market"], row["kind"]
        if kind == Kind.FLATTEN:
            self.flattening = bool(row["a"])
        if kind == Kind.TRADE:
            for order in self.orders.values():
                own = order.market == market and order.maker and (row["side"] == ASK) == order.buys_yes
                if own and order.front is not None and row["price"] == order.price:
                    order.front = max(order.front - row["size"], 0)
        elif kind == Kind.LEVEL:
            for order in self.orders.values():
                own = order.market == market and order.price == row["price"]
                if own and order.front is not None and (row["side"] == BID) == order.buys_yes:
                    order.front = min(order.front, row["size"])
        if market in self.oracle.books and kind in (Kind.LEVEL, Kind.SNAP_CLOSE):
            sides = self.oracle.books[market].sides
            for level in [level for level in self.had if level[0] == market]:
                self.had[level] = min(self.had[level], sides[level[1]].get(level[2], 0))
