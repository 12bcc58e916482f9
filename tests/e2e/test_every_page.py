"""Every page of the navigation and one page of detail of each kind, in both themes: no error on the browser's console,
nothing serious by axe's rules, and a heading that says where one is."""

import re
from typing import Any, Final

from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Page

from tests.e2e.audit import Audit
from tests.e2e.visit import Visit, listening
from tests.e2e.whole import Platform
from tests.supervisor.processes import until

SERIOUS: Final = ("serious", "critical")
DETAIL: Final = re.compile(
    r"^/(markets/\d+|decisions/\d+:\d+|trace/[^/?]+|orders/[^/?]+|ledger/[a-z]+/[^/?]+|strategies/[^/?]+"
    r"|replays/\d+|incidents/\d+|reasons/[A-Z_]+/|stages/\d+)$"
)
"""Addresses of single things; one of each kind is enough."""


def linked(page: Page, selector: str) -> list[str]:
    """Addresses on this installation that a page links to."""
    found = page.locator(selector).evaluate_all("links => links.map(link => link.getAttribute('href'))")
    return [address.split("#")[0] for address in found if address.startswith("/") and not address.startswith("//")]


def kind(address: str) -> str:
    return address.split("/")[1]


def without_more_of_the_same(page: Page) -> None:
    """Leave one row of each look in each table, whatever news come: axe takes seconds for all, and one shows it."""
    page.evaluate(
        """() => {
            for (const news of ['htmx:beforeSwap', 'htmx:oobBeforeSwap'])
                document.addEventListener(news, swap => { swap.detail.shouldSwap = false; });
            const look = row => [row, ...row.querySelectorAll('*')].map(one => one.tagName + one.className).join();
            for (const body of document.querySelectorAll('tbody')) {
                const seen = new Set();
                for (const row of [...body.rows]) seen.has(look(row)) ? row.remove() : seen.add(look(row));
            }
        }"""
    )


def judged(page: Page, rules: dict[str, Any]) -> list[str]:
    """What axe, which is in the page already, finds serious, with the first place of each."""
    # Style sheets are the page's own, so axe need not fetch them once more.
    options = {"resultTypes": ["violations"], "preload": False, **rules}
    found = page.evaluate("options => axe.run(options).then(results => results.violations)", options)
    return [f"{one['id']}: {one['nodes'][0]['html'][:160]}" for one in found if one["impact"] in SERIOUS]


def test_every_page_opens_without_an_error_and_can_be_used_by_everybody(
    browser: Browser, platform: Platform, visit: Visit, audit: Audit
) -> None:
    until(lambda: platform.counts().fills > 0, "there is a fill", 90)
    context = browser.new_context(storage_state=visit.state, base_url=platform.web)
    page = context.new_page()
    page.set_default_timeout(20_000)
    complaints = listening(page)
    axe = Axe().axe_script
    page.goto("/")
    pages = linked(page, "nav.pages a")
    assert len(pages) == len(set(pages)) > 15
    wrong: dict[str, Any] = {}
    details: dict[str, str] = {}
    while pages:
        address = pages.pop(0)
        page.emulate_media(color_scheme="light")
        answer = page.goto(address)
        assert answer is not None
        for other in linked(page, "main a[href]"):
            if DETAIL.match(other) and kind(other) not in details:
                details[kind(other)] = other
                pages.append(other)
        without_more_of_the_same(page)
        page.evaluate(axe)
        found = judged(page, {})
        page.emulate_media(color_scheme="dark")
        # Colours are all that a theme changes.
        found += [f"dark {told}" for told in judged(page, {"runOnly": ["color-contrast"]})]
        if answer.status != 200 or complaints or found or page.locator("h1").count() != 1:
            wrong[address] = [answer.status, page.locator("h1").count(), *complaints, *found]
        complaints.clear()
        # The exchange would have forgotten the first fills by the end of all this.
        audit.look()
    context.close()
    assert {"markets", "decisions", "orders", "reasons", "stages"} <= set(details)
    assert not wrong
