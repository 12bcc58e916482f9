"""Binance's combined stream, live: reference prices as bytes. `wire.py` says what they mean."""

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Final

from polytraders.venues.streaming import Line, Manners, Sink, Talk

URL: Final = "wss://stream.binance.com:9443"
STREAMS: Final = ("trade", "bookTicker")

MANNERS: Final = Manners()
"""The venue sends control pings itself, which the library answers; quotes of a busy pair come many times a second, so
silence needs no question."""


def address(url: str, symbols: Sequence[str]) -> str:
    """Address of the combined stream of these symbols.

    Args:
        url: The venue's base address.
        symbols: As the venue spells them, in any case: "BTCUSDT".

    Raises:
        ValueError: There is no symbol, or one is not made of letters and digits.
    """
    if not symbols or not all(symbol.isascii() and symbol.isalnum() for symbol in symbols):
        raise ValueError(f"not a list of symbols: {symbols!r}")
    streams = "/".join(f"{symbol.lower()}@{stream}" for symbol in symbols for stream in STREAMS)
    return f"{url}/stream?streams={streams}"


class ReferenceFeed:
    """Best quotes and trades of some symbols, on one connection."""

    def __init__(
        self,
        url: str,
        symbols: Sequence[str],
        sink: Sink,
        clock: Callable[[], int],
        chance: random.Random,
        *,
        connection: int,
        manners: Manners = MANNERS,
    ) -> None:
        """Connect to nothing yet.

        Args:
            url: The venue's base address, ws:// or wss://.
            symbols: What to listen to.
            sink: Gets every event in order; see `streaming.Sink`.
            clock: Receive time, ns UTC.
            chance: Spreads reconnections.
            connection: Number of the connection in its events.
            manners: How it is kept.
        """
        self._parts = (connection, address(url, symbols), sink, clock, chance, manners)
        self._running = asyncio.Lock()

    async def run(self) -> None:
        """Keep the connection until cancelled.

        Raises:
            RuntimeError: It runs already.
        """
        if self._running.locked():
            raise RuntimeError("the feed runs already")
        async with self._running:
            await Line(*self._parts, Talk()).run()
