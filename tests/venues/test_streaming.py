"""One connection that is kept open, against servers that misbehave."""

import asyncio
import random
import socket as sockets
from itertools import pairwise

import pytest
from websockets.asyncio.server import ServerConnection

from polytraders.venues.backoff import Backoff
from polytraders.venues.streaming import FeedEvent, Frame, Line, Lost, Manners, Opened, Talk
from tests.venues.loopback import Exchange, Heard, Ticking, deaf, exchange, frozen, polite, running, until

QUICK = Backoff(first_s=0.01, most_s=0.05)
LOYAL = Manners(backoff=QUICK, probe_s=60.0, silence_s=60.0)
"""Never loses patience, so that only what the test is about can end the connection."""


class Says(Talk):
    """Greets with one text and probes with another."""

    def __init__(self, greeting: str = '{"assets_ids":["1"]}', probe: str = "") -> None:
        super().__init__()
        self._greeting = greeting
        self._probe = probe

    def greeting(self) -> list[str]:
        return [self._greeting]

    def probe(self) -> list[str]:
        return [self._probe] if self._probe else []


def line(url: str, heard: object, manners: Manners = LOYAL, talk: Talk | None = None, number: int = 3) -> Line:
    assert callable(heard)
    return Line(number, url, heard, Ticking(), random.Random(7), manners, talk or Says())


async def test_worked_example() -> None:
    heard = Heard()
    async with exchange(polite) as venue, running(line(venue.url, heard).run):
        await until(lambda: len(heard.frames()) == 1)
        assert venue.said == ['{"assets_ids":["1"]}']
        opened, frame = heard.events
        assert opened == Opened(3, 1_001)
        assert frame == Frame(3, 1_002, b'{"book": "1"}')


async def test_messages_keep_their_order_and_their_bytes() -> None:
    sent = [b'{"n":%d}' % n for n in range(300)] + [b"[]\n", b"\xff\xfe not text", b""]

    async def script(venue: Exchange, socket: ServerConnection) -> None:
        for raw in sent:
            await socket.send(raw, text=True)
        await deaf(venue, socket)

    heard = Heard()
    async with exchange(script) as venue, running(line(venue.url, heard).run):
        await until(lambda: len(heard.frames()) == len(sent))
    assert heard.frames() == sent
    stamps = [event.recv_ts for event in heard.events]
    assert stamps == sorted(stamps) and len(set(stamps)) == len(stamps)


async def test_what_arrived_before_the_venue_hung_up_is_handed_on_before_the_loss() -> None:
    async def script(venue: Exchange, socket: ServerConnection) -> None:
        for n in range(50):
            await socket.send(str(n))
        await socket.close(1012, "restarting")

    heard = Heard()
    async with exchange(script) as venue, running(line(venue.url, heard).run):
        await until(lambda: bool(heard.lost()))
    before = heard.events[: heard.events.index(heard.lost()[0])]
    assert [event.raw for event in before if isinstance(event, Frame)] == [str(n).encode() for n in range(50)]
    assert heard.lost()[0].why == "INTEL_FEED_CLOSED"
    assert "1012" in heard.lost()[0].detail and "restarting" in heard.lost()[0].detail


async def test_a_connection_cut_without_a_word_is_opened_again_and_greeted_again() -> None:
    async def script(venue: Exchange, socket: ServerConnection) -> None:
        venue.said.append(str(await socket.recv()))
        if len(venue.connections) < 3:
            socket.transport.abort()
        await deaf(venue, socket)

    heard = Heard()
    async with exchange(script) as venue, running(line(venue.url, heard).run):
        await until(lambda: len(venue.said) == 3)
    assert [type(event) for event in heard.events] == [Opened, Lost, Opened, Lost, Opened]
    assert {lost.why for lost in heard.lost()} == {"INTEL_FEED_CLOSED"}
    assert venue.most == 1


async def test_a_sign_of_life_is_sent_as_text_and_its_answer_handed_on() -> None:
    manners = Manners(ping="PING", ping_s=0.02, silence_s=30.0, probe_s=30.0, backoff=QUICK)
    heard = Heard()
    async with exchange(frozen) as venue, running(line(venue.url, heard, manners).run):
        await until(lambda: heard.frames().count(b"PONG") >= 3)
    assert venue.said.count("PING") >= 3
    assert heard.lost() == []


async def test_a_quiet_connection_is_asked_before_it_counts_as_dead() -> None:
    manners = Manners(ping="PING", ping_s=60.0, silence_s=1.0, probe_s=60.0, backoff=QUICK)
    heard = Heard()
    async with exchange(frozen) as venue, running(line(venue.url, heard, manners).run):
        await until(lambda: heard.frames().count(b"PONG") >= 3)
    assert heard.lost() == []
    assert len(venue.connections) == 1


async def test_silence_without_a_pong_drops_the_connection() -> None:
    manners = Manners(ping="PING", ping_s=0.05, silence_s=0.1, backoff=QUICK)
    heard = Heard()
    async with exchange(deaf) as venue, running(line(venue.url, heard, manners).run):
        await until(lambda: len(heard.lost()) >= 2)
    assert {lost.why for lost in heard.lost()} == {"INTEL_FEED_SILENT"}
    assert "PING" in venue.said


async def test_pongs_alone_do_not_keep_a_frozen_connection() -> None:
    manners = Manners(ping="PING", ping_s=0.05, silence_s=0.5, probe_s=0.2, backoff=QUICK)
    heard = Heard()
    async with exchange(frozen) as venue, running(line(venue.url, heard, manners, Says(probe="again")).run):
        await until(lambda: len(heard.lost()) >= 1)
    assert heard.lost()[0].why == "INTEL_FEED_SILENT"
    assert "data" in heard.lost()[0].detail
    assert "again" in venue.said and b"PONG" in heard.frames()


