"""The live page, a packet and a reason while everything runs, in a real browser."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.visit import Visit, listening
from tests.e2e.whole import Platform
from tests.supervisor.processes import until

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def inside(browser: Browser, platform: Platform, visit: Visit) -> Iterator[Page]:
    """A page of somebody who is logged in."""
    context = browser.new_context(storage_state=visit.state, base_url=platform.web)
    page = context.new_page()
    page.set_default_timeout(20_000)
    yield page
    context.close()


def kept(page: Page, name: str) -> None:
    """A picture for people, in the folder of what tests leave behind."""
    folder = ROOT / ".cache" / "e2e"
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=folder / f"{name}.png", full_page=True)


def number(page: Page) -> int:
    found = re.search(r"Input ([\d,]+)", page.locator("#strip").inner_text())
    return int(found.group(1).replace(",", "")) if found else 0


def test_the_live_page_moves_without_being_asked(inside: Page, platform: Platform) -> None:
    complaints = listening(inside)
    inside.goto("/")
    expect(inside.locator("#strip")).to_contain_text("PAPER")
    expect(inside.locator("#strip")).to_contain_text("TRADING")
    seen: list[int] = []

    def moved() -> bool:
        seen.append(number(inside))
        inside.wait_for_timeout(100)
        return len({one for one in seen if one}) >= 3

    until(moved, "three states of the page", 20, lambda: inside.locator("#strip").inner_text())
    assert seen == sorted(seen)
    kept(inside, "overview")
    assert complaints == []


def test_a_packet_opens_from_the_page_and_its_reason_from_there(inside: Page, platform: Platform) -> None:
    until(lambda: platform.counts().approvals > 0, "there is an approval", 90)
    complaints = listening(inside)
    inside.goto("/")
    expect(inside.locator("#packets a").first).to_be_visible()
    address = inside.locator("#packets a").first.get_attribute("href")
    assert address is not None
    inside.goto(address)
    expect(inside.locator("h1")).to_be_visible()
    ((in_seq, ordinal),) = platform.rows("SELECT in_seq, ordinal FROM log_output WHERE kind = 1 LIMIT 1")
    inside.goto(f"/decisions/{in_seq}:{ordinal}")
    expect(inside.locator("main")).to_contain_text("APPROVE", ignore_case=True)
    kept(inside, "decision")
    inside.goto("/reasons/STRAT_NO_EDGE/")
    expect(inside.locator("main")).to_contain_text("STRAT_NO_EDGE")
    kept(inside, "reason")
    assert complaints == []


def test_rows_stand_still_under_the_pointer_and_go_on_when_it_has_gone(inside: Page, platform: Platform) -> None:
    inside.goto("/")
    rows = inside.locator("#packets tbody tr")
    until(lambda: rows.count() > 3, "there are decisions", 30)

    def first() -> str:
        return str(inside.locator("#packets a[id^='d-']").first.get_attribute("id"))

    rows.first.hover()
    inside.wait_for_timeout(1_000)
    held, packets, at = first(), platform.counts().packets, number(inside)
    until(lambda: platform.counts().packets > packets + 5, "decisions are made", 60)
    until(lambda: number(inside) > at, "the rest of the page goes on", 20)
    assert first() == held
    expect(inside.locator("#packets .held")).to_be_visible()
    inside.locator(".brand").hover()
    until(lambda: first() != held, "the rows go on", 20)
