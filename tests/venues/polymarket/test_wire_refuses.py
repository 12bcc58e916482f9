"""Bad frames: each has its code, is refused whole, names the books it may have spoilt, and leaves no trace."""

from typing import Any

import pytest

from polytraders.contracts.inputs import SIZE_MAX, SIZE_UNIT, Kind
from polytraders.contracts.reasons import number
from polytraders.quarantine import Quarantine
from polytraders.venues.polymarket.wire import Decoder
from tests.venues.polymarket.said import (
    MARKET,
    NO_ID,
    NOW,
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

ALL = [-1]
MINE = [0]
BOTH = [0, 1]
NEW = "0x" + "ef" * 32
WIDE = "".join(chr(0xFF10 + int(digit)) for digit in NOW)
TEXT = frame(pair())


def decoder(capacity: int = 1024) -> Decoder:
    """Two markets on tick 0.01."""
    made = Decoder(capacity, connection=7)
    made.decode(frame([book(), book(NO_ID, bids=(), asks=())]))
    made.decode(frame([book(OTHER_YES, market=OTHER), book(OTHER_NO, bids=(), asks=(), market=OTHER)]))
    # Texts that were seen before take the short way; what is wrong with a frame must be seen there as well.
    made.decode(TEXT)
    return made


def without(event: dict[str, Any], name: str) -> dict[str, Any]:
    """The event without a field."""
    return {key: value for key, value in event.items() if key != name}


def one(**entry: Any) -> dict[str, Any]:
    """A price_change with one change, parts of it replaced; None takes a field away."""
    told = change(YES_ID, "BUY", "0.46", "100") | entry
    return changes({key: value for key, value in told.items() if value is not None})


def deep(depth: int) -> bytes:
    """A usual frame with an unknown field that nests `depth` arrays; the frame itself is one level."""
    return frame(pair())[:-1] + b',"x":' + b"[" * depth + b"]" * depth + b"}"


BAD: list[tuple[str, bytes, str, list[int]]] = [
    ("larger than 4 MB", TEXT + b" " * 4_194_304, "INTEL_FRAME_TOO_LARGE", ALL),
    ("nested 33 deep", deep(32), "INTEL_FRAME_TOO_DEEP", ALL),
    ("nested without end", b'{"a":' * 200_000, "INTEL_FRAME_TOO_DEEP", ALL),
    ("nested behind a text of closing brackets", b'["' + b"]" * 99 + b'",' + b"[" * 40, "INTEL_FRAME_TOO_DEEP", ALL),
    ("not UTF-8", TEXT.replace(b"0.46", b"0.4\xff"), "INTEL_FRAME_NOT_UTF8", ALL),
    ("not UTF-8 in a field nobody reads", TEXT[:-1] + b',"x":"\xc3"}', "INTEL_FRAME_NOT_UTF8", ALL),
    ("empty", b"", "INTEL_FRAME_NOT_JSON", ALL),
    ("cut short", TEXT[:-20], "INTEL_FRAME_NOT_JSON", ALL),
    ("cut short, an array", frame([pair(), pair()])[:-3], "INTEL_FRAME_NOT_JSON", ALL),
    ("two frames in one", TEXT + TEXT, "INTEL_FRAME_NOT_JSON", ALL),
    ("NaN", TEXT.replace(b'"0.46"', b"NaN"), "INTEL_FRAME_NOT_JSON", ALL),
    ("Infinity", TEXT.replace(b'"100"', b"Infinity"), "INTEL_FRAME_NOT_JSON", ALL),
    ("NaN in a field nobody reads", TEXT[:-1] + b',"x":NaN}', "INTEL_FRAME_NOT_JSON", ALL),
    ("half a surrogate", TEXT.replace(b'"BUY"', b'"\\ud800"'), "INTEL_FRAME_NOT_JSON", MINE),
    ("a key twice", TEXT.replace(b'"side":"BUY"', b'"side":"BUY","side":"BUY"'), "INTEL_FRAME_REPEATED_KEY", MINE),
    ("a key twice, one lost", TEXT.replace(b'"hash":""', b'"side":"BUY"', 1), "INTEL_FRAME_REPEATED_KEY", MINE),
    ("a key twice, blanks", TEXT.replace(b'"side":', b'"side" : "SELL","side":'), "INTEL_FRAME_REPEATED_KEY", MINE),
    ("a key twice, escaped", TEXT.replace(b'"hash"', b'"\\u0073ide"', 1), "INTEL_FRAME_REPEATED_KEY", MINE),
    ("a key twice, nobody's", TEXT[:-1] + b',"x":{"y":1,"y":1}}', "INTEL_FRAME_REPEATED_KEY", MINE),
    ("a key twice, and nonsense", TEXT.replace(b'"0.46"', b'"?","price":"?"'), "INTEL_FRAME_REPEATED_KEY", MINE),
    ("two markets", TEXT[:-1] + b',"market":"' + OTHER.encode() + b'"}', "INTEL_FRAME_REPEATED_KEY", BOTH),
    ("a price twice in a book", frame(book(bids=(("0.4", "1"), ("0.40", "2")))), "INTEL_FRAME_REPEATED_KEY", MINE),
    ("no object", b'"book"', "INTEL_FIELD_TYPE", ALL),
    ("an array of numbers", b"[1,2]", "INTEL_FIELD_TYPE", ALL),
    ("null", b"null", "INTEL_FIELD_TYPE", ALL),
    ("no event type", frame(without(pair(), "event_type")), "INTEL_FIELD_MISSING", MINE),
    ("an empty event type", frame(pair(event_type="")), "INTEL_FIELD_MISSING", MINE),
    ("a number as event type", frame(pair(event_type=5)), "INTEL_FIELD_TYPE", MINE),
    ("no market", frame(without(pair(), "market")), "INTEL_FIELD_MISSING", ALL),
    ("an empty market", frame(pair(market="")), "INTEL_FIELD_MISSING", ALL),
    ("a market that is no id", frame(pair(market="0xZZ")), "INTEL_OUTCOME_CONFLICT", ALL),
    ("a new market that is no id", frame(book("9", market="mine")), "INTEL_FIELD_TYPE", ALL),
    ("a token that is no id", frame(book("0x9", market=NEW)), "INTEL_FIELD_TYPE", ALL),
    ("no token", frame(one(asset_id=None)), "INTEL_FIELD_MISSING", MINE),
    ("an empty token", frame(one(asset_id="")), "INTEL_FIELD_MISSING", MINE),
    ("a third token", frame(one(asset_id="9")), "INTEL_OUTCOME_CONFLICT", MINE),
    ("another market's token", frame(one(asset_id=OTHER_YES)), "INTEL_OUTCOME_CONFLICT", BOTH),
    ("no changes", frame(without(pair(), "price_changes")), "INTEL_FIELD_MISSING", MINE),
    ("changes that are no list", frame(pair(price_changes={})), "INTEL_FIELD_TYPE", MINE),
    ("no price", frame(one(price=None)), "INTEL_FIELD_MISSING", MINE),
    ("an empty price", frame(one(price="")), "INTEL_FIELD_MISSING", MINE),
    ("a price as number", frame(one(price=0.46)), "INTEL_FIELD_TYPE", MINE),
    ("a price of 1e400", TEXT.replace(b'"0.46"', b"1e400"), "INTEL_NUMBER_INVALID", MINE),
    ("no size", frame(one(size=None)), "INTEL_FIELD_MISSING", MINE),
    ("an empty size", frame(one(size="")), "INTEL_FIELD_MISSING", MINE),
    ("a size as number", frame(one(size=100)), "INTEL_FIELD_TYPE", MINE),
    ("a size of true", frame(one(size=True)), "INTEL_FIELD_TYPE", MINE),
    ("no side", frame(one(side=None)), "INTEL_FIELD_MISSING", MINE),
    ("a third side", frame(one(side="HOLD")), "INTEL_FIELD_TYPE", MINE),
    ("a negative size", frame(one(size="-1")), "INTEL_SIZE_OUT_OF_RANGE", MINE),
    ("a size below the unit", frame(one(size="0.0000001")), "INTEL_SIZE_OUT_OF_RANGE", MINE),
    ("a size above the door", frame(one(size=f"{SIZE_MAX // SIZE_UNIT}.000001")), "INTEL_SIZE_OUT_OF_RANGE", MINE),
    ("an empty level in a book", frame(book(bids=(("0.4", "0"),))), "INTEL_SIZE_OUT_OF_RANGE", MINE),
    ("a trade of nothing", frame(trade(size="0")), "INTEL_SIZE_OUT_OF_RANGE", MINE),
    ("a price of 0", frame(one(price="0")), "INTEL_PRICE_OUT_OF_RANGE", MINE),
    ("a price of 1", frame(one(price="1")), "INTEL_PRICE_OUT_OF_RANGE", MINE),
    ("a price of 1.01", frame(one(price="1.01")), "INTEL_PRICE_OUT_OF_RANGE", MINE),
    ("a negative price", frame(one(price="-0.46")), "INTEL_PRICE_OUT_OF_RANGE", MINE),
    ("a best price above 1", frame(one(best_ask="1.01")), "INTEL_PRICE_OUT_OF_RANGE", MINE),
    ("a price off the grid", frame(pair("0.465", "0.535")), "INTEL_PRICE_OFF_GRID", MINE),
    ("a price below the unit", frame(one(price="0.46001")), "INTEL_PRICE_OFF_GRID", MINE),
    ("a best price off the grid", frame(one(best_bid="0.475")), "INTEL_PRICE_OFF_GRID", MINE),
    ("a trade off the grid", frame(trade(price="0.475")), "INTEL_PRICE_OFF_GRID", MINE),
    ("a level off the grid", frame(book(asks=(("0.485", "1"),))), "INTEL_PRICE_OFF_GRID", MINE),
    ("a tick that divides nothing", frame(tick_change("0.003")), "INTEL_PRICE_OFF_GRID", MINE),
    ("a tick of 0", frame(tick_change("0")), "INTEL_PRICE_OUT_OF_RANGE", MINE),
    ("a tick of 1", frame(book(tick_size="1")), "INTEL_PRICE_OUT_OF_RANGE", MINE),
    ("no new tick", frame(without(tick_change(), "new_tick_size")), "INTEL_FIELD_MISSING", MINE),
    ("a timestamp of 2019", frame(pair(timestamp="1577836799999")), "INTEL_TIMESTAMP_OUT_OF_RANGE", MINE),
    ("a timestamp of 2100", frame(pair(timestamp="4102444800000")), "INTEL_TIMESTAMP_OUT_OF_RANGE", MINE),
    ("seconds for milliseconds", frame(pair(timestamp="1780795911")), "INTEL_TIMESTAMP_OUT_OF_RANGE", MINE),
    ("a timestamp as number", frame(pair(timestamp=1780795911767)), "INTEL_FIELD_TYPE", MINE),
    ("an empty timestamp", frame(pair(timestamp="")), "INTEL_FIELD_MISSING", MINE),
    ("a timestamp in words", frame(pair(timestamp="now")), "INTEL_NUMBER_INVALID", MINE),
    ("a timestamp in other digits", TEXT.replace(NOW.encode(), WIDE.encode()), "INTEL_NUMBER_INVALID", MINE),
    ("the same, escaped", frame(pair(timestamp=WIDE)), "INTEL_NUMBER_INVALID", MINE),
    ("a signed timestamp", frame(pair(timestamp="+178079591176")), "INTEL_NUMBER_INVALID", MINE),
    ("a book without bids", frame(without(book(), "bids")), "INTEL_FIELD_MISSING", MINE),
    ("a level without a size", frame(book() | {"asks": [{"price": "0.48"}]}), "INTEL_FIELD_MISSING", MINE),
    ("levels as pairs", frame(book() | {"asks": [["0.48", "1"]]}), "INTEL_FIELD_TYPE", MINE),
    ("a protocol of tomorrow", frame(pair(version="v3")), "INTEL_PROTOCOL_UNKNOWN", MINE),
    ("a book of tomorrow", frame(book(version="3")), "INTEL_PROTOCOL_UNKNOWN", MINE),
    ("a winner of another market", frame(resolved(OTHER_YES)), "INTEL_OUTCOME_CONFLICT", MINE),
    ("one bad event of two", frame([pair(), one(price="2")]), "INTEL_PRICE_OUT_OF_RANGE", MINE),
    ("bad, two markets", frame([one(price="2"), book(OTHER_YES, market=OTHER)]), "INTEL_PRICE_OUT_OF_RANGE", BOTH),
    ("one event without a market", frame([pair(), without(pair(), "market")]), "INTEL_FIELD_MISSING", ALL),
    ("a bad book of a new market", frame(book("9", market=NEW, tick_size="2")), "INTEL_PRICE_OUT_OF_RANGE", ALL),
]  # fmt: skip

NUMBERS = [
    "0x10", "1e2", "1E-2", "NaN", "Infinity", "-Infinity", "+1", " 1", "1 ", "1_0", "1,0", "1.", ".", "..1", "1.1.1",
    "--1", "-", "\u0661", "\u00b2", "\uff11", "1\u0000", "0" * 33, "9" * 4_000, "one",
]  # fmt: skip


@pytest.mark.parametrize(("raw", "code", "markets"), [line[1:] for line in BAD], ids=[line[0] for line in BAD])
def test_a_bad_frame_has_its_code_and_names_the_books_it_may_have_spoilt(
    raw: bytes, code: str, markets: list[int]
) -> None:
    known, clean = decoder(), decoder()
    before = known.counters
    decoded = known.decode(raw)
    assert decoded.code == code
    assert decoded.source_ts == 0
    why = number(code)
    assert decoded.rows == [(Kind.REFUSED, 0, 0, market, 0, 0, why, 7, 0) for market in markets]
    expected = before.copy()
    expected.update(["frames", "refused", f"refused:{code}"])
    assert known.counters == expected
    # What follows is read as if the frame had never come.
    for event in ([pair()], book(), trade(), book("9", market=NEW), book(OTHER_NO, market=OTHER)):
        assert known.decode(frame(event)) == clean.decode(frame(event))
    assert known.markets == clean.markets


@pytest.mark.parametrize("text", NUMBERS)
@pytest.mark.parametrize("field", ["price", "size", "best_bid"])
def test_only_plain_ascii_decimals_are_numbers(field: str, text: str) -> None:
    decoded = decoder().decode(frame(one(**{field: text})))
    assert decoded.code == "INTEL_NUMBER_INVALID"


@pytest.mark.parametrize("text", ["0.46", ".46", "0.460", "00.46", "0.4600000"])
def test_the_same_price_may_be_written_in_several_ways(text: str) -> None:
    assert decoder().decode(frame(one(price=text))).rows[0][4] == 4_600


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("0", 0),
        ("0.000001", 1),
        ("17549.29", 17_549_290_000),
        ("1.0000000", 1_000_000),
        (str(SIZE_MAX // SIZE_UNIT), SIZE_MAX),
    ],
)
def test_sizes_are_exact_to_a_millionth(text: str, units: int) -> None:
    assert decoder().decode(frame(one(size=text))).rows[0][5] == units


def test_32_levels_of_nesting_pass() -> None:
    known = decoder()
    assert known.decode(deep(31)).code is None
    assert known.counters["unknown_field:price_change.x"] == 1


def test_brackets_in_a_text_are_no_nesting() -> None:
    assert decoder().decode(frame(pair(x='\\"' + "[{" * 99))).code is None


def test_four_megabytes_are_the_last_to_be_read() -> None:
    assert decoder().decode(TEXT + b" " * (4_194_304 - len(TEXT))).code is None


def test_a_market_too_many_spoils_no_other() -> None:
    known = decoder(capacity=2)
    decoded = known.decode(frame(book("9", market=NEW)))
    assert decoded.code == "INTEL_MARKET_CAPACITY"
    assert decoded.rows == []
    mixed = known.decode(frame([book(), book("9", market=NEW)]))
    assert mixed.code == "INTEL_MARKET_CAPACITY"
    assert [row[3] for row in mixed.rows] == MINE


def test_a_refused_frame_takes_back_markets_tokens_ticks_and_twins() -> None:
    known = Decoder()
    first = [book(), tick_change("0.001"), book("9", market=NEW, tick_size="0.001"), one(price="7")]
    assert known.decode(frame(first)).code == "INTEL_PRICE_OUT_OF_RANGE"
    assert known.markets == []
    told = known.decode(frame(book(NO_ID)))
    assert [row[0] for row in told.rows[:2]] == [Kind.TICK_SIZE, Kind.SNAP_OPEN]
    assert told.rows[0][4] == 100
    assert told.rows[1][2] & 32 == 0, "the book it would be the twin of was refused"
    assert known.markets == [MARKET]


def test_every_bad_frame_is_kept_cut_to_its_first_64_kilobytes() -> None:
    known, quarantine = decoder(), Quarantine(None)
    for at, (_, raw, _, _) in enumerate(BAD):
        decoded = known.decode(raw)
        assert decoded.code is not None
        quarantine.keep(decoded.code, at, raw)
    assert len(quarantine.newest) == len(BAD)
    assert [kept.code for kept in quarantine.newest] == [line[2] for line in BAD]
    assert [len(kept.raw) for kept in quarantine.newest] == [min(len(line[1]), 65_536) for line in BAD]


def test_names_of_unknown_things_are_counted_within_bounds() -> None:
    known = decoder()
    for at in range(500):
        known.decode(frame({"event_type": f"event {at} " + "x" * 1_000}))
        known.decode(frame(pair() | {f"field {at}": 1}))
    counters = known.counters
    assert len(counters) < 200
    assert max(map(len, counters)) < 100
    assert counters["unknown_event:other"] > 400
    assert sum(count for name, count in counters.items() if name.startswith("unknown_field")) == 500
