"""Who listens, and to what. A listener who does not keep up is cut off: nothing grows for the slow."""

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import Final

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

WAITING_MAX: Final = 4_000
WAITING_BYTES_MAX: Final = 2 * 1024 * 1024
"""Messages, and bytes of them, that may wait for one listener."""


class Listener:
    """One connection, its wishes, and what waits to be sent to it.

    Attributes:
        stream: "market" or "binance".
        wants: Token ids, or Binance's stream names.
        custom: The custom features were asked for.
        slow: It was cut off for not keeping up.
    """

    def __init__(self, socket: ServerConnection, stream: str) -> None:
        self._socket = socket
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._ready = asyncio.Event()
        self.stream = stream
        self.wants: set[str] = set()
        self.custom = False
        self.slow = False

    def offer(self, raw: bytes) -> None:
        """Queue a message, or cut the listener off when too much waits already."""
        if self.slow:
            return
        self._waiting.append(raw)
        self._bytes += len(raw)
        if len(self._waiting) > WAITING_MAX or self._bytes > WAITING_BYTES_MAX:
            self.slow = True
            self.cut()
        self._ready.set()

    def cut(self) -> None:
        """End the connection at once, without a word."""
        self._waiting.clear()
        self._bytes = 0
        self._socket.transport.abort()

    async def send(self) -> None:
        """Send what waits, until the connection ends."""
        try:
            while True:
                await self._ready.wait()
                self._ready.clear()
                while self._waiting:
                    raw = self._waiting.popleft()
                    self._bytes -= len(raw)
                    await self._socket.send(raw, text=True)
        except ConnectionClosed:
            return


class Listeners:
    """All connections.

    Attributes:
        here: Those that are open.
        slow: How many were cut off for not keeping up.
        down: Streams that take no connections for now.
    """

    def __init__(self) -> None:
        self.here: set[Listener] = set()
        self.slow = 0
        self.down: set[str] = set()
        self._by_name: dict[str, set[Listener]] = {}

    def enter(self, listener: Listener) -> None:
        """A connection is open."""
        self.here.add(listener)

    def leave(self, listener: Listener) -> None:
        """A connection has ended."""
        self.slow += listener.slow
        self.here.discard(listener)
        self.drop(listener, set(listener.wants))

    def want(self, listener: Listener, names: Iterable[str]) -> list[str]:
        """Subscribe; those of the names that are new to the listener."""
        fresh = [name for name in dict.fromkeys(names) if name not in listener.wants]
        for name in fresh:
            listener.wants.add(name)
            self._by_name.setdefault(name, set()).add(listener)
        return fresh

    def drop(self, listener: Listener, names: Iterable[str]) -> None:
        """Unsubscribe."""
        for name in names:
            listener.wants.discard(name)
            others = self._by_name.get(name, set())
            others.discard(listener)
            if not others:
                self._by_name.pop(name, None)

    def of(self, names: Iterable[str]) -> set[Listener]:
        """Whoever wants any of these."""
        found: set[Listener] = set()
        for name in names:
            found |= self._by_name.get(name, set())
        return found

    def cut(self, stream: str) -> None:
        """End all connections of a stream."""
        for listener in list(self.here):
            if listener.stream == stream:
                listener.cut()
