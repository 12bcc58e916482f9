"""One market as the catalogue lists it, and every way in which it can fail to."""

import json
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polytraders.contracts.reasons import reason
from polytraders.venues.polymarket.listing import Listing, Refused, read
from tests.venues.polymarket.listed import CONDITION, NO_TOKEN, START, YES_TOKEN, clob, gamma, raw, slow

DATA = Path(os.environ.get("POLYTRADERS_DATA", Path(__file__).resolve().parents[4] / "shared" / "data"))
FIXTURES = DATA / "protocol-v2-fixtures"
recorded = pytest.mark.skipif(not FIXTURES.exists(), reason="no recorded data: set POLYTRADERS_DATA")

SECOND = 1_000_000_000


def listing(told: dict[str, Any], other: dict[str, Any] | None = None) -> Listing:
    found = read(raw(told), raw(clob() if other is None else other))
    assert isinstance(found, Listing), found
    return found


def refusal(told: Any, other: Any = None) -> tuple[str, str]:
    found = read(raw(told), raw(clob() if other is None else other))
    assert isinstance(found, Refused), found
    return found.code, found.what


def test_worked_example() -> None:
    assert listing(gamma()) == Listing(
        condition_id=CONDITION, tokens=(YES_TOKEN, NO_TOKEN), outcomes=("Up", "Down"), protocol="v1",
        min_size=5_000_000, min_size_text="5", tick=100, fee_rate=70_000, fee_exponent=1_000, fee_taker_only=True,
        taker_delay_ms=150, open_ts=START * SECOND, close_ts=(START + 900) * SECOND, neg_risk=False, event_id="",
        cluster="btc", title="Bitcoin Up or Down?", slug=f"btc-updown-15m-{START}", active=True, closed=False,
        accepting_orders=True, reference="BTC", strike_ts=START * SECOND, strike=None, twap_s=60, gap_p999_ms=None,
    )  # fmt: skip


def test_a_listing_survives_its_way_through_json() -> None:
    found = listing(gamma())
    assert msgspec.json.decode(msgspec.json.encode(found), type=Listing) == found


def test_yes_is_found_by_name_and_not_by_place() -> None:
    turned = gamma(outcomes='["Down", "Up"]', clobTokenIds=json.dumps([NO_TOKEN, YES_TOKEN]))
    assert listing(turned).tokens == (YES_TOKEN, NO_TOKEN)
    assert listing(slow(outcomes='["no", "YES"]'), clob(("no", "YES"))).outcomes == ("YES", "no")


@pytest.mark.parametrize(
    ("more", "other"),
    [
        ({"orderMinSize": "5", "orderPriceMinTickSize": "0.010"}, {"mos": "5.0", "mts": "0.01"}),
        ({"outcomes": ["Up", "Down"], "clobTokenIds": [YES_TOKEN, NO_TOKEN]}, {}),
        ({"feeSchedule": {"rate": "0.07", "exponent": "1", "takerOnly": True}}, {}),
        ({}, {"fd": {"r": ".070", "e": "1.0", "to": True}}),
        ({"endDate": "2026-10-06T01:15:00+02:00"}, {}),
        ({"feeSchedule": None, "feesEnabled": None}, {}),
        ({"orderMinSize": None, "orderPriceMinTickSize": None, "version": None}, {}),
        ({}, {"mos": None, "mts": None, "fd": None, "v": None, "t": None, "c": None}),
    ],
)  # fmt: skip
def test_numbers_may_be_quoted_and_either_service_may_be_silent(more: dict[str, Any], other: dict[str, Any]) -> None:
    found, usual = listing(gamma(**more), clob(**other)), listing(gamma())
    assert msgspec.structs.replace(found, min_size_text="5") == usual


def test_the_clobs_tick_counts_since_gamma_tells_it_late() -> None:
    assert listing(gamma(orderPriceMinTickSize=0.01), clob(mts=0.001)).tick == 10


@pytest.mark.parametrize(
    ("more", "other", "delay_ms"),
    [
        ({}, {"itode": None}, 0),
        ({}, {"itode": False, "sd": 0}, 0),
        ({"secondsDelay": 3}, {"itode": None}, 3_000),
        ({}, {"itode": None, "sd": "1"}, 1_000),
        ({"secondsDelay": 1}, {"itode": True, "sd": 3}, 3_000),
    ],
)
def test_the_longest_delay_that_is_told_counts(more: dict[str, Any], other: dict[str, Any], delay_ms: int) -> None:
    assert listing(gamma(**more), clob(**other)).taker_delay_ms == delay_ms


