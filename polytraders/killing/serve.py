"""`python -m polytraders.killing.serve`: hears one question over HTTP, and stops trading.

`POST /kill` with `{"token", "scope", "name"}`, told as text/plain so that a browser sends it at once, without asking
first. `GET /healthz` for supervisors. Nothing else is answered, and nothing is told that is not the caller's own kill.
"""

import argparse
import json
import logging
import os
import signal
import sys
import threading
import time
import urllib.parse
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from polytraders import fence
from polytraders.contracts.scope import Scope
from polytraders.killing import spool, stopping, tokens
from polytraders.killing.recording import Recorder

log = logging.getLogger("polytraders.killing")

PATH: Final = "/kill"
BODY_MAX: Final = 4_096
PATIENCE_S: Final = 3.0
"""For a request to arrive; a slow one holds a thread, of which there are THREADS_MAX."""
THREADS_MAX: Final = 64
RECORD_S: Final = 1.0
LOG_S: Final = 2.0
KEY_MIN: Final = 32
UNUSABLE: Final = 2


def origins(hosts: str, port: str, https: bool) -> frozenset[str]:
    """Where the console's pages come from: names separated by commas, and the console's port."""
    names = [host.strip() for host in hosts.split(",") if host.strip()]
    return frozenset(f"https://{name}" if https else f"http://{name}:{port}" for name in names)


class Endpoint(ThreadingHTTPServer):
    """The server with what its handlers need."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(
        self, address: tuple[str, int], home: Path, key: str, allowed: frozenset[str], recorder: Recorder
    ) -> None:
        """Listen; `allowed` are the origins whose pages may ask."""
        super().__init__(address, Handler)
        self.home, self.key, self.allowed, self.recorder = home, key, allowed, recorder
        self._room = threading.BoundedSemaphore(THREADS_MAX)

    def process_request(self, request: Any, client_address: Any) -> None:
        """A thread each, up to a bound."""
        if not self._room.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Give the room back when it is answered."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A line broken by the other side is nothing; anything else is told."""
        if not isinstance(sys.exc_info()[1], OSError):
            error = sys.exc_info()[1]
            log.error("a request failed: %s: %s", type(error).__name__, error)


