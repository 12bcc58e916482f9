"""`/ws/v1/stream`: the log as it grows, from any place it still keeps, at the client's pace.

Nothing queues here: what the client has not acknowledged bounds what is read. A place is enough to go on from, so
a connection that breaks loses nothing and doubles nothing.
"""

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qs, urlparse

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.security.websocket import AllowedHostsOriginValidator
from django.contrib.auth import get_user_model
from django.db import DatabaseError

from apps.monitoring.models import LoopRecord
from polytraders.access.permissions import Permission
from polytraders.api import told
from polytraders.api.callers import Caller, of
from polytraders.api.places import raw
from polytraders.api.told import TOPICS, Envelope, Place
from polytraders.console.problems import Refused
from polytraders.contracts.stretch import SHARDS_MOST

PERMISSIONS: Final = dict.fromkeys(TOPICS, Permission.VIEW)
"""What each topic needs, of the one table of permissions."""
WINDOW: Final = 500
"""Envelopes that may be on their way without the client having acknowledged them."""
MESSAGE_MAX: Final = 4_096
INVALID, NOBODY, FORBIDDEN, SLOW, AWAY = 4400, 4401, 4403, 4408, 4503
"""Close codes."""
PAYLOAD_LOOP: Final = (
    "state", "mode", "in_seq", "loop_ts", "lag_ms", "is_killed", "chain_head", "queues", "books", "money",
)  # fmt: skip


class StreamError(ValueError):
    """What the client asked for cannot be meant."""


class Asked:
    """What stands in the address."""

    def __init__(self, query: str) -> None:
        """Understand `topics`, `after` and `shard`.

        Raises:
            StreamError: One of them cannot be meant.
        """
        given = parse_qs(query, keep_blank_values=True)
        if not set(given) <= {"topics", "after", "shard"} or any(len(values) > 1 for values in given.values()):
            raise StreamError("it takes topics, after and shard, each once")
        self.topics = frozenset(given.get("topics", [""])[0].split(",")) - {""}
        if not self.topics or not self.topics <= set(TOPICS):
            raise StreamError(f"topics are some of {', '.join(TOPICS)}")
        after = given.get("after", [""])[0]
        self.after = told.place(after) if after else None
        if after and self.after is None:
            raise StreamError("after is the seq of an envelope")
        shard = given.get("shard", ["0"])[0]
        if not (shard.isascii() and shard.isdigit() and len(shard) <= 2 and int(shard) < SHARDS_MOST):
            raise StreamError("there is no such shard")
        self.shard = int(shard)


