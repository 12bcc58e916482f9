"""The live page's socket: newest state only, no more than five reads a second, and it outlives what it stands on."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from channels.db import database_sync_to_async
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.db import OperationalError, connections
from django.test import Client
from django.utils import timezone

from polytraders.access.permissions import Role
from polytraders.console import consumers, live
from polytraders.console.consumers import MESSAGE_MAX, NOT_LOGGED_IN, TOO_LARGE
from polytraders.console.fragment import Fragment
from polytraders.console.live import Live, Shown
from polytraders.console.live import Source as Origin
from polytraders.console.routing import websocket_urlpatterns
from tests.written import Written

DEADLINE_S = 10.0


class Person:
    """Somebody, as far as a socket cares; nobody can tell who while the database is away."""

    def __init__(self, is_authenticated: bool = True) -> None:
        self.is_known = is_authenticated
        self.is_away = False
        self._roles = frozenset({Role.READ_ONLY}) if is_authenticated else frozenset()

    @property
    def is_authenticated(self) -> bool:
        if self.is_away:
            raise OperationalError("the database is away")
        return self.is_known


class Source:
    """A page with a fragment that is a number, which a test raises, and one that never changes."""

    def __init__(self) -> None:
        self.number = 1
        self.times: list[float] = []

    def __call__(self, parts: frozenset[str], shown: Shown) -> dict[str, Fragment]:
        self.times.append(time.monotonic())
        made = {
            "strip": Fragment(self.number, f'<div id="strip">{self.number}</div>'),
            "stages": Fragment(0, "<p></p>"),
        }
        return {name: part for name, part in made.items() if name in parts and shown.get(name) != part.key}


@asynccontextmanager
async def reading(source: Any, *, rest_s: float = 0.0, breath_s: float = live.BREATH_S) -> AsyncIterator[Live]:
    """The process' reader, with a source of the test's."""
    reader = Live([Origin("log", source, lambda name: True, breath_s, rest_s)])
    live._of_loop[asyncio.get_running_loop()] = reader
    yield reader
    live._of_loop.clear()


@asynccontextmanager
async def browser(person: Person | None = None, parts: str = "") -> AsyncIterator[WebsocketCommunicator]:
    socket = WebsocketCommunicator(URLRouter(websocket_urlpatterns), f"/ws/board{parts}")
    scope: Any = socket.scope
    scope["user"] = person or Person()
    connected, _ = await socket.connect(timeout=DEADLINE_S)
    assert connected
    yield socket
    await socket.disconnect(timeout=DEADLINE_S)


async def told(socket: WebsocketCommunicator) -> str:
    text = await socket.receive_from(timeout=DEADLINE_S)
    assert isinstance(text, str)
    return text


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not holds():
            await asyncio.sleep(0.01)


async def test_a_browser_gets_everything_first_and_then_what_changed() -> None:
    source = Source()
    async with reading(source) as reader, browser() as socket:
        assert await told(socket) == '<div id="strip">1</div><p></p>'
        await socket.send_to("taken")
        source.number = 2
        reader.hint()
        assert await told(socket) == '<div id="strip">2</div>'


async def test_a_slow_browser_gets_the_newest_state_and_nothing_between() -> None:
    source = Source()
    async with reading(source) as reader, browser() as socket:
        await told(socket)
        for number in range(2, 6):
            source.number = number
            version = reader.version
            reader.hint()
            await until(lambda: reader.version > version)  # noqa: B023
        assert await socket.receive_nothing(timeout=0.1)
        await socket.send_to("taken")
        assert await told(socket) == '<div id="strip">5</div>'
        await socket.send_to("taken")
        assert await socket.receive_nothing(timeout=0.3)


async def test_what_could_not_be_shown_is_sent_whole_again() -> None:
    source = Source()
    async with reading(source) as reader, browser() as socket:
        await told(socket)
        await socket.send_to("not shown")
        assert await told(socket) == '<div id="strip">1</div><p></p>'
        assert reader.version == 1


async def test_hints_in_a_flood_cause_at_most_five_reads_a_second() -> None:
    source = Source()
    async with reading(source) as reader, browser() as socket:
        await told(socket)
        began = time.monotonic()
        while time.monotonic() < began + 1.5:
            reader.hint()
            await asyncio.sleep(0)
        took = time.monotonic() - began
    assert 3 <= len(source.times) <= took / live.BREATH_S + 2


async def test_many_browsers_share_one_reader_and_the_last_one_stops_it() -> None:
    source = Source()
    async with reading(source) as reader:
        async with browser() as one, browser() as two, browser() as three:
            for socket in (one, two, three):
                await told(socket)
            assert reader.reads == 1
        reads = reader.reads
        assert reader._task is None
        await asyncio.sleep(live.BREATH_S * 2)
        assert reader.reads == reads


async def test_nobody_is_told_anything_without_a_login() -> None:
    source = Source()
    async with reading(source):
        socket = WebsocketCommunicator(URLRouter(websocket_urlpatterns), "/ws/board")
        scope: Any = socket.scope
        scope["user"] = Person(is_authenticated=False)
        await socket.connect(timeout=DEADLINE_S)
        closed = await socket.receive_output(timeout=DEADLINE_S)
        assert (closed["type"], closed["code"]) == ("websocket.close", NOT_LOGGED_IN)
        await socket.disconnect(timeout=DEADLINE_S)
    assert source.times == []


async def test_what_a_browser_says_unasked_is_not_listened_to() -> None:
    source = Source()
    async with reading(source), browser() as socket:
        await told(socket)
        for noise in ("{}", "Taken", "x" * MESSAGE_MAX):
            await socket.send_to(noise)
        assert await socket.receive_nothing(timeout=0.1)
        await socket.send_to("taken")


async def ended(socket: WebsocketCommunicator) -> int:
    closed = await socket.receive_output(timeout=DEADLINE_S)
    assert closed["type"] == "websocket.close"
    return int(closed["code"])


@pytest.mark.parametrize("noise", ["x" * (MESSAGE_MAX + 1), b"x" * (MESSAGE_MAX + 1), "not shown" + " " * 100_000])
async def test_what_is_too_long_ends_the_line(noise: str | bytes) -> None:
    source = Source()
    async with reading(source) as reader, browser() as socket:
        await told(socket)
        kind = "text" if isinstance(noise, str) else "bytes"
        await socket.send_input({"type": "websocket.receive", kind: noise})
        assert await ended(socket) == TOO_LARGE
    assert reader._task is None


@pytest.mark.parametrize("loses", ["the role", "the login"])
async def test_who_may_no_longer_see_is_let_go_although_nothing_is_sent(
    monkeypatch: pytest.MonkeyPatch, loses: str
) -> None:
    monkeypatch.setattr(consumers, "LOGIN_S", 0.2)
    source, person = Source(), Person()
    async with reading(source) as reader, browser(person) as socket:
        await told(socket)
        await socket.send_to("taken")
        assert await socket.receive_nothing(timeout=0.5, interval=0.05), "who may see is left alone"
        if loses == "the role":
            person._roles = frozenset()
        else:
            person.is_known = False
        assert await ended(socket) == NOT_LOGGED_IN
        source.number = 2
        reader.hint()
        assert await socket.receive_nothing(timeout=0.3), "and is told nothing any more"
    assert reader._task is None


async def test_a_real_session_that_ends_ends_its_line(
    log: Written, ada: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "LOGIN_S", 0.2)
    key = ada.session.session_key
    async with reading(Source()):
        socket = WebsocketCommunicator(URLRouter(websocket_urlpatterns), "/ws/board")
        scope: Any = socket.scope
        scope["session"] = SessionStore(key)
        connected, _ = await socket.connect(timeout=DEADLINE_S)
        assert connected
        await told(socket)
        await socket.send_to("taken")
        assert await socket.receive_nothing(timeout=0.6, interval=0.05)
        await database_sync_to_async(Session.objects.filter(session_key=key).update)(expire_date=timezone.now())
        assert await ended(socket) == NOT_LOGGED_IN, "it is over, though its row is still there"
        await socket.disconnect(timeout=DEADLINE_S)
        # What was asked in the sockets' thread stands on a connection of that thread.
        await database_sync_to_async(connections.close_all)()


async def test_a_look_that_has_no_answer_lets_nobody_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumers, "LOGIN_S", 0.1)
    source, person = Source(), Person()
    async with reading(source), browser(person) as socket:
        await told(socket)

        person.is_away = True
        assert await ended(socket) == NOT_LOGGED_IN


def test_nobody_sees_pages_a_minute_after_it_was_taken_away() -> None:
    assert consumers.LOGIN_S + consumers.LOOK_S <= 60.0


class Layer:
    """A channel layer that can be lost and come back."""

    def __init__(self) -> None:
        self.lost = False
        self.joined = 0
        self.queue: asyncio.Queue[dict[str, str]] = asyncio.Queue()

    async def new_channel(self, prefix: str) -> str:
        if self.lost:
            raise ConnectionError
        return f"{prefix}1"

    async def group_add(self, group: str, name: str) -> None:
        assert group == live.GROUP
        self.joined += 1

    async def group_discard(self, group: str, name: str) -> None:
        pass

    async def receive(self, name: str) -> dict[str, str]:
        message = await self.queue.get()
        if self.lost:
            raise ConnectionError
        return message


async def test_the_page_goes_on_without_the_channel_layer_and_hears_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, source = Layer(), Source()
    monkeypatch.setattr(live, "get_channel_layer", lambda: layer)
    monkeypatch.setattr(live, "RETRY_S", 0.05)
    async with reading(source) as reader, browser() as socket:
        await told(socket)
        await until(lambda: layer.joined == 1)
        layer.lost = True
        layer.queue.put_nowait({"type": "loop.hint"})
        source.number = 2
        await socket.send_to("taken")
        assert "2" in await told(socket), "a second without a hint is as good as one"
        layer.lost = False
        await until(lambda: layer.joined == 2)
        reads = reader.reads
        layer.queue.put_nowait({"type": "loop.hint"})
        await until(lambda: reader.reads > reads)


async def test_only_what_is_watched_is_read() -> None:
    asked: list[frozenset[str]] = []

    def source(parts: frozenset[str], shown: Shown) -> dict[str, Fragment]:
        asked.append(parts)
        return {name: Fragment(1, f"<p id={name}></p>") for name in parts if name not in shown}

    async with reading(source) as reader, browser(parts="?parts=strip,quote-7") as socket:
        first = await told(socket)
        assert ("<p id=strip></p>" in first) and ("<p id=quote-7></p>" in first)
        async with browser(parts="?parts=quote-8") as other:
            assert await told(other) == "<p id=quote-8></p>"
        assert set(reader._watched) == {"strip", "quote-7"}
        assert "quote-8" not in reader._frames
    assert asked[0] == {"strip", "quote-7"}
    assert frozenset({"strip", "quote-7", "quote-8"}) in asked


async def test_a_fragment_is_sent_at_once_and_then_five_times_a_second() -> None:
    source = Source()
    async with reading(source, rest_s=0.2, breath_s=0.01) as reader, browser(parts="?parts=strip") as socket:
        await told(socket)
        await asyncio.sleep(0.3)
        began = time.monotonic()
        frames, first_s = 0, 0.0
        while time.monotonic() < began + 1.0:
            source.number += 1
            reader.hint("log")
            await socket.send_to("taken")
            if not await socket.receive_nothing(timeout=0.01):
                await told(socket)
                frames += 1
                first_s = first_s or time.monotonic() - began
        last = source.number
        await socket.send_to("taken")
        assert await told(socket) == f'<div id="strip">{last}</div>', "what it came to rest at, without another hint"
    assert first_s < 0.15
    assert 3 <= frames <= 6


async def test_a_socket_on_which_nothing_is_said_lives() -> None:
    source = Source()
    async with reading(source) as reader, browser() as socket:
        await told(socket)
        await socket.send_to("taken")
        assert await socket.receive_nothing(timeout=12.0, interval=0.5)
        source.number = 2
        reader.hint()
        assert await told(socket) == '<div id="strip">2</div>'


async def test_a_browser_that_takes_nothing_costs_one_frame_however_long_it_sleeps() -> None:
    source = Source()
    async with reading(source) as reader, browser(parts="?parts=strip") as slow, browser(parts="?parts=strip") as quick:
        await told(slow)
        await told(quick)
        for number in range(2, 8):
            source.number = number
            reader.hint()
            await quick.send_to("taken")
            assert f">{number}<" in await told(quick)
        assert slow.output_queue.qsize() == 0
        await slow.send_to("taken")
        assert ">7<" in await told(slow)
