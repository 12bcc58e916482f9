"""What live pages are sent: fragments, read and rendered once for all browsers of this process, the newest only.

A hint from the loop wakes a reader, a second without one does too. A fragment is sent at once and then five times a
second at most; what changes in between is never rendered. Hints are no data: without the channel layer a page is a
second old at most, and nothing else changes.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple

import structlog
from channels.db import database_sync_to_async
from channels.layers import get_channel_layer
from django.db import DatabaseError
from django.template.loader import render_to_string

from polytraders.console import board, home, quotes
from polytraders.console.fragment import Fragment

GROUP: Final = "loop"
"""Group of the channel layer to which the loop's process sends `{"type": "loop.hint", "of": ["log", "quotes"]}`."""
BREATH_S: Final = 0.2
QUOTE_BREATH_S: Final = 0.02
"""Between two readings of quotes; each fragment of theirs is sent five times a second at most all the same."""
LADDER_REST_S: Final = 0.4
"""Ladders, depth and tapes are large, and people follow the numbers above them."""
IDLE_S: Final = 1.0
RETRY_S: Final = 1.0
MONEY_S: Final = 5.0
REJOIN_S: Final = 3_600.0
"""A layer forgets the members of a group after a day."""
SECOND_NS: Final = 1_000_000_000

log = structlog.get_logger(__name__)

Shown = Mapping[str, Hashable]
"""Keys of the fragments that browsers have been sent, by name."""
Read = Callable[[frozenset[str], Shown], Mapping[str, Fragment]]
"""Reads the named fragments (none named: all) and renders those whose keys are not the shown ones."""
BOARD: Final = ("strip", "home", "caps", "money", "stages", "packets", "codes")


class Source(NamedTuple):
    """Where fragments come from.

    Attributes:
        of: What a hint calls it.
        read: Called in a thread.
        has: Whether a name is one of its own.
        breath_s: Between two readings.
        rest_s: Between two sendings of one fragment.
    """

    of: str
    read: Read
    has: Callable[[str], bool]
    breath_s: float = BREATH_S
    rest_s: float = 0.0


_kept: dict[int, tuple[float, home.Money]] = {}


def fragments(parts: frozenset[str], shown: Shown, shard: int = 0) -> dict[str, Fragment]:
    """Parts of the overview as they are now; the strip alone costs four questions, whatever the log holds."""
    only_strip = parts == {"strip"}
    try:
        now = board.strip(shard) if only_strip else board.read(shard)
    except DatabaseError:
        log.warning("page: no database")
        return {"strip": Fragment("database", render_to_string("console/_strip.html", {"board": None, "live": True}))}
    loop = now.loop
    context: dict[str, Any] = {"board": now, "live": True}
    # The browser lets the age run on by itself, so the strip is sent once a second when nothing else in it changes.
    second = loop.at_ns // SECOND_NS if loop else 0
    keys: dict[str, Hashable] = {
        "strip": (now.age_ns if now.state == "stale" else second, now.state, now.killed, now.unknown_orders,
                  now.feed_state, str(loop.books) if loop else "", now.watch,
                  # Beside the tiles, whose money it repeats, it goes with them.
                  None if only_strip or loop is None else str(loop.money)),
    }  # fmt: skip
    if not only_strip:
        context["home"] = money = _money(shard, loop.loop_ts if loop else 0)
        keys |= _board_keys(now, money)
    return {
        name: Fragment(key, render_to_string(f"console/_{name}.html", context))
        for name, key in keys.items()
        if (not parts or name in parts) and shown.get(name) != key
    }


def _board_keys(now: board.Board, money: home.Money) -> dict[str, Hashable]:
    loop = now.loop
    return {
        "home": (
            now.answer, str(loop.money) if loop else "", money.today, now.unknown_orders, now.open_orders,
            now.feed_state,
        ),
        "caps": (now.facts, now.today),
        "money": money.picture,
        "stages": (tuple((line.counts, line.ended) for line in now.stages), now.state, loop.loop_ts if loop else 0),
        "packets": (tuple(line.row.id for line in now.packets), now.state),
        "codes": (tuple((line.reason.code, line.count) for line in now.codes), now.state),
    }  # fmt: skip


SOURCES: Final = (
    Source("log", fragments, BOARD.__contains__),
    Source("quotes", quotes.fragments, quotes.is_quote, QUOTE_BREATH_S, BREATH_S),
    Source("quotes", quotes.fragments, quotes.is_ladder, BREATH_S, LADDER_REST_S),
)


def _money(shard: int, loop_ts: int) -> home.Money:
    """Money over time changes by the minute, so it is read every few seconds and not with each hint."""
    at, found = _kept.get(shard, (0.0, None))
    if found is None or time.monotonic() >= at + MONEY_S:
        found = home.read_money(shard, loop_ts)
        _kept[shard] = time.monotonic(), found
    return found