class StreamConsumer(AsyncWebsocketConsumer):
    """One client."""

    # A consumer of the layer dies with it; this one reads the log.
    channel_layer_alias = "none"
    login_s: float = 5.0
    """Time in which the first message must bring the key where neither header nor session did."""
    check_s: float = 30.0
    """How often it is asked again whether the client may still listen."""
    ack_s: float = 30.0
    """Time after which a client that has a full window and acknowledges nothing is let go."""
    beat_s: float = 10.0
    idle_s: float = 0.25

    async def connect(self) -> None:
        """Accept, so that a close code can say why not."""
        self._pump: asyncio.Task[None] | None = None
        self._moved = asyncio.Event()
        self._first: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._acked = 0
        self._sent: dict[str, int] = {}
        self._count = 0
        await self.accept()
        self._pump = asyncio.create_task(self._run())

    async def disconnect(self, code: int) -> None:
        """Stop reading."""
        pump = self._pump
        if pump is not None and pump is not asyncio.current_task():
            pump.cancel()
            with suppress(asyncio.CancelledError):
                await pump

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """An acknowledgement `{"ack": seq}`, or first of all the key; anything else is not listened to."""
        if text_data is None or len(text_data) > MESSAGE_MAX:
            return
        try:
            message = json.loads(text_data)
        except ValueError:
            return
        if not isinstance(message, dict):
            return
        key, ack = message.get("authorization"), message.get("ack")
        if isinstance(key, str) and not self._first.done():
            self._first.set_result(key)
        if isinstance(ack, str) and ack in self._sent:
            # Everything up to it has been taken.
            self._acked = self._sent[ack]
            self._sent = {seq: count for seq, count in self._sent.items() if count > self._acked}
            self._moved.set()

    async def _run(self) -> None:
        try:
            asked = Asked(self.scope.get("query_string", b"").decode("ascii", "replace"))
            header = await self._let_in(asked)
            await self._tell(asked, header)
        except StreamError as error:
            await self._end(INVALID, "GOV_REQUEST_INVALID", str(error))
        except Refused as refusal:
            code = FORBIDDEN if refusal.status is HTTPStatus.FORBIDDEN else NOBODY
            await self._end(code, refusal.code, str(refusal))
        except DatabaseError:
            await self._end(AWAY, "GOV_DB_UNAVAILABLE", "the database does not answer: come again")

    async def _end(self, code: int, reason_code: str, detail: str) -> None:
        await self.send(json.dumps({"kind": "stream.closed", "reason_code": reason_code, "detail": detail}))
        await self.close(code)

    # --- who -----------------------------------------------------------------------------------------------------

    async def _let_in(self, asked: Asked) -> str:
        """The header that is good for this connection, "" when it is the session."""
        header = self._header(b"authorization")
        if not header and not self._is_logged_in():
            try:
                header = await asyncio.wait_for(self._first, self.login_s)
            except TimeoutError:
                header = ""
        await self._check(asked, header)
        return header

    def _header(self, name: bytes) -> str:
        found: bytes = dict(self.scope.get("headers", [])).get(name, b"")
        return found.decode("latin-1")

    def _is_logged_in(self) -> bool:
        user: Any = self.scope.get("user")
        return bool(user is not None and user.is_authenticated)

    async def _check(self, asked: Asked, header: str) -> None:
        caller = await database_sync_to_async(self._caller)(header)
        for topic in sorted(asked.topics):
            if not caller.may(PERMISSIONS[topic]):
                raise Refused(HTTPStatus.FORBIDDEN, "GOV_PERMISSION_MISSING", f"{topic} needs {PERMISSIONS[topic]}")

    def _caller(self, header: str) -> Caller:
        user: Any = self.scope.get("user")
        if not header:
            if not self._is_logged_in():
                return of("", None)
            origin = self._header(b"origin")
            if not _is_ours(origin):
                raise Refused(
                    HTTPStatus.FORBIDDEN, "GOV_PERMISSION_MISSING", "a session is good for our own pages only"
                )
            session: Any = self.scope.get("session")
            if session and not session.exists(session.session_key):
                return of("", None)
            # Not the one of the handshake: its roles may have been taken since.
            user = get_user_model().objects.filter(pk=user.pk, is_active=True).first()
        return of(header, user)

    # --- what ----------------------------------------------------------------------------------------------------

    async def _tell(self, asked: Asked, header: str) -> None:
        clock = asyncio.get_running_loop().time
        checked = beaten = looped = clock()
        prev: str | None = None
        at = await self._begun(asked)
        while True:
            if clock() - checked >= self.check_s:
                checked = clock()
                await self._check(asked, header)
            room = WINDOW - (self._count - self._acked)
            if room <= 0 and not await self._acknowledged():
                await self._end(SLOW, "GOV_RATE_LIMITED", f"nothing was acknowledged for {self.ack_s:g} s")
                return
            most = min(WINDOW - (self._count - self._acked), told.ROWS_MOST)
            if most <= 0:
                continue
            found, at = await database_sync_to_async(_read)(asked, at, most)
            for one in found:
                body, prev = one.told(prev)
                self._count += 1
                self._sent[str(one.place)] = self._count
                await self.send(json.dumps(body))
                beaten = clock()
            if "loop" in asked.topics and clock() - looped >= 1.0:
                looped = clock()
                await self._told_loop(asked, at)
            if clock() - beaten >= self.beat_s:
                beaten = clock()
                await self.send(json.dumps({"kind": "stream.heartbeat", "seq": str(at)}))
            if not found:
                await asyncio.sleep(self.idle_s)

    async def _begun(self, asked: Asked) -> Place:
        first, last = await database_sync_to_async(_bounds)(asked.shard)
        after = Place(last, told.LAST) if asked.after is None else asked.after
        if after.in_seq < first - 1:
            gap = {"from": str(after), "to": str(first - 1)}
            words = "the log no longer keeps what lies between"
            await self.send(
                json.dumps({"kind": "stream.gap", "reason_code": "GOV_STREAM_GAP", "payload": gap, "detail": words})
            )
            after = Place(first - 1, told.LAST)
        await self.send(json.dumps({"kind": "stream.open", "seq": str(after), "topics": sorted(asked.topics)}))
        return after

    async def _acknowledged(self) -> bool:
        self._moved.clear()
        if self._count - self._acked < WINDOW:
            return True
        try:
            await asyncio.wait_for(self._moved.wait(), self.ack_s)
        except TimeoutError:
            return False
        return True

    async def _told_loop(self, asked: Asked, at: Place) -> None:
        payload = await database_sync_to_async(_loop)(asked.shard)
        if payload is not None:
            await self.send(json.dumps({"kind": "loop.state", "seq": str(at), "payload": payload}))


def _is_ours(origin: str) -> bool:
    nobody: Any = None
    checker: Any = AllowedHostsOriginValidator(nobody)
    return bool(origin) and bool(checker.valid_origin(urlparse(origin)))


def _read(asked: Asked, at: Place, most: int) -> tuple[list[Envelope], Place]:
    return told.read(raw(), asked.shard, at, asked.topics, most)


def _bounds(shard: int) -> tuple[int, int]:
    conn = raw()
    return told.floor(conn, shard), told.head(conn, shard)


def _loop(shard: int) -> Mapping[str, Any] | None:
    row = LoopRecord.objects.filter(shard=shard).only(*PAYLOAD_LOOP).first()
    return None if row is None else {name: getattr(row, name) for name in PAYLOAD_LOOP}
