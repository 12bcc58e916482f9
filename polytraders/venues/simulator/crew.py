"""Who trades in one market: makers who quote around what they believe, a crowd without an opinion, and some who know.

Makers believe the value of some time ago. Whenever their belief moves they take back every quote on its wrong side and
hit whoever else rests there, so being late is the only thing they can be punished for.
"""

from math import ceil, floor
from typing import Final

from polytraders.contracts.inputs import ASK, BID, NANO, PRICE_UNIT
from polytraders.venues.simulator.crowd import usual_size
from polytraders.venues.simulator.floor import Floor
from polytraders.venues.simulator.listing import CENT_TICK, EDGE_PRICE, FINE_TICK, Market
from polytraders.venues.simulator.texts import CENT

SIDES: Final = (BID, ASK)
LADDER: Final = 8
"""Levels that makers keep filled on each side."""

LADDER_MAX: Final = 18
ADDS_MAX: Final = 3
"""New quotes a side in one go; what is wrong is taken back at once, what is missing comes back step by step."""

CROWD_MAX: Final = 14
LEAVE_NS: Final = 20 * NANO
"""Before the end of a short market everybody leaves."""

HALF_SPREAD: Final = {CENT_TICK: 60, FINE_TICK: 20}
KNOWING_MARGIN: Final = 50
"""Price units that somebody who knows wants to earn after fees."""

REST_AFTER: Final = 0.06
"""Orders without a reason that take out the best level and rest."""

PLACES, CANCELS, TRADES, KNOWS = 0.40, 0.84, 0.91, 0.95


