"""Markets as Gamma and the CLOB would list them, for the tests of the catalogue."""

import json
from typing import Any

YES_TOKEN, NO_TOKEN = "7" * 77, "8" * 77
CONDITION = "0x" + "ab" * 32
START = 1_791_241_200


def gamma(**more: Any) -> dict[str, Any]:
    """A BTC 15-minute market; None for a field leaves it out."""
    told = {
        "id": "5308512",
        "question": "Bitcoin Up or Down?",
        "conditionId": CONDITION,
        "slug": f"btc-updown-15m-{START}",
        "endDate": "2026-10-05T23:15:00Z",
        "outcomes": '["Up", "Down"]',
        "outcomePrices": '["0.905", "0.095"]',
        "active": True,
        "closed": False,
        "enableOrderBook": True,
        "orderPriceMinTickSize": 0.01,
        "orderMinSize": 5,
        "clobTokenIds": json.dumps([YES_TOKEN, NO_TOKEN]),
        "acceptingOrders": True,
        "negRisk": False,
        "feesEnabled": True,
        "feeSchedule": {"exponent": 1, "rate": 0.07, "takerOnly": True, "rebateRate": 0.2},
        "cryptoMarketConfig": {"id": "btc-15m-twap-60", "twapEnabled": True, "twapLookbackSeconds": 60},
        "version": "v1",
        "somethingNew": {"nobody": ["asked"]},
    }
    return {key: value for key, value in (told | more).items() if value is not None}


def slow(**more: Any) -> dict[str, Any]:
    """A market about something slow."""
    told: dict[str, Any] = {
        "slug": "new-album-before-summer",
        "question": "New album before summer?",
        "outcomes": '["Yes", "No"]',
        "events": [{"id": "23784", "slug": "what-before-summer"}],
        "cryptoMarketConfig": None,
    }
    return gamma(**(told | more))


def clob(names: tuple[str, str] = ("Up", "Down"), **more: Any) -> dict[str, Any]:
    """The CLOB's half; None for a field leaves it out."""
    told = {
        "c": CONDITION,
        "t": [{"t": YES_TOKEN, "o": names[0]}, {"t": NO_TOKEN, "o": names[1]}],
        "mos": 5,
        "mts": 0.01,
        "mbf": 1000,
        "tbf": 1000,
        "ao": True,
        "itode": True,
        "fd": {"r": 0.07, "e": 1, "to": True},
        "v": "v1",
    }
    return {key: value for key, value in (told | more).items() if value is not None}


def raw(told: Any) -> bytes:
    return json.dumps(told).encode()
