"""The socket of the live page: sends the newest state, and the next one only when the browser has taken the last."""

import asyncio
from contextlib import suppress
from typing import Any, Final
from urllib.parse import parse_qs

from channels.auth import get_user
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer

from polytraders.access.permissions import Permission, may
from polytraders.console import live

ACK_S: Final = 30.0
"""A browser that has not taken a frame for so long is gone, or asleep: it connects again when it wakes."""
LOGIN_S: Final = 60.0
NOT_LOGGED_IN, TOO_SLOW = 4401, 4408
TAKEN, NOT_SHOWN = "taken", "not shown"
"""What the browser says about a frame; the second: something was open over it, so everything is sent again."""


class BoardConsumer(AsyncWebsocketConsumer):
    """One browser. There is no queue: what it has not been sent when a newer state comes, it never needs."""

    # A consumer of the layer dies with it; hints come through `live.Live`, which outlives it.
    channel_layer_alias = "none"

    async def connect(self) -> None:
        """Only for who may see pages; the code tells the page to go to the login. `?parts=` names what it shows."""
        self._pump: asyncio.Task[None] | None = None
        self._answered = asyncio.Event()
        self._answer = TAKEN
        asked = parse_qs(self.scope.get("query_string", b"").decode("ascii", "replace"))
        self._parts = frozenset(",".join(asked.get("parts", [])).split(",")) - {""}
        await self.accept()
        if not await self._is_logged_in():
            await self.close(NOT_LOGGED_IN)
            return
        self._live = live.shared()
        self._live.watch()
        self._pump = asyncio.create_task(self._send())

    async def disconnect(self, code: int) -> None:
        """Stop sending."""
        if self._pump is not None:
            self._pump.cancel()
            with suppress(asyncio.CancelledError):
                await self._pump
            await self._live.leave()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """The browser's answer to a frame; anything else is not listened to."""
        if text_data in (TAKEN, NOT_SHOWN):
            self._answer = text_data
            self._answered.set()

    async def _send(self) -> None:
        seen, clock = 0, asyncio.get_running_loop().time
        checked = clock()
        while True:
            seen, html = await self._live.newer(seen, self._parts)
            if clock() - checked > LOGIN_S:
                checked = clock()
                if not await self._is_logged_in():
                    await self.close(NOT_LOGGED_IN)
                    return
            self._answered.clear()
            await self.send(text_data=html)
            try:
                await asyncio.wait_for(self._answered.wait(), ACK_S)
            except TimeoutError:
                await self.close(TOO_SLOW)
                return
            if self._answer == NOT_SHOWN:
                seen = 0

    async def _is_logged_in(self) -> bool:
        # Read anew: a role may have been taken away, or the person, since the socket was opened.
        user: Any = await get_user(self.scope) if "session" in self.scope else self.scope.get("user")
        if user is None or not user.is_authenticated:
            return False
        if not await database_sync_to_async(may)(user, Permission.VIEW):
            return False
        session: Any = self.scope.get("session")
        return session is None or bool(await database_sync_to_async(session.exists)(session.session_key))
