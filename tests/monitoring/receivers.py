"""Real servers on loopback that take what the clients of alerts send: one for HTTP, one for mail."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller


class Http:
    """What came in, and what is answered: `status`, or None to hang up without an answer."""

    def __init__(self) -> None:
        self.status: int | None = 200
        self.location = ""
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        self.address = ""

    def json(self, which: int = -1) -> Any:
        return json.loads(self.got[which][2])


@contextmanager
def http() -> Iterator[Http]:
    told = Http()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            told.got.append((self.path, dict(self.headers), body))
            if told.status is None:
                self.connection.close()
                return
            self.send_response(told.status)
            if told.location:
                self.send_header("Location", told.location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    told.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def closed_port() -> int:
    """One on which nobody listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
    return port


class Mail:
    """Mails that were taken, and whether recipients are."""

    def __init__(self) -> None:
        self.got: list[Any] = []
        self.refuses = False
        self.address = ""

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:
        if self.refuses:
            return "550 no such person"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        self.got.append(envelope)
        return "250 OK"


@contextmanager
def mail() -> Iterator[Mail]:
    told = Mail()
    # The controller connects to itself to see whether it is there, so it has to be told a port.
    port = closed_port()
    controller = Controller(told, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        told.address = f"smtp://127.0.0.1:{port}"
        yield told
    finally:
        controller.stop()
