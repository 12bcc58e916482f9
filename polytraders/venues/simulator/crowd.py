"""One made-up market: a price that wanders, and a crowd that quotes and trades around it.

The price drifts back to its middle, with noise and now and then a burst in one direction. Quotes follow it late:
whoever is quoted on the wrong side of it is hit or withdraws, so that flow runs ahead of the quotes as it does in life.
Only arithmetic that gives the same bits on every machine is used: no exponentials, no normal variates of a library.
"""

from math import floor, sqrt
from random import Random
from typing import Final, NamedTuple

from polytraders.contracts.inputs import ASK, BID, PRICE_UNIT, SIZE_UNIT
from polytraders.venues.simulator.texts import CENT

LEVELS_MIN: Final = 5
LEVELS_MAX: Final = 50
SIZES: Final = (5, 10, 15, 20, 25, 40, 50, 75, 100, 150, 200, 250, 300, 500, 750, 1_000, 2_000)
REVERSION_PER_S: Final = 1 / 90
NOISE_PER_ROOT_S: Final = 40.0
"""Price units: about three cents in a minute."""
BURST_PER_S: Final = 1 / 40
BURST_UNITS_PER_S: Final = (30.0, 90.0)
BURST_S: Final = (4.0, 12.0)


class Print(NamedTuple):
    """A trade: the aggressor's side, price in price units, size in 1e-6 shares; YES terms."""

    side: int
    price: int
    size: int


class Told(NamedTuple):
    """What an act lets the world know: trades first, then the levels (side, price) that changed."""

    prints: list[Print]
    levels: list[tuple[int, int]]


