"""How often one may ask: counted in Valkey, so that all web processes count together, and in memory while it is away.

Only what changes something is counted, and a kill never is. The interface counts by key, for itself.
"""

import math
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final, NamedTuple, TypeVar

import redis
import structlog
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render

from polytraders.access.problems import problem

V = TypeVar("V", bound=Callable[..., Any])

CODE: Final = "GOV_RATE_LIMITED"
AWAY_S: Final = 5.0
"""So long Valkey is not asked again after it did not answer."""
ANSWER_S: Final = 0.1
NAMES_MAX: Final = 100_000
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})

log = structlog.get_logger(__name__)


class Limit(NamedTuple):
    """At most `most` in each `window_s` seconds."""

    name: str
    most: int
    window_s: int


LOGIN: Final = Limit("login", 20, 60)
"""Passwords, codes and one-time links, by address."""
CHANGE: Final = Limit("change", 120, 60)
"""Everything else that changes something, by person, or by address where nobody is logged in."""
DOORS: Final = frozenset({"login", "login-code", "setup", "step-up"})
"""Names of the addresses that `LOGIN` is for."""


def unlimited(view: V) -> V:
    """A view that is never refused for being asked too often: what stops trading."""
    view.is_unlimited = True  # type: ignore[attr-defined]
    return view


class Counter:
    """Counts in Valkey, or in this process while it is away; windows begin at the same second for everybody."""

    def __init__(self, url: str | None, clock: Callable[[], float] = time.time) -> None:
        """Without a URL it counts in this process only."""
        self._clock = clock
        self._client = None
        if url is not None:
            self._client = redis.Redis.from_url(url, socket_timeout=ANSWER_S, socket_connect_timeout=ANSWER_S)
        self._asked_again_at = 0.0
        self._lock = threading.Lock()
        self._window = ("", 0)
        self._counts: dict[tuple[str, str, int], int] = {}

    def take(self, limit: Limit, who: str) -> float:
        """Count one; 0 = it is allowed, else the seconds until it would be."""
        now = self._clock()
        window = int(now // limit.window_s)
        if self._count(limit, who, window, now) <= limit.most:
            return 0.0
        return (window + 1) * limit.window_s - now

    def forget(self) -> None:
        """What this process has counted is forgotten."""
        with self._lock:
            self._counts.clear()

    def _count(self, limit: Limit, who: str, window: int, now: float) -> int:
        if self._client is not None and now >= self._asked_again_at:
            name = f"limit:{limit.name}:{window}:{who}"
            try:
                with self._client.pipeline() as pipe:
                    pipe.incr(name)
                    pipe.expire(name, limit.window_s + 1)
                    return int(pipe.execute()[0])
            except redis.RedisError as error:
                self._asked_again_at = now + AWAY_S
                log.warning("limits: counted in memory", error=type(error).__name__)
        with self._lock:
            if len(self._counts) >= NAMES_MAX:
                # Only somebody with very many addresses gets here; counting anew lets them in once more.
                self._counts.clear()
            for old in [key for key in self._counts if key[0] == limit.name and key[2] != window][:100]:
                del self._counts[old]
            key = (limit.name, who, window)
            self._counts[key] = self._counts.get(key, 0) + 1
            return self._counts[key]


counter: Final = Counter(settings.REDIS_URL)
"""Of this process."""


class Limits:
    """Middleware, below the one that knows the session."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Django's form of a middleware; `process_view` does the work."""
        return self._get_response(request)

    def process_view(self, request: HttpRequest, view: Any, _args: Any, _kwargs: Any) -> HttpResponseBase | None:
        """The refusal, or None."""
        if request.method in SAFE or getattr(view, "is_unlimited", False) or request.path.startswith("/api/v1/"):
            return None
        name = request.resolver_match.url_name if request.resolver_match else ""
        address = str(request.META.get("REMOTE_ADDR") or "")
        if name in DOORS:
            wait = counter.take(LOGIN, address)
        else:
            user = request.user
            wait = counter.take(CHANGE, f"user:{user.pk}" if user.is_authenticated else address)
        return refused(request, wait) if wait > 0 else None


def refused(request: HttpRequest, wait_s: float) -> HttpResponseBase:
    """429 with Retry-After: a page for people, a problem for programs."""
    seconds = max(1, math.ceil(wait_s))
    if request.accepts("text/html"):
        context = {"code": CODE, "title": "Too often", "seconds": seconds}
        response: HttpResponseBase = render(
            request, "access/refused.html", context, status=HTTPStatus.TOO_MANY_REQUESTS
        )
    else:
        response = problem(HTTPStatus.TOO_MANY_REQUESTS, CODE, f"asked too often: wait {seconds} s")
    response.headers["Retry-After"] = str(seconds)
    return response
