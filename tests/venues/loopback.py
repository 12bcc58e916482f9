"""Venues that do as a test says, on real sockets of this machine and on ports nobody chose."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from polytraders.venues.streaming import FeedEvent, Frame, Lost, Opened

DEADLINE_S = 10.0


async def until(holds: Callable[[], bool], what: str = "it") -> None:
    """Wait until a condition holds; nothing depends on how long that takes."""
    try:
        async with asyncio.timeout(DEADLINE_S):
            while not holds():
                await asyncio.sleep(0.002)
    except TimeoutError:
        raise AssertionError(f"{what} did not happen within {DEADLINE_S} s") from None


class Heard:
    """A sink that keeps everything."""

    def __init__(self) -> None:
        self.events: list[FeedEvent] = []

    def __call__(self, event: FeedEvent) -> None:
        self.events.append(event)

    def frames(self, connection: int | None = None) -> list[bytes]:
        return [e.raw for e in self.events if isinstance(e, Frame) and connection in (None, e.connection)]

    def opened(self) -> int:
        return sum(isinstance(event, Opened) for event in self.events)

    def lost(self) -> list[Lost]:
        return [event for event in self.events if isinstance(event, Lost)]


class Ticking:
    """A clock that says a different time at every look."""

    def __init__(self) -> None:
        self.now = 1_000

    def __call__(self) -> int:
        self.now += 1
        return self.now


Script = Callable[["Exchange", ServerConnection], Awaitable[None]]


class Exchange:
    """A WebSocket server that notes what it is told.

    Attributes:
        said: Texts received, in order, over all connections.
        paths: Request path of each connection.
        open: Connections that are open now.
        most: The most that were open at once.
    """

    def __init__(self, script: Script) -> None:
        self.script = script
        self.said: list[str] = []
        self.paths: list[str] = []
        self.connections: list[ServerConnection] = []
        self.open = 0
        self.most = 0
        self.url = ""

    async def handle(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        self.paths.append(socket.request.path)
        self.connections.append(socket)
        self.open += 1
        self.most = max(self.most, self.open)
        try:
            await self.script(self, socket)
        except ConnectionClosed:
            pass
        finally:
            self.open -= 1

    def told(self) -> list[dict[str, Any]]:
        """What it was told, signs of life left out."""
        return [json.loads(text) for text in self.said if text != "PING"]


@asynccontextmanager
async def exchange(script: Script) -> AsyncIterator[Exchange]:
    """A server that lives as long as the block."""
    made = Exchange(script)
    async with serve(made.handle, "127.0.0.1", 0, max_size=None, ping_interval=None, close_timeout=0.2) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        made.url = f"ws://127.0.0.1:{port}"
        yield made


async def polite(venue: Exchange, socket: ServerConnection) -> None:
    """Notes everything, answers PING, sends a book for each token that is asked for."""
    async for message in socket:
        text = str(message)
        venue.said.append(text)
        if text == "PING":
            await socket.send("PONG")
            continue
        told = json.loads(text)
        if told.get("operation") != "unsubscribe":
            for token in told["assets_ids"]:
                await socket.send(json.dumps({"book": token}))


async def deaf(venue: Exchange, socket: ServerConnection) -> None:
    """Notes everything and never says a word."""
    async for message in socket:
        venue.said.append(str(message))


async def frozen(venue: Exchange, socket: ServerConnection) -> None:
    """Answers PING and nothing else."""
    async for message in socket:
        venue.said.append(str(message))
        if message == "PING":
            await socket.send("PONG")


@asynccontextmanager
async def running(work: Callable[[], Awaitable[None]]) -> AsyncIterator[asyncio.Task[None]]:
    """A feed at work; cancelled at the end, and nothing of it may be left."""

    async def run() -> None:
        await work()

    before = asyncio.all_tasks()
    task = asyncio.create_task(run())
    try:
        yield task
    finally:
        task.cancel()
        results = await asyncio.gather(task, return_exceptions=True)
        assert isinstance(results[0], BaseException)
        mine = {one for one in asyncio.all_tasks() - before if "Line" in repr(one.get_coro())}
        assert mine == set(), "the feed left tasks behind"


Reply = tuple[int, dict[str, str], bytes]
Answerer = Callable[[str, dict[str, list[str]]], Reply | None]


class Site:
    """An HTTP server that notes what it is asked.

    Attributes:
        asked: Path and query of each request.
    """

    def __init__(self, answer: Answerer) -> None:
        self.answer = answer
        self.asked: list[str] = []
        self.url = ""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from urllib.parse import parse_qs, urlsplit

        head = await reader.readuntil(b"\r\n\r\n")
        target = head.split(b" ", 2)[1].decode()
        self.asked.append(target)
        split = urlsplit(target)
        reply = self.answer(split.path, parse_qs(split.query))
        if reply is not None:
            status, headers, body = reply
            lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(body)}", "Connection: close"]
            lines += [f"{name}: {value}" for name, value in headers.items()]
            writer.write("\r\n".join([*lines, "", ""]).encode() + body)
            await writer.drain()
        writer.close()
        await writer.wait_closed()


@asynccontextmanager
async def site(answer: Answerer) -> AsyncIterator[Site]:
    """A server that lives as long as the block. None for an answer hangs up without one."""
    made = Site(answer)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await made.handle(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield made