class Crew:
    """The traders of one market."""

    def __init__(self, market: Market, desk: Floor) -> None:
        self.market = market
        self._desk = desk
        self._rng = market.rng
        self._quotes: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self._crowd: list[int] = []

    def wanted(self, side: int) -> int:
        """Best price that makers quote on a side; outside of (0, one pUSD) they quote none."""
        market = self.market
        half = HALF_SPREAD.get(market.tick, market.tick)
        if market.updown and market.close_ns - self._desk.now_ns < 60 * NANO:
            half *= 2
        belief = market.quoted * PRICE_UNIT
        if side == BID:
            return floor((belief - half) / market.tick) * market.tick
        return ceil((belief + half) / market.tick) * market.tick

    def sweep(self) -> None:
        """Makers follow their belief."""
        market = self.market
        if market.closed or market.emptied:
            return
        if market.updown and market.close_ns - self._desk.now_ns <= LEAVE_NS:
            self._leave()
            return
        wanted = self.wanted(BID), self.wanted(ASK)
        for side in SIDES:
            for price in [price for price in self._quotes[side] if _better(side, price, wanted[side])]:
                self._desk.cancel(market, self._quotes[side].pop(price))
        self._hit()
        for side in SIDES:
            self._fill(side, wanted[side])
        middle = market.middle
        if market.tick > FINE_TICK and not EDGE_PRICE <= middle <= PRICE_UNIT - EDGE_PRICE:
            self._desk.change_tick(market, FINE_TICK)

    def _hit(self) -> None:
        """Take whatever the crowd left resting beyond the belief."""
        market, belief = self.market, self.market.quoted * PRICE_UNIT
        for side in SIDES:
            worst = ceil(belief / market.tick) if side == BID else floor(belief / market.tick)
            limit = min(max(worst * market.tick, market.tick), PRICE_UNIT - market.tick)
            if _better(side, limit, market.best(side)):
                continue
            totals = market.book.totals[side].items()
            size = sum(total for price, total in totals if not _better(side, limit, price))
            if size:
                self._desk.place(market, "maker", 1 - side, limit, size, rests=False)

    def _fill(self, side: int, wanted: int) -> None:
        """New quotes where the ladder has gaps, nearest first; the farthest goes when there are too many."""
        market, quotes, orders = self.market, self._quotes[side], self.market.book.orders
        step = -market.tick if side == BID else market.tick
        adds = 0
        for price in range(wanted, wanted + LADDER * step, step):
            if not 0 < price < PRICE_UNIT or adds == ADDS_MAX:
                break
            number = quotes.get(price)
            if number is None or number not in orders:
                placed = self._desk.place(market, "maker", side, price, usual_size(self._rng))
                adds += 1
                if placed.rested:
                    quotes[price] = placed.number
                else:
                    quotes.pop(price, None)
        if len(quotes) > LADDER_MAX:
            far = min(quotes) if side == BID else max(quotes)
            self._desk.cancel(market, quotes.pop(far))

    def _leave(self) -> None:
        """The last seconds: nobody stands by a price any more, except at the ends of the scale."""
        market = self.market
        market.emptied = True
        for number in list(market.book.orders):
            self._desk.cancel(market, number)
        self._desk.place(market, "maker", BID, market.tick, usual_size(self._rng))
        self._desk.place(market, "maker", ASK, PRICE_UNIT - market.tick, usual_size(self._rng))

    def churn(self) -> None:
        """Somebody in the crowd does something."""
        market, rng = self.market, self._rng
        if market.closed or market.emptied:
            return
        chance = rng.random()
        if chance < PLACES and len(self._crowd) < CROWD_MAX:
            self._rest(rng.choice(SIDES))
        elif chance < CANCELS:
            if self._crowd:
                self._desk.cancel(market, self._crowd.pop(rng.randrange(len(self._crowd))))
            else:
                self._rest(rng.choice(SIDES))
        elif chance < TRADES:
            self._take(rng.choice(SIDES))
        elif chance < KNOWS:
            self._know()
        else:
            self._resize(rng.choice(SIDES))

    def _rest(self, side: int) -> None:
        """A new order at the makers' price or behind it; never one that would trade."""
        market, rng = self.market, self._rng
        away = 0
        while away < 30 and rng.random() < 0.75:
            away += 1
        tick, wanted = market.tick, self.wanted(side)
        if side == BID:
            price = min(wanted, market.best(ASK) - tick) - away * tick
        else:
            price = max(wanted, market.best(BID) + tick) + away * tick
        if 0 < price < PRICE_UNIT:
            placed = self._desk.place(market, "crowd", side, price, usual_size(rng))
            self._crowd.append(placed.number)

    def _take(self, side: int) -> None:
        """An order without a reason: part of the best level, or all of it and the rest is left lying there."""
        market, rng = self.market, self._rng
        price = market.best(1 - side)
        there = market.book.totals[1 - side].get(price, 0)
        if not there:
            return
        if rng.random() < REST_AFTER:
            self.take_and_rest(side, 1)
        else:
            size = max(there // CENT * rng.randrange(5, 100) // 100, 1) * CENT
            self._desk.place(market, "crowd", side, price, size, rests=False)

    def take_and_rest(self, side: int, count: int, *, secret: bool = False) -> bool:
        """An order that takes out the best levels and rests; False when they are not there.

        Args:
            side: BID takes asks.
            count: Levels.
            secret: Not even a book tells that the levels are gone.
        """
        market = self.market
        opposite = market.book.levels(1 - side)
        there = (opposite if side == BID else opposite[::-1])[:count]
        if len(there) < count:
            return False
        size = sum(level[1] for level in there) + usual_size(self._rng)
        placed = self._desk.place(market, "crowd", side, there[-1][0], size, secret=secret)
        self._crowd.append(placed.number)
        return True

    def _know(self) -> None:
        """Somebody who knows the value trades when it pays after fees, a little or all there is."""
        market = self.market
        value, rate = market.value * PRICE_UNIT, float(market.fees.rate)
        for side in SIDES:
            price = market.best(1 - side)
            there = market.book.totals[1 - side].get(price, 0)
            fee = rate * price * (PRICE_UNIT - price) / PRICE_UNIT
            gain = value - price if side == BID else price - value
            if there and gain - fee > KNOWING_MARGIN:
                size = max(there // CENT * self._rng.randrange(20, 120) // 100, 1) * CENT
                self._desk.place(market, "informed", side, price, size, rests=False)

    def _resize(self, side: int) -> None:
        """A maker changes the size of a quote."""
        quotes = [price for price, number in self._quotes[side].items() if number in self.market.book.orders]
        if quotes:
            price = self._rng.choice(quotes)
            self._desk.cancel(self.market, self._quotes[side].pop(price))
            self._quotes[side][price] = self._desk.place(
                self.market, "maker", side, price, usual_size(self._rng)
            ).number


def _better(side: int, price: int, than: int) -> bool:
    """A quote at a price is better for those who take it."""
    return price > than if side == BID else price < than