async def test_a_connection_that_answers_the_probe_stays() -> None:
    manners = Manners(ping="PING", ping_s=0.05, silence_s=2.0, probe_s=0.05, backoff=QUICK)
    heard = Heard()
    async with (
        exchange(polite) as venue,
        running(line(venue.url, heard, manners, Says(probe='{"assets_ids":["2"]}')).run),
    ):
        await until(lambda: heard.frames().count(b'{"book": "2"}') >= 5)
    assert heard.lost() == []


async def test_where_nothing_can_be_asked_pongs_are_enough() -> None:
    manners = Manners(ping="PING", ping_s=0.02, silence_s=0.6, probe_s=0.02, backoff=QUICK)
    heard = Heard()
    async with exchange(frozen) as venue, running(line(venue.url, heard, manners).run):
        await until(lambda: heard.frames().count(b"PONG") >= 60)
    assert heard.lost() == []
    assert len(venue.connections) == 1


async def test_a_message_above_the_bound_ends_the_connection_and_says_why() -> None:
    async def script(venue: Exchange, socket: ServerConnection) -> None:
        await socket.send("small")
        await socket.send("x" * 2_000)
        await deaf(venue, socket)

    heard = Heard()
    manners = Manners(backoff=QUICK, probe_s=60.0, silence_s=60.0, message_max=1_000)
    async with exchange(script) as venue, running(line(venue.url, heard, manners).run):
        await until(lambda: len(heard.lost()) >= 2)
    assert {lost.why for lost in heard.lost()} == {"INTEL_FRAME_TOO_LARGE"}
    assert set(heard.frames()) == {b"small"}


async def test_a_message_at_the_bound_is_received() -> None:
    async def script(venue: Exchange, socket: ServerConnection) -> None:
        await socket.send("x" * 1_000)
        await deaf(venue, socket)

    heard = Heard()
    manners = Manners(backoff=QUICK, probe_s=60.0, silence_s=60.0, message_max=1_000)
    async with exchange(script) as venue, running(line(venue.url, heard, manners).run):
        await until(lambda: heard.frames() == [b"x" * 1_000])


async def test_nobody_there_is_told_each_time() -> None:
    with sockets.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    heard = Heard()
    async with running(line(f"ws://127.0.0.1:{port}", heard).run):
        await until(lambda: len(heard.lost()) >= 3)
    assert {lost.why for lost in heard.lost()} == {"INTEL_FEED_DOWN"}
    assert heard.opened() == 0


async def test_a_server_that_refuses_the_upgrade_is_down() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    heard = Heard()
    async with server, running(line(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}", heard).run):
        await until(lambda: len(heard.lost()) >= 2)
    assert {lost.why for lost in heard.lost()} == {"INTEL_FEED_DOWN"}
    assert "503" in heard.lost()[0].detail


class Longest(random.Random):
    """Makes each pause as long as it may be."""

    def random(self) -> float:
        return 1.0


@pytest.mark.parametrize(("steady_s", "slows_down"), [(60.0, True), (0.0, False)])
async def test_a_flapping_venue_is_called_ever_less_often(steady_s: float, slows_down: bool) -> None:
    async def script(venue: Exchange, socket: ServerConnection) -> None:
        await socket.close()

    at: list[float] = []

    def sink(event: FeedEvent) -> None:
        if isinstance(event, Opened):
            at.append(asyncio.get_running_loop().time())

    manners = Manners(backoff=Backoff(first_s=0.02, most_s=0.16), steady_s=steady_s)
    async with (
        exchange(script) as venue,
        running(Line(0, venue.url, sink, Ticking(), Longest(), manners, Talk()).run),
    ):
        await until(lambda: len(at) >= 7)
    pauses = [after - before for before, after in pairwise(at)]
    lower = [0.02, 0.04, 0.08, 0.16, 0.16, 0.16] if slows_down else [0.02] * 6
    assert all(pause >= least for pause, least in zip(pauses, lower, strict=False))
    assert venue.most == 1


async def test_what_the_sink_raises_ends_the_line() -> None:
    def sink(event: FeedEvent) -> None:
        if isinstance(event, Frame):
            raise OSError("no space left")

    async with exchange(polite) as venue:
        with pytest.raises(OSError, match="no space left"):
            async with asyncio.timeout(10):
                await line(venue.url, sink).run()
        await until(lambda: venue.open == 0)


async def test_what_the_talk_raises_ends_the_line() -> None:
    class Broken(Says):
        def due(self, now: float) -> list[str]:
            raise ZeroDivisionError

    async with exchange(polite) as venue:
        with pytest.raises(ZeroDivisionError):
            async with asyncio.timeout(10):
                await line(venue.url, Heard(), talk=Broken()).run()


async def test_cancelling_closes_the_connection_and_leaves_nothing() -> None:
    heard = Heard()
    async with exchange(polite) as venue:
        async with running(line(venue.url, heard).run):
            await until(lambda: len(heard.frames()) == 1)
        await until(lambda: venue.open == 0)
    assert heard.lost() == []


async def test_a_wish_is_looked_at_once_and_not_for_ever() -> None:
    class Looks(Says):
        looks = 0

        def due(self, now: float) -> list[str]:
            self.looks += 1
            return []

    talk = Looks()
    async with exchange(polite) as venue, running(line(venue.url, Heard(), talk=talk).run):
        await until(lambda: talk.looks == 1)
        talk.wake.set()
        await until(lambda: talk.looks >= 2)
        for _ in range(200):
            await asyncio.sleep(0)
        # One more is due only after a tenth of the shortest bound, a second here.
        assert talk.looks <= 3
