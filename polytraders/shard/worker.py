"""The loop process as a worker of Channels: it begins its work by itself, and messages are hints it can do without.

A hint on the channel `loop.<shard>` only wakes the loop; a broker that is away is tried again, and nothing waits for
it.
"""

import asyncio
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
Work = Callable[[asyncio.Event, Callable[[ShardLoop], None]], Awaitable[None]]


async def _no_application(scope: Any, receive: Any, send: Any) -> None:
    """Messages are hints; there is nothing to be made of them."""


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
