"""The venue's own book hash."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from polytraders.contracts.inputs import Flag, Kind
from polytraders.venues.polymarket.bookhash import book_hash, rest_hash
from polytraders.venues.polymarket.wire import Decoder
from tests.venues.polymarket.said import MARKET, NO_ID, NOW, YES_ID, book, frame

DATA = Path(os.environ.get("POLYTRADERS_DATA", Path(__file__).resolve().parents[4] / "shared" / "data"))
BOOKS = ("rest-fixtures/clob_book.json", "protocol-v2-fixtures/book-v1.json", "protocol-v2-fixtures/book-v2.json")
HASHES = Flag.HASH_OK | Flag.HASH_BAD | Flag.HASH_EMPTY

BOOK: dict[str, Any] = {
    "market": MARKET,
    "asset_id": YES_ID,
    "timestamp": NOW,
    "hash": "",
    "bids": [{"price": "0.46", "size": "5"}, {"price": "0.47", "size": "10"}],
    "asks": [{"price": "0.48", "size": "7"}],
    "min_order_size": "5",
    "tick_size": "0.01",
    "neg_risk": False,
    "last_trade_price": "",
}
"""A REST book whose keys stand in the order that is hashed."""


def test_worked_example() -> None:
    text = json.dumps(BOOK, separators=(",", ":")).encode()
    assert rest_hash(BOOK) == hashlib.sha1(text).hexdigest() == "dfffa7e3d4bb897d22bf8bdf4645891513d3c3eb"


@pytest.mark.parametrize("name", BOOKS)
@pytest.mark.skipif(not DATA.exists(), reason="no recorded data: set POLYTRADERS_DATA")
def test_three_real_books_reproduce(name: str) -> None:
    told = json.loads((DATA / name).read_text())
    assert len(told["hash"]) == 40
    assert rest_hash(told) == told["hash"]


def test_the_order_of_keys_told_does_not_matter_and_their_hash_is_not_hashed() -> None:
    assert rest_hash(dict(reversed(BOOK.items())) | {"hash": "0" * 40}) == rest_hash(BOOK)


@pytest.mark.parametrize(
    "change",
    [
        {"market": MARKET[:-1] + "c"},
        {"timestamp": "1780795911768"},
        {"bids": BOOK["bids"][::-1]},
        {"bids": [{"price": "0.460", "size": "5"}, BOOK["bids"][1]]},
        {"asks": []},
        {"min_order_size": "10"},
        {"tick_size": "0.001"},
        {"neg_risk": True},
        {"last_trade_price": "0.47"},
        {"version": "v2"},
    ],
)
def test_every_fact_changes_the_hash(change: dict[str, Any]) -> None:
    assert rest_hash(BOOK | change) != rest_hash(BOOK)


@pytest.mark.parametrize("version", ["", "v1", None])
def test_protocol_1_is_not_part_of_what_is_hashed(version: str | None) -> None:
    assert rest_hash(BOOK | {"version": version}) == rest_hash(BOOK)


def hash_of(asset: str, neg_risk: bool = False) -> str:
    """Hash of the book that `said.book` tells."""
    return book_hash(
        market=MARKET,
        asset_id=asset,
        timestamp=NOW,
        bids=[("0.46", "5"), ("0.47", "10")],
        asks=[("0.48", "7")],
        min_order_size="5",
        tick_size="0.01",
        neg_risk=neg_risk,
        last_trade_price="",
    )


@pytest.mark.parametrize(
    ("told", "registered", "flag", "counter"),
    [
        (hash_of(YES_ID), True, Flag.HASH_OK, "hash_ok"),
        (hash_of(YES_ID, neg_risk=True), True, Flag.HASH_BAD, "hash_bad"),
        (hash_of(NO_ID), True, Flag.HASH_BAD, "hash_bad"),
        ("", True, Flag.HASH_EMPTY, "hash_empty"),
        ("", False, Flag.HASH_EMPTY, "hash_empty"),
        (hash_of(YES_ID), False, 0, "hash_unchecked"),
    ],
)
def test_a_book_of_the_channel_is_checked_where_the_registry_knows_the_rest(
    told: str, registered: bool, flag: int, counter: str
) -> None:
    known = Decoder()
    if registered:
        known.register(MARKET, [YES_ID, NO_ID], min_size="5", neg_risk=False)
    decoded = known.decode(frame(book(hash=told)))
    opened = [row for row in decoded.rows if row[0] == Kind.SNAP_OPEN]
    assert [row[2] & HASHES for row in opened] == [flag]
    assert {name: count for name, count in known.counters.items() if name.startswith("hash")} == {counter: 1}


@pytest.mark.skipif(not DATA.exists(), reason="no recorded data: set POLYTRADERS_DATA")
def test_a_real_book_of_the_channel_reproduces_on_protocol_2() -> None:
    lines = (DATA / "protocol-v2-fixtures" / "ws-market-v2-session.abridged.jsonl").read_text().splitlines()
    heard = [json.loads(line)["data"] for line in lines if '"event_type\\' in line]
    (market,) = (json.loads(text)[0] for text in heard)
    known = Decoder()
    known.register(market["market"], [market["asset_id"]], min_size="5", neg_risk=False)
    known.decode(heard[0].encode())
    assert known.counters["hash_ok"] == 1
