"""The catalogue over HTTP: pages, the CLOB's half, witnesses, the venue's clock."""

import json
import os
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from polytraders.contracts.inputs import ASK, BID
from polytraders.venues import asking
from polytraders.venues.asking import Asker, Patience
from polytraders.venues.polymarket import catalogue
from polytraders.venues.polymarket.bookhash import rest_hash
from polytraders.venues.polymarket.catalogue import Witness
from polytraders.venues.polymarket.listing import Listing, Refused
from tests.venues.loopback import Reply, Site, site
from tests.venues.polymarket.listed import CONDITION, NO_TOKEN, YES_TOKEN, clob, gamma, raw, slow

DATA = Path(os.environ.get("POLYTRADERS_DATA", Path(__file__).resolve().parents[4] / "shared" / "data"))
BOOKS = [DATA / "rest-fixtures" / "clob_book.json", *(DATA / "protocol-v2-fixtures").glob("book-v?.json")]
recorded = pytest.mark.skipif(not BOOKS[0].exists(), reason="no recorded data: set POLYTRADERS_DATA")

Answerer = Callable[[str, dict[str, list[str]]], Reply | None]


async def at_once(seconds: float) -> None:
    """Waits for nothing."""


@asynccontextmanager
async def venue(answer: Answerer) -> AsyncIterator[tuple[Site, Asker]]:
    async with site(answer) as server, asking.open_client() as client:
        yield server, Asker(client, random.Random(0), Patience(tries_max=2), at_once)


def condition(number: int) -> str:
    return f"0x{number:064x}"


def page(*told: Any, after: str | None = None) -> Reply:
    return 200, {}, raw({"markets": list(told), "next_cursor": after})


def numbered(number: int) -> dict[str, Any]:
    """A slow market with ids of its own."""
    ids = [str(10_000 + 2 * number), str(10_001 + 2 * number)]
    return slow(conditionId=condition(number), clobTokenIds=json.dumps(ids))


def its_clob(path: str) -> Reply:
    number = int(path.rpartition("/")[2], 16)
    pairs = [{"t": str(10_000 + 2 * number), "o": "Yes"}, {"t": str(10_001 + 2 * number), "o": "No"}]
    return 200, {}, raw(clob(c=condition(number), t=pairs))


async def test_worked_example() -> None:
    def answer(path: str, query: dict[str, list[str]]) -> Reply:
        if path == "/markets/keyset":
            return page(gamma(), slow(enableOrderBook=False), after=None)
        return 200, {}, raw(clob())

    async with venue(answer) as (server, asker):
        found = await catalogue.markets(asker, server.url, server.url)
    listed, refused = found
    assert isinstance(listed, Listing) and listed.tokens == (YES_TOKEN, NO_TOKEN)
    assert isinstance(refused, Refused) and refused.code == "INTEL_LISTING_NO_BOOK"
    assert refused.raw == raw(slow(enableOrderBook=False))
    assert catalogue.whole(found)
    assert server.asked == ["/markets/keyset?closed=false&active=true&limit=100", f"/clob-markets/{CONDITION}"]


async def test_pages_are_followed_to_their_end_and_keep_their_order() -> None:
    def answer(path: str, query: dict[str, list[str]]) -> Reply:
        if path != "/markets/keyset":
            return its_clob(path)
        at = int(query.get("after_cursor", ["c0"])[0][1:])
        return page(*(numbered(10 * at + n) for n in range(1, 4)), after=f"c{at + 1}" if at < 2 else "")

    async with venue(answer) as (server, asker):
        found = await catalogue.markets(asker, server.url, server.url, [("series_id", "10192")])
    assert [int(one.condition_id, 16) for one in found if isinstance(one, Listing)] == [1, 2, 3, 11, 12, 13, 21, 22, 23]
    assert len(found) == 9 and catalogue.whole(found)
    asked = [target for target in server.asked if "keyset" in target]
    assert asked[1:] == [f"/markets/keyset?series_id=10192&limit=100&after_cursor=c{n}" for n in (1, 2)]


async def test_a_cursor_that_comes_round_again_ends_the_reading() -> None:
    turns = {"": "a", "a": "b", "b": "a"}

    def answer(path: str, query: dict[str, list[str]]) -> Reply:
        if path != "/markets/keyset":
            return its_clob(path)
        return page(numbered(1), after=turns[query.get("after_cursor", [""])[0]])

    async with venue(answer) as (server, asker):
        found = await catalogue.markets(asker, server.url, server.url)
    assert [one.code for one in found if isinstance(one, Refused)] == ["INTEL_CATALOGUE_ENDLESS"]
    assert sum(isinstance(one, Listing) for one in found) == 3
    assert not catalogue.whole(found)


