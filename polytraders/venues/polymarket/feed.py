"""The market channel, live: tokens spread over connections, messages handed on as bytes.

Nothing is decoded here. The venue numbers nothing and repeats nothing, so whatever happened while a connection was away
is unknown: `Lost` says so, and the whole books that follow `Opened` are the only way back.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from polytraders.venues.polymarket.known import is_token
from polytraders.venues.streaming import Line, Manners, Sink, Talk

TOKENS_MAX: Final = 200
"""Tokens on one connection. The venue tells no bound; others saw connections freeze with more."""

CONNECTIONS_MAX: Final = 16
RESUBSCRIBE_S: Final = 5.0
"""Shortest time between two requests for the same token's whole book."""

MANNERS: Final = Manners(ping="PING")


class Subscription(Talk):
    """What one connection is subscribed to, and what it should be.

    Attributes:
        wanted: Tokens that should be on this connection, in order of arrival.
    """

    def __init__(self, resubscribe_s: float = RESUBSCRIBE_S) -> None:
        super().__init__()
        self.wanted: dict[str, None] = {}
        self._asked: dict[str, None] = {}
        self._again: dict[str, None] = {}
        self._again_at: dict[str, float] = {}
        self._resubscribe_s = resubscribe_s
        self._any = asyncio.Event()

    def change(self, remove: Sequence[str], add: Sequence[str]) -> None:
        """Drop tokens and take others on; the connection is told soon."""
        for token in remove:
            for known in (self.wanted, self._again, self._again_at):
                known.pop(token, None)
        self.wanted.update(dict.fromkeys(add))
        if self.wanted:
            self._any.set()
        else:
            self._any.clear()
        self.wake.set()

    def again(self, tokens: Sequence[str]) -> None:
        """Ask for whole books of these tokens as soon as the rate allows."""
        self._again.update(dict.fromkeys(tokens))
        self.wake.set()

    async def ready(self) -> None:
        """Return when there is a token to subscribe to."""
        await self._any.wait()

    def greeting(self) -> list[str]:
        """The first subscription; its answer is a whole book of every token, so nothing else is pending."""
        self._asked = dict(self.wanted)
        self._again.clear()
        return [_text({"type": "market", "assets_ids": list(self._asked), "custom_feature_enabled": True})]

    def due(self, now: float) -> list[str]:
        """What has changed since it was said last."""
        again = [
            token
            for token in self._again
            if token in self._asked and now - self._again_at.get(token, -self._resubscribe_s) >= self._resubscribe_s
        ]
        for token in again:
            del self._again[token]
            self._again_at[token] = now
        drop = [token for token in self._asked if token not in self.wanted] + again
        take = [token for token in self.wanted if token not in self._asked] + again
        self._asked = dict(self.wanted)
        return _drop(drop) + _take(take)

    def probe(self) -> list[str]:
        """Ask for one token's book anew: a connection that still delivers anything answers that."""
        token = next(iter(self._asked), None)
        return [] if token is None else _drop([token]) + _take([token])


def _drop(tokens: list[str]) -> list[str]:
    return [_text({"operation": "unsubscribe", "assets_ids": tokens})] if tokens else []


def _take(tokens: list[str]) -> list[str]:
    # The flag is said each time: the venue takes a later request's flag for the whole connection.
    told = {"operation": "subscribe", "assets_ids": tokens, "custom_feature_enabled": True}
    return [_text(told)] if tokens else []


def _text(told: dict[str, object]) -> str:
    return msgspec.json.encode(told).decode()


