"""The exchange as its customers see it: HTTP and WebSocket on one loopback port, driven by a world in exchange time."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import msgspec
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from polytraders.contracts.inputs import NANO
from polytraders.venues.simulator import frames, gamma
from polytraders.venues.simulator.floor import BOTH, MS, Told
from polytraders.venues.simulator.listeners import Listener, Listeners
from polytraders.venues.simulator.listing import Market
from polytraders.venues.simulator.world import World

BEAT_S: Final = 0.005
"""The world is moved on this often."""

BEAT_MOST_NS: Final = NANO
"""At most so much exchange time at once, so that a machine that cannot keep up still answers."""

BEHIND_MOST_NS: Final = 120 * NANO
"""A lag up to this is caught up with, so that exchange time stays a line; of a longer one the rest is given up."""

MESSAGE_MAX: Final = 1024 * 1024
TOKENS_MAX: Final = 500
"""Tokens a connection may want; the venue is said to fall silent beyond."""

Query = dict[str, list[str]]


class Clock:
    """Exchange time: it starts where the plan says and runs `speed` times as fast as the wall's."""

    def __init__(self, start_ns: int, speed: float) -> None:
        self._start_ns = start_ns
        self._from_ns = time.monotonic_ns()
        self.speed = speed

    def now_ns(self) -> int:
        """Exchange time, ns UTC."""
        return self._start_ns + int((time.monotonic_ns() - self._from_ns) * self.speed)

    def slip(self, behind_ns: int) -> None:
        """Set it back: what the world cannot catch up with is given up."""
        self._start_ns -= behind_ns


