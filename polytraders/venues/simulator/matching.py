"""The matching engine: one book in YES terms, best price first, then first come, first served.

Pure: no clock, no chance, no names. Prices in price units, sizes in 1e-6 shares. An order trades as far as it crosses,
at the prices of those it meets; what is left rests or is gone, as asked for.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator
from typing import Final, NamedTuple

from polytraders.contracts.inputs import ASK, BID, PRICE_UNIT

Levels = list[tuple[int, int]]
"""(price, total size), some order."""


class Order:
    """A resting order. `left` is what of `size` has not traded yet."""

    __slots__ = ("left", "number", "owner", "price", "side", "size")

    def __init__(self, number: int, owner: str, side: int, price: int, size: int) -> None:
        self.number = number
        self.owner = owner
        self.side = side
        self.price = price
        self.size = size
        self.left = size


class Fill(NamedTuple):
    """Part of an incoming order that traded, with the resting order it met."""

    order: int
    owner: str
    price: int
    size: int


class Placed(NamedTuple):
    """What became of an incoming order.

    Attributes:
        number: The order's number, whether it rests or not.
        fills: In the order they happened.
        rested: Size that lies in the book now.
    """

    number: int
    fills: list[Fill]
    rested: int


class OrderBook:
    """Orders of one market.

    Attributes:
        totals: Size at each price, bids then asks.
        orders: Resting orders by number.
    """

    def __init__(self) -> None:
        self.totals: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self.orders: dict[int, Order] = {}
        # Bids ascending and asks ascending: the best is last of the one and first of the other.
        self._prices: Final[tuple[list[int], list[int]]] = ([], [])
        # A dict keeps the order of arrival and drops from the middle at no cost.
        self._queues: Final[tuple[dict[int, dict[int, Order]], dict[int, dict[int, Order]]]] = ({}, {})
        self._number = 0

    def best(self, side: int) -> int:
        """Best price of a side; 0 or one pUSD when it is empty."""
        prices = self._prices[side]
        if not prices:
            return PRICE_UNIT if side else 0
        return prices[0] if side else prices[-1]

    def depth(self, side: int) -> int:
        """Levels on a side."""
        return len(self._prices[side])

    def levels(self, side: int) -> Levels:
        """Levels of a side with ascending prices."""
        totals = self.totals[side]
        return [(price, totals[price]) for price in self._prices[side]]

    def queue(self, side: int, price: int) -> Iterator[Order]:
        """Orders at a price, first come first."""
        return iter(self._queues[side].get(price, {}).values())

    def place(self, owner: str, side: int, price: int, size: int, *, rests: bool = True) -> Placed:
        """Match an order, and let the rest of it lie.

        Args:
            owner: Who places it; told to whom it meets, nothing else.
            side: BID buys YES, ASK sells it.
            price: The worst price it accepts, strictly between 0 and one pUSD.
            size: More than 0.
            rests: False drops what cannot trade at once.

        Raises:
            ValueError: Price or size out of range.
        """
        if not 0 < price < PRICE_UNIT or size <= 0:
            raise ValueError(f"no such order: {size} at {price}")
        self._number += 1
        number = self._number
        fills: list[Fill] = []
        left = size
        while left and (self.best(ASK) <= price if side == BID else self.best(BID) >= price):
            left = self._meet(1 - side, left, fills)
            if not self._prices[1 - side]:
                break
        if left and rests:
            order = Order(number, owner, side, price, size)
            order.left = left
            self._rest(order)
        return Placed(number, fills, left if rests else 0)

    def _meet(self, side: int, left: int, fills: list[Fill]) -> int:
        """Trade against the best level of a side; what of the size is left."""
        price = self.best(side)
        queue = self._queues[side][price]
        for order in list(queue.values()):
            size = min(left, order.left)
            fills.append(Fill(order.number, order.owner, price, size))
            order.left -= size
            left -= size
            if not order.left:
                del queue[order.number], self.orders[order.number]
            self._lower(side, price, size)
            if not left:
                break
        return left

    def _rest(self, order: Order) -> None:
        side, price = order.side, order.price
        totals = self.totals[side]
        if price in totals:
            totals[price] += order.left
        else:
            totals[price] = order.left
            self._queues[side][price] = {}
            insort(self._prices[side], price)
        self._queues[side][price][order.number] = order
        self.orders[order.number] = order

    def _lower(self, side: int, price: int, size: int) -> None:
        totals = self.totals[side]
        totals[price] -= size
        if not totals[price]:
            del totals[price], self._queues[side][price]
            prices = self._prices[side]
            del prices[bisect_left(prices, price)]

    def cancel(self, number: int) -> Order | None:
        """Take an order off the book; None when it is not there (any more)."""
        order = self.orders.pop(number, None)
        if order is not None:
            del self._queues[order.side][order.price][number]
            self._lower(order.side, order.price, order.left)
        return order
