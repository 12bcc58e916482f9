"""Binance's client: what it asks for, and that it comes back."""

import random

import pytest
from websockets.asyncio.server import ServerConnection

from polytraders.venues.backoff import Backoff
from polytraders.venues.binance.feed import ReferenceFeed, address
from polytraders.venues.streaming import Frame, Lost, Manners, Opened
from tests.venues.loopback import Exchange, Heard, Ticking, deaf, exchange, running, until

MANNERS = Manners(silence_s=60.0, probe_s=60.0, backoff=Backoff(first_s=0.01, most_s=0.05))


async def two(venue: Exchange, socket: ServerConnection) -> None:
    await socket.send("one")
    await socket.send("two")
    await deaf(venue, socket)


async def test_worked_example() -> None:
    heard = Heard()
    async with exchange(two) as venue:
        made = ReferenceFeed(
            venue.url, ["BTCUSDT", "ethusdt"], heard, Ticking(), random.Random(0), connection=5, manners=MANNERS
        )
        async with running(made.run):
            await until(lambda: len(heard.events) == 3)
            with pytest.raises(RuntimeError, match="runs already"):
                await made.run()
        await until(lambda: venue.open == 0)
    assert heard.events == [Opened(5, 1_001), Frame(5, 1_002, b"one"), Frame(5, 1_003, b"two")]
    assert venue.paths == ["/stream?streams=btcusdt@trade/btcusdt@bookTicker/ethusdt@trade/ethusdt@bookTicker"]
    assert venue.said == []


async def test_silence_is_noticed_without_asking() -> None:
    heard = Heard()
    manners = Manners(silence_s=0.2, backoff=Backoff(first_s=0.01, most_s=0.05))
    async with exchange(two) as venue:
        made = ReferenceFeed(venue.url, ["BTCUSDT"], heard, Ticking(), random.Random(0), connection=5, manners=manners)
        async with running(made.run):
            await until(lambda: heard.opened() == 2)
    assert [type(event) for event in heard.events[:5]] == [Opened, Frame, Frame, Lost, Opened]
    assert heard.lost()[0].why == "INTEL_FEED_SILENT"
    assert venue.said == []


@pytest.mark.parametrize("symbols", [[], [""], ["BTC/USDT"], ["BTCUSDT", "a b"], ["b\u0442c"]])
def test_what_is_no_symbol_is_refused(symbols: list[str]) -> None:
    with pytest.raises(ValueError, match="symbols"):
        address("ws://127.0.0.1:1", symbols)
