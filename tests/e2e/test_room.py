"""Pages in the room they have: a phone shows what stops trading, a small laptop cuts no table."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.visit import Visit
from tests.e2e.whole import Platform
from tests.supervisor.processes import until

PHONE: Final = (390, 844)
LAPTOP: Final = (1280, 800)
CUT: Final = """() => [...document.querySelectorAll('main td, main th')].filter(cell => {
  const box = cell.getBoundingClientRect();
  for (let around = cell.parentElement; box.width && around !== document.body; around = around.parentElement) {
    const style = getComputedStyle(around);
    if (['hidden', 'clip'].includes(style.overflowX) && !around.matches('.unseen')
        && box.right > around.getBoundingClientRect().right + 1) return true;
    if (['auto', 'scroll'].includes(style.overflowX)) return false;
  }
  return false;
}).map(cell => `${cell.closest('section').id} ${cell.textContent.trim().slice(0, 40)}`)"""
"""Cells whose end nobody can reach: an ancestor hides it, and none in between scrolls."""
ENDS: Final = """() => [...document.querySelectorAll('main table')].filter(table =>
  table.getClientRects().length && table.rows.length > 1
).flatMap(table => {
  const around = table.closest('.scroll') || table.closest('.panel');
  const over = table.getBoundingClientRect().right - around.getBoundingClientRect().right;
  return over > 1 ? [`${around.closest('section').id || table.className}: ${Math.round(over)} px`] : [];
})"""
"""Tables whose last column is not whole without scrolling."""


@contextmanager
def seen(browser: Browser, platform: Platform, visit: Visit, size: tuple[int, int]) -> Iterator[Page]:
    """A page of somebody who is logged in, on a screen of so many pixels."""
    context = browser.new_context(
        storage_state=visit.state, base_url=platform.web, viewport={"width": size[0], "height": size[1]}
    )
    page = context.new_page()
    page.set_default_timeout(20_000)
    yield page
    context.close()


@pytest.mark.parametrize("address", ["/", "/decisions/", "/control/", "/risk/"])
def test_a_phone_shows_the_whole_width_and_the_kill_button_even_when_scrolled(
    browser: Browser, platform: Platform, visit: Visit, address: str
) -> None:
    with seen(browser, platform, visit, PHONE) as page:
        page.goto(address)
        wide, room = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        assert wide <= room == PHONE[0]
        for depth in (0, 400):
            page.evaluate("depth => window.scrollTo(0, depth)", depth)
            expect(page.locator("#kill-open")).to_be_in_viewport(ratio=1)


@pytest.mark.parametrize("address", ["/", "/decisions/"])
def test_no_table_is_cut_on_a_small_laptop(browser: Browser, platform: Platform, visit: Visit, address: str) -> None:
    until(lambda: platform.counts().approvals > 0, "there is an approval", 90)
    with seen(browser, platform, visit, LAPTOP) as page:
        page.goto(address)
        expect(page.locator("main td:visible").first).to_be_visible()
        assert page.evaluate(CUT) == []
        assert page.evaluate(ENDS) == []