class MarketFeed:
    """The market channel of the tokens that are wanted, over as many connections as they need.

    Not thread-safe: `want` and `resubscribe` belong on the event loop that runs `run`.
    """

    def __init__(
        self,
        url: str,
        sink: Sink,
        clock: Callable[[], int],
        chance: random.Random,
        *,
        manners: Manners = MANNERS,
        tokens_max: int = TOKENS_MAX,
        connections_max: int = CONNECTIONS_MAX,
        connection_first: int = 0,
        resubscribe_s: float = RESUBSCRIBE_S,
    ) -> None:
        """Connect to nothing yet.

        Args:
            url: Address of the market channel.
            sink: Gets every event of a connection in order; see `streaming.Sink`.
            clock: Receive time, ns UTC.
            chance: Spreads reconnections.
            manners: How connections are kept.
            tokens_max: Tokens on one connection.
            connections_max: Connections at most.
            connection_first: Number of the first connection; the others follow.
            resubscribe_s: Shortest time between two requests for a token's whole book.
        """
        self._url = url
        self._sink = sink
        self._clock = clock
        self._chance = chance
        self._manners = manners
        self._tokens_max = tokens_max
        self._connections_max = connections_max
        self._first = connection_first
        self._resubscribe_s = resubscribe_s
        self._subscriptions: list[Subscription] = []
        self._place: dict[str, int] = {}
        self._grown = asyncio.Event()
        self._running = False

    def want(self, tokens: Sequence[str]) -> None:
        """Make these the subscribed tokens. May be said at any time; a token that stays keeps its connection.

        The two tokens of a market may land on different connections. One decoder per connection then sees one of them
        each, so a caller that wants both registers the market with every decoder.

        Raises:
            ValueError: Something is no token id, or there are more than fit; nothing has changed then.
        """
        wanted = dict.fromkeys(tokens)
        wrong = [token for token in wanted if not is_token(token)]
        if wrong:
            raise ValueError(f"not a token id: {wrong[0]!r}")
        if len(wanted) > self.room:
            raise ValueError(f"{len(wanted)} tokens, room for {self.room}")
        gone = [token for token in self._place if token not in wanted]
        dropped = {token: self._place.pop(token) for token in gone}
        new = iter([token for token in wanted if token not in self._place])
        number = 0
        while True:
            held = number < len(self._subscriptions)
            subscription = self._subscriptions[number] if held else Subscription(self._resubscribe_s)
            remove = [token for token, place in dropped.items() if place == number]
            room = self._tokens_max - len(subscription.wanted) + len(remove)
            add = [token for _, token in zip(range(room), new, strict=False)]
            if not held and not add:
                return
            if not held:
                self._subscriptions.append(subscription)
                self._grown.set()
            if remove or add:
                subscription.change(remove, add)
            self._place.update(dict.fromkeys(add, number))
            number += 1

    @property
    def room(self) -> int:
        """Tokens that all connections together carry."""
        return self._tokens_max * self._connections_max

    def connection_of(self, token: str) -> int | None:
        """Number of the connection that carries the token, None when it is not wanted."""
        place = self._place.get(token)
        return None if place is None else self._first + place

    def resubscribe(self, tokens: Sequence[str]) -> None:
        """Ask for whole books of these tokens, each at most once in `resubscribe_s`; earlier requests wait, not vanish.

        Tokens that are not wanted are left alone.
        """
        for token in tokens:
            place = self._place.get(token)
            if place is not None:
                self._subscriptions[place].again([token])

    async def run(self) -> None:
        """Keep all connections until cancelled.

        Raises:
            RuntimeError: It runs already.
            ExceptionGroup: What the sink raised; all connections are closed.
        """
        if self._running:
            raise RuntimeError("the feed runs already")
        self._running = True
        try:
            async with asyncio.TaskGroup() as lines:
                started = 0
                while True:
                    self._grown.clear()
                    for place in range(started, len(self._subscriptions)):
                        lines.create_task(self._line(place).run(), name=f"connection {self._first + place}")
                    started = len(self._subscriptions)
                    await self._grown.wait()
        finally:
            self._running = False

    def _line(self, place: int) -> Line:
        return Line(
            self._first + place, self._url, self._sink, self._clock, self._chance, self._manners,
            self._subscriptions[place],
        )  # fmt: skip