class Live:
    """The one reader of a process and its event loop. It reads what somebody watches, while somebody watches."""

    def __init__(self, sources: Sequence[Source] = SOURCES) -> None:
        """Read from these."""
        self.version = 0
        self.reads = 0
        self._sources = sources
        self._frames: dict[str, tuple[int, float, Fragment]] = {}
        self._changed = asyncio.Condition()
        self._hinted = [(source.of, asyncio.Event()) for source in sources]
        self._watched: Counter[str] = Counter()
        self._task: asyncio.Task[None] | None = None

    def watch(self, parts: frozenset[str] = frozenset()) -> None:
        """Somebody watches these parts, none named = those of the overview: start reading if nobody did."""
        self._watched.update(parts or BOARD)
        self.hint()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    async def leave(self, parts: frozenset[str] = frozenset()) -> None:
        """One watcher fewer; the last one stops the reading."""
        self._watched.subtract(parts or BOARD)
        self._watched = +self._watched
        for name in [name for name in self._frames if name not in self._watched]:
            del self._frames[name]
        if not self._watched and self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    def hint(self, of: str | None = None) -> None:
        """Something has changed (None: anything may have): do not wait for the second to pass."""
        for name, hinted in self._hinted:
            if of in (None, name):
                hinted.set()

    async def newer(self, than: int, parts: frozenset[str] = frozenset()) -> tuple[int, str]:
        """Wait for a version after `than` of one of the parts (none named: of any).

        Returns:
            The version, and the HTML of every such part that has changed since.
        """

        def html() -> str:
            found = ((name, *frame) for name, frame in self._frames.items() if not parts or name in parts)
            return "".join(part.html for _, seen, _, part in found if seen > than)

        async with self._changed:
            await self._changed.wait_for(lambda: self.version > than and html())
            return self.version, html()

    async def _run(self) -> None:
        tasks = [asyncio.create_task(self._listen())]
        tasks += [
            asyncio.create_task(self._follow(source, hinted))
            for source, (_, hinted) in zip(self._sources, self._hinted, strict=True)
        ]
        try:
            # A reader that fails takes the others with it; the next watcher starts them anew.
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _follow(self, source: Source, hinted: asyncio.Event) -> None:
        clock = asyncio.get_running_loop().time
        # A thread apart from the one that all else shares: what is slow to read must not hold up what is quick.
        read = database_sync_to_async(source.read, thread_sensitive=False)
        while True:
            began = clock()
            hinted.clear()
            wanted = frozenset(name for name in self._watched if source.has(name))
            ready = {name: self._frames[name][1] + source.rest_s for name in wanted if name in self._frames}
            due = frozenset(name for name in wanted if ready.get(name, 0.0) <= began)
            if due:
                shown = {name: frame[2].key for name, frame in self._frames.items() if name in due}
                found = await read(due, shown)
                await self._publish(found, clock())
            # What rests has its turn as soon as it may, for it may have changed meanwhile.
            next_turn = min((at - began for at in ready.values() if at > began), default=IDLE_S)
            with suppress(TimeoutError):
                await asyncio.wait_for(hinted.wait(), min(IDLE_S, next_turn))
            await asyncio.sleep(max(0.0, began + source.breath_s - clock()))

    async def _publish(self, parts: Mapping[str, Fragment], now: float) -> None:
        self.reads += 1
        changed = {
            name: part
            for name, part in parts.items()
            if name in self._watched and (name not in self._frames or self._frames[name][2].key != part.key)
        }
        if changed:
            async with self._changed:
                self.version += 1
                self._frames |= {name: (self.version, now, part) for name, part in changed.items()}
                self._changed.notify_all()

    async def _listen(self) -> None:
        """Hints from the channel layer, for as long as there is one; its loss is no more than a slower page."""
        while True:
            try:
                await self._hints()
            except asyncio.CancelledError:
                raise
            except Exception as error:  # noqa: BLE001 - a layer's client raises what its socket does
                log.warning("page: no hints", error=type(error).__name__)
            await asyncio.sleep(RETRY_S)

    async def _hints(self) -> None:
        layer: Any = get_channel_layer()
        if layer is None:
            return
        name = await layer.new_channel("page.")
        try:
            while True:
                await layer.group_add(GROUP, name)
                with suppress(TimeoutError):
                    async with asyncio.timeout(REJOIN_S):
                        while True:
                            told = await layer.receive(name)
                            for of in told.get("of") or (None,):
                                self.hint(of)
        finally:
            with suppress(Exception):
                await layer.group_discard(GROUP, name)


_of_loop: dict[asyncio.AbstractEventLoop, Live] = {}


def shared() -> Live:
    """The reader of the running event loop."""
    loop = asyncio.get_running_loop()
    for old in [known for known in _of_loop if known.is_closed()]:
        del _of_loop[old]
    return _of_loop.setdefault(loop, Live())
