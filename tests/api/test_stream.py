"""The stream: every row of the log once, from any place, at the client's pace, for who may."""

import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone

from apps.eventlog.models import Output
from polytraders.access.models import ApiKey
from polytraders.access.permissions import Role
from polytraders.api import stream, told
from polytraders.api.routing import websocket_urlpatterns
from polytraders.api.stream import StreamConsumer
from polytraders.api.told import Place
from polytraders.contracts import state as s
from polytraders.contracts.inputs import Scope
from tests.api.conftest import Keyed
from tests.web.conftest import Says, entered
from tests.written import Written

DEADLINE_S = 20.0
DECISIONS = (s.PACKET, s.APPROVAL)


@pytest.fixture
def key(keyed: Keyed) -> str:
    return keyed("read").key


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StreamConsumer, "idle_s", 0.02)


@asynccontextmanager
async def listening(query: str, *, header: str = "", user: Any = None, origin: str = "") -> AsyncIterator[Any]:
    headers = [(b"authorization", f"Bearer {header}".encode())] if header else []
    headers += [(b"origin", origin.encode())] if origin else []
    socket = WebsocketCommunicator(URLRouter(websocket_urlpatterns), f"/ws/v1/stream?{query}", headers)
    scope: Any = socket.scope
    scope["user"] = AnonymousUser() if user is None else user
    connected, _ = await socket.connect(timeout=DEADLINE_S)
    assert connected
    yield socket
    await socket.disconnect(timeout=DEADLINE_S)


