"""The market channel's client: who is subscribed where, and how that changes."""

import asyncio
import random

import pytest
from websockets.asyncio.server import ServerConnection

from polytraders.venues.backoff import Backoff
from polytraders.venues.polymarket.feed import MarketFeed, Subscription
from polytraders.venues.streaming import FeedEvent, Frame, Manners, Opened
from tests.venues.loopback import Exchange, Heard, Ticking, exchange, polite, running, until

MANNERS = Manners(ping="PING", silence_s=60.0, probe_s=60.0, backoff=Backoff(first_s=0.01, most_s=0.05))


def feed(url: str, heard: object, manners: Manners = MANNERS, **more: int | float) -> MarketFeed:
    assert callable(heard)
    return MarketFeed(url, heard, Ticking(), random.Random(1), manners=manners, **more)  # type: ignore[arg-type]


def ids(first: int, last: int) -> list[str]:
    return [str(number) for number in range(first, last + 1)]


async def test_worked_example() -> None:
    heard = Heard()
    async with exchange(polite) as venue:
        made = feed(venue.url + "/ws/market", heard)
        made.want(["11", "12"])
        async with running(made.run):
            await until(lambda: len(heard.frames()) == 2)
            made.want(["12", "13"])
            await until(lambda: len(heard.frames()) == 3)
    assert venue.paths == ["/ws/market"]
    assert venue.told() == [
        {"type": "market", "assets_ids": ["11", "12"], "custom_feature_enabled": True},
        {"operation": "unsubscribe", "assets_ids": ["11"]},
        {"operation": "subscribe", "assets_ids": ["13"], "custom_feature_enabled": True},
    ]
    assert heard.events[0] == Opened(0, 1_001)
    assert heard.events[1] == Frame(0, 1_002, b'{"book": "11"}')


async def test_tokens_beyond_the_bound_get_another_connection() -> None:
    heard = Heard()
    async with exchange(polite) as venue:
        made = feed(venue.url, heard, tokens_max=200, connection_first=4)
        made.want(ids(1, 501))
        async with running(made.run):
            await until(lambda: len(heard.frames()) == 501)
    sizes = sorted(len(told["assets_ids"]) for told in venue.told())
    assert sizes == [101, 200, 200]
    assert made.connection_of("1") == 4
    assert made.connection_of("501") == 6
    assert made.connection_of("999") is None
    assert len(heard.frames(6)) == 101


async def test_a_place_that_becomes_free_is_taken_before_a_connection_is_added() -> None:
    heard = Heard()
    async with exchange(polite) as venue:
        made = feed(venue.url, heard, tokens_max=2)
        made.want(["1", "2", "3"])
        async with running(made.run):
            await until(lambda: heard.opened() == 2)
            made.want(["2", "3", "4", "5"])
            await until(lambda: {b'{"book": "4"}', b'{"book": "5"}'} <= set(heard.frames()))
    assert [made.connection_of(token) for token in "2345"] == [0, 1, 0, 1]
    assert len(venue.connections) == 2


async def test_nothing_wanted_opens_nothing_and_a_later_wish_does() -> None:
    heard = Heard()
    async with exchange(polite) as venue:
        made = feed(venue.url, heard)
        async with running(made.run):
            await asyncio.sleep(0)
            assert venue.connections == []
            made.want(["7"])
            await until(lambda: len(heard.frames()) == 1)


async def test_after_a_loss_what_is_wanted_now_is_subscribed_not_what_was() -> None:
    async def script(venue: Exchange, socket: ServerConnection) -> None:
        if len(venue.connections) == 1:
            venue.said.append(str(await socket.recv()))
            made.want(["2", "3"])
            socket.transport.abort()
            return
        await polite(venue, socket)

    heard = Heard()
    async with exchange(script) as venue:
        made = feed(venue.url, heard)
        made.want(["1", "2"])
        async with running(made.run):
            await until(lambda: len(heard.frames()) == 2)
    assert [told.get("type") for told in venue.told()] == ["market", "market"]
    assert venue.told()[1]["assets_ids"] == ["2", "3"]
    assert heard.frames() == [b'{"book": "2"}', b'{"book": "3"}']


