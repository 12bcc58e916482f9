"""How the first person comes in, driven once."""

from typing import Any, NamedTuple

import httpx
from playwright.sync_api import Browser, ConsoleMessage, Page

PASSWORD = "correct-horse-battery"


class Visit(NamedTuple):
    """What was seen.

    Attributes:
        state: Cookies of the browser that is logged in, for a new context.
        cookies: The same by name.
        landed: Address after the form.
        link_status: What the link answers afterwards.
        complaints: Errors on the browser's console.
    """

    state: Any
    cookies: dict[str, Any]
    landed: str
    link_status: int
    complaints: list[str]


def listening(page: Page) -> list[str]:
    """Errors that the page's console shows from now on."""
    complaints: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type == "error" and "404" not in message.text:
            complaints.append(message.text)

    page.on("console", hear)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return complaints


def first_visit(browser: Browser, web: str, link: str) -> Visit:
    """Open the link, make the account, land on the overview."""
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(20_000)
    complaints = listening(page)
    page.goto(link)
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password:", exact=True).fill(PASSWORD)
    page.get_by_label("Password confirmation").fill(PASSWORD)
    page.get_by_role("button", name="Begin").click()
    page.wait_for_url(f"{web}/")
    cookies: dict[str, Any] = {str(cookie.get("name")): dict(cookie) for cookie in context.cookies()}
    seen = Visit(context.storage_state(), cookies, page.url, httpx.get(link).status_code, complaints)
    context.close()
    return seen