class Market:
    """A market's true book, in YES terms.

    Attributes:
        tick: Price units.
        sides: Price to size, bids then asks.
        fair: Where the crowd thinks the price is, price units.
    """

    def __init__(self, rng: Random, tick: int, middle: int, pace: float) -> None:
        """Open with a full book.

        Args:
            rng: The only source of chance.
            tick: Price units.
            middle: Price the market returns to, price units.
            pace: Factor on every movement.
        """
        self.rng = rng
        self.tick = tick
        self.sides: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self.fair = float(middle)
        self._middle = middle
        self._pace = pace
        self._drift = 0.0
        self._drift_left_s = 0.0
        for side in (BID, ASK):
            price = self.quote(side)
            for _ in range(rng.randrange(12, 24)):
                if not 0 < price < PRICE_UNIT:
                    break
                self.sides[side][price] = self._size()
                price += (1 - 2 * (side == BID)) * tick * rng.choice((1, 1, 1, 2, 3))

    def best(self, side: int) -> int:
        """Best price of a side; 0 or one pUSD when it is empty."""
        prices = self.sides[side]
        return max(prices, default=0) if side == BID else min(prices, default=PRICE_UNIT)

    def quote(self, side: int) -> int:
        """Best price the crowd would quote on a side at its present view."""
        ticks = self.fair / self.tick
        if side == BID:
            return max(floor(ticks - 0.3), 1) * self.tick
        return min(floor(ticks + 1.3), PRICE_UNIT // self.tick - 1) * self.tick

    def wander(self, seconds: float) -> None:
        """Let time pass over the crowd's view."""
        rng = self.rng
        if self._drift_left_s > 0:
            self._drift_left_s -= seconds
        elif rng.random() < BURST_PER_S * seconds:
            low, high = BURST_UNITS_PER_S
            self._drift = (low + (high - low) * rng.random()) * rng.choice((-1, 1))
            self._drift_left_s = BURST_S[0] + (BURST_S[1] - BURST_S[0]) * rng.random()
        else:
            self._drift = 0.0
        # Twelve uniforms make a good enough bell.
        bell = sum(rng.random() for _ in range(12)) - 6
        move = self._drift * seconds + NOISE_PER_ROOT_S * sqrt(seconds) * bell
        self.fair += move * self._pace + (self._middle - self.fair) * REVERSION_PER_S * seconds
        edge = 12.0 * self.tick
        self.fair = min(max(self.fair, edge), PRICE_UNIT - edge)

    def act(self) -> Told:
        """One thing somebody does."""
        rng = self.rng
        for side in (BID, ASK):
            # A quote on the wrong side of the view is hit, or withdrawn before it is.
            past = (self.best(side) - self.fair) * (1 if side == BID else -1)
            if past > 0 and len(self.sides[side]) > LEVELS_MIN:
                return self._take(1 - side) if rng.random() < 0.4 else self._cancel(side, self.best(side))
        if rng.random() < 0.008:
            return self._take(rng.choice((BID, ASK)))
        side = rng.choice((BID, ASK))
        crowded = len(self.sides[side])
        if crowded >= LEVELS_MAX or (crowded > 2 * LEVELS_MIN and rng.random() < 0.3):
            return self._cancel(side, self._some(side))
        if crowded > 2 * LEVELS_MIN and rng.random() < 0.45:
            return self._resize(side, self._some(side))
        return self._place(side)

    def match_then_rest(self) -> Told | None:
        """Somebody takes the best one or two levels and rests what is left at the last price taken.

        The world is told the trades and the new resting level, and not that the levels taken are gone.

        Returns:
            What is told, or None while the book is too thin for it.
        """
        side = self.rng.choice((BID, ASK))
        against = self.sides[1 - side]
        count = self.rng.choice((1, 1, 2))
        if len(against) < LEVELS_MIN + count:
            return None
        prints = []
        price = 0
        for _ in range(count):
            price = self.best(1 - side)
            prints.append(Print(side, price, against.pop(price)))
        self.sides[side][price] = self._size()
        return Told(prints, [(side, price)])

    def touch(self) -> Told:
        """The smallest thing somebody can do: one new order."""
        return self._place(self.rng.choice((BID, ASK)))

    def _take(self, side: int) -> Told:
        """An order that is filled at once: part of the best level, all of it, or two levels."""
        against = self.sides[1 - side]
        way = self.rng.random()
        told = Told([], [])
        for _ in range(2 if way > 0.9 else 1):
            price = self.best(1 - side)
            size = against[price]
            if way < 0.55 or len(against) <= LEVELS_MIN:
                size = max(size // CENT * self.rng.randrange(10, 90) // 100, 1) * CENT
            told.prints.append(Print(side, price, size))
            told.levels.append((1 - side, price))
            against[price] -= size
            if against[price] <= 0:
                del against[price]
            if len(against) <= LEVELS_MIN:
                break
        return told

    def _place(self, side: int) -> Told:
        """A new order at or behind the quote; never one that would trade."""
        away = 0
        while away < 40 and self.rng.random() < 0.72:
            away += 1
        price = self.quote(side)
        against = self.best(1 - side)
        if side == BID:
            price = max(min(price, against - self.tick) - away * self.tick, self.tick)
        else:
            price = min(max(price, against + self.tick) + away * self.tick, PRICE_UNIT - self.tick)
        own = self.sides[side]
        own[price] = own.get(price, 0) + self._size()
        return Told([], [(side, price)])

    def _resize(self, side: int, price: int) -> Told:
        self.sides[side][price] = self._size()
        return Told([], [(side, price)])

    def _cancel(self, side: int, price: int) -> Told:
        del self.sides[side][price]
        return Told([], [(side, price)])

    def _some(self, side: int) -> int:
        """A level of a side, more likely one near the best."""
        prices = sorted(self.sides[side], reverse=side == BID)
        at = self.rng.randrange(len(prices))
        return prices[min(at, self.rng.randrange(len(prices)))]

    def _size(self) -> int:
        return usual_size(self.rng)


def usual_size(rng: Random) -> int:
    """A round size, or in one of three cases one with decimals; 1e-6 shares."""
    shares = rng.choice(SIZES)
    if rng.random() < 1 / 3:
        return rng.randrange(shares * 100, shares * 200) * CENT
    return shares * SIZE_UNIT
