"""A request that is too large is refused before Django, and the web server keeps no more of it than that takes."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from polytraders.access.bounds import BODY_MAX, Bounded

ROOT = Path(__file__).resolve().parents[2]
Message = dict[str, Any]


async def asked(headers: list[tuple[bytes, bytes]], *chunks: bytes) -> tuple[int, bytes, int]:
    """Status, body, and how much of the request reached the application, which reads all of it."""
    reached = 0
    sent: list[Any] = []
    coming = [{"type": "http.request", "body": part, "more_body": True} for part in chunks]
    coming.append({"type": "http.request", "body": b"", "more_body": False})

    async def receive() -> Message:
        return coming.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        nonlocal reached
        more = True
        while more:
            message = await receive()
            reached += len(message["body"])
            more = message["more_body"]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"read"})

    await Bounded(app)({"type": "http", "headers": headers}, receive, send)
    return sent[0]["status"], sent[1]["body"], reached


async def test_a_body_of_just_the_size_passes() -> None:
    whole = b"x" * BODY_MAX
    assert await asked([(b"content-length", str(BODY_MAX).encode())], whole) == (200, b"read", BODY_MAX)
    assert await asked([], whole[: BODY_MAX // 2], whole[BODY_MAX // 2 :]) == (200, b"read", BODY_MAX)


@pytest.mark.parametrize("announced", [str(BODY_MAX + 1), "9" * 400, "-1", "x", "1e9", ""])
async def test_an_announced_length_that_is_too_large_or_none_is_refused_unread(announced: str) -> None:
    status, body, reached = await asked([(b"content-length", announced.encode())], b"x")
    assert (status, reached) == (413, 0)
    assert json.loads(body)["reason_code"] == "GOV_REQUEST_TOO_LARGE"


async def test_a_body_that_goes_on_without_having_been_announced_is_refused() -> None:
    status, body, reached = await asked([], *[b"x" * 65_536] * 17)
    assert (status, reached) == (413, BODY_MAX)
    assert json.loads(body)["status"] == 413


async def test_sockets_pass_unchanged() -> None:
    seen: list[Message] = []

    async def app(scope: Any, _receive: Any, _send: Any) -> None:
        seen.append(scope)

    await Bounded(app)({"type": "websocket"}, app, app)  # type: ignore[arg-type]
    assert seen == [{"type": "websocket"}]


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The web server itself, without a database."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number = int(probe.getsockname()[1])
    environ = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
    server = ["-m", "daphne", "-b", "127.0.0.1", "-p", str(number), "-v", "0"]
    command = [sys.executable, *server, "polytraders.asgi:application"]
    process = subprocess.Popen(command, cwd=ROOT, env=environ | {"POLYTRADERS_HOME": "/nonexistent"})
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", number), 1).close()
                break
            except OSError:
                assert time.monotonic() < deadline, "the web server did not start"
                assert process.poll() is None
                time.sleep(0.05)
        yield number
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def posted(port: int, body: Any, **headers: str) -> tuple[int, dict[str, Any]]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request("POST", "/login", body=body, headers=headers)
        answer = connection.getresponse()
        assert answer.headers["Content-Type"] == "application/problem+json"
        return answer.status, json.loads(answer.read())


def test_the_web_server_refuses_five_megabytes_announced_or_not(port: int) -> None:
    status, told = posted(port, b"x" * 5_000_000)
    assert (status, told["reason_code"]) == (413, "GOV_REQUEST_TOO_LARGE")
    status, told = posted(port, iter([b"x" * 100_000] * 50))
    assert (status, told["reason_code"]) == (413, "GOV_REQUEST_TOO_LARGE")


def test_the_web_server_keeps_one_byte_too_many_and_no_more() -> None:
    """In a process of its own, for what is changed is the server's own class."""
    code = """
import io
from django.conf import settings
settings.configure(DATA_UPLOAD_MAX_MEMORY_SIZE=1000)
from polytraders.access import bounds
bounds.bound_server()
from daphne import http_protocol
request = http_protocol.WebRequest.__new__(http_protocol.WebRequest)
request.content = io.BytesIO()
for _ in range(30):
    request.handleContentChunk(b"x" * 100)
print(request.content.tell(), http_protocol.WebRequest.__name__)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("1001 Short\n", "")
