"""Reference prices from Binance's combined stream, and what is not believed."""

import gzip
import json
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polytraders.contracts.inputs import Kind
from polytraders.contracts.reasons import number
from polytraders.venues.binance.wire import REFERENCE_MAX, Decoded, Decoder
from polytraders.venues.polymarket.door import FRAME_MAX

DATA = Path(os.environ.get("POLYTRADERS_DATA", Path(__file__).resolve().parents[4] / "shared" / "data"))
CAPTURE = DATA / "binance" / "btcusdt_20240808.gz"
recorded = pytest.mark.skipif(not CAPTURE.exists(), reason="no recorded data: set POLYTRADERS_DATA")

MS = 1_000_000
SECOND = 1_000_000_000
NOW_MS = 1_791_241_200_000
NOW = NOW_MS * MS


def frame(stream: str, data: Any) -> bytes:
    return json.dumps({"stream": f"btcusdt@{stream}", "data": data}, separators=(",", ":")).encode()


def trade(price: Any = "61837.63000000", at_ms: Any = NOW_MS, **more: Any) -> bytes:
    told = {"e": "trade", "E": at_ms, "s": "BTCUSDT", "t": 1, "p": price, "q": "0.02", "T": at_ms, "m": True, "M": True}
    return frame("trade", {key: value for key, value in (told | more).items() if value is not None})


def quote(bid: Any = "61837.63000000", ask: Any = "61837.64000000", update: Any = 1, **more: Any) -> bytes:
    told = {"u": update, "s": "BTCUSDT", "b": bid, "B": "3.78826000", "a": ask, "A": "1.54698000"}
    return frame("bookTicker", {key: value for key, value in (told | more).items() if value is not None})


def decoder(trade_ms: int | None = NOW_MS) -> Decoder:
    """A decoder that has seen a trade just now."""
    made = Decoder({"BTCUSDT": 1, "ETHUSDT": 0}, connection=9)
    if trade_ms is not None:
        assert made.decode(trade(at_ms=trade_ms), NOW).code is None
    return made


def refused(code: str) -> Decoded:
    return Decoded([(int(Kind.REFUSED), 0, 0, -1, 0, 0, number(code), 9, 0)], 0, code)


def reference(price: int) -> Decoded:
    return Decoded([(int(Kind.REFERENCE), 0, 0, 1, price, 0, 0, 0, 0)], 0, None)


def test_worked_example() -> None:
    made = Decoder({"BTCUSDT": 1}, connection=9)
    assert made.decode(trade(), NOW) == Decoded([], NOW, None)
    assert made.decode(quote(), NOW) == reference(6_183_763_500_000)
    assert made.decode(quote("61837.63000001", "61837.63000002", 2), NOW) == reference(6_183_763_000_001)


def test_prices_are_exact() -> None:
    assert decoder().decode(quote("0.00000001", "0.00000001"), NOW) == reference(1)
    assert decoder().decode(quote("100000000", "100000000"), NOW) == reference(REFERENCE_MAX)
    assert decoder().decode(quote("65000", "65000.5"), NOW) == reference(6_500_025_000_000)


def test_a_quote_before_any_trade_says_nothing_since_nobody_knows_how_late_it_is() -> None:
    assert decoder(trade_ms=None).decode(quote(), NOW) == Decoded([], 0, None)


def test_an_unchanged_mid_is_said_again_four_times_a_second() -> None:
    made = decoder()
    steps = [made.decode(quote(update=1 + n), NOW + n * 100 * MS).rows for n in range(7)]
    assert [len(rows) for rows in steps] == [1, 0, 0, 1, 0, 0, 1]
    assert made.counters["unchanged"] == 4


@pytest.mark.parametrize(
    ("late_ms", "believed"), [(3_000, True), (3_001, False), (-3_000, True), (-3_001, False), (1_800_000, False)]
)
def test_a_connection_that_runs_late_or_ahead_is_not_believed(late_ms: int, believed: bool) -> None:
    made = Decoder({"BTCUSDT": 1}, connection=9)
    code = None if believed else "INTEL_REFERENCE_STALE"
    assert made.decode(trade(at_ms=NOW_MS - late_ms), NOW).code == code
    assert made.decode(quote(), NOW).code == code