async def test_a_fresh_book_is_asked_for_by_leaving_and_coming_back() -> None:
    heard = Heard()
    async with exchange(polite) as venue:
        made = feed(venue.url, heard, resubscribe_s=0.2)
        made.want(["1", "2"])
        async with running(made.run):
            await until(lambda: len(heard.frames()) == 2)
            began = asyncio.get_running_loop().time()
            for _ in range(20):
                made.resubscribe(["2", "404"])
            await until(lambda: len(heard.frames()) == 3)
            made.resubscribe(["2"])
            await until(lambda: len(heard.frames()) == 4)
            assert asyncio.get_running_loop().time() - began >= 0.2
    assert (
        venue.told()[1:]
        == [
            {"operation": "unsubscribe", "assets_ids": ["2"]},
            {"operation": "subscribe", "assets_ids": ["2"], "custom_feature_enabled": True},
        ]
        * 2
    )


async def test_a_frozen_market_channel_is_left_for_a_new_connection() -> None:
    async def script(venue: Exchange, socket: ServerConnection) -> None:
        async for message in socket:
            venue.said.append(str(message))
            if message == "PING":
                await socket.send("PONG")
            elif len(venue.connections) > 1:
                await socket.send("book")

    heard = Heard()
    manners = Manners(ping="PING", ping_s=0.05, silence_s=0.5, probe_s=0.2, backoff=Backoff(first_s=0.01, most_s=0.05))
    async with exchange(script) as venue:
        made = feed(venue.url, heard, manners)
        made.want(["5"])
        async with running(made.run):
            await until(lambda: b"book" in heard.frames())
    assert [lost.why for lost in heard.lost()] == ["INTEL_FEED_SILENT"]
    assert {"operation": "unsubscribe", "assets_ids": ["5"]} in venue.told()


@pytest.mark.parametrize("token", ["", "0x12", "1" * 79, "\uff11\uff12", "-1"])
def test_what_is_no_token_is_refused_and_changes_nothing(token: str) -> None:
    made = feed("ws://127.0.0.1:1", Heard())
    made.want(["1"])
    with pytest.raises(ValueError, match="not a token id"):
        made.want(["2", token])
    assert (made.connection_of("1"), made.connection_of("2")) == (0, None)


def test_more_than_fit_are_refused_and_change_nothing() -> None:
    made = feed("ws://127.0.0.1:1", Heard(), tokens_max=2, connections_max=2)
    made.want(ids(1, 4))
    with pytest.raises(ValueError, match="5 tokens, room for 4"):
        made.want(ids(1, 5))
    assert made.connection_of("5") is None


async def test_it_cannot_run_twice() -> None:
    async with exchange(polite) as venue:
        made = feed(venue.url, Heard())
        async with running(made.run):
            await asyncio.sleep(0)
            with pytest.raises(RuntimeError, match="runs already"):
                await made.run()


async def test_what_the_sink_raises_ends_all_connections() -> None:
    def sink(event: FeedEvent) -> None:
        if isinstance(event, Frame):
            raise OSError("no space left")

    async with exchange(polite) as venue:
        made = feed(venue.url, sink, tokens_max=1)
        made.want(["1", "2"])
        with pytest.raises(ExceptionGroup):
            async with asyncio.timeout(10):
                await made.run()
        await until(lambda: venue.open == 0)


async def test_cancelling_closes_every_connection() -> None:
    heard = Heard()
    async with exchange(polite) as venue:
        made = feed(venue.url, heard, tokens_max=1)
        made.want(["1", "2", "3"])
        async with running(made.run):
            await until(lambda: len(heard.frames()) == 3)
        await until(lambda: venue.open == 0)


def test_a_token_asked_for_twice_in_a_moment_waits_its_turn_and_does_not_vanish() -> None:
    made = Subscription(resubscribe_s=5.0)
    made.change([], ["1"])
    made.greeting()
    made.again(["1"])
    assert len(made.due(100.0)) == 2
    made.again(["1"])
    assert made.due(104.9) == []
    assert len(made.due(105.0)) == 2
    assert made.due(999.0) == []


def test_a_token_given_up_is_not_asked_for_again() -> None:
    made = Subscription()
    made.change([], ["1", "2"])
    made.greeting()
    made.again(["1"])
    made.change(["1"], [])
    assert made.due(1.0) == ['{"operation":"unsubscribe","assets_ids":["1"]}']


def test_a_new_subscription_answers_what_was_still_asked_for() -> None:
    made = Subscription()
    made.change([], ["1"])
    made.greeting()
    made.again(["1"])
    made.greeting()
    assert made.due(1.0) == []
