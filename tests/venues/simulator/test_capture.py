"""The made-up captures: they have the real channel's habits, and their own truth agrees with what they tell."""

import gzip
import json
import tomllib
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from polytraders.contracts.inputs import PRICE_UNIT
from polytraders.venues.simulator.capture import frames, registry_toml, write
from polytraders.venues.simulator.crowd import LEVELS_MAX, LEVELS_MIN
from polytraders.venues.simulator.texts import price_text, size_text
from tests.venues.simulator.following import follow


@pytest.fixture(scope="module")
def recording() -> list[bytes]:
    return list(frames(seed=1, count=12_000))


def test_worked_example() -> None:
    told = frames(seed=1, count=12_000)
    made = follow(told)
    assert made.after == 0, "after the trim every frame's best prices are ours"
    assert made.differences == 0, "and every later whole book equals ours at every level"
    assert made.books == told.truth
    assert made.mismatched == told.incidents
    assert len(told.incidents) >= 4
    assert made.trimmed >= len(told.incidents)
    assert made.crossed == len(told.incidents), "without the trim the book would cross"
    assert made.counters["refused"] == made.counters["mirror_broken"] == made.counters["unpaired"] == 0


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 1_500), st.integers(1, 8))
def test_truth_and_told_agree_for_any_seed_and_wherever_it_ends(seed: int, count: int, markets: int) -> None:
    told = frames(seed=seed, count=count, markets=markets)
    made = follow(told)
    assert told.emitted == made.counters["frames"] == count
    assert (made.after, made.differences) == (0, 0)
    assert made.books == told.truth
    assert made.mismatched == told.incidents


def test_the_same_arguments_give_the_same_bytes_and_other_seeds_do_not(recording: list[bytes]) -> None:
    assert list(frames(seed=1, count=12_000)) == recording
    assert list(frames(seed=2, count=50))[1:] != recording[1:50]


def test_the_first_frame_is_every_book_of_both_tokens(recording: list[bytes]) -> None:
    books = json.loads(recording[0])
    assert [book["event_type"] for book in books] == ["book"] * 12
    assert {book["hash"] for book in books} == {""}
    assert [book["tick_size"] for book in books[::2]] == ["0.01", "0.01", "0.001", "0.01", "0.01", "0.01"]
    assert all(len(book[side]) >= LEVELS_MIN for book in books for side in ("bids", "asks"))
    best_last = [float(level["price"]) for level in books[0]["asks"]]
    assert best_last == sorted(best_last, reverse=True)


def test_the_habits_of_the_real_channel_are_there(recording: list[bytes]) -> None:
    events: list[dict[str, Any]] = [json.loads(raw) for raw in recording[1:]]
    kinds = Counter(event["event_type"] for event in events)
    assert kinds["price_change"] > 10_000
    assert kinds["last_trade_price"] > 200
    assert kinds["book"] >= 6
    yes = {book["market"]: book["asset_id"] for book in reversed(json.loads(recording[0]))}
    changes = [event for event in events if event["event_type"] == "price_change"]
    no_first = sum(event["price_changes"][0]["asset_id"] != yes[event["market"]] for event in changes)
    assert 0.3 < no_first / len(changes) < 0.37
    trades = [event for event in events if event["event_type"] == "last_trade_price"]
    assert 0.4 < sum(trade["asset_id"] == yes[trade["market"]] for trade in trades) / len(trades) < 0.6
    assert any(len(event["price_changes"]) > 2 for event in changes)
    assert sum(one == two for one, two in pairwise(recording)) >= 10
    times = [int(event["timestamp"]) for event in events]
    back = min(two - one for one, two in pairwise(times))
    assert -2_900 - 253 <= back < -1_000
    assert max(times) - times[0] >= 360_000, "12,000 frames span six minutes"


def test_spreads_and_depth_are_a_market_s_and_prices_move(recording: list[bytes]) -> None:
    spreads: Counter[int] = Counter()
    mids: dict[str, list[int]] = {}
    for raw in recording[1:]:
        event = json.loads(raw)
        for change in event.get("price_changes", ())[-1:]:
            bid, ask = (round(float(change[name]) * PRICE_UNIT) for name in ("best_bid", "best_ask"))
            assert bid < ask
            spreads[ask - bid] += 1
            mids.setdefault(change["asset_id"], []).append(bid + ask)
        for side in ("bids", "asks"):
            if side in event:
                assert LEVELS_MIN <= len(event[side]) <= LEVELS_MAX
    narrow = sum(count for spread, count in spreads.items() if spread <= 300)
    assert narrow / spreads.total() > 0.8
    assert all(max(mid) - min(mid) > 400 for mid in mids.values()), "each market moves by more than two cents"


def test_plain_gzip_and_zstandard_hold_the_same_lines(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a.jsonl", "b.jsonl.gz", "c.jsonl.zst")]
    for path in paths:
        assert write(path, seed=5, count=300).emitted == 300
    plain = paths[0].read_bytes()
    assert plain.splitlines() == list(frames(seed=5, count=300))
    assert gzip.decompress(paths[1].read_bytes()) == plain
    with zstandard.open(paths[2], "rb") as packed:
        assert packed.read() == plain
    again = tmp_path / "again.gz"
    write(again, seed=5, count=300)
    assert again.read_bytes() == paths[1].read_bytes()


def test_the_registry_file_tells_what_a_capture_cannot() -> None:
    told = frames(seed=1, count=1)
    markets = tomllib.loads(registry_toml(seed=1))["market"]
    assert [(market["id"], *market["tokens"]) for market in markets] == told.ids
    assert {type(market["close_time"]).__name__ for market in markets} == {"datetime"}
    for market in markets:
        assert market["min_size"] == "5"
        assert set(market["fee"]) == {"rate", "exponent", "taker_only"}
        assert (market["taker_delay_ms"], market["neg_risk"]) == (0, False)
        assert isinstance(market["cluster"], str)


@pytest.mark.parametrize(
    ("price", "text"), [(0, "0"), (1, "0.0001"), (100, "0.01"), (3_400, "0.34"), (5_000, "0.5"), (10_000, "1")]
)
def test_prices_are_written_as_the_venue_does(price: int, text: str) -> None:
    assert price_text(price) == text


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0"), (402_000_000, "402"), (17_549_290_000, "17549.29"), (1_500_000, "1.5")]
)
def test_sizes_are_written_as_the_venue_does(size: int, text: str) -> None:
    assert size_text(size) == text
