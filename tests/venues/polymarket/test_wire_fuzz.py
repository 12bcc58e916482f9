"""Ten thousand frames nobody would send: whatever comes, the decoder answers, keeps its bounds, and reads on."""

import json
import tracemalloc
from random import Random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polytraders.contracts.inputs import NO_PRICE, PRICE_UNIT, SIZE_MAX, Flag, Kind
from polytraders.contracts.reasons import number
from polytraders.venues.polymarket.wire import Decoder
from tests.venues.polymarket.said import (
    MARKET,
    NO_ID,
    NOW,
    NOW_NS,
    OTHER,
    OTHER_NO,
    OTHER_YES,
    YES_ID,
    book,
    change,
    changes,
    frame,
    pair,
    resolved,
    tick_change,
    trade,
)

many = settings(
    max_examples=1_000, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)

EVENTS: list[Any] = [
    pair(),
    pair("0.4", "0.6", "12.5"),
    changes(
        change(NO_ID, "SELL", "0.6", "1", "0.52", "0.53"),
        change(YES_ID, "BUY", "0.4", "1"),
        change(YES_ID, "SELL", "0.5", "0"),
    ),
    book(),
    [book(NO_ID), book(OTHER_YES, market=OTHER)],
    trade(),
    tick_change(),
    resolved(),
    {"event_type": "best_bid_ask", "market": MARKET, "asset_id": YES_ID, "best_bid": "0.4", "timestamp": NOW},
    {"event_type": "new_market", "market": "0x" + "ef" * 32, "assets_ids": ["7", "8"], "timestamp": NOW},
]  # fmt: skip
FRAMES = [frame(event) for event in EVENTS] + [b"PONG"]
PIECES = [
    b'"', b"\\", b"{", b"}", b"[", b"]", b":", b",", b"-", b".", b"e9", b"null", b"true", b"NaN", b"\xff", b"\x00",
    b'""', b"0", b"1", b"9" * 50, b"\\u0000", b'"price":"0.4",', b'"market":"",', b'{"price":"0.4","size":"1"},',
    b"[" * 33, b" ",
]  # fmt: skip
VALUES: list[Any] = [
    None, True, 0, -1, 1.5, 10**30, "", "0", "1", "-1", "0.4", "0.405", "1e3", "NaN", "x" * 300, [], [[]], {},
    {"a": {}}, MARKET, OTHER, YES_ID, NO_ID, OTHER_NO, "BUY", "book", "price_change", "1780795911768", "v3", [None],
    [{"price": "0.4"}],
]  # fmt: skip
KEYS = [
    "market",
    "asset_id",
    "price",
    "size",
    "side",
    "timestamp",
    "event_type",
    "bids",
    "price_changes",
    "tick_size",
    "new",
]


def decoder() -> Decoder:
    """Two markets on tick 0.01."""
    made = Decoder(capacity=4)
    made.decode(frame([book(), book(NO_ID, bids=(), asks=()), book(OTHER_YES, market=OTHER)]))
    return made


WARM = decoder()
"""Has seen every text of its test before, so that only what the texts say decides which way a frame goes."""
for text in ("0.46", "0.460", "0.47", "0.48", "0.52", "0.53", "0.54"):
    for size in ("6", "100", "100.0"):
        for best in (text, "", "1"):
            assert WARM.decode(frame(changes(change(YES_ID, "BUY", text, size, best, best)))).code is None