@pytest.mark.parametrize("other", [{"fd": None}, {"fd": {"r": 0, "e": 0, "to": False}}])
def test_a_market_without_fees_costs_nothing(other: dict[str, Any]) -> None:
    found = listing(gamma(feesEnabled=False, feeSchedule=None), clob(**other))
    assert (found.fee_rate, found.fee_exponent, found.fee_taker_only) == (0, 1_000, True)


def test_base_fees_are_not_read() -> None:
    assert listing(gamma(makerBaseFee=1000, takerBaseFee="lots"), clob(mbf="?", tbf=None)).fee_rate == 70_000


@pytest.mark.parametrize(
    ("more", "cluster"),
    [
        ({"negRisk": True, "events": [{"id": 7, "seriesSlug": "fed"}]}, "negrisk-7"),
        ({"events": [{"id": "7", "seriesSlug": "fed-rates"}]}, "fed-rates"),
        ({"events": [{"id": "7", "series": [{"slug": None}, {"slug": "nba"}]}]}, "nba"),
        ({"category": "Crypto", "events": [{"id": "7"}]}, "crypto"),
        ({"events": [{"id": "7", "category": " Politics "}]}, "politics"),
        ({"events": [{"id": "7"}]}, "event-7"),
        ({"events": []}, "unclassified"),
    ],
)
def test_markets_are_grouped_by_what_moves_them_together(more: dict[str, Any], cluster: str) -> None:
    assert listing(slow(**more), clob(("Yes", "No"))).cluster == cluster


def test_a_slow_market_has_no_strike() -> None:
    found = listing(slow(), clob(("Yes", "No")))
    assert (found.reference, found.strike_ts, found.open_ts, found.twap_s) == (None, None, None, 0)
    assert found.event_id == "23784"


@pytest.mark.parametrize(
    ("slug", "seconds", "reference"),
    [("btc-updown-5m-1791241200", 300, "BTC"), ("eth-updown-1h-1791241200", 3_600, "ETH")],
)
def test_the_window_of_an_up_down_market_is_in_its_slug(slug: str, seconds: int, reference: str) -> None:
    end = {300: "2026-10-05T23:05:00Z", 3_600: "2026-10-06T00:00:00Z"}[seconds]
    found = listing(gamma(slug=slug, endDate=end))
    assert (found.strike_ts, found.close_ts) == (START * SECOND, (START + seconds) * SECOND)
    assert found.reference == reference and found.cluster == reference.lower()


@pytest.mark.parametrize(
    ("config", "seconds"),
    [({"twapEnabled": True, "twapLookbackSeconds": "30"}, 30), ({"twapEnabled": False, "twapLookbackSeconds": 60}, 0)],
)
def test_an_average_counts_only_where_it_is_switched_on(config: dict[str, Any], seconds: int) -> None:
    assert listing(gamma(cryptoMarketConfig=config)).twap_s == seconds


V2 = 0x0001_0000000000000000000000000000000A_0002_0000000000000000_0089_0000_00
PADDED = "0x" + "cd" * 31 + "00"


def test_a_market_of_the_second_protocol_has_other_ids() -> None:
    ids = [str(V2), str(V2 + 1)]
    told = gamma(version="v2", conditionId="0x" + "cd" * 31, clobTokenIds=None, positionIds=ids)
    other = clob(c=PADDED, v="v2", t=[{"t": ids[1], "o": "Down"}, {"t": ids[0], "o": "Up"}])
    found = listing(told, other)
    assert (found.protocol, found.condition_id, found.tokens) == ("v2", PADDED, (ids[0], ids[1]))


MISSING = "INTEL_LISTING_INCOMPLETE"
RANGE = "INTEL_LISTING_OUT_OF_RANGE"
CONFLICT = "INTEL_LISTING_CONFLICT"
OUTCOMES = "INTEL_LISTING_OUTCOMES"
PROTOCOL = "INTEL_LISTING_PROTOCOL"
UNREADABLE = "INTEL_LISTING_UNREADABLE"

