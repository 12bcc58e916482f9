"""How large a request may be: one that is larger is refused before Django, and never fills a disk.

The web server collects a body before it calls the application, in a file when it is long; it is made to keep one byte
more than is allowed and no further, which is enough to tell.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any, Final

from django.conf import settings

from polytraders.access.problems import problem

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Scope]]
Send = Callable[[Scope], Awaitable[None]]
App = Callable[[Any, Any, Any], Awaitable[None]]

BODY_MAX: Final[int] = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
"""Bytes."""


class TooLarge(Exception):  # noqa: N818
    """The body went on after `BODY_MAX`."""


class Bounded:
    """An ASGI application that is only called with bodies of bearable size."""

    def __init__(self, app: App) -> None:
        """Sockets and everything else that is no request pass unchanged."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse by the announced length, or else by what comes."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if not announced.isdigit() or int(announced[:20]) > BODY_MAX:
            await refuse(send)
            return
        got = 0

        async def counted() -> Scope:
            nonlocal got
            message = await receive()
            got += len(message.get("body", b""))
            if got > BODY_MAX:
                raise TooLarge
            return message

        try:
            await self._app(scope, counted, send)
        except TooLarge:
            # Django reads the whole body before it answers, so nothing has been sent.
            await refuse(send)


async def refuse(send: Send) -> None:
    """413, as a problem."""
    detail = f"a request's body may have at most {BODY_MAX:,} bytes; nothing was done"
    response = problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "GOV_REQUEST_TOO_LARGE", detail)
    headers = [(name.lower().encode(), value.encode()) for name, value in response.headers.items()]
    headers += [(b"content-length", str(len(response.content)).encode()), (b"x-content-type-options", b"nosniff")]
    await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
    await send({"type": "http.response.body", "body": response.content})


def bound_server() -> None:
    """Make the web server of this process keep no more of a body than is needed to refuse it."""
    from daphne import http_protocol  # noqa: PLC0415 - only the web process has it

    class Short(http_protocol.WebRequest):  # type: ignore[misc]
        """A request whose body is cut."""

        def handleContentChunk(self, data: bytes) -> None:  # noqa: N802 - the server's name
            """Keep what still fits, and one byte."""
            room = BODY_MAX + 1 - self.content.tell()
            if room > 0:
                super().handleContentChunk(data[:room])

    # Its factory looks the class up by this name for each connection.
    http_protocol.WebRequest = Short
