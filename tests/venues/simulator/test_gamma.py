"""The web pages: the venue's keys and types, its packed lists, and its paging."""

import json
from typing import Any

import msgspec
import pytest

from polytraders.contracts.inputs import NANO
from polytraders.venues.simulator import frames, gamma
from polytraders.venues.simulator.listing import Market
from polytraders.venues.simulator.world import Plan, World
from tests.recorded import DATA

NOW = 1_780_272_000_000
FIXTURES = DATA / "protocol-v2-fixtures"
SAMPLES = DATA / "rest-fixtures"
needs_fixtures = pytest.mark.skipif(not FIXTURES.exists(), reason="no recorded data: set POLYTRADERS_DATA")

NOT_OURS = {
    "$schema", "image", "icon", "cryptoMarketConfigId", "cryptoMarketConfig", "oneDayPriceChange", "oneHourPriceChange",
    "showGmpSeries", "showGmpOutcome", "makerRebatesFeeShareBps",
}  # fmt: skip
"""Keys of a real up/down market that say nothing a trader needs, or that would be untrue of ours."""


@pytest.fixture(scope="module")
def world() -> World:
    made = World(Plan(seed=9, start_ms=NOW, rate=0.05, slow=4, step_ms=500))
    made.run_until(made.start_ns + 330 * NANO)
    return made


def of(world: World, start: str) -> Market:
    return next(market for market in world.markets.values() if market.name.startswith(start))


def sort(value: object) -> str:
    return "number" if type(value) in (int, float) else type(value).__name__


def same_types(ours: dict[str, Any], real: dict[str, Any]) -> list[str]:
    return [key for key in ours.keys() & real.keys() if sort(ours[key]) != sort(real[key])]


def sent(page: Any) -> Any:
    """As it arrives."""
    return json.loads(gamma.encode(page))


def real(name: str) -> Any:
    folder = FIXTURES if (FIXTURES / name).exists() else SAMPLES
    found = json.loads((folder / name).read_text(encoding="utf-8"))
    return found[0] if isinstance(found, list) else found


@needs_fixtures
def test_a_market_page_has_the_real_one_s_keys_and_types(world: World) -> None:
    ours = sent(gamma.market_page(of(world, "btc-updown-15m"), world.now_ns))
    theirs = real("gamma-market-v1-btc15m.json")
    # A market without a trade has no last price, and the real sample was not a group's.
    known = theirs.keys() | {"volume", "volumeNum", "groupItemTitle"}
    assert theirs.keys() - ours.keys() - {"lastTradePrice"} == NOT_OURS & theirs.keys()
    assert ours.keys() <= known
    assert same_types(ours, theirs) == []
    assert json.loads(ours["clobTokenIds"]) == list(of(world, "btc-updown-15m").tokens)
    assert sort(json.loads(theirs["clobTokenIds"])) == sort(json.loads(ours["clobTokenIds"])) == "list"


@needs_fixtures
def test_an_event_page_has_the_real_one_s_keys_and_types(world: World) -> None:
    ours = sent(gamma.event_page(of(world, "btc-updown-5m").event, world.now_ns))
    theirs = real("gamma_event_crypto_updown.json")
    assert ours.keys() <= theirs.keys() | {"seriesSlug"}
    assert same_types(ours, theirs) == []
    assert same_types(ours["series"][0], theirs["series"][0]) == same_types(ours["tags"][0], theirs["tags"][0]) == []


@needs_fixtures
def test_the_clob_s_pages_have_the_real_ones_keys_and_types(world: World) -> None:
    market = of(world, "btc-updown-5m-1780272300")
    ours, theirs = sent(gamma.clob_page(market)), real("clob-markets-v1.json")
    assert theirs.keys() - ours.keys() == {"itode"}, "ours has no taker delay"
    assert ours.keys() <= theirs.keys() and same_types(ours, theirs) == []
    assert ours["fd"].keys() == theirs["fd"].keys() and ours["t"][0].keys() == theirs["t"][0].keys()
    ours, theirs = sent(frames.rest_book(market, 0, NOW)), real("book-v1.json")
    assert list(ours) == list(theirs), "the order is the hash's, so it matters"
    assert same_types(ours, theirs) == []


