"""What the venue's web pages say about markets: Gamma's listings and the CLOB's short form, in their own spelling.

Gamma packs lists into texts and gives numbers as doubles; the CLOB has two-letter keys and leaves out what is false.
Nothing here is up to date to the millisecond, nor is it at the venue: books come from the CLOB.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from polytraders.contracts.inputs import ASK, BID, NANO, PRICE_UNIT, SIZE_UNIT
from polytraders.venues.simulator.listing import MIN_SIZE, VOID, Event, Market
from polytraders.venues.simulator.texts import identifiers

LIMIT_MAX: Final = {"markets": 100, "events": 500}
LIMIT: Final = 20

SAME_FOR_ALL: Final[dict[str, Any]] = {
    "resolutionSource": "",
    "liquidity": "10000",
    "active": True,
    "marketMakerAddress": "",
    "new": False,
    "featured": False,
    "archived": False,
    "restricted": True,
    "groupItemThreshold": "0",
    "enableOrderBook": True,
    "liquidityNum": 10_000,
    "hasReviewedDates": True,
    "comboStatus": "disabled",
    "liquidityClob": 10_000,
    "makerBaseFee": 1000,
    "takerBaseFee": 1000,
    "ready": False,
    "funded": False,
    "cyom": False,
    "competitive": 1,
    "approved": True,
    "rewardsMinSize": 50,
    "rewardsMaxSpread": 4.5,
    "automaticallyActive": True,
    "clearBookOnStart": False,
    "manualActivation": False,
    "negRiskOther": False,
    "umaResolutionStatuses": "[]",
    "pendingDeployment": False,
    "deploying": False,
    "rfqEnabled": False,
    "holdingRewardsEnabled": False,
    "feesEnabled": True,
    "version": "v1",
}
"""What Gamma says of each of our markets alike."""


def time_text(ts_ns: int) -> str:
    """RFC 3339, whole seconds."""
    return datetime.fromtimestamp(ts_ns // NANO, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _packed(values: Sequence[str]) -> str:
    return "[" + ", ".join(f'"{value}"' for value in values) + "]"


def _prices(market: Market) -> list[str]:
    if market.outcome == VOID:
        return ["0.5", "0.5"]
    if market.outcome is not None:
        return ["0", "1"] if market.outcome else ["1", "0"]
    middle = market.middle / PRICE_UNIT
    return [f"{middle:.6g}", f"{1 - middle:.6g}"]


def market_page(market: Market, now_ns: int) -> dict[str, Any]:
    """Gamma's object of a market."""
    event, fees = market.event, market.fees
    resolved = market.outcome is not None
    bid, ask = market.best(BID) / PRICE_UNIT, market.best(ASK) / PRICE_UNIT
    volume = market.volume / SIZE_UNIT
    page: dict[str, Any] = SAME_FOR_ALL | {
        "id": str(market.number),
        "question": market.question,
        "conditionId": market.condition,
        "slug": market.name,
        "endDate": time_text(market.close_ns),
        "startDate": time_text(market.listed_ns),
        "description": _description(market),
        "outcomes": _packed(market.outcomes),
        "outcomePrices": _packed(_prices(market)),
        "volume": f"{volume:.2f}",
        "closed": resolved,
        "createdAt": time_text(market.listed_ns),
        "updatedAt": time_text(now_ns),
        "groupItemTitle": market.group_title,
        "questionID": identifiers(market.number, market.name)[0],
        "orderPriceMinTickSize": market.tick / PRICE_UNIT,
        "orderMinSize": int(MIN_SIZE),
        "volumeNum": volume,
        "endDateIso": time_text(market.close_ns)[:10],
        "startDateIso": time_text(market.listed_ns)[:10],
        "clobTokenIds": _packed(market.tokens),
        "acceptingOrders": not market.closed,
        "negRisk": event.neg_risk,
        "acceptingOrdersTimestamp": time_text(market.listed_ns),
        "spread": round(ask - bid, 4),
        "bestBid": bid,
        "bestAsk": ask,
        "feeType": fees.name,
        "feeSchedule": {
            "exponent": fees.exponent,
            "rate": float(fees.rate),
            "takerOnly": fees.taker_only,
            "rebateRate": float(fees.rebate),
        },
    }
    if market.last_trade:
        page["lastTradePrice"] = float(market.last_trade)
    if market.updown:
        page["eventStartTime"] = time_text(market.start_ns)
    if event.neg_risk:
        page["negRiskMarketID"] = identifiers(event.number, event.slug)[0]
    if resolved:
        page |= {"umaResolutionStatus": "resolved", "automaticallyResolved": True}
        page["closedTime"] = time_text(market.resolves_ns).replace("T", " ").replace("Z", "+00")
    return page