async def test_more_pages_than_are_ever_read_are_reported() -> None:
    def answer(path: str, query: dict[str, list[str]]) -> Reply:
        return page(after=f"c{len(server.asked)}")

    async with venue(answer) as (server, asker):
        found = await catalogue.markets(asker, server.url, server.url, pages_max=5)
    assert [(one.code, one.what) for one in found if isinstance(one, Refused)] == [
        ("INTEL_CATALOGUE_ENDLESS", "more than 5 pages")
    ]
    assert len(server.asked) == 5


@pytest.mark.parametrize(
    "reply",
    [(503, {}, b"busy"), (404, {}, b""), (200, {}, b"<html>"), (200, {}, b'{"data":[]}'), (200, {}, b"[]"), None],
)
async def test_a_page_that_cannot_be_had_leaves_the_listing_unfinished(reply: Reply | None) -> None:
    def answer(path: str, query: dict[str, list[str]]) -> Reply | None:
        if path != "/markets/keyset":
            return its_clob(path)
        return reply if "after_cursor" in query else page(numbered(1), after="c1")

    async with venue(answer) as (server, asker):
        found = await catalogue.markets(asker, server.url, server.url)
    listed, refused = found
    assert isinstance(listed, Listing)
    assert isinstance(refused, Refused) and refused.code == "INTEL_CATALOGUE_UNAVAILABLE"
    assert refused.raw == (reply[2] if reply else b"")
    assert not catalogue.whole(found)


async def test_a_broken_market_does_not_take_the_others_with_it() -> None:
    def answer(path: str, query: dict[str, list[str]]) -> Reply:
        if path == "/markets/keyset":
            return page(numbered(1), 5, {"conditionId": "0x1"}, numbered(2), numbered(3), numbered(4))
        if path.endswith(condition(2)):
            return 404, {}, b'{"error":"market not found"}'
        if path.endswith(condition(3)):
            return 500, {}, b"oops"
        return its_clob(path)

    async with venue(answer) as (server, asker):
        found = await catalogue.markets(asker, server.url, server.url)
    assert [one.code if isinstance(one, Refused) else "listed" for one in found] == [
        "listed", "INTEL_LISTING_UNREADABLE", "INTEL_LISTING_OUT_OF_RANGE", "INTEL_LISTING_INCOMPLETE",
        "INTEL_CATALOGUE_UNAVAILABLE", "listed",
    ]  # fmt: skip
    assert isinstance(found[1], Refused) and found[1].raw == b"5"


async def test_the_clob_is_asked_about_picked_markets_only() -> None:
    def answer(path: str, query: dict[str, list[str]]) -> Reply:
        return page(numbered(1), numbered(2)) if path == "/markets/keyset" else its_clob(path)

    async with venue(answer) as (server, asker):
        found = await catalogue.markets(
            asker, server.url, server.url, pick=lambda market: market.conditionId == condition(2)
        )
    assert [one.condition_id for one in found if isinstance(one, Listing)] == [condition(2)]
    assert len(server.asked) == 2


async def test_an_id_of_the_second_protocol_is_asked_for_with_all_its_digits() -> None:
    short = "0x" + "cd" * 31

    def answer(path: str, query: dict[str, list[str]]) -> Reply:
        return page(slow(conditionId=short)) if path == "/markets/keyset" else (404, {}, b"")

    async with venue(answer) as (server, asker):
        await catalogue.markets(asker, server.url, server.url)
    assert server.asked[-1] == f"/clob-markets/{short}00"


def told_book(**more: Any) -> dict[str, Any]:
    told = {
        "market": CONDITION,
        "asset_id": YES_TOKEN,
        "timestamp": "1791238858575",
        "hash": "",
        "bids": [{"price": "0.46", "size": "5"}, {"price": "0.47", "size": "10.5"}],
        "asks": [{"price": "0.5", "size": "7"}],
        "min_order_size": "5",
        "tick_size": "0.01",
        "neg_risk": False,
        "last_trade_price": "",
    }
    return told | more


async def witness(told: Any, token: str = YES_TOKEN, is_yes: bool = True, status: int = 200) -> Witness | Refused:
    async with venue(lambda path, query: (status, {}, told if isinstance(told, bytes) else raw(told))) as (
        server,
        asker,
    ):
        found = await catalogue.book(asker, server.url, token, is_yes=is_yes)
    assert server.asked[0] == f"/book?token_id={token}"
    return found


async def test_a_book_is_a_witness_in_yes_terms() -> None:
    told = told_book()
    told["hash"] = rest_hash(told)
    found = await witness(told)
    levels = ((BID, 4_600, 5_000_000), (BID, 4_700, 10_500_000), (ASK, 5_000, 7_000_000))
    assert found == Witness(
        CONDITION, YES_TOKEN, levels, 100, told["hash"], True, 1_791_238_858_575_000_000, raw(told)
    )  # fmt: skip