REFUSED: list[tuple[dict[str, Any], dict[str, Any], str, str]] = [
    ({"enableOrderBook": False}, {}, "INTEL_LISTING_NO_BOOK", "enableOrderBook"),
    ({"conditionId": None}, {}, MISSING, "conditionId"),
    ({"conditionId": ""}, {}, MISSING, "conditionId"),
    ({"conditionId": "0xAB"}, {}, RANGE, "conditionId"),
    ({}, {"c": "0x" + "cd" * 32}, CONFLICT, "condition id"),
    ({"version": "v3"}, {}, PROTOCOL, "version"),
    ({}, {"v": "v9"}, PROTOCOL, "version"),
    ({}, {"v": "v2"}, CONFLICT, "version"),
    ({"version": "v2", "positionIds": ["1", str(1 << 40)]}, {"v": "v2"}, PROTOCOL, "positionIds"),
    ({"version": "v2"}, {"v": "v2"}, MISSING, "tokens"),
    ({"clobTokenIds": None}, {}, MISSING, "tokens"),
    ({"clobTokenIds": "[]"}, {}, MISSING, "tokens"),
    ({"outcomes": None}, {}, MISSING, "outcomes"),
    ({"clobTokenIds": json.dumps([YES_TOKEN])}, {}, CONFLICT, "tokens"),
    ({"clobTokenIds": json.dumps([YES_TOKEN, YES_TOKEN])}, {}, CONFLICT, "tokens"),
    ({"clobTokenIds": json.dumps([YES_TOKEN, "0x12"])}, {}, CONFLICT, "tokens"),
    ({"clobTokenIds": json.dumps([NO_TOKEN, YES_TOKEN])}, {}, CONFLICT, "tokens"),
    ({}, {"t": []}, MISSING, "tokens of the CLOB"),
    ({}, {"t": [{"t": "", "o": "Up"}, {"t": NO_TOKEN, "o": "Down"}]}, MISSING, "tokens of the CLOB"),
    ({}, {"t": [{"t": YES_TOKEN, "o": "Down"}, {"t": NO_TOKEN, "o": "Up"}]}, CONFLICT, "tokens"),
    ({"outcomes": '["Lakers", "Celtics"]'}, {"t": None}, OUTCOMES, "outcomes"),
    ({"outcomes": '["Yes", "Down"]'}, {"t": None}, OUTCOMES, "outcomes"),
    ({"outcomes": '["Yes", "Yes"]'}, {"t": None}, OUTCOMES, "outcomes"),
    ({"outcomes": '["Yes", "No", "Maybe"]'}, {"t": None}, OUTCOMES, "outcomes"),
    ({"orderMinSize": None}, {"mos": None}, MISSING, "smallest order"),
    ({"orderMinSize": 0}, {}, RANGE, "orderMinSize"),
    ({"orderMinSize": -5}, {}, RANGE, "orderMinSize"),
    ({"orderMinSize": "5e0"}, {}, RANGE, "orderMinSize"),
    ({"orderMinSize": 0.0000001}, {}, RANGE, "orderMinSize"),
    ({"orderMinSize": 10_000_001}, {}, RANGE, "orderMinSize"),
    ({"orderMinSize": [5]}, {}, RANGE, "orderMinSize"),
    ({}, {"mos": 15}, CONFLICT, "smallest order"),
    ({"orderPriceMinTickSize": None}, {"mts": None}, MISSING, "tick"),
    ({}, {"mts": 0}, RANGE, "tick"),
    ({}, {"mts": 0.003}, RANGE, "tick"),
    ({}, {"mts": 0.00005}, RANGE, "tick"),
    ({"feeSchedule": None, "feesEnabled": None}, {"fd": None}, MISSING, "fees"),
    ({"feeSchedule": None}, {"fd": None}, MISSING, "fees"),
    ({"feeSchedule": {"exponent": 1, "takerOnly": True}}, {}, MISSING, "feeSchedule.rate"),
    ({"feeSchedule": {"rate": 0.07, "takerOnly": True}}, {}, MISSING, "feeSchedule.exponent"),
    ({"feeSchedule": {"rate": 0.07, "exponent": 1}}, {}, MISSING, "feeSchedule.takerOnly"),
    ({"feeSchedule": {"rate": 1.1, "exponent": 1, "takerOnly": True}}, {}, RANGE, "feeSchedule.rate"),
    ({"feeSchedule": {"rate": "NaN", "exponent": 1, "takerOnly": True}}, {}, RANGE, "feeSchedule.rate"),
    ({"feeSchedule": {"rate": 0.07, "exponent": 11, "takerOnly": True}}, {}, RANGE, "feeSchedule.exponent"),
    ({}, {"fd": {"r": 0.07, "e": 1}}, MISSING, "fd.to"),
    ({}, {"fd": {"e": 1, "to": True}}, MISSING, "fd.r"),
    ({}, {"fd": {"r": 0.05, "e": 1, "to": True}}, CONFLICT, "fees"),
    ({"feesEnabled": False}, {}, CONFLICT, "fees"),
    ({"secondsDelay": -1}, {}, RANGE, "secondsDelay"),
    ({}, {"sd": 61}, RANGE, "sd"),
    ({"slug": None}, {}, MISSING, "slug"),
    ({"question": ""}, {}, MISSING, "question"),
    ({"endDate": None}, {}, MISSING, "endDate"),
    ({"endDate": "tomorrow"}, {}, RANGE, "endDate"),
    ({"endDate": "2026-10-05T23:15:00"}, {}, RANGE, "endDate"),
    ({"endDate": "1926-10-05T23:15:00Z"}, {}, RANGE, "endDate"),
    ({"endDate": "2026-10-05T23:16:00Z"}, {}, CONFLICT, "endDate"),
    ({"negRisk": None}, {}, MISSING, "negRisk"),
    ({}, {"nr": True}, CONFLICT, "negRisk"),
    ({"negRisk": True}, {}, MISSING, "event of a neg-risk market"),
    ({"active": None}, {}, MISSING, "active"),
    ({"closed": None}, {}, MISSING, "closed"),
    ({"acceptingOrders": None}, {}, MISSING, "acceptingOrders"),
    ({"cryptoMarketConfig": {"twapEnabled": True, "twapLookbackSeconds": 9_999}}, {}, RANGE, "twapLookbackSeconds"),
]  # fmt: skip


