"""What every page has around it: the strip, the navigation, the keys, and the page's own question."""

import time
from collections.abc import Mapping
from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from polytraders.access.permissions import Permission, may
from polytraders.console import board
from polytraders.console.pages import GROUPS, PAGES, served
from polytraders.killing import tokens

READ: Final = "decision_read"
"""Cookie of a browser in which a decision has been opened, so the overview no longer says where to begin."""
YEAR_S: Final = 31_536_000


def show(
    request: HttpRequest, template: str, here: str, context: Mapping[str, Any] | None = None, *, status: int = 200
) -> HttpResponse:
    """Render a page.

    Args:
        request: Whose permissions decide what the frame offers.
        template: Extends `console/base.html`.
        here: Name of the page in `pages.PAGES`; a page of detail names the list it belongs to.
        context: What the page itself shows. It may bring a `board` of its own, else the strip's is read (4 queries).
        status: Of the answer.
    """
    own = dict(context or {})
    if "board" not in own:
        own["board"] = board.strip()
    return render(request, template, {"here": here, "page": PAGES.get(here), **own}, status=status)


def navigation(request: HttpRequest) -> dict[str, Any]:
    """Context processor: the entries that this person may open."""
    user = getattr(request, "user", None)
    groups = [
        (title, [page for page in pages if served(page) and may(user, page.permission)]) for title, pages in GROUPS
    ]
    return {"navigation": [(title, pages) for title, pages in groups if pages]}


def killing(request: HttpRequest) -> dict[str, Any]:
    """Context processor: where the kill endpoint is, and what opens it for this person; nothing for who may not."""
    user = getattr(request, "user", None)
    if user is None or not may(user, Permission.KILL):
        return {}
    session = getattr(request.session, "session_key", None) or ""
    token = tokens.make(settings.KILL_KEY, user.get_username(), session, time.time())
    return {"kill_url": settings.KILL_URL, "kill_token": token}