async def message(socket: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(await socket.receive_from(timeout=DEADLINE_S))
    return found


async def closed(socket: Any) -> tuple[int, dict[str, Any]]:
    """Close code and the message before it."""
    last: dict[str, Any] = {}
    while True:
        got = await socket.receive_output(DEADLINE_S)
        if got["type"] == "websocket.close":
            return got["code"], last
        last = json.loads(got["text"])


async def events(socket: Any, count: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while len(found) < count:
        one = await message(socket)
        if not one["kind"].startswith(("stream.", "loop.")):
            found.append(one)
            await socket.send_to(json.dumps({"ack": one["seq"]}))
    return found


def recorded(kinds: tuple[int, ...]) -> list[str]:
    rows = Output.objects.filter(kind__in=kinds).order_by("in_seq", "ordinal")
    return [f"{row.in_seq}:{row.ordinal}" for row in rows]


def grow(log: Written, beats: int = 4) -> None:
    """More decisions, orders and fills."""
    for beat in range(beats):
        log.world.snapshot(market=beat % 2)
        log.world.wait(0.25)
        log.world.tick()
        log.world.opine(0.55 if beat % 2 else 0.75)
        log.world.touch(beat % 2)
        log.commit()


async def test_every_decision_comes_once_in_order_while_the_log_grows_and_connections_break(
    log: Written, key: str
) -> None:
    seen: list[str] = []
    after, prev = "0", None
    for turn in range(4):
        await sync_to_async(grow, thread_sensitive=True)(log)
        wanted = await sync_to_async(recorded)(DECISIONS)
        count = len(wanted) - len(seen) if turn == 3 else max(1, (len(wanted) - len(seen)) // 2)
        async with listening(f"topics=decisions&after={after}", header=key) as socket:
            assert (await message(socket))["kind"] == "stream.open"
            found = await events(socket, count)
        prev = None
        for one in found:
            assert one["prev_hash"] == prev
            prev = one.pop("hash")
            assert prev == hashlib.sha256(told.canonical(one)).hexdigest()
            assert one["kind"].startswith("envelope.")
        seen += [one["seq"] for one in found]
        after = seen[-1]
    assert seen == await sync_to_async(recorded)(DECISIONS)
    assert len(seen) > 10


async def test_topics_share_the_rows_and_each_row_is_one_message(log: Written, key: str) -> None:
    wanted = await sync_to_async(recorded)((s.PACKET, s.APPROVAL, s.FILL, s.DONE))
    async with listening("topics=decisions,orders,fills&after=0", header=key) as socket:
        found = await events(socket, len(wanted))
    assert [one["seq"] for one in found] == wanted
    fill = next(one for one in found if one["kind"] == "order.filled")
    approval = next(one for one in found if one["correlation_id"] == fill["correlation_id"])
    assert approval["kind"] == "envelope.approved"
    assert approval["payload"]["approved_size"] >= fill["payload"]["size"] > 0
    assert fill["causation_id"] == f"input:{fill['seq'].split(':')[0]}"
    whole = [one for one in found if one["kind"] == "order.filled" and one["payload"]["is_whole"]]
    assert whole, "some order was filled to its end"


async def test_controls_are_told_with_who_and_why(log: Written, key: str) -> None:
    start = await sync_to_async(lambda: Output.objects.order_by("-in_seq").values_list("in_seq", flat=True).first())()
    async with listening("topics=controls", header=key) as socket:
        await message(socket)
        await sync_to_async(log.kill)(Scope.MARKET, 1, "a drill")
        (one,) = await events(socket, 1)
    assert (one["kind"], one["payload"]["scope"], one["payload"]["index"]) == ("control.kill", "market", 1)
    assert (one["payload"]["actor"], one["payload"]["told"]) == ("operator:ada", {"reason": "a drill"})
    assert int(one["seq"]) > (start or 0)


async def test_a_client_that_acknowledges_nothing_gets_a_window_and_is_let_go(
    log: Written, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "WINDOW", 5)
    monkeypatch.setattr(StreamConsumer, "ack_s", 0.3)
    async with listening("topics=decisions,orders,fills&after=0", header=key) as socket:
        kinds = []
        while True:
            got = await socket.receive_output(DEADLINE_S)
            if got["type"] == "websocket.close":
                break
            kinds.append(json.loads(got["text"])["kind"])
    assert got["code"] == stream.SLOW
    assert len([kind for kind in kinds if not kind.startswith("stream.")]) == 5


async def test_a_slow_client_gets_everything_at_its_own_pace(
    log: Written, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "WINDOW", 3)
    wanted = await sync_to_async(recorded)(DECISIONS)
    async with listening("topics=decisions&after=0", header=key) as socket:
        await message(socket)
        seen: list[str] = []
        while len(seen) < 9:
            got = [await message(socket) for _ in range(3)]
            assert await socket.receive_nothing(timeout=0.05), "nothing is sent beyond the window"
            seen += [one["seq"] for one in got]
            await socket.send_to(json.dumps({"ack": seen[-1]}))
    assert seen == wanted[:9]


async def test_a_place_before_the_logs_beginning_is_told_as_a_gap(
    log: Written, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = await sync_to_async(recorded)(DECISIONS)
    first = int(places[len(places) // 2].split(":")[0])
    monkeypatch.setattr(told, "floor", lambda _conn, _shard: first)
    async with listening("topics=decisions&after=1:0", header=key) as socket:
        gap = await message(socket)
        assert (gap["kind"], gap["reason_code"]) == ("stream.gap", "GOV_STREAM_GAP")
        assert gap["payload"] == {"from": "1:0", "to": str(first - 1)}
        assert (await message(socket))["kind"] == "stream.open"
        (one,) = await events(socket, 1)
    assert int(one["seq"].split(":")[0]) >= first


async def test_a_quiet_stream_beats_and_tells_where_it_is(
    log: Written, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StreamConsumer, "beat_s", 0.05)
    async with listening("topics=fills", header=key) as socket:
        opened, beat = await message(socket), await message(socket)
    assert (opened["kind"], beat["kind"]) == ("stream.open", "stream.heartbeat")
    place = told.place(beat["seq"])
    assert place is not None
    assert place.in_seq == told.place(opened["seq"]).in_seq  # type: ignore[union-attr]


async def test_the_loops_row_is_told_once_a_second(log: Written, key: str, says: Says) -> None:
    await sync_to_async(says)(lag_ms=7)
    async with listening("topics=loop", header=key) as socket:
        await message(socket)
        one = await message(socket)
    assert (one["kind"], one["payload"]["lag_ms"]) == ("loop.state", 7)


@pytest.mark.parametrize(
    "query",
    ["", "topics=", "topics=money", "topics=fills,x", "topics=fills&topics=loop", "topics=fills&after=x",
     "topics=fills&after=-1", "topics=fills&after=1:2:3", "topics=fills&after=99999999999999999999",
     "topics=fills&shard=99", "topics=fills&key=ptk_x"],
)  # fmt: skip
async def test_what_cannot_be_meant_is_closed_with_a_word(log: Written, key: str, query: str) -> None:
    async with listening(query, header=key) as socket:
        code, last = await closed(socket)
    assert (code, last["reason_code"]) == (stream.INVALID, "GOV_REQUEST_INVALID")


async def test_without_a_login_nothing_is_told(log: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StreamConsumer, "login_s", 0.05)
    async with listening("topics=loop") as socket:
        code, last = await closed(socket)
    assert (code, last["reason_code"]) == (stream.NOBODY, "GOV_LOGIN_REQUIRED")
    async with listening("topics=loop", header="ptk_nothing") as socket:
        code, last = await closed(socket)
    assert (code, last["reason_code"]) == (stream.NOBODY, "GOV_KEY_UNKNOWN")


async def test_the_key_may_come_as_the_first_message(log: Written, key: str) -> None:
    async with listening("topics=decisions&after=0") as socket:
        await socket.send_to(json.dumps({"authorization": f"Bearer {key}"}))
        assert (await message(socket))["kind"] == "stream.open"


async def test_an_expired_key_opens_nothing_and_one_that_expires_is_let_go(
    log: Written, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = ApiKey.objects.filter(prefix=key.split("_")[1])
    monkeypatch.setattr(StreamConsumer, "check_s", 0.05)
    async with listening("topics=fills", header=key) as socket:
        await message(socket)
        await sync_to_async(rows.update)(expires_at=timezone.now())
        code, last = await closed(socket)
        assert (code, last["reason_code"]) == (stream.NOBODY, "GOV_KEY_EXPIRED")
    async with listening("topics=fills", header=key) as socket:
        code, last = await closed(socket)
        assert (code, last["reason_code"]) == (stream.NOBODY, "GOV_KEY_EXPIRED")


def person(*roles: Role) -> Any:
    name = f"listener-{'-'.join(roles) or 'nobody'}"
    entered(name, *roles)
    return get_user_model().objects.get(username=name)


@pytest.mark.parametrize(
    ("roles", "origin", "code"),
    [
        ((Role.READ_ONLY,), "http://localhost", None),
        ((Role.READ_ONLY,), "http://evil.example", stream.FORBIDDEN),
        ((Role.READ_ONLY,), "", stream.FORBIDDEN),
        ((), "http://localhost", stream.FORBIDDEN),
    ],
)
async def test_a_session_listens_from_our_own_pages_with_a_role(
    log: Written, roles: tuple[Role, ...], origin: str, code: int | None
) -> None:
    user = await sync_to_async(person)(*roles)
    async with listening("topics=fills", user=user, origin=origin) as socket:
        if code is None:
            assert (await message(socket))["kind"] == "stream.open"
        else:
            found, last = await closed(socket)
            assert (found, last["reason_code"]) == (code, "GOV_PERMISSION_MISSING")


async def test_a_key_without_the_scope_is_told_so(log: Written, keyed: Keyed) -> None:
    program = await sync_to_async(keyed)("read", roles=())
    async with listening("topics=fills", header=program.key) as socket:
        code, last = await closed(socket)
    assert (code, last["reason_code"]) == (stream.FORBIDDEN, "GOV_PERMISSION_MISSING")


@pytest.mark.parametrize("noise", ["x", "[]", '{"ack": 7}', '{"ack": "9:9"}', "{" * 5_000])
async def test_noise_is_not_listened_to(log: Written, key: str, noise: str) -> None:
    async with listening("topics=decisions&after=0", header=key) as socket:
        await socket.send_to(noise)
        assert (await message(socket))["kind"] == "stream.open"
        assert await events(socket, 2)


def test_places_are_written_as_they_are_read() -> None:
    cases: list[tuple[str, Place | None]] = [
        ("7", Place(7)), ("7:0", Place(7, 0)), ("0", Place(0)), (":", None), ("7:", None), ("7:1:2", None), ("", None),
        ("+7", None), ("\u0667", None), (str(1 << 40), None), (f"7:{told.LAST + 1}", None),
    ]  # fmt: skip
    for text, found in cases:
        assert told.place(text) == found
        if found is not None:
            assert str(found) == text
    assert Place(7) < Place(7, 0) < Place(8)