@pytest.mark.parametrize(("more", "other", "code", "what"), REFUSED)
def test_a_market_that_lacks_or_twists_a_fact_is_refused(
    more: dict[str, Any], other: dict[str, Any], code: str, what: str
) -> None:
    assert refusal(gamma(**more), clob(**other)) == (code, what)
    assert reason(code).owner == "registry"


@pytest.mark.parametrize(
    ("more", "other"),
    [
        ({"conditionId": 5}, {}),
        ({"outcomes": "[Up, Down]"}, {}),
        ({"outcomes": "[1, 2]"}, {}),
        ({"clobTokenIds": {"yes": YES_TOKEN}}, {}),
        ({"negRisk": "false"}, {}),
        ({"closed": 0}, {}),
        ({"feeSchedule": [0.07]}, {}),
        ({"events": {"id": "7"}}, {}),
        ({}, {"t": {"Up": YES_TOKEN}}),
        ({}, {"itode": "yes"}),
        ({}, {"fd": 0.07}),
    ],
)
def test_another_type_than_documented_is_unreadable(more: dict[str, Any], other: dict[str, Any]) -> None:
    assert refusal(gamma(**more), clob(**other))[0] == UNREADABLE


def test_a_market_that_the_clob_does_not_know_yet_is_incomplete() -> None:
    found = read(raw(gamma()), None)
    assert found == Refused(MISSING, CONDITION, "the CLOB does not know the market yet", raw(gamma()))


def test_a_refusal_keeps_the_bytes_of_both_services() -> None:
    found = read(raw(gamma(endDate=None)), raw(clob()))
    assert isinstance(found, Refused)
    assert found.raw == raw(gamma(endDate=None)) + b"\n" + raw(clob())
    assert found.name == CONDITION


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(sorted(gamma())), JSON, st.sampled_from(sorted(clob())), JSON)
def test_whatever_a_field_says_the_answer_is_a_listing_or_a_refusal(
    field: str, value: Any, other_field: str, other_value: Any
) -> None:
    for told, other in (
        (gamma() | {field: value}, clob()),
        (gamma(), clob() | {other_field: other_value}),
        (gamma() | {field: value}, clob() | {other_field: other_value}),
    ):
        assert isinstance(read(raw(told), raw(other)), Listing | Refused)


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_whatever_the_bytes_are_the_answer_is_a_refusal(told: bytes, other: bytes) -> None:
    assert isinstance(read(told, other), Refused)
    assert isinstance(read(b"[" * 100_000, other), Refused)


@recorded
def test_a_recorded_market_is_listed() -> None:
    found = read(
        (FIXTURES / "gamma-market-v1-btc15m.json").read_bytes(), (FIXTURES / "clob-markets-v1.json").read_bytes()
    )
    assert isinstance(found, Listing)
    assert (found.min_size, found.tick, found.fee_rate, found.fee_exponent) == (5_000_000, 100, 70_000, 1_000)
    assert (found.taker_delay_ms, found.reference, found.twap_s, found.cluster) == (150, "BTC", 60, "btc")
    assert found.close_ts - found.strike_ts == 900 * SECOND if found.strike_ts else False


@recorded
def test_all_recorded_five_minute_markets_are_listed() -> None:
    import gzip

    with gzip.open(DATA / "btc5m-2026-06-08" / "BTC-5m-markets-2026-06-08.jsonl.gz") as lines:
        told = [json.loads(line) for line in lines]
    found = [read(json.dumps(one["raw"]).encode(), b"{}") for one in told]
    listings = [one for one in found if isinstance(one, Listing)]
    assert len(listings) == len(told) == 292
    for one, market in zip(listings, told, strict=True):
        assert one.tokens == tuple(market["token_ids"])
        assert (one.strike_ts, one.close_ts) == (market["start_sec"] * SECOND, market["end_sec"] * SECOND)
        assert (one.fee_rate, one.cluster) == (70_000, "btc")
