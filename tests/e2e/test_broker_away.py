"""Valkey is gone for a minute: trading goes on, and the page too."""

import os
import signal
import time

from playwright.sync_api import Browser, Page

from tests.e2e.test_page import number
from tests.e2e.visit import Visit
from tests.e2e.whole import Platform
from tests.supervisor.processes import until

AWAY_S = 60.0


def later(page: Page) -> int:
    """The input that the page shows in a moment."""
    page.wait_for_timeout(50)
    return number(page)


def test_trading_goes_on_without_valkey_and_the_page_recovers(
    platform: Platform, browser: Browser, visit: Visit
) -> None:
    until(lambda: platform.counts().approvals > 0, "there is an approval", 90)
    context = browser.new_context(storage_state=visit.state, base_url=platform.web)
    page = context.new_page()
    page.goto("/")
    until(lambda: number(page) > 0, "the page shows the loop", 20)
    epochs, ready = platform.epochs(), platform.said().count("valkey ready")
    valkey = platform.process_of("valkey-server")
    # Stopped, it keeps its socket and answers nobody, which is worse than being gone. The supervisor would start a dead
    # one again at once, so this is how it stays away; the kill comes at the end of the time.
    os.kill(valkey, signal.SIGSTOP)
    began = time.monotonic()
    try:
        before = platform.counts()
        while time.monotonic() < began + AWAY_S:
            at = number(page)
            page.wait_for_timeout(6_000)
            assert number(page) > at, "the open page stands still while Valkey is away"
            assert platform.command("status").returncode == 0
        now = platform.counts()
        fresh = context.new_page()
        fresh.goto("/")
        until(lambda: number(fresh) > now.seq, "a page opened meanwhile lives too", 20)
    finally:
        os.kill(valkey, signal.SIGKILL)
    print(f"\nValkey away for {time.monotonic() - began:.0f} s: {before} became {now}")
    assert now.seq > before.seq and now.packets > before.packets
    until(lambda: platform.counts().approvals > before.approvals, "approvals rise", 30)
    until(lambda: platform.said().count("valkey ready") > ready, "Valkey is ready again", 20)
    seen = number(page)
    until(lambda: later(page) > seen, "the page goes on", 20)
    assert platform.epochs() == epochs, "the loop process was not started again"
    context.close()
