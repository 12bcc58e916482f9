"""`k`, Enter, and the way back, in a real browser; with the web process away, too."""

import os
import signal
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from polytraders import fence
from polytraders.contracts.control import Killed
from polytraders.contracts.inputs import Kind, Scope
from tests.e2e.visit import Visit, listening
from tests.e2e.whole import Platform
from tests.supervisor.processes import until


@pytest.fixture
def inside(browser: Browser, platform: Platform, visit: Visit) -> Iterator[Page]:
    context = browser.new_context(storage_state=visit.state, base_url=platform.web)
    page = context.new_page()
    page.set_default_timeout(20_000)
    yield page
    context.close()


@pytest.fixture
def released(platform: Platform) -> Iterator[None]:
    """Afterwards everything trades again, by the terminal, which needs no second person."""
    yield
    done = platform.command("release", "--reason", "the test is over")
    assert done.returncode == 0, done.stdout + done.stderr


def killed(platform: Platform) -> frozenset[Killed]:
    return fence.killed(platform.home / fence.FILE)


def press(page: Page) -> None:
    page.keyboard.press("k")
    expect(page.locator("#kill-yes")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#kill-head")).to_have_text("Killed: everything")


def test_escape_kills_nothing_and_enter_everything(inside: Page, platform: Platform, released: None) -> None:
    complaints = listening(inside)
    inside.goto("/")
    inside.keyboard.press("k")
    expect(inside.locator("#kill")).to_be_visible()
    inside.keyboard.press("Escape")
    expect(inside.locator("#kill")).not_to_be_visible()
    assert killed(platform) == frozenset()
    before = len(platform.rows(f"SELECT 1 FROM log_control WHERE kind = {int(Kind.KILL)}"))
    press(inside)
    assert Killed(Scope.GLOBAL) in killed(platform)
    until(
        lambda: len(platform.rows(f"SELECT 1 FROM log_control WHERE kind = {int(Kind.KILL)}")) > before, "an input", 10
    )
    inside.locator("#kill-why").fill("a try in the browser")
    inside.get_by_role("button", name="Keep the reason").click()
    expect(inside.locator(".messages")).to_contain_text("The reason is kept")
    inside.goto("/control/history")
    expect(inside.locator("main")).to_contain_text("a try in the browser")
    # One person alone does not release everything: the page asks for a code, and then for a second person.
    inside.goto("/control/?release=global:")
    inside.locator("#release textarea").fill("looked at")
    inside.get_by_role("button", name="Propose the release of everything").click()
    inside.wait_for_url("**/step-up**")
    assert Killed(Scope.GLOBAL) in killed(platform)
    assert complaints == []


def test_a_page_that_is_open_kills_with_the_web_process_away(inside: Page, platform: Platform, released: None) -> None:
    inside.goto("/")
    expect(inside.locator("#strip")).to_contain_text("PAPER")
    web = platform.process_of("daphne")
    os.kill(web, signal.SIGSTOP)
    try:
        press(inside)
        assert Killed(Scope.GLOBAL) in killed(platform)
    finally:
        os.kill(web, signal.SIGCONT)
