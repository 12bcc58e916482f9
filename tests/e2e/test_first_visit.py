"""The first person opens the link of the terminal, makes an account and is in; afterwards the password does."""

from playwright.sync_api import Page, expect

from tests.e2e.visit import PASSWORD, Visit, listening
from tests.e2e.whole import Platform


def test_the_first_person_comes_in_by_the_link_which_works_once(platform: Platform, visit: Visit) -> None:
    assert visit.landed == f"{platform.web}/"
    assert visit.cookies["sessionid"]["httpOnly"] is True
    assert visit.cookies["sessionid"]["sameSite"] == "Lax"
    assert visit.link_status == 404
    assert visit.complaints == []


def test_afterwards_the_password_does(platform: Platform, visit: Visit, page: Page) -> None:
    page.set_default_timeout(20_000)
    complaints = listening(page)
    page.goto(f"{platform.web}/login")
    # The style came through the policy: without it the form would be as wide as the window.
    assert page.locator("main").evaluate("node => node.clientWidth") <= 400
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_text("correct username and password")).to_be_visible(timeout=20_000)
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{platform.web}/")
    assert complaints == []