async def test_the_other_tokens_book_is_turned_round() -> None:
    found = await witness(told_book(asset_id=NO_TOKEN), NO_TOKEN, is_yes=False)
    assert isinstance(found, Witness)
    assert found.levels == ((ASK, 5_400, 5_000_000), (ASK, 5_300, 10_500_000), (BID, 5_000, 7_000_000))
    assert (found.hash, found.hash_ok) == ("", None)


async def test_a_hash_that_is_not_reproduced_is_told_and_refuses_nothing() -> None:
    found = await witness(told_book(hash="ab" * 20))
    assert isinstance(found, Witness) and found.hash_ok is False


@pytest.mark.parametrize(
    ("told", "code"),
    [
        (b"<html>", "INTEL_LISTING_UNREADABLE"),
        (b"\xff", "INTEL_LISTING_UNREADABLE"),
        (told_book(bids="many"), "INTEL_LISTING_UNREADABLE"),
        ({"market": CONDITION, "asset_id": YES_TOKEN, "bids": []}, "INTEL_LISTING_INCOMPLETE"),
        (told_book(market=""), "INTEL_LISTING_INCOMPLETE"),
        (told_book(market="0x12"), "INTEL_LISTING_CONFLICT"),
        (told_book(asset_id=NO_TOKEN), "INTEL_LISTING_CONFLICT"),
        (told_book(tick_size=None), "INTEL_LISTING_OUT_OF_RANGE"),
        (told_book(timestamp="1791238858"), "INTEL_LISTING_OUT_OF_RANGE"),
        (told_book(bids=[{"price": "0.465", "size": "1"}]), "INTEL_LISTING_OUT_OF_RANGE"),
        (told_book(asks=[{"price": "1", "size": "1"}]), "INTEL_LISTING_OUT_OF_RANGE"),
        (told_book(asks=[{"price": "0.5", "size": "0"}]), "INTEL_LISTING_OUT_OF_RANGE"),
        (told_book(asks=[{"price": "0.5", "size": "-1"}]), "INTEL_LISTING_OUT_OF_RANGE"),
        (told_book(asks=[{"price": "0.5", "size": "1"}] * 2), "INTEL_LISTING_CONFLICT"),
    ],
)
async def test_a_book_that_cannot_be_believed_is_refused_with_its_bytes(told: Any, code: str) -> None:
    found = await witness(told)
    assert isinstance(found, Refused)
    assert (found.code, found.name) == (code, YES_TOKEN)
    assert found.raw == (told if isinstance(told, bytes) else raw(told))


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (404, "INTEL_LISTING_NO_BOOK"),
        (400, "INTEL_CATALOGUE_UNAVAILABLE"),
        (503, "INTEL_CATALOGUE_UNAVAILABLE"),
    ],
)
async def test_no_book_is_told_apart_from_no_answer(status: int, code: str) -> None:
    found = await witness({"error": "No orderbook exists for the requested token id"}, status=status)
    assert isinstance(found, Refused) and found.code == code


@recorded
@pytest.mark.parametrize("path", BOOKS, ids=lambda path: path.name)
async def test_recorded_books_are_read_and_their_hashes_reproduced(path: Path) -> None:
    told = json.loads(path.read_bytes())
    found = await witness(path.read_bytes(), told["asset_id"])
    assert isinstance(found, Witness)
    assert found.hash_ok is True
    assert len(found.levels) == len(told["bids"]) + len(told["asks"])


@pytest.mark.parametrize("body", [b"1791238858", b'"1791238858"', b" 1791238858\n"])
async def test_the_venues_clock_is_read(body: bytes) -> None:
    async with venue(lambda path, query: (200, {}, body)) as (server, asker):
        assert await catalogue.server_time(asker, server.url) == 1_791_238_858_000_000_000
    assert server.asked == ["/time"]


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (200, b"soon", "INTEL_LISTING_UNREADABLE"),
        (200, b"17.5", "INTEL_LISTING_UNREADABLE"),
        (200, b"\xff", "INTEL_LISTING_UNREADABLE"),
        (200, b"1791238858575", "INTEL_LISTING_OUT_OF_RANGE"),
        (200, b"-1", "INTEL_LISTING_OUT_OF_RANGE"),
        (200, b'"' + b"9" * 500 + b'"', "INTEL_LISTING_OUT_OF_RANGE"),
        (500, b"", "INTEL_CATALOGUE_UNAVAILABLE"),
    ],
)
async def test_a_clock_that_cannot_be_read_is_refused(status: int, body: bytes, code: str) -> None:
    async with venue(lambda path, query: (status, {}, body)) as (server, asker):
        found = await catalogue.server_time(asker, server.url)
    assert isinstance(found, Refused) and (found.code, found.raw) == (code, body)
