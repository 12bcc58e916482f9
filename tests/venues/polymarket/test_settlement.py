"""What a market pays: said plainly, or not known."""

import json
import os
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polytraders.contracts.inputs import PRICE_UNIT
from polytraders.venues import asking
from polytraders.venues.asking import Asker, Patience
from polytraders.venues.polymarket import settlement
from polytraders.venues.polymarket.listing import Refused
from polytraders.venues.polymarket.settlement import Pending, Resolution
from polytraders.venues.polymarket.wire import Decoder
from tests.venues.loopback import Reply, site
from tests.venues.polymarket.listed import CONDITION, NO_TOKEN, YES_TOKEN, gamma, raw
from tests.venues.polymarket.said import MARKET, NO_ID, YES_ID, frame
from tests.venues.polymarket.said import resolved as resolved_frame

DATA = Path(os.environ.get("POLYTRADERS_DATA", Path(__file__).resolve().parents[4] / "shared" / "data"))
recorded = pytest.mark.skipif(not DATA.exists(), reason="no recorded data: set POLYTRADERS_DATA")

UNCLEAR = "EXEC_LEDGER_RESOLUTION_UNCLEAR"


def ended(prices: Any = '["1", "0"]', **more: Any) -> dict[str, Any]:
    """A market that is over; Up won unless told otherwise."""
    told = {"closed": True, "acceptingOrders": False, "outcomePrices": prices, "umaResolutionStatus": "resolved"}
    return gamma(**(told | more))


def read(told: dict[str, Any]) -> Resolution | Pending | Refused:
    return settlement.read(raw(told))


def test_worked_example() -> None:
    assert read(ended()) == Resolution(CONDITION, PRICE_UNIT, YES_TOKEN)
    assert read(ended('["0", "1"]')) == Resolution(CONDITION, 0, NO_TOKEN)
    assert read(ended('["0.5", "0.5"]')) == Resolution(CONDITION, PRICE_UNIT // 2, "")


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"outcomes": '["Down", "Up"]', "clobTokenIds": json.dumps([NO_TOKEN, YES_TOKEN])}, (0, NO_TOKEN)),
        ({"prices": ["1", "0.0"]}, (PRICE_UNIT, YES_TOKEN)),
        ({"prices": [1, 0]}, (PRICE_UNIT, YES_TOKEN)),
        ({"umaResolutionStatus": "Resolved"}, (PRICE_UNIT, YES_TOKEN)),
        ({"umaResolutionStatus": None, "resolutionStatus": "resolved"}, (PRICE_UNIT, YES_TOKEN)),
        ({"umaResolutionStatus": None, "automaticallyResolved": True}, (PRICE_UNIT, YES_TOKEN)),
    ],
)
def test_a_plain_statement_is_a_resolution(more: dict[str, Any], expected: tuple[int, str]) -> None:
    assert read(ended(**more)) == Resolution(CONDITION, *expected)


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"closed": False}, "resolved"),
        ({"closed": None}, "resolved"),
        ({"umaResolutionStatus": None}, ""),
        ({"umaResolutionStatus": ""}, ""),
        ({"umaResolutionStatus": "proposed"}, "proposed"),
        ({"umaResolutionStatus": "disputed"}, "disputed"),
        ({"resolutionStatus": "proposed"}, "resolved"),
        ({"umaResolutionStatus": None, "automaticallyResolved": True, "acceptingOrders": True}, ""),
        ({"umaResolutionStatus": None, "automaticallyResolved": True, "acceptingOrders": None}, ""),
    ],
)
def test_half_a_statement_leaves_the_market_pending(more: dict[str, Any], status: str) -> None:
    assert read(ended(**more)) == Pending(CONDITION, status)


@pytest.mark.parametrize(
    "more",
    [
        {"prices": None},
        {"prices": ""},
        {"prices": "[]"},
        {"prices": '["1"]'},
        {"prices": '["1", "0", "0"]'},
        {"prices": '["0", "0"]'},
        {"prices": '["1", "1"]'},
        {"prices": '["0.9995", "0.0005"]'},
        {"prices": '["0.99999", "0.00001"]'},
        {"prices": '["0.6", "0.4"]'},
        {"prices": '["1e0", "0"]'},
        {"prices": '["1", null]'},
        {"prices": "not json"},
        {"prices": '{"Up": "1"}'},
        {"outcomes": '["Long", "Short"]'},
        {"outcomes": None},
        {"clobTokenIds": None},
        {"clobTokenIds": json.dumps([YES_TOKEN, YES_TOKEN])},
        {"version": "v3"},
        {"conditionId": None},
        {"conditionId": "0x12"},
        {"closed": "yes"},
    ],
)
def test_what_is_not_plain_is_never_guessed(more: dict[str, Any]) -> None:
    found = read(ended(**more))
    assert isinstance(found, Refused)
    assert (found.code, found.raw) == (UNCLEAR, raw(ended(**more)))


