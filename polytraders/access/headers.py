"""What a page may load: nothing from elsewhere, and no script or style that stands in the page itself."""

from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

POLICY: Final = (
    "default-src 'self'; connect-src 'self'{}; img-src 'self' data:; object-src 'none'; base-uri 'none';"
    " form-action 'self'; frame-ancestors 'none'"
)


def policy() -> str:
    """The policy, with the kill endpoint's address where it is another port: pages must reach it without us."""
    parts = urlsplit(settings.KILL_URL)
    return POLICY.format(f" {parts.scheme}://{parts.netloc}" if parts.netloc else "")


def content_security(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Middleware that sends the policy with every answer that has none of its own."""
    told = policy()

    def answer(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        response.headers.setdefault("Content-Security-Policy", told)
        return response

    return answer