def test_quotes_are_believed_again_with_the_first_timely_trade() -> None:
    made = decoder()
    assert made.decode(trade(at_ms=NOW_MS - 5_000), NOW).code == "INTEL_REFERENCE_STALE"
    assert made.decode(quote(), NOW) == refused("INTEL_REFERENCE_STALE")
    assert made.decode(trade(at_ms=NOW_MS), NOW).code is None
    assert made.decode(quote(update=2), NOW) == reference(6_183_763_500_000)


@pytest.mark.parametrize(("silent", "code"), [(10 * SECOND, None), (10 * SECOND + 1, "INTEL_REFERENCE_STALE")])
def test_quotes_without_trades_are_believed_for_a_while(silent: int, code: str | None) -> None:
    assert decoder().decode(quote(), NOW + silent).code == code


@pytest.mark.parametrize("update", [7, 6, 0])
def test_an_older_update_of_the_book_is_stale(update: int) -> None:
    made = decoder()
    made.decode(quote(update=7), NOW)
    assert made.decode(quote("61900", "61901", update), NOW) == refused("INTEL_REFERENCE_STALE")


def test_after_a_loss_numbers_may_start_again_and_a_trade_is_waited_for() -> None:
    made = decoder()
    made.decode(quote(update=7), NOW)
    made.reset()
    assert made.decode(quote(update=1), NOW) == Decoded([], 0, None)
    made.decode(trade(), NOW)
    assert made.decode(quote(update=2), NOW) == reference(6_183_763_500_000)


@pytest.mark.parametrize(
    ("bid", "ask"),
    [
        ("0", "1"), ("-1", "1"), ("1", "0"), ("100000000.00000001", "100000001"), ("9" * 20, "9" * 20),
        ("61838", "61837"), ("61000", "61700"), ("6183.763", "6183.764"), ("618376.3", "618376.4"),
    ],
)  # fmt: skip
def test_an_impossible_or_implausible_price_is_refused(bid: str, ask: str) -> None:
    made = decoder()
    made.decode(quote(), NOW)
    assert made.decode(quote(bid, ask, 2), NOW) == refused("INTEL_REFERENCE_OUT_OF_RANGE")
    assert made.decode(quote("61840.00", "61840.02", 3), NOW) == reference(6_184_001_000_000)


@pytest.mark.parametrize(
    ("price", "believed"), [("123675.27", True), ("123675.28", False), ("30918.82", True), ("30918.81", False)]
)
def test_a_price_may_double_or_halve_and_no_more(price: str, believed: bool) -> None:
    made = decoder()
    made.decode(quote("61837.635", "61837.635"), NOW)
    found = made.decode(quote(price, price, 2), NOW)
    assert found.code == (None if believed else "INTEL_REFERENCE_OUT_OF_RANGE")


