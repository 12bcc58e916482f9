"""One question over HTTP, to servers that are busy, slow, broken or too talkative."""

import gzip
import random
import socket as sockets

import httpx
import pytest

from polytraders.venues import asking
from polytraders.venues.asking import Answer, Asker, Patience
from polytraders.venues.backoff import Backoff
from tests.venues.loopback import Reply, site

PATIENCE = Patience(tries_max=4, answer_s=5.0, wait_s_max=100.0, backoff=Backoff(first_s=1.0, most_s=8.0))


class Slept:
    """Waits for nothing and remembers how long it would have been."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


async def get(url: str, slept: Slept, patience: Patience = PATIENCE, params: asking.Params = ()) -> Answer:
    async with asking.open_client() as client:
        return await Asker(client, random.Random(1), patience, slept).get(url, params)


async def test_worked_example() -> None:
    def answer(path: str, query: dict[str, list[str]]) -> Reply:
        return (200, {}, b'{"time":1}') if len(server.asked) == 2 else (503, {"Retry-After": "7"}, b"")

    slept = Slept()
    async with site(answer) as server:
        found = await get(server.url + "/time", slept, params=[("a", "1"), ("a", "2")])
    assert found == Answer(200, b'{"time":1}', "")
    assert found.ok
    assert server.asked == ["/time?a=1&a=2"] * 2
    assert slept.seconds == [7.0]


@pytest.mark.parametrize("status", [425, 429, 500, 502, 503, 504])
async def test_who_is_busy_or_faulty_is_asked_again_within_bounds(status: int) -> None:
    slept = Slept()
    async with site(lambda path, query: (status, {}, b"sorry")) as server:
        found = await get(server.url, slept)
    assert found == Answer(status, b"sorry", f"status {status}")
    assert len(server.asked) == 4
    assert [low <= wait <= 2 * low for wait, low in zip(slept.seconds, [0.5, 1.0, 2.0], strict=True)] == [True] * 3


@pytest.mark.parametrize("status", [204, 301, 400, 401, 403, 404, 422])
async def test_a_plain_no_is_taken_for_an_answer(status: int) -> None:
    slept = Slept()
    async with site(lambda path, query: (status, {"Location": "http://127.0.0.1:1/"}, b"")) as server:
        found = await get(server.url, slept)
    assert found.status == status and not found.ok
    assert len(server.asked) == 1 and slept.seconds == []


async def test_a_wait_told_in_the_body_is_kept_too() -> None:
    def answer(path: str, query: dict[str, list[str]]) -> Reply:
        busy = b'{"error_msg":"matching engine is restarting","retry_after_seconds":79}'
        return (200, {}, b"[]") if len(server.asked) == 2 else (425, {}, busy)

    slept = Slept()
    async with site(answer) as server:
        assert (await get(server.url, slept)).ok
    assert slept.seconds == [79.0]


async def test_who_wants_to_be_left_alone_for_long_is_not_hurried() -> None:
    slept = Slept()
    async with site(lambda path, query: (429, {"Retry-After": "101"}, b"")) as server:
        assert (await get(server.url, slept)).status == 429
    assert len(server.asked) == 1 and slept.seconds == []


@pytest.mark.parametrize("told", ["", "soon", "-5", "Wed, 21 Oct 2026 07:28:00 GMT", "٣"])
async def test_a_wait_that_cannot_be_read_leaves_our_own(told: str) -> None:
    slept = Slept()
    async with site(lambda path, query: (503, {"Retry-After": told}, b"[1")) as server:
        await get(server.url, slept)
    assert 0.5 <= slept.seconds[0] <= 1.0


async def test_who_hangs_up_or_is_not_there_is_asked_again_and_then_unanswered() -> None:
    slept = Slept()
    async with site(lambda path, query: None) as server:
        found = await get(server.url, slept)
    assert (found.status, found.body, len(server.asked)) == (0, b"", 4)
    assert "Error" in found.detail
    with sockets.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    found = await get(f"http://127.0.0.1:{port}", slept)
    assert found.status == 0 and "ConnectError" in found.detail


async def test_an_answer_that_never_ends_is_given_up() -> None:
    with sockets.create_server(("127.0.0.1", 0)) as mute:
        patience = Patience(tries_max=2, answer_s=0.05)
        slept = Slept()
        found = await get(f"http://127.0.0.1:{mute.getsockname()[1]}", slept, patience)
    assert found.status == 0 and "Timeout" in found.detail
    assert len(slept.seconds) == 1


async def test_an_answer_above_the_bound_is_not_read_to_its_end_even_when_it_was_small_on_the_wire() -> None:
    bomb = gzip.compress(b"0" * (asking.ANSWER_MAX + 1))
    slept = Slept()
    async with site(lambda path, query: (200, {"Content-Encoding": "gzip"}, bomb)) as server:
        found = await get(server.url, slept)
    assert (found.status, found.ok, found.detail) == (413, False, "the answer is too large")
    assert found.body == b"0" * 4096
    assert len(server.asked) == 1


async def test_an_answer_at_the_bound_is_read() -> None:
    packed = gzip.compress(b"0" * asking.ANSWER_MAX)
    async with site(lambda path, query: (200, {"Content-Encoding": "gzip"}, packed)) as server:
        assert len((await get(server.url, Slept())).body) == asking.ANSWER_MAX


async def test_every_step_of_a_request_has_a_time_out() -> None:
    async with asking.open_client() as client:
        assert None not in client.timeout.as_dict().values()
        assert isinstance(client, httpx.AsyncClient) and not client.follow_redirects
