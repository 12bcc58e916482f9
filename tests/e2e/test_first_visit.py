"""The first person opens the link of the terminal, makes an account and is in; afterwards the password does."""

import httpx
from playwright.sync_api import ConsoleMessage, Page, expect

from tests.supervisor.installation import Installation

PASSWORD = "correct-horse-battery"


def test_the_first_person_comes_in_by_the_link_and_later_by_password(installation: Installation, page: Page) -> None:
    complaints: list[str] = []
    page.set_default_timeout(10_000)

    def listen(message: ConsoleMessage) -> None:
        if message.type == "error" and "404" not in message.text:
            complaints.append(message.text)

    page.on("console", listen)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(installation.link())
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password:", exact=True).fill(PASSWORD)
    page.get_by_label("Password confirmation").fill(PASSWORD)
    page.get_by_role("button", name="Begin").click()
    page.wait_for_url(f"{installation.web}/")
    cookies = {cookie["name"]: cookie for cookie in page.context.cookies()}
    assert cookies["sessionid"]["httpOnly"] is True
    assert cookies["sessionid"]["sameSite"] == "Lax"
    assert httpx.get(installation.link()).status_code == 404

    page.context.clear_cookies()
    page.goto(f"{installation.web}/login")
    # The style came through the policy: without it the form would be as wide as the window.
    assert page.locator("main").evaluate("node => node.clientWidth") <= 400
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_text("correct username and password")).to_be_visible()
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{installation.web}/")
    assert complaints == []
