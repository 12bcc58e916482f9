"""A bitcoin that never was: a price without drift whose volatility changes its mood, and an exchange near to it.

The price settles markets. Binance's is a proxy, as in life: it follows with a small error that comes and goes.
"""

from math import erfc, exp, log, sqrt
from random import Random
from typing import Any, Final, NamedTuple

import msgspec

MOODS: Final = ((0.5, 4e-5), (0.4, 8e-5), (0.1, 2e-4))
"""Share of the time, and volatility per square root of a second: calm, usual, wild. A year of it is about 50 %."""

MOOD_PER_S: Final = 1 / 180
BASIS_USD: Final = 1.0
BASIS_PER_S: Final = 1 / 60
START_USD: Final = 60_000
TICKERS_PER_S: Final = 10.0
TRADES_PER_S: Final = 5.0

MEAN_VARIANCE: Final = sum(share * sigma**2 for share, sigma in MOODS)


class Quote(NamedTuple):
    """A message of Binance: its stream's name and its bytes."""

    stream: str
    raw: bytes


class Bitcoin:
    """The path.

    Attributes:
        cents: The price that settles, in cents of a dollar.
        sigma: Volatility per square root of a second, now.
        proxy_cents: Binance's best bid; its best ask is a cent above.
    """

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._log = log(START_USD + rng.uniform(-5_000, 5_000))
        self._basis = 0.0
        self._update = 50_000_000_000
        self._trade = 3_700_000_000
        self.sigma = self._mood()
        self.cents = self.proxy_cents = 0
        self.step(0.0)

    def go_on(self, cents: int) -> None:
        """Continue at a price, in this mood."""
        self._log = log(cents / 100)
        self.step(0.0)

    def _mood(self) -> float:
        chance = self._rng.random()
        for share, sigma in MOODS:
            chance -= share
            if chance < 0:
                return sigma
        return MOODS[-1][1]

    def step(self, seconds: float) -> None:
        """Let time pass."""
        rng = self._rng
        if rng.random() < MOOD_PER_S * seconds:
            self.sigma = self._mood()
        deviation = self.sigma * sqrt(seconds)
        self._log += deviation * rng.gauss(0.0, 1.0) - deviation**2 / 2
        pull = BASIS_PER_S * seconds
        self._basis += BASIS_USD * sqrt(2 * pull) * rng.gauss(0.0, 1.0) - pull * self._basis
        price = exp(self._log)
        self.cents = round(price * 100)
        self.proxy_cents = round((price + self._basis) * 100)

    def variance(self, seconds: float) -> float:
        """Variance of the log price expected over the next seconds: moods are drawn anew at a constant rate."""
        excess = self.sigma**2 - MEAN_VARIANCE
        return MEAN_VARIANCE * seconds + excess * (1 - exp(-MOOD_PER_S * seconds)) / MOOD_PER_S

    def quotes(self, now_ms: int, seconds: float, rate: float) -> list[Quote]:
        """What Binance says about the last seconds: best prices, and trades on them.

        Args:
            now_ms: The exchange's time.
            seconds: Stretch to speak of.
            rate: Factor on the number of messages; the first best price is always told.
        """
        rng = self._rng
        bid, ask = self.proxy_cents, self.proxy_cents + 1
        told = [self._ticker(bid, ask) for _ in range(1 + _times(rng, (TICKERS_PER_S * rate * seconds) - 1))]
        for _ in range(_times(rng, TRADES_PER_S * rate * seconds)):
            self._trade += 1
            sells = rng.random() < 0.5
            data = {"e": "trade", "E": now_ms + 1, "s": "BTCUSDT", "t": self._trade, "p": _usd(bid if sells else ask)}
            data |= {"q": f"{rng.expovariate(20.0) + 0.00001:.5f}000", "T": now_ms, "m": sells, "M": True}
            told.append(_quote("btcusdt@trade", data))
        return told

    def _ticker(self, bid: int, ask: int) -> Quote:
        self._update += self._rng.randrange(1, 20)
        sizes = [f"{self._rng.expovariate(0.3) + 0.00001:.5f}000" for _ in range(2)]
        data = {"u": self._update, "s": "BTCUSDT", "b": _usd(bid), "B": sizes[0], "a": _usd(ask), "A": sizes[1]}
        return _quote("btcusdt@bookTicker", data)


def up_probability(cents: int, strike_cents: int | None, variance: float) -> float:
    """Chance that the price ends at the strike or above it.

    Args:
        cents: The price now.
        strike_cents: None while the window has not begun: the strike is then the price at its start.
        variance: Of the log price from now (or from the start) to the end.
    """
    if variance <= 0:
        return float(strike_cents is None or cents >= strike_cents)
    distance = 0.0 if strike_cents is None else log(cents / strike_cents)
    return 0.5 * erfc(-(distance - variance / 2) / sqrt(2 * variance))


def _times(rng: Random, expected: float) -> int:
    """A whole number with about the expected mean."""
    return max(int(expected + rng.random()), 0)


def _usd(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}000000"


def _quote(stream: str, data: dict[str, Any]) -> Quote:
    return Quote(stream, msgspec.json.encode({"stream": stream, "data": data}))