@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_only_all_or_half_is_a_payout(yes: int, no: int) -> None:
    found = read(ended([f"{yes / 10_000:.4f}", f"{no / 10_000:.4f}"]))
    plain = (yes, no) in {(10_000, 0), (0, 10_000), (5_000, 5_000)}
    assert isinstance(found, Resolution) == plain
    assert isinstance(found, Refused) == (not plain)


@pytest.mark.parametrize("winner", [YES_ID, NO_ID])
def test_a_poll_and_a_frame_become_the_same_rows(winner: str) -> None:
    decoder = Decoder()
    decoder.register(MARKET, [YES_ID, NO_ID])
    framed = decoder.decode(frame(resolved_frame(winner))).rows
    polled = settlement.rows_of(Resolution(MARKET, PRICE_UNIT if winner == YES_ID else 0, winner), 0)
    assert [row[:-1] for row in framed] == [row[:-1] for row in polled]
    assert {row[-1] for row in polled} == {0}


def other(number: int) -> str:
    return f"0x{number:064x}"


async def polled(
    told: list[Any], wanted: list[str], status: int = 200
) -> tuple[list[Resolution | Pending | Refused], list[str]]:
    def answer(path: str, query: dict[str, list[str]]) -> Reply:
        return status, {}, raw({"markets": told})

    async def at_once(seconds: float) -> None:
        """Waits for nothing."""

    async with site(answer) as server, asking.open_client() as client:
        asker = Asker(client, random.Random(0), Patience(tries_max=2), at_once)
        return await settlement.resolutions(asker, server.url, wanted), server.asked


async def test_closed_markets_are_asked_for_by_their_ids() -> None:
    told = [ended(), ended(conditionId=other(2), umaResolutionStatus="proposed"), ended(conditionId=other(3))]
    found, asked = await polled(told, [CONDITION, other(2), other(9), CONDITION])
    assert found == [Resolution(CONDITION, PRICE_UNIT, YES_TOKEN), Pending(other(2), "proposed")]
    ids = "&".join(f"condition_ids={one}" for one in (CONDITION, other(2), other(9)))
    assert asked == [f"/markets/keyset?closed=true&{ids}&limit=100"]


async def test_many_markets_are_asked_for_in_parts() -> None:
    _, asked = await polled([], [other(n) for n in range(45)])
    assert [target.count("condition_ids=") for target in asked] == [20, 20, 5]


async def test_nothing_wanted_asks_nothing() -> None:
    assert await polled([], []) == ([], [])


async def test_a_market_told_twice_must_be_told_alike() -> None:
    found, _ = await polled([ended(), ended()], [CONDITION])
    assert found == [Resolution(CONDITION, PRICE_UNIT, YES_TOKEN)]
    found, _ = await polled([ended(), ended('["0", "1"]')], [CONDITION])
    assert [one.code for one in found if isinstance(one, Refused)] == ["EXEC_LEDGER_RESOLUTION_CONFLICT"]
    assert len(found) == 1


async def test_a_conflict_stays_one_whatever_is_told_after_it() -> None:
    found, _ = await polled([ended(), ended('["0", "1"]'), ended()], [CONDITION])
    assert [type(one) for one in found] == [Refused]


async def test_what_cannot_be_read_is_reported_and_hides_nobody() -> None:
    found, _ = await polled([5, {}, ended()], [CONDITION])
    assert [one.code if isinstance(one, Refused) else "resolved" for one in found] == ["resolved", UNCLEAR, UNCLEAR]


async def test_a_venue_that_does_not_answer_resolves_nothing() -> None:
    found, _ = await polled([], [CONDITION], status=503)
    assert [one.code for one in found if isinstance(one, Refused)] == ["INTEL_CATALOGUE_UNAVAILABLE"]


def test_a_poll_that_contradicts_what_was_settled_is_a_conflict() -> None:
    found = settlement.agree([Resolution("a", 0, ""), Resolution("b", 0, ""), Resolution("c", 0, "")], {"a": 0, "b": 1})
    assert [(one.code, one.name) for one in found] == [("EXEC_LEDGER_RESOLUTION_CONFLICT", "b")]


@recorded
def test_all_recorded_five_minute_markets_are_resolved_as_they_were() -> None:
    import gzip

    with gzip.open(DATA / "btc5m-2026-06-08" / "BTC-5m-markets-2026-06-08.jsonl.gz") as lines:
        told = [json.loads(line) for line in lines]
    for one in told:
        payout = PRICE_UNIT if one["outcome_prices"] == ["1", "0"] else 0
        winner = one["token_ids"][0 if payout else 1]
        assert read(one["raw"]) == Resolution(one["condition_id"], payout, winner)
    assert len(told) == 292


@recorded
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("closed_binary_accepting_false", Resolution),
        ("closed_binary_accepting_true", Pending),
        ("closed_nonbinary_legacy", Pending),
        ("closed_zero_zero_legacy", Pending),
    ],
)
def test_recorded_odd_ends_are_not_guessed(name: str, expected: type) -> None:
    folder = DATA / "ws-fixtures" / "crates" / "adapters" / "polymarket" / "test_data"
    assert isinstance(settlement.read((folder / f"gamma_market_{name}.json").read_bytes()), expected)