def judge(known: Decoder, raw: bytes) -> None:
    """Decode, and hold the answer against everything that must always be true."""
    markets, refused = list(known.markets), known.counters["refused"]
    decoded = known.decode(raw)
    for row in decoded.rows:
        kind, side, flags, market, price, size, *_ = row
        assert len(row) == 9
        assert Kind(kind) in Kind
        assert side in (0, 1)
        assert 0 <= flags < 2 * Flag.HASH_EMPTY
        assert -1 <= market < len(known.markets)
        if kind in (Kind.LEVEL, Kind.SNAP_LEVEL, Kind.TRADE):
            assert 0 < price < PRICE_UNIT
            assert 0 <= size <= SIZE_MAX
        if flags & Flag.BEST:
            assert all(best == NO_PRICE or 0 < best < PRICE_UNIT for best in row[6:8])
    if any(row[0] == Kind.REFUSED for row in decoded.rows):
        assert {row[6] for row in decoded.rows} == {number(decoded.code or "")}
        assert known.markets == markets
    assert (known.counters["refused"] > refused) == (decoded.code not in (None, "INTEL_UNKNOWN_EVENT"))
    if decoded.code is None and raw.strip() != b"PONG":
        json.loads(raw, object_pairs_hook=once)
    reads_on(known)


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose keys are all different."""
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def reads_on(known: Decoder) -> None:
    """Good frames mean what they always mean."""
    assert known.decode(frame(book())).code is None
    level = (Kind.LEVEL, 0, Flag.LAST | Flag.BEST | Flag.MIRRORED, 0, 4_600, 100_000_000, 4_700, 4_800, NOW_NS)
    assert known.decode(frame(pair())).rows == [level]


@many
@given(st.binary(max_size=200))
def test_noise(raw: bytes) -> None:
    judge(decoder(), raw)


@many
@given(
    st.sampled_from(FRAMES),
    st.lists(st.tuples(st.integers(0, 2_000), st.integers(0, 20), st.sampled_from(PIECES)), min_size=1, max_size=4),
)
def test_frames_with_pieces_cut_out_and_put_in(raw: bytes, cuts: list[tuple[int, int, bytes]]) -> None:
    for at, length, piece in cuts:
        at %= len(raw) + 1
        raw = raw[:at] + piece + raw[at + length :]
    judge(decoder(), raw)


@many
@given(st.sampled_from(FRAMES), st.integers(0, 2_000), st.integers(0, 255))
def test_frames_with_one_byte_changed_or_cut_there(raw: bytes, at: int, byte: int) -> None:
    at %= len(raw)
    judge(decoder(), raw[:at] + bytes([byte]) + raw[at + 1 :])
    judge(decoder(), raw[:at])


@many
@given(st.sampled_from(EVENTS), st.integers(0, 50), st.sampled_from(VALUES), st.sampled_from([*KEYS, None]))
def test_events_with_a_value_or_a_key_replaced(event: Any, at: int, value: Any, key: str | None) -> None:
    tree = json.loads(frame(event))
    places = list(walk(tree))
    holder, name = places[at % len(places)]
    holder[name] = value
    if key is not None and isinstance(holder, dict):
        holder[key] = value
    judge(decoder(), frame(tree))


@many
@given(st.lists(st.sampled_from(EVENTS), max_size=6), st.sampled_from(VALUES), st.integers(0, 6))
def test_arrays_of_events_with_something_else_among_them(events: list[Any], value: Any, at: int) -> None:
    told = [event for event in events if isinstance(event, dict)]
    judge(decoder(), frame(told))
    told.insert(at, value)
    judge(decoder(), frame(told))


OTHERWISE = {
    "asset_id": [YES_ID, NO_ID, OTHER_YES],
    "side": ["BUY", "SELL"],
    "price": ["0.46", "0.460", "0.54", "0.48"],
    "size": ["100", "100.0", "6"],
    "best_bid": ["0.47", "0.52", "", "0.46"],
    "best_ask": ["0.48", "0.53", "1", "0.54"],
}
ONE_OTHER = st.sampled_from([(at, key, text) for at in (0, 1) for key, texts in OTHERWISE.items() for text in texts])


@many
@given(st.booleans(), st.lists(ONE_OTHER, max_size=3))
def test_the_short_way_says_what_the_long_way_says(reverse: bool, others: list[tuple[int, str, str]]) -> None:
    event = json.loads(frame(pair()))
    for at, key, text in others:
        event["price_changes"][at][key] = text
    if reverse:
        event["price_changes"].reverse()
    raw = frame(event)
    # An array always goes the long way.
    assert WARM.decode(raw) == WARM.decode(b"[" + raw + b"]")


def walk(tree: Any) -> Any:
    """Every place in a tree, as (container, key or index)."""
    for name in list(tree) if isinstance(tree, dict) else range(len(tree)):
        yield tree, name
        if isinstance(tree[name], dict | list):
            yield from walk(tree[name])


def test_a_hostile_feed_does_not_fill_the_memory() -> None:
    random = Random(7)
    known = decoder()

    def feed(count: int) -> None:
        for _ in range(count):
            size = f"{random.randrange(10**6)}.{random.randrange(10**6):06d}"
            nonce = f"{random.randrange(10**12)}"
            known.decode(frame(pair(size=size, price="0.46" + "0" * random.randrange(20))))
            known.decode(frame({"event_type": nonce, nonce: nonce * 20}))
            known.decode(frame(pair() | {nonce: 1}))
            known.decode(frame(book(nonce, market=f"0x{random.getrandbits(256):064x}")))
            known.decode(frame(pair())[: random.randrange(400)])

    feed(1_000)
    tracemalloc.start()
    try:
        feed(4_000)
        grown = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert grown < 2_000_000, "4,000 sizes remembered, and nothing else"
    assert len(known.markets) == 4
    reads_on(known)
