"""One WebSocket that is kept open: what every venue's feed shares.

A line hands on each message as the bytes that arrived, with the time they arrived, in order. It opens the connection
again when it is lost, and never has two of them at once. It knows no message but PONG.

A message above the size bound never reaches us: the library reads its length first and closes (code 1009), so there are
no first bytes of it to keep, only the fact, as `Lost` with INTEL_FRAME_TOO_LARGE.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from polytraders.venues.backoff import Backoff

PONG: Final = b"PONG"
MESSAGE_MAX: Final = 4 * 1024 * 1024 + 64 * 1024
"""Bytes of the largest message received at all. A little more than the door accepts, so that what is only just too
large is still refused there, with its bytes kept."""

CLOSE_S: Final = 1.0
"""How long the other side may take to say goodbye."""

_TOO_BIG: Final = 1009
_DETAIL_MAX: Final = 120
_LOOKS_PER_BOUND: Final = 10


class Frame(NamedTuple):
    """A message as received.

    Attributes:
        connection: Number of the connection.
        recv_ts: When it was taken from the socket, ns, by the injected clock.
        raw: Its exact bytes.
    """

    connection: int
    recv_ts: int
    raw: bytes


class Opened(NamedTuple):
    """A connection is open and what is wanted has been asked for; whole books follow."""

    connection: int
    recv_ts: int


class Lost(NamedTuple):
    """A connection was lost or could not be opened: whatever it told is no longer known. Another attempt follows.

    Attributes:
        connection: Number of the connection.
        recv_ts: When it was noticed, ns.
        why: INTEL_FEED_SILENT, INTEL_FEED_CLOSED or INTEL_FRAME_TOO_LARGE; INTEL_FEED_DOWN when it could not be opened.
        detail: What the other side or the network said, for a person.
    """

    connection: int
    recv_ts: int
    why: str
    detail: str


FeedEvent = Frame | Opened | Lost
Sink = Callable[[FeedEvent], None]
"""Takes an event at once: it is called between two reads of the socket, so it must not block. What it raises ends the
feed."""


@dataclass(frozen=True, slots=True)
class Manners:
    """How a connection is kept. All times in seconds.

    Attributes:
        ping: Text sent as a sign of life, "" where the venue wants none.
        ping_s: Longest time between two of them.
        silence_s: Without any message for so long, PONG included, the connection counts as dead. A sign of life is
            asked for at half of it, so that a quiet market is not taken for a dead line.
        probe_s: Without any message but PONG for so long, the venue is asked for something it must answer; without an
            answer within `silence_s` the connection counts as dead although it still answers PING.
        steady_s: A connection that lived so long was a good one: the next pause is the first again. A venue that
            accepts and hangs up at once is therefore not called ever more often.
        open_s: Longest time to open a connection.
        backoff: Pauses between attempts.
        message_max: Largest message, bytes.
    """

    ping: str = ""
    ping_s: float = 10.0
    silence_s: float = 10.0
    probe_s: float = 30.0
    steady_s: float = 30.0
    open_s: float = 10.0
    backoff: Backoff = field(default_factory=lambda: Backoff(first_s=0.5, most_s=30.0))
    message_max: int = MESSAGE_MAX


class Talk:
    """What a venue wants to hear on a connection; this one says nothing and is always ready."""

    def __init__(self) -> None:
        self.wake = asyncio.Event()

    async def ready(self) -> None:
        """Return when there is a reason to be connected."""

    def greeting(self) -> list[str]:
        """Messages to send on a connection that has just been opened."""
        return []

    def due(self, now: float) -> list[str]:
        """Messages to send now; asked after `wake` was set and a few times a second.

        Args:
            now: Seconds on the event loop's clock.
        """
        del now
        return []

    def probe(self) -> list[str]:
        """Messages that the venue must answer with data; none where nothing can be asked."""
        return []


class Line:
    """One connection of a feed, opened again whenever it is lost."""

    def __init__(
        self,
        number: int,
        url: str,
        sink: Sink,
        clock: Callable[[], int],
        chance: random.Random,
        manners: Manners,
        talk: Talk,
    ) -> None:
        """Open nothing yet.

        Args:
            number: Number of the connection in its events.
            url: ws:// or wss:// address.
            sink: Gets every event, in order.
            clock: Time for `recv_ts`, ns.
            chance: For the back-off's jitter.
            manners: How the connection is kept.
            talk: What is said on it.
        """
        self._number = number
        self._url = url
        self._sink = sink
        self._clock = clock
        self._chance = chance
        self._manners = manners
        self._talk = talk
        self._heard = self._told = self._probed = 0.0
        self._silent = ""

    async def run(self) -> None:
        """Keep the connection until cancelled. Raises only what the sink or the talk raise."""
        failures = 0
        while True:
            await self._talk.ready()
            began = asyncio.get_running_loop().time()
            why, detail = await self._connection()
            steady = asyncio.get_running_loop().time() - began >= self._manners.steady_s
            failures = 1 if steady and why != "INTEL_FEED_DOWN" else failures + 1
            self._sink(Lost(self._number, self._clock(), why, detail[:_DETAIL_MAX]))
            await asyncio.sleep(self._manners.backoff.pause_s(failures, self._chance))

    async def _connection(self) -> tuple[str, str]:
        """One connection from opening to loss: why it was lost, and what was said about it."""
        manners = self._manners
        try:
            # No compression: a message cannot be larger than its bytes on the wire, and decoding it costs no time.
            socket = await connect(
                self._url, compression=None, proxy=None, open_timeout=manners.open_s, ping_interval=None,
                close_timeout=CLOSE_S, max_size=manners.message_max,
            )  # fmt: skip
        except (OSError, TimeoutError, InvalidHandshake) as error:
            return "INTEL_FEED_DOWN", f"{type(error).__name__}: {error}"
        try:
            return await self._talk_and_listen(socket)
        finally:
            await socket.close()

    async def _talk_and_listen(self, socket: ClientConnection) -> tuple[str, str]:
        self._heard = self._told = asyncio.get_running_loop().time()
        self._probed = 0.0
        self._silent = ""
        try:
            # Where it is closed already, the reader hands on what came before and says why.
            with contextlib.suppress(ConnectionClosed):
                async with asyncio.timeout(self._manners.open_s):
                    for text in self._talk.greeting():
                        await socket.send(text)
        except TimeoutError:
            return "INTEL_FEED_SILENT", "what was sent is not taken"
        self._sink(Opened(self._number, self._clock()))
        reader = asyncio.create_task(self._read(socket))
        keeper = asyncio.create_task(self._keep(socket))
        try:
            await asyncio.wait((reader, keeper), return_when=asyncio.FIRST_COMPLETED)
            if keeper.done():
                keeper.result()
            # What arrived before the loss is still handed on: the reader ends when there is no more.
            return await reader
        finally:
            reader.cancel()
            keeper.cancel()
            await asyncio.gather(reader, keeper, return_exceptions=True)

    async def _read(self, socket: ClientConnection) -> tuple[str, str]:
        """Hand on messages until there are no more."""
        seconds = asyncio.get_running_loop().time
        while True:
            try:
                raw = await socket.recv(decode=False)
            except ConnectionClosed as closed:
                return self._why(closed)
            stamp = self._clock()
            self._heard = seconds()
            if len(raw) > len(PONG) + 2 or raw.strip() != PONG:
                self._told = self._heard
            self._sink(Frame(self._number, stamp, raw))

    def _why(self, closed: ConnectionClosed) -> tuple[str, str]:
        if self._silent:
            return "INTEL_FEED_SILENT", self._silent
        if closed.sent is not None and closed.sent.code == _TOO_BIG and not closed.rcvd_then_sent:
            return "INTEL_FRAME_TOO_LARGE", closed.sent.reason
        return "INTEL_FEED_CLOSED", str(closed)

    async def _keep(self, socket: ClientConnection) -> None:
        """Say what is to be said, and cut the connection when it is dead."""
        manners = self._manners
        seconds = asyncio.get_running_loop().time
        look_s = min(manners.silence_s, manners.ping_s, manners.probe_s) / _LOOKS_PER_BOUND
        pinged = seconds()
        while True:
            self._talk.wake.clear()
            now = seconds()
            self._silent = self._deadness(now)
            if self._silent:
                socket.transport.abort()
                return
            texts = self._talk.due(now)
            quiet = now - max(self._heard, pinged) >= manners.silence_s / 2
            if manners.ping and (quiet or now - pinged >= manners.ping_s):
                texts.append(manners.ping)
                pinged = now
            if now - self._told >= manners.probe_s and self._probed <= self._told:
                asked = self._talk.probe()
                self._probed = now
                if not asked:
                    self._told = now
                texts += asked
            try:
                async with asyncio.timeout(manners.silence_s):
                    for text in texts:
                        await socket.send(text)
            except ConnectionClosed:
                return
            except TimeoutError:
                self._silent = "what was sent is not taken"
                socket.transport.abort()
                return
            try:
                async with asyncio.timeout(look_s):
                    await self._talk.wake.wait()
            except TimeoutError:
                continue

    def _deadness(self, now: float) -> str:
        """Why the connection counts as dead, "" when it does not."""
        if now - self._heard >= self._manners.silence_s:
            return "no message and no PONG"
        if self._probed > self._told and now - self._probed >= self._manners.silence_s:
            return "PONG, but no answer to a request for data"
        return ""
