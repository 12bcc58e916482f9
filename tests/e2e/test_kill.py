"""`k`, Enter, and the way back, in a real browser; with the web process away, too."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from polytraders import fence
from polytraders.contracts.control import Killed
from polytraders.contracts.inputs import Kind, Scope
from tests.e2e.visit import Visit, listening
from tests.e2e.whole import Platform
from tests.supervisor.installation import ROOT
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


PERSON = """
import sys, time
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.contrib.auth.models import Group
from django.contrib.sessions.backends.db import SessionStore
from polytraders.access.permissions import MARK
user = get_user_model().objects.get_or_create(username="{name}")[0]
user.groups.set([Group.objects.get_or_create(name="{role}")[0]])
session = SessionStore()
session[SESSION_KEY], session[HASH_SESSION_KEY] = str(user.pk), user.get_session_auth_hash()
session[BACKEND_SESSION_KEY], session[MARK] = "django.contrib.auth.backends.ModelBackend", time.time()
session.save()
print("session", session.session_key)
"""


def person(browser: Browser, platform: Platform, name: str, role: str) -> Page:
    """A page of somebody with a role who has just given a code."""
    done = subprocess.run(
        [sys.executable, "manage.py", "shell", "-c", PERSON.replace("{name}", name).replace("{role}", role)], cwd=ROOT,
        env={**os.environ, "POLYTRADERS_HOME": str(platform.home), "POLYTRADERS_SECRET_KEY": secret(platform)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    found = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("session ")]
    assert found, done.stdout + done.stderr
    context = browser.new_context(base_url=platform.web)
    context.add_cookies([{"name": "sessionid", "value": found[0], "url": platform.web}])
    page = context.new_page()
    page.set_default_timeout(20_000)
    return page


def secret(platform: Platform) -> str:
    return (platform.home / "secrets" / "django").read_text().strip()


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


@pytest.mark.parametrize("role", ["Reviewer", "ReadOnly"])
def test_who_may_not_kill_has_neither_key_nor_button(browser: Browser, platform: Platform, role: str) -> None:
    page = person(browser, platform, f"some-{role.lower()}", role)
    page.goto("/")
    expect(page.locator("#strip")).to_contain_text("PAPER")
    page.keyboard.press("k")
    assert page.locator("#kill").count() == page.locator("#kill-open").count() == 0
    page.goto("/control/")
    assert page.get_by_role("button", name="Kill").count() == 0
    page.context.close()


@pytest.mark.parametrize("role", ["Operator", "Admin"])
def test_a_part_is_killed_and_released_in_the_browser(browser: Browser, platform: Platform, role: str) -> None:
    page = person(browser, platform, f"some-{role.lower()}", role)
    page.goto("/strategies/")
    page.get_by_role("button", name="Pause logit").click()
    expect(page.locator("#killed")).to_contain_text("logit")
    assert Killed(Scope.STRATEGY, "logit") in killed(platform)
    page.locator("#killed textarea").fill("to see how it stops")
    page.get_by_role("button", name="Keep the reason").click()
    page.goto("/control/?release=strategy:logit")
    page.locator("#release textarea").fill("looked at")
    page.get_by_role("button", name="Release logit").click()
    expect(page.locator(".messages")).to_contain_text("The loop took it in")
    assert killed(platform) == frozenset()
    page.context.close()