class Refused(Exception):  # noqa: N818
    """A request that is answered with a problem."""

    def __init__(self, status: HTTPStatus, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail


class Handler(BaseHTTPRequestHandler):
    """One connection, one request."""

    server: Endpoint
    timeout = PATIENCE_S
    server_version, sys_version = "polytraders", ""
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Only whether it is there."""
        if self.path == "/healthz":
            self._answer(HTTPStatus.OK, {"ok": True, "fence": (self.server.home / fence.FILE).exists()})
        else:
            self._problem(Refused(HTTPStatus.NOT_FOUND, "GOV_NOT_FOUND", "there is nothing here"))

    def do_OPTIONS(self) -> None:
        """What a browser asks before a request that is not a simple one."""
        self._answer(HTTPStatus.OK if self._origin_ok() else HTTPStatus.FORBIDDEN, {})

    def do_POST(self) -> None:
        """Kill."""
        began = time.perf_counter()
        try:
            self._answer(HTTPStatus.OK, self._kill(began))
        except Refused as refusal:
            log.warning("%s: %s", refusal.code, refusal.detail)
            self._problem(refusal)

    def _kill(self, began: float) -> dict[str, Any]:
        if self.path != PATH:
            raise Refused(HTTPStatus.NOT_FOUND, "GOV_NOT_FOUND", "the only thing to be had here is a kill")
        if not self._origin_ok():
            raise Refused(HTTPStatus.FORBIDDEN, "GOV_ORIGIN_REFUSED", "this page is not the console")
        told = self._body()
        try:
            holder = tokens.read(self.server.key, str(told.get("token", "")), time.time())
        except tokens.TokenError as error:
            raise Refused(HTTPStatus.FORBIDDEN, error.code, str(error)) from error
        scope = Scope.__members__.get(str(told.get("scope", "global")).upper())
        if scope is None:
            raise Refused(HTTPStatus.BAD_REQUEST, "GOV_COMMAND_INVALID", "there is no such scope")
        after = self.server.recorder.seq
        try:
            kill = stopping.stop(
                self.server.home, scope, str(told.get("name", "")), holder.actor, through="endpoint",
                session=holder.session, began=began,
            )  # fmt: skip
        except fence.FenceError as error:
            raise Refused(HTTPStatus.BAD_REQUEST, error.code, str(error)) from error
        log.warning("killed: %s %s by %s, fence after %d us", kill.scope, kill.name, kill.actor, kill.fence_us)
        return self._told(kill, after, began)

    def _told(self, kill: spool.Kill, after: int, began: float) -> dict[str, Any]:
        """What became of it, as far as it can be said soon."""
        recorder = self.server.recorder
        recorded = recorder.record(kill.key, RECORD_S)
        orders = recorder.orders() if recorded else None
        seen = recorder.seen(kill, after, LOG_S) if recorded and after else None
        return {
            "key": kill.key,
            "scope": kill.scope,
            "name": kill.name,
            "fence_ms": kill.fence_us / 1_000,
            "fence": kill.fence,
            "recorded": recorded,
            "reason_code": "" if recorded else "GOV_KILL_SPOOLED",
            "in_seq": seen.in_seq if seen else None,
            "input_ms": max(0.0, (seen.at_ns - kill.at_ns) / 1e6) if seen else None,
            "orders": orders,
            "took_ms": 1_000 * (time.perf_counter() - began),
        }

    def _origin_ok(self) -> bool:
        # A browser always says where such a request comes from; what says nothing is no browser and needs its token.
        origin = self.headers.get("Origin")
        return origin is None or origin in self.server.allowed

    def _body(self) -> dict[str, Any]:
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()) or int(length) > BODY_MAX:
            self.close_connection = True
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "GOV_REQUEST_INVALID", f"at most {BODY_MAX} bytes")
        try:
            told = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError) as error:
            raise Refused(HTTPStatus.BAD_REQUEST, "GOV_REQUEST_INVALID", "the body is no JSON") from error
        if not isinstance(told, dict):
            raise Refused(HTTPStatus.BAD_REQUEST, "GOV_REQUEST_INVALID", "the body is no object")
        return told

    def _problem(self, refusal: Refused) -> None:
        told = {"status": int(refusal.status), "detail": refusal.detail, "reason_code": refusal.code}
        self._answer(refusal.status, told, "application/problem+json")

    def _answer(self, status: HTTPStatus, told: Mapping[str, Any], kind: str = "application/json") -> None:
        body = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        origin = self.headers.get("Origin")
        self.send_header("Vary", "Origin")
        if origin in self.server.allowed:
            self.send_header("Access-Control-Allow-Origin", origin)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Requests are told where they are understood, and never with what came in their bodies."""


def main(argv: list[str] | None = None, environ: Mapping[str, str] = os.environ) -> int:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(prog="polytraders.killing.serve")
    parser.add_argument("--bind", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    key, home = environ.get("POLYTRADERS_KILL_KEY", ""), environ.get("POLYTRADERS_HOME", "")
    if len(key) < KEY_MIN or not home:
        log.error("GOV_CONFIG_INVALID: POLYTRADERS_HOME and POLYTRADERS_KILL_KEY (%d characters) are needed", KEY_MIN)
        return UNUSABLE
    os.umask(0o077)
    allowed = origins(
        environ.get("POLYTRADERS_HOSTS", "localhost,127.0.0.1"), environ.get("PORT", ""),
        environ.get("POLYTRADERS_HTTPS") == "1",
    )  # fmt: skip
    recorder = Recorder(environ.get("DATABASE_URL", ""), Path(home))
    with Endpoint((given.bind, given.port), Path(home), key, allowed, recorder) as server:
        recorder.start()
        signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
        ready = environ.get("POLYTRADERS_READY_FILE")
        if ready:
            Path(ready).touch()
        log.info("listening on %s", urllib.parse.urlunsplit(("http", f"{given.bind}:{given.port}", PATH, "", "")))
        server.serve_forever(poll_interval=0.2)
    return 0


if __name__ == "__main__":
    sys.exit(main())
