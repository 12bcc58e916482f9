"""The loop process as a worker of Channels: it begins its work by itself, and messages are hints it can do without.

A hint on the channel `loop.<shard>` only wakes the loop; a broker that is away is tried again, and nothing waits for
it.
"""

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from channels.worker import Worker

from polytraders.shard.process import ShardLoop

log = logging.getLogger(__name__)

RETRY_S: Final = 2.0
GROUP: Final = "loop"
"""Group of the channel layer that whoever shows pages listens to."""
HINT_S: Final = 1.0
Work = Callable[[asyncio.Event, Callable[[ShardLoop], None]], Awaitable[None]]


async def _no_application(scope: Any, receive: Any, send: Any) -> None:
    """Messages are hints; there is nothing to be made of them."""


class Hinter:
    """Says to whoever shows pages that there is something new, one message at a time and never waited for."""

    def __init__(self, here: asyncio.AbstractEventLoop, layer: Any) -> None:
        """Send from the event loop `here`."""
        self._here = here
        self._layer = layer
        self._sending: asyncio.Task[None] | None = None
        self._next: set[str] = set()

    def __call__(self, of: str) -> None:
        """There is news of this kind: "quotes" or "log". From any thread."""
        with contextlib.suppress(RuntimeError):
            self._here.call_soon_threadsafe(self._add, of)

    def _add(self, of: str) -> None:
        self._next.add(of)
        if self._sending is None or self._sending.done():
            self._sending = self._here.create_task(self._send())

    async def _send(self) -> None:
        while self._next:
            of, self._next = sorted(self._next), set()
            # Whatever a broker does, the loop trades on; pages look every second without being told to.
            with contextlib.suppress(Exception):
                await asyncio.wait_for(self._layer.group_send(GROUP, {"type": "loop.hint", "of": of}), HINT_S)


class LoopWorker(Worker):
    """Runs one shard until SIGTERM or SIGINT."""

    def __init__(self, shard: int, work: Work, channel_layer: Any) -> None:
        """Do `work`, which ends some time after its event is set."""
        super().__init__(_no_application, [f"loop.{shard}"], channel_layer)
        self._work = work
        self._loop: ShardLoop | None = None

    async def handle(self) -> None:
        """The work, and hints beside it. Whatever the work raises ends the process."""
        stop = asyncio.Event()
        here = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            here.add_signal_handler(number, stop.set)
        hints = [asyncio.create_task(self._hints(channel)) for channel in self.channels]
        try:
            await self._work(stop, self._ready)
        finally:
            for hint in hints:
                hint.cancel()
            await asyncio.gather(*hints, return_exceptions=True)

    def _ready(self, loop: ShardLoop) -> None:
        self._loop = loop
        loop.hint_with(Hinter(asyncio.get_running_loop(), self.channel_layer))
        log.info("ready")
        told = os.environ.get("POLYTRADERS_READY_FILE")
        if told:
            Path(told).write_text("ready\n", encoding="utf-8")

    async def _hints(self, channel: str) -> None:
        while True:
            try:
                await self.channel_layer.receive(channel)
                if self._loop is not None:
                    self._loop.wake()
            except asyncio.CancelledError:
                raise
            except Exception as error:  # noqa: BLE001  whatever a broker does, the loop trades on
                log.debug("no hints for now: %s", error)
                await asyncio.sleep(RETRY_S)
