"""Looks after the books from outside of the loop: which to subscribe, which to ask for again, which to compare.

Nothing here decides: it subscribes, and it puts what it saw through the door like everything else that arrives.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import numpy as np

from polytraders.config import Row
from polytraders.contracts import state as s
from polytraders.contracts.inputs import ASK, BID, NANO, PRICE_UNIT, YES, Fact, Kind, MarketStatus
from polytraders.shard.directory import Directory
from polytraders.shard.process import ShardLoop
from polytraders.venues.polymarket.catalogue import Witness

log = logging.getLogger(__name__)

LOOK_S: Final = 0.5
WITNESS_S: Final = 0.25
"""At most four books a second are asked for over HTTP, well within what the venue allows."""
QUIET_NS: Final = 5 * NANO
"""A market that has been silent for so long needs a witness; the loop believes one for 15 s."""
QUIET_TURNS: Final = 3
"""So many quiet books are asked for, then one of all: a lost change that moved no best price shows nowhere else."""


class Feed(Protocol):
    """What is needed of the market feed."""

    @property
    def room(self) -> int:
        """Tokens that fit."""

    def want(self, tokens: list[str]) -> None:
        """Make these the subscribed tokens."""

    def resubscribe(self, tokens: list[str]) -> None:
        """Ask for whole books of these tokens."""

    def connection_of(self, token: str) -> int | None:
        """The connection that carries the token."""


class Care:
    """Keeps subscriptions, lost books and witnesses of one shard."""

    def __init__(self, loop: ShardLoop, directory: Directory, feed: Feed) -> None:
        """Look after the markets of `directory`."""
        self._loop = loop
        self._directory = directory
        self._feed = feed
        self._next = 0
        self._turn = 0
        self._looked: dict[int, int] = {}
        self._suspect: int | None = None

    async def subscribe(self) -> None:
        """Until cancelled: subscribe what the registry tells, and tell the loop which connection carries it."""
        wanted: list[str] = []
        while True:
            now_wanted = self._directory.wanted(self._feed.room)
            if now_wanted != wanted:
                wanted = now_wanted
                self._feed.want(wanted)
                self._tell_connections()
            self._ask_again()
            await asyncio.sleep(LOOK_S)

    def _tell_connections(self) -> None:
        rows: list[Row] = []
        markets = self._loop.state.markets
        for index, listing in self._directory.listings.items():
            connection = self._feed.connection_of(listing.tokens[YES])
            known = int(markets["known"][index]) >> Fact.CONNECTION & 1
            if connection is not None and (not known or int(markets["connection"][index]) != connection):
                rows.append((Kind.FACT, 0, 0, index, Fact.CONNECTION, connection, 0, 0))
        if rows:
            self._loop.arrive(lambda intake, now: intake.rows(rows, now, "loop"))

    def _ask_again(self) -> None:
        markets = self._loop.state.markets
        broken = [
            token
            for index, listing in self._directory.listings.items()
            if markets["state"][index] != s.BOOK_OK and markets["status"][index] < MarketStatus.RESOLVING
            for token in listing.tokens
        ]
        # The feed asks for each token at most once in a while, so asking it often is asking once.
        if broken:
            self._feed.resubscribe(broken)

    async def witness(self, ask: Callable[[str], Awaitable[object]], pause_s: float = WITNESS_S) -> None:
        """Until cancelled: compare books with the venue's own, those that have gone quiet first, but every one in turn.

        One that agrees may be believed for longer. One that does not may only be ahead of what the feed still carries,
        so it is looked at once more. When it differs again it has missed something that no best price has shown: a
        whole book is asked for on the feed, which alone may change ours.
        """
        while True:
            index = self._chosen()
            if index is not None:
                before = self._events(index)
                told = await ask(self._directory.listings[index].tokens[YES])
                # A book that moved meanwhile says nothing about either.
                if isinstance(told, Witness) and before == self._events(index):
                    self._compared(index, told)
                else:
                    self._suspect = None
            await asyncio.sleep(pause_s)

    def _compared(self, index: int, told: Witness) -> None:
        was_suspect, self._suspect = self._suspect == index, None
        if not self.agrees(index, told):
            if not was_suspect:
                self._suspect = index
                return
            log.warning("market %d: the venue's own book is another than ours; a whole book is asked for", index)
            self._feed.resubscribe(list(self._directory.listings[index].tokens))
            return
        row: Row = (Kind.WITNESS, 0, 0, index, 0, 0, 0, 0)
        self._loop.arrive(lambda intake, now: intake.rows([row], now, "loop"))

    def _events(self, index: int) -> int:
        return int(self._loop.state.markets["events"][index])

    def _chosen(self) -> int | None:
        """The next market to compare.

        The one that differed a moment ago. Else of those that need a witness the next in turn; after `QUIET_TURNS` of
        them, or when there are none, the one of all that was looked at the longest ago: one that moves all the time
        would else be asked for all the time.
        """
        state = self._loop.state
        now = int(state.portfolio["now"][0])
        count = len(self._directory.names.markets)
        markets = state.markets[:count]
        live = (markets["state"] == s.BOOK_OK) & (markets["status"] < MarketStatus.RESOLVING)
        found = [index for index in np.flatnonzero(live).tolist() if index in self._directory.listings]
        if not found:
            return None
        if self._suspect in found:
            return self._suspect
        newest = np.maximum(markets["row_ts"], markets["witness_ts"])
        quiet = [index for index in found if newest[index] < now - QUIET_NS]
        self._turn += 1
        if quiet and self._turn % (QUIET_TURNS + 1):
            chosen = next((index for index in quiet if index >= self._next), quiet[0])
            self._next = chosen + 1
            return chosen
        self._looked = {index: self._looked.get(index, 0) for index in found}
        chosen = min(found, key=lambda index: max(self._looked[index], int(markets["witness_ts"][index])))
        self._looked[chosen] = now
        return chosen

    def agrees(self, index: int, told: Witness) -> bool:
        """Whether the venue's book is ours, level for level, within the window of prices that we keep."""
        theirs = {(side, price): size for side, price, size in told.levels}
        return theirs == book_of(self._loop.state, index)


def book_of(state: s.State, index: int) -> dict[tuple[int, int], int]:
    """(side, price) to size of every level of a market's book, YES terms."""
    market = state.markets[index]
    tick = int(market["tick"])
    made: dict[tuple[int, int], int] = {}
    for side, name in ((BID, "bid"), (ASK, "ask")):
        levels = state.levels[index, side]
        base = int(market[f"{name}_base"])
        for slot in np.flatnonzero(levels).tolist():
            price = (slot + base) * tick
            if 0 < price < PRICE_UNIT:
                made[side, price] = int(levels[slot])
        for price, size in state.overflow[index, side, : int(market[f"{name}_overflow"])].tolist():
            made[side, price] = size
    return made
