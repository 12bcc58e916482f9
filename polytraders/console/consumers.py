"""The socket of the live page: sends the newest state, and the next one only when the browser has taken the last."""

import asyncio
from contextlib import suppress
from importlib import import_module
from typing import Any, Final
from urllib.parse import parse_qs

from channels.auth import get_user
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.db import DatabaseError

from polytraders.access.permissions import Permission, may
from polytraders.console import live

ACK_S: Final = 30.0
"""A browser that has not taken a frame for so long is gone, or asleep: it connects again when it wakes."""
LOGIN_S: Final = 30.0
"""Between two looks at whether the person may still see pages; sent or not, nobody sees them for a minute longer."""
LOOK_S: Final = 15.0
"""What one such look may take; one that has no answer lets nobody go on."""
NOT_LOGGED_IN, TOO_SLOW, TOO_LARGE = 4401, 4408, 1009
MESSAGE_MAX: Final = 64
"""Of a browser, bytes. The web server itself lets no more than a megabyte come this far."""
PARTS_MOST: Final = 64
"""Of one page."""
TAKEN, NOT_SHOWN = "taken", "not shown"
"""What the browser says about a frame; the second: something was open over it, so everything is sent again."""


class BoardConsumer(AsyncWebsocketConsumer):
    """One browser. There is no queue: what it has not been sent when a newer state comes, it never needs."""

    # A consumer of the layer dies with it; hints come through `live.Live`, which outlives it.
    channel_layer_alias = "none"

    async def connect(self) -> None:
        """Only for who may see pages; the code tells the page to go to the login. `?parts=` names what it shows."""
        self._pump: asyncio.Task[None] | None = None
        self._guard: asyncio.Task[None] | None = None
        self._answered = asyncio.Event()
        self._answer = TAKEN
        asked = parse_qs(self.scope.get("query_string", b"").decode("ascii", "replace"))
        named = ",".join(asked.get("parts", [])).split(",")[:PARTS_MOST]
        self._parts = frozenset(named) - {""}
        await self.accept()
        if not await self._is_logged_in():
            await self.close(NOT_LOGGED_IN)
            return
        self._live = live.shared()
        self._live.watch(self._parts)
        self._pump = asyncio.create_task(self._send())
        self._guard = asyncio.create_task(self._watch_over(self._pump))

    async def disconnect(self, code: int) -> None:
        """Stop sending."""
        for task in (self._guard, self._pump):
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
        if self._pump is not None:
            await self._live.leave(self._parts)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """The browser's answer to a frame; anything else is not listened to, and what is long ends the line."""
        if len(text_data or "") > MESSAGE_MAX or len(bytes_data or b"") > MESSAGE_MAX:
            await self.close(TOO_LARGE)
            return
        if text_data in (TAKEN, NOT_SHOWN):
            self._answer = text_data
            self._answered.set()

    async def _send(self) -> None:
        seen = 0
        while True:
            seen, html = await self._live.newer(seen, self._parts)
            self._answered.clear()
            await self.send(text_data=html)
            try:
                await asyncio.wait_for(self._answered.wait(), ACK_S)
            except TimeoutError:
                await self.close(TOO_SLOW)
                return
            if self._answer == NOT_SHOWN:
                seen = 0

    async def _watch_over(self, pump: "asyncio.Task[None]") -> None:
        """End the line of who may no longer see pages, also while there is nothing to send."""
        may_see = True
        while may_see:
            await asyncio.sleep(LOGIN_S)
            may_see = False
            # Unknown is never yes: a database that does not answer shows nobody anything new either.
            with suppress(TimeoutError, DatabaseError):
                async with asyncio.timeout(LOOK_S):
                    may_see = await self._is_logged_in()
        pump.cancel()
        await self.close(NOT_LOGGED_IN)

    async def _is_logged_in(self) -> bool:
        # Read anew: a role may have been taken away, or the person, or the session, since the socket was opened.
        known: Any = self.scope.get("session")
        if known is None:
            user: Any = self.scope.get("user")
        else:
            engine: Any = import_module(settings.SESSION_ENGINE)
            scope: Any = {"session": engine.SessionStore(known.session_key)}
            user = await get_user(scope)
        if user is None or not user.is_authenticated:
            return False
        return bool(await database_sync_to_async(may)(user, Permission.VIEW))
