"""One HTTP question and its answer: with time-outs, a bound on size, and polite, bounded repetition.

Only for questions that may be asked twice. Whatever happens, the caller gets an `Answer`; nothing is raised for what
the network or the other side does.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import httpx
import msgspec

from polytraders.venues.backoff import Backoff

ANSWER_MAX: Final = 16 * 1024 * 1024
"""Bytes of the largest answer read, decompressed."""

_OK: Final = 200
_NOT_NOW: Final = frozenset({425, 429})
_SERVER_FAULT: Final = 500
_HINT_MAX: Final = 4096

Params = Sequence[tuple[str, str]]


class Answer(NamedTuple):
    """What came back.

    Attributes:
        status: HTTP status; 0 when there was no complete answer.
        body: Its bytes, decompressed; what was received of it when it was incomplete or too large.
        detail: What went wrong, for a person; "" when nothing did.
    """

    status: int
    body: bytes
    detail: str

    @property
    def ok(self) -> bool:
        """True for a complete answer with status 200."""
        return self.status == _OK


@dataclass(frozen=True, slots=True)
class Patience:
    """How often and how long it is tried. All times in seconds.

    Attributes:
        tries_max: Attempts in all.
        answer_s: Longest time for one attempt, from the request to the last byte.
        wait_s_max: Longest wait that the other side may ask for; one that asks for more is left alone, not hurried.
        backoff: Pauses where it asks for none.
    """

    tries_max: int = 4
    answer_s: float = 30.0
    wait_s_max: float = 120.0
    backoff: Backoff = field(default_factory=lambda: Backoff(first_s=1.0, most_s=20.0))


def open_client() -> httpx.AsyncClient:
    """A client with time-outs on every step; the caller closes it."""
    return httpx.AsyncClient(
        timeout=httpx.Timeout(10.0, connect=5.0), limits=httpx.Limits(max_connections=8), follow_redirects=False
    )


class Asker:
    """Asks, waits and asks again."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        chance: random.Random,
        patience: Patience | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Ask nothing yet.

        Args:
            client: Carries the requests.
            chance: Spreads retries.
            patience: Bounds of trying.
            sleep: Waits a number of seconds.
        """
        self._client = client
        self._chance = chance
        self._patience = patience or Patience()
        self._sleep = sleep

    async def get(self, url: str, params: Params = ()) -> Answer:
        """GET, tried again while the other side is busy (425, 429), faulty (5xx) or out of reach."""
        attempt = 0
        while True:
            attempt += 1
            answer, wait_s = await self._once(url, params)
            again = answer.status == 0 or answer.status in _NOT_NOW or answer.status >= _SERVER_FAULT
            if not again or attempt >= self._patience.tries_max or wait_s > self._patience.wait_s_max:
                return answer
            await self._sleep(max(wait_s, self._patience.backoff.pause_s(attempt, self._chance)))

    async def _once(self, url: str, params: Params) -> tuple[Answer, float]:
        """One attempt, and how many seconds the other side wants us to wait before the next."""
        body = bytearray()
        try:
            async with (
                asyncio.timeout(self._patience.answer_s),
                self._client.stream("GET", url, params=list(params)) as response,
            ):
                async for part in response.aiter_bytes():
                    body += part[: ANSWER_MAX + 1 - len(body)]
                    if len(body) > ANSWER_MAX:
                        return Answer(_TOO_LARGE, bytes(body[:_HINT_MAX]), "the answer is too large"), 0.0
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            return Answer(0, bytes(body[:_HINT_MAX]), f"{type(error).__name__}: {error}"), 0.0
        status = response.status_code
        detail = "" if status == _OK else f"status {status}"
        return Answer(status, bytes(body), detail), _wait_s(response.headers.get("Retry-After", ""), bytes(body))


_TOO_LARGE: Final = 413
"""Status that stands for an answer we refused to read to its end: asking again would not make it smaller."""


class _Hint(msgspec.Struct):
    retry_after_seconds: float = 0.0


_hint: Final = msgspec.json.Decoder(_Hint).decode


def _wait_s(header: str, body: bytes) -> float:
    """Seconds to wait as the header or the body says; 0 when neither does. A date in the header is not read."""
    header = header.strip()
    if header.isascii() and header.isdigit():
        return float(header[:9])
    try:
        told = _hint(body).retry_after_seconds if len(body) <= _HINT_MAX else 0.0
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return 0.0
    return max(told, 0.0)