class Faces:
    """The market channel, Binance's streams and the web pages.

    Attributes:
        listeners: Who is connected.
        counts: Requests by path, connections, subscriptions, bad messages.
        behind_ns: Exchange time that the world has to catch up with.
        slipped_ns: Exchange time given up in all: the machine was stopped, or is too slow for the speed.
    """

    def __init__(self, world: World, clock: Clock) -> None:
        self.world = world
        self.clock = clock
        self.listeners = Listeners()
        self.counts: Counter[str] = Counter()
        self.behind_ns = self.slipped_ns = 0
        self._pages: dict[str, Callable[[Query], tuple[int, Any]]] = {
            "/book": self._book,
            "/time": self._time,
            "/markets/keyset": lambda query: self._keyset("markets", query),
            "/events/keyset": lambda query: self._keyset("events", query),
            "/ok": lambda _: (200, "OK"),
        }

    async def open(self, host: str, port: int) -> Server:
        """Listen; with port 0 on one that is free."""
        return await serve(
            self._connection,
            host,
            port,
            process_request=self._request,
            compression=None,
            ping_interval=None,
            max_size=MESSAGE_MAX,
            close_timeout=0.2,
            server_header=None,
        )

    async def run(self) -> None:
        """Move the world on and hand out what is told, until cancelled."""
        while True:
            self.advance()
            await asyncio.sleep(0 if self.behind_ns else BEAT_S)

    def advance(self) -> None:
        """Bring the world up to its clock."""
        now_ns = self.clock.now_ns()
        until = min(now_ns, self.world.now_ns + BEAT_MOST_NS)
        for told in self.world.run_until(until):
            self.hand_out(told)
        self.behind_ns = now_ns - until
        if self.behind_ns > BEHIND_MOST_NS:
            self.slipped_ns += self.behind_ns - BEHIND_MOST_NS
            self.clock.slip(self.behind_ns - BEHIND_MOST_NS)

    def hand_out(self, told: Told) -> None:
        """To whom it is meant for."""
        listeners = self.listeners
        if told.event in ("cut", "down", "up"):
            (listeners.down.discard if told.event == "up" else listeners.down.add)(told.market)
            listeners.cut(told.market)
            if told.event == "cut":
                listeners.down.discard(told.market)
            return
        if not told.market:
            names: tuple[str, ...] = (told.event,)
        else:
            market = self.world.markets.get(told.market)
            if market is None:
                return
            names = market.tokens if told.token == BOTH else (market.tokens[told.token],)
        meant = listeners.of(names) if told.event != "new_market" else listeners.here
        for listener in meant:
            if not told.custom or (listener.custom and listener.stream == "market"):
                listener.offer(told.raw)

    # --- WebSocket ----------------------------------------------------------------------------------------------------

    async def _connection(self, socket: ServerConnection) -> None:
        address = urlsplit(socket.request.path if socket.request else "")
        stream = "market" if address.path == "/ws/market" else "binance"
        listener = Listener(socket, stream)
        self.listeners.enter(listener)
        self.counts[f"connections:{stream}"] += 1
        if stream == "binance":
            names = parse_qs(address.query).get("streams", [""])[0].split("/")
            self.listeners.want(listener, names[:TOKENS_MAX])
        sender = asyncio.create_task(listener.send())
        try:
            async for message in socket:
                self._said(listener, message)
        except ConnectionClosed:
            pass
        finally:
            sender.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sender
            self.listeners.leave(listener)

    def _said(self, listener: Listener, message: str | bytes) -> None:
        """Something a customer sent."""
        if message in ("PING", b"PING"):
            if not self.world.faults.mute(self.world.now_ns):
                listener.offer(b"PONG")
            return
        try:
            wish = msgspec.json.decode(message)
            assets = wish.get("assets_ids", [])
            if listener.stream != "market" or not all(isinstance(asset, str) for asset in assets):
                raise ValueError
            operation = wish.get("operation", "subscribe" if wish.get("type") in ("market", "MARKET") else "")
        except (msgspec.DecodeError, ValueError, AttributeError, TypeError):
            self.counts["bad_messages"] += 1
            return
        if "custom_feature_enabled" in wish:
            listener.custom = wish["custom_feature_enabled"] is True
        if operation == "subscribe":
            self._subscribe(listener, assets)
        elif operation == "unsubscribe":
            self.listeners.drop(listener, assets)
        else:
            self.counts["bad_messages"] += 1

    def _subscribe(self, listener: Listener, assets: list[str]) -> None:
        """Books of all tokens that are new to the listener, in one array."""
        self.counts["subscriptions"] += 1
        self.advance()
        known = [asset for asset in assets if asset in self.world.tokens]
        self.counts["unknown_tokens"] += len(assets) - len(known)
        fresh = self.listeners.want(listener, known[: TOKENS_MAX - len(listener.wants)])
        if self.world.subscribed() and fresh:
            now_ms = self.world.now_ns // MS
            books = [frames.book(*self.world.tokens[token], now_ms) for token in fresh]
            listener.offer(frames.encode(books) + b"\n")

    # --- HTTP ---------------------------------------------------------------------------------------------------------

    def _request(self, socket: ServerConnection, request: Request) -> Response | None:
        """A page, or None to go on with the WebSocket handshake."""
        address = urlsplit(request.path)
        stream = {"/ws/market": "market", "/stream": "binance"}.get(address.path)
        if stream and request.headers.get("Upgrade", "").lower() == "websocket":
            return _answer(503, {"error": "down"}) if stream in self.listeners.down else None
        self.advance()
        path = "/clob-markets" if address.path.startswith("/clob-markets/") else address.path
        page = self._clob if path == "/clob-markets" else self._pages.get(path)
        self.counts[path if page else "unknown_paths"] += 1
        down = self.world.faults.lasting("rest_down", self.world.now_ns)
        if down is not None:
            return _answer(down.args.get("status", 503), {"error": "Trading is currently disabled"})
        if page is None or request.method != "GET":
            return _answer(404, {"error": "not found"})
        query = parse_qs(address.query)
        if path == "/clob-markets":
            query["condition_id"] = [address.path.rpartition("/")[2]]
        try:
            return _answer(*page(query))
        except ValueError as error:
            return _answer(422, {"error": str(error)})

    def _book(self, query: Query) -> tuple[int, Any]:
        found = self.world.tokens.get(query.get("token_id", [""])[0])
        if found is None or found[0].closed:
            return 404, {"error": "No orderbook exists for the requested token id"}
        told = frames.rest_book(*found, self.world.now_ns // MS)
        if self.world.faults.lasting("rest_stale", self.world.now_ns):
            told["timestamp"] = str(self.world.now_ns // MS - 600_000)
            told |= {"bids": [{"price": "0.01", "size": "100"}], "asks": [{"price": "0.99", "size": "100"}]}
        return 200, told

    def _time(self, query: Query) -> tuple[int, Any]:
        skew = self.world.faults.lasting("clock_skew", self.world.now_ns)
        return 200, (self.world.now_ns + (skew.args.get("ms", 0) * MS if skew else 0)) // NANO

    def _clob(self, query: Query) -> tuple[int, Any]:
        market = self.world.markets.get(query["condition_id"][0])
        return (200, gamma.clob_page(market)) if market else (404, {"error": "market not found"})

    def _keyset(self, name: str, query: Query) -> tuple[int, Any]:
        found: list[Any] = list((self.world.markets if name == "markets" else self.world.events).values())
        found.sort(key=_number)
        return 200, gamma.keyset(name, found, query, self.world.now_ns)


def _number(one: Market) -> int:
    return one.number


def _answer(status: int, page: Any) -> Response:
    body = msgspec.json.encode(page)
    headers = Headers([("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    headers["Connection"] = "close"
    return Response(status, HTTPStatus(status).phrase, headers, body)