@needs_fixtures
def test_a_new_market_is_told_with_the_real_keys_and_types(world: World) -> None:
    ours, theirs = sent(frames.new_market(of(world, "btc-updown-5m"), NOW)), real("new-market-frame.json")
    assert ours.keys() == theirs.keys() and same_types(ours, theirs) == []
    assert ours["event_message"].keys() == theirs["event_message"].keys()
    assert ours["fee_schedule"].keys() == theirs["fee_schedule"].keys()
    assert same_types(ours["fee_schedule"], theirs["fee_schedule"]) == []


def test_a_resolved_market_says_so_and_who_won(world: World) -> None:
    market = of(world, f"btc-updown-5m-{NOW // 1_000}")
    page = sent(gamma.market_page(market, world.now_ns))
    assert market.outcome is not None
    assert page["closed"] is True and page["acceptingOrders"] is False
    assert page["umaResolutionStatus"] == "resolved" and page["automaticallyResolved"] is True
    prices = json.loads(page["outcomePrices"])
    assert sorted(prices) == ["0", "1"] and prices[market.outcome] == "1"
    assert page["endDate"] == "2026-06-01T00:05:00Z" and page["closedTime"].startswith("2026-06-01 00:05:")
    assert "ao" not in gamma.clob_page(market)


def test_a_group_says_that_its_outcomes_exclude_each_other(world: World) -> None:
    market = of(world, "anchor-wins")
    page = gamma.market_page(market, world.now_ns)
    assert page["negRisk"] is True and gamma.clob_page(market)["nr"] is True and page["groupItemTitle"] == "Anchor"
    assert len(gamma.event_page(market.event, world.now_ns)["markets"]) == 4
    assert "nr" not in gamma.clob_page(of(world, "btc-updown-5m"))


@pytest.mark.parametrize(("name", "limit"), [("markets", 7), ("markets", 100), ("events", 1), ("events", 9)])
def test_pages_follow_each_other_to_the_end_and_say_everything_once(world: World, name: str, limit: int) -> None:
    found: list[Any] = list(world.markets.values())
    if name == "events":
        found = list(world.events.values())
    found.sort(key=lambda one: one.number)
    query = {"limit": [str(limit)]}
    numbers: list[int] = []
    for _ in range(len(found) + 1):
        page = gamma.keyset(name, found, query, world.now_ns)
        assert len(page[name]) <= limit
        numbers += [int(one["id"]) for one in page[name]]
        if "next_cursor" not in page:
            break
        query["after_cursor"] = [page["next_cursor"]]
    assert numbers == [one.number for one in found]


def test_pages_are_filtered(world: World) -> None:
    found = sorted(world.markets.values(), key=lambda market: market.number)

    def asked(**query: list[str]) -> set[str]:
        page = gamma.keyset("markets", found, {"limit": ["100"], **query}, world.now_ns)
        return {one["slug"] for one in page["markets"]}

    resolved = {market.name for market in found if market.outcome is not None}
    assert asked(closed=["true"]) == resolved != set()
    assert asked(closed=["false"]) == {market.name for market in found} - resolved
    assert asked(condition_ids=[found[3].condition, found[5].condition]) == {found[3].name, found[5].name}
    assert asked(slug=[found[4].name], clob_token_ids=[found[4].tokens[1]]) == {found[4].name}
    assert all(one["events"][0]["slug"] for one in gamma.keyset("markets", found, {}, world.now_ns)["markets"])


@pytest.mark.parametrize("query", [{"limit": ["0"]}, {"limit": ["101"]}, {"offset": ["1"]}, {"after_cursor": ["x"]}])
def test_what_the_venue_does_not_take_is_refused(world: World, query: dict[str, list[str]]) -> None:
    with pytest.raises(ValueError, match=r"limit|offset|base 16"):
        gamma.keyset("markets", list(world.markets.values()), query, world.now_ns)


def test_pages_are_json(world: World) -> None:
    for market in world.markets.values():
        assert msgspec.json.decode(gamma.encode(gamma.market_page(market, world.now_ns)))["slug"] == market.name
