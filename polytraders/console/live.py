"""What the live page is sent: fragments, read and rendered once for all browsers of this process, the newest only.

A hint from the loop wakes the reader, a second without one does too, and it never reads more than five times a second.
Hints are no data: without the channel layer the page is a second old at most, and nothing else changes.
"""

import asyncio
import time
from collections.abc import Callable, Hashable, Mapping
from contextlib import suppress
from typing import Any, Final, NamedTuple

import structlog
from channels.db import database_sync_to_async
from channels.layers import get_channel_layer
from django.db import DatabaseError
from django.template.loader import render_to_string

from polytraders.console import board, home

GROUP: Final = "loop"
"""Group of the channel layer to which the loop's process sends `{"type": "loop.hint"}` after a commit."""
BREATH_S: Final = 0.2
IDLE_S: Final = 1.0
RETRY_S: Final = 1.0
MONEY_S: Final = 5.0
REJOIN_S: Final = 3_600.0
"""A layer forgets the members of a group after a day."""

log = structlog.get_logger(__name__)


class Fragment(NamedTuple):
    """A part of the page: what it depends on, and its HTML."""

    key: Hashable
    html: str


Read = Callable[[], Mapping[str, Fragment]]
_kept: dict[int, tuple[float, home.Money | None]] = {}


def fragments(shard: int = 0) -> dict[str, Fragment]:
    """All parts of the page as they are now."""
    try:
        now = board.read(shard)
    except DatabaseError:
        log.warning("page: no database")
        return {"strip": Fragment("database", render_to_string("console/_strip.html", {"board": None, "live": True}))}
    loop = now.loop
    money = _money(shard, loop.loop_ts if loop else 0)
    context = {"board": now, "home": money, "live": True}
    keys: dict[str, Hashable] = {
        "strip": (now.age_ns, now.state, now.killed, now.unknown_orders, loop.in_seq if loop else 0),
        "home": (
            now.answer,
            loop.money if loop else {},
            money.today,
            now.unknown_orders,
            now.open_orders,
            now.feed_state,
        ),
        "caps": (now.facts, now.today),
        "money": money.picture,
        "stages": (tuple((line.counts, line.ended) for line in now.stages), now.state, loop.loop_ts if loop else 0),
        "packets": (tuple(line.row.id for line in now.packets), now.state),
        "codes": (tuple((line.reason.code, line.count) for line in now.codes), now.state),
    }
    return {name: Fragment(key, render_to_string(f"console/_{name}.html", context)) for name, key in keys.items()}


def _money(shard: int, loop_ts: int) -> home.Money:
    """Money over time changes by the minute, so it is read every few seconds and not with each hint."""
    at, found = _kept.get(shard, (0.0, None))
    if found is None or time.monotonic() >= at + MONEY_S:
        found = home.read_money(shard, loop_ts)
        _kept[shard] = time.monotonic(), found
    return found


class Live:
    """The one reader of a process and its event loop. It reads while somebody watches."""

    def __init__(self, read: Read = fragments) -> None:
        """`read` is called in a thread."""
        self.version = 0
        self.reads = 0
        self._read = read
        self._frames: dict[str, tuple[int, Fragment]] = {}
        self._changed = asyncio.Condition()
        self._hinted = asyncio.Event()
        self._watchers = 0
        self._task: asyncio.Task[None] | None = None

    def watch(self) -> None:
        """Somebody watches: start reading if nobody did."""
        self._watchers += 1
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    async def leave(self) -> None:
        """One watcher fewer; the last one stops the reading."""
        self._watchers -= 1
        if self._watchers == 0 and self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    def hint(self) -> None:
        """Something has changed: do not wait for the second to pass."""
        self._hinted.set()

    async def newer(self, than: int, parts: frozenset[str] = frozenset()) -> tuple[int, str]:
        """Wait for a version after `than` of one of the parts (none named: of any).

        Returns:
            The version, and the HTML of every such part that has changed since.
        """

        def html() -> str:
            return "".join(
                part.html for name, (seen, part) in self._frames.items() if seen > than and (not parts or name in parts)
            )

        async with self._changed:
            await self._changed.wait_for(lambda: self.version > than and html())
            return self.version, html()

    async def _run(self) -> None:
        listener = asyncio.create_task(self._listen())
        clock = asyncio.get_running_loop().time
        try:
            while True:
                began = clock()
                self._hinted.clear()
                await self._publish(await database_sync_to_async(self._read)())
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._hinted.wait(), IDLE_S)
                await asyncio.sleep(max(0.0, began + BREATH_S - clock()))
        finally:
            listener.cancel()
            with suppress(asyncio.CancelledError):
                await listener

    async def _publish(self, parts: Mapping[str, Fragment]) -> None:
        self.reads += 1
        old = {name: part for name, (_, part) in self._frames.items()}
        changed = {name: part for name, part in parts.items() if name not in old or old[name].key != part.key}
        if changed:
            async with self._changed:
                self.version += 1
                self._frames |= {name: (self.version, part) for name, part in changed.items()}
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
                            await layer.receive(name)
                            self.hint()
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