def test_a_price_of_a_minute_ago_is_no_measure_any_more() -> None:
    made = decoder()
    made.decode(quote(), NOW)
    late = NOW + 61 * SECOND
    made.decode(trade(at_ms=NOW_MS + 61_000), late)
    assert made.decode(quote("6183.763", "6183.763", 2), late) == reference(618_376_300_000)


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (quote(None), "INTEL_FIELD_MISSING"),
        (quote(ask=""), "INTEL_FIELD_MISSING"),
        (quote(update=None), "INTEL_FIELD_MISSING"),
        (quote(s=None), "INTEL_FIELD_MISSING"),
        (trade(at_ms=None), "INTEL_FIELD_MISSING"),
        (trade(None), "INTEL_FIELD_MISSING"),
        (b'{"data":{}}', "INTEL_FIELD_MISSING"),
        (b'{"stream":"btcusdt@trade"}', "INTEL_FIELD_MISSING"),
        (quote(61837.63), "INTEL_FIELD_TYPE"),
        (quote(update="7"), "INTEL_FIELD_TYPE"),
        (trade(at_ms="1791241200000"), "INTEL_FIELD_TYPE"),
        (frame("trade", []), "INTEL_FIELD_TYPE"),
        (b"[]", "INTEL_FIELD_TYPE"),
        (quote("NaN"), "INTEL_NUMBER_INVALID"),
        (quote("Infinity"), "INTEL_NUMBER_INVALID"),
        (quote("6e4"), "INTEL_NUMBER_INVALID"),
        (quote("0x10"), "INTEL_NUMBER_INVALID"),
        (quote("61837.630000001"), "INTEL_NUMBER_INVALID"),
        (quote("١٢"), "INTEL_NUMBER_INVALID"),
        (quote(update=10**30), "INTEL_NUMBER_INVALID"),
        (trade(at_ms=1_791_241_200), "INTEL_TIMESTAMP_OUT_OF_RANGE"),
        (trade("0"), "INTEL_REFERENCE_OUT_OF_RANGE"),
        (quote(s="DOGEUSDT"), "INTEL_UNKNOWN_EVENT"),
        (quote()[:-1], "INTEL_FRAME_NOT_JSON"),
        (b"", "INTEL_FRAME_NOT_JSON"),
        (quote().replace(b'"b":', b'"b":"1","b":'), "INTEL_FRAME_REPEATED_KEY"),
        (b'{"stream":"\xff"}', "INTEL_FRAME_NOT_UTF8"),
        (b"[" * 40 + b"]" * 40, "INTEL_FRAME_TOO_DEEP"),
        (b" " * (FRAME_MAX + 1), "INTEL_FRAME_TOO_LARGE"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_code(raw: bytes, code: str) -> None:
    made = decoder()
    assert made.decode(raw, NOW) == refused(code)
    assert made.counters[f"refused:{code}"] == made.counters["refused"] == 1
    assert made.decode(quote(), NOW) == reference(6_183_763_500_000)


def test_another_stream_is_counted_and_refuses_nothing() -> None:
    made = decoder()
    assert made.decode(frame("depth@100ms", {"b": []}), NOW) == Decoded([], 0, "INTEL_UNKNOWN_EVENT")
    assert made.counters["unknown"] == 1


def test_symbols_do_not_mix() -> None:
    made = decoder()
    made.decode(quote(), NOW)
    assert made.decode(quote("2600.01", "2600.02", s="ETHUSDT"), NOW).rows == []
    made.decode(trade("2600", s="ETHUSDT"), NOW)
    found = made.decode(quote("2600.01", "2600.03", 2, s="ETHUSDT"), NOW)
    assert found.rows == [(int(Kind.REFERENCE), 0, 0, 0, 260_002_000_000, 0, 0, 0, 0)]


@given(st.binary(max_size=80))
def test_whatever_arrives_nothing_is_raised(raw: bytes) -> None:
    made = decoder()
    assert made.decode(raw, NOW).code is not None


@given(st.decimals("0.01", "1000000", places=2), st.integers(0, 100))
def test_the_mid_is_the_exact_middle_rounded_down(bid: Decimal, cents: int) -> None:
    ask = bid + Decimal(cents) / 10_000
    found = decoder().decode(quote(f"{bid:.8f}", f"{ask:.8f}"), NOW)
    if (ask - bid) * 200 > bid + ask:
        assert found.code == "INTEL_REFERENCE_OUT_OF_RANGE"
    elif found.code is None:
        assert found.rows[0][4] == int((bid + ask) / 2 * 10**8)


@recorded
def test_a_recorded_stream_is_read_whole() -> None:
    made = Decoder({"BTCUSDT": 0}, connection=1)
    rows, codes = 0, set()
    with gzip.open(CAPTURE, "rb") as lines:
        for line in lines:
            stamp, _, raw = line.rstrip(b"\n").partition(b" ")
            found = made.decode(raw, int(stamp))
            codes.add(found.code)
            for row in found.rows:
                if row[0] == Kind.REFERENCE:
                    told = json.loads(raw)["data"]
                    assert row[4] == int((Decimal(told["b"]) + Decimal(told["a"])) * 10**8) // 2
                    rows += 1
    # The one refusal is the REST snapshot that the recorder put between the stream's messages.
    assert made.counters["refused"] == made.counters["refused:INTEL_FIELD_MISSING"] == 1
    assert codes == {None, "INTEL_UNKNOWN_EVENT", "INTEL_FIELD_MISSING"}
    assert (made.counters["quotes"], made.counters["trades"]) == (28_040, 9_757)
    assert (rows, made.counters["unchanged"], made.counters["undated"]) == (3_684, 24_355, 1)