def _description(market: Market) -> str:
    if market.updown:
        return (
            "Resolves to Up if the price of bitcoin at the end of the window is at or above its price at the start, "
            "otherwise to Down. The price is the simulated exchange's own."
        )
    return f"{market.question} A made-up market of a simulated exchange."


def event_page(event: Event, now_ns: int, *, inside: bool = False) -> dict[str, Any]:
    """Gamma's object of an event; `inside` a market's it comes without its markets."""
    page: dict[str, Any] = {
        "id": str(event.number),
        "ticker": event.slug,
        "slug": event.slug,
        "title": event.title,
        "description": event.title,
        "resolutionSource": "",
        "startDate": time_text(event.listed_ns),
        "creationDate": time_text(event.listed_ns),
        "endDate": time_text(event.close_ns),
        "active": True,
        "closed": all(market.outcome is not None for market in event.markets),
        "archived": False,
        "new": False,
        "featured": False,
        "restricted": True,
        "createdAt": time_text(event.listed_ns),
        "updatedAt": time_text(now_ns),
        "enableOrderBook": True,
        "negRisk": event.neg_risk,
        "commentCount": 0,
    }
    if event.series:
        page["seriesSlug"] = event.series
        page["series"] = [
            {"id": str(event.number), "ticker": event.series, "slug": event.series, "title": event.series}
        ]
    if event.neg_risk:
        page["negRiskMarketID"] = identifiers(event.number, event.slug)[0]
    if not inside:
        page["markets"] = [market_page(market, now_ns) for market in event.markets]
        page["tags"] = [
            {"id": str(100 + place), "label": tag, "slug": tag.lower().replace(" ", "-")}
            for place, tag in enumerate(event.tags)
        ]
    return page


def clob_page(market: Market) -> dict[str, Any]:
    """The CLOB's short form."""
    page: dict[str, Any] = {
        "r": {"mi": 50, "ma": 4.5, "moas": 30},
        "t": [{"t": token, "o": name} for token, name in zip(market.tokens, market.outcomes, strict=True)],
        "c": market.condition,
        "mos": int(MIN_SIZE),
        "mts": market.tick / PRICE_UNIT,
        "mbf": 1000,
        "tbf": 1000,
        "aot": time_text(market.listed_ns),
        "fd": {"r": float(market.fees.rate), "e": market.fees.exponent, "to": market.fees.taker_only},
        "v": "v1",
    }
    if not market.closed:
        page["ao"] = True
    if market.event.neg_risk:
        page["nr"] = True
    return page


def keyset(
    name: str, found: Sequence[Market] | Sequence[Event], query: Mapping[str, Sequence[str]], now_ns: int
) -> dict[str, Any]:
    """A page of `/markets/keyset` or `/events/keyset`.

    Args:
        name: "markets" or "events".
        found: All of them, by ascending number.
        query: `limit`, `after_cursor`, `closed`, `slug`, `condition_ids`, `clob_token_ids`; others change nothing.
        now_ns: The exchange's time.

    Raises:
        ValueError: A value that Gamma would not take either.
    """
    if "offset" in query:
        raise ValueError("offset is not supported here, use after_cursor")
    limit = int(query.get("limit", [str(LIMIT)])[0])
    after = int(query.get("after_cursor", ["0"])[0], 16)
    if not 0 < limit <= LIMIT_MAX[name]:
        raise ValueError(f"limit is 1 to {LIMIT_MAX[name]}")
    rest = [one for one in found if one.number > after and _wanted(one, query)]
    page: dict[str, Any] = {name: [_page(one, now_ns) for one in rest[:limit]]}
    if len(rest) > limit:
        page["next_cursor"] = f"{rest[limit - 1].number:x}"
    return page


def _page(one: Market | Event, now_ns: int) -> dict[str, Any]:
    if isinstance(one, Event):
        return event_page(one, now_ns)
    return market_page(one, now_ns) | {"events": [event_page(one.event, now_ns, inside=True)]}


def _wanted(one: Market | Event, query: Mapping[str, Sequence[str]]) -> bool:
    markets = one.markets if isinstance(one, Event) else [one]
    name = one.slug if isinstance(one, Event) else one.name
    closed = all(market.outcome is not None for market in markets)
    if "closed" in query and closed != (query["closed"][0] == "true"):
        return False
    if "slug" in query and name not in query["slug"]:
        return False
    if "condition_ids" in query and not {market.condition for market in markets} & set(query["condition_ids"]):
        return False
    return "clob_token_ids" not in query or any(set(market.tokens) & set(query["clob_token_ids"]) for market in markets)


encode = msgspec.json.encode
