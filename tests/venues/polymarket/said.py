"""Frames as the venue would say them, for the tests of its decoder."""

import json
from typing import Any

MARKET = "0x" + "ab" * 32
OTHER = "0x" + "cd" * 32
YES_ID, NO_ID = "1" * 77, "2" * 77
OTHER_YES, OTHER_NO = "3" * 77, "4" * 77
NOW = "1780795911767"
NOW_NS = 1_780_795_911_767_000_000


def frame(event: Any) -> bytes:
    """One frame, compact."""
    return json.dumps(event, separators=(",", ":")).encode()


def change(
    asset: str, side: str, price: str, size: str, bid: str = "0.47", ask: str = "0.48", **more: Any
) -> dict[str, Any]:
    """One entry of price_changes."""
    told = {"asset_id": asset, "price": price, "size": size, "side": side, "hash": "", "best_bid": bid, "best_ask": ask}
    return told | more


def changes(*entries: dict[str, Any], market: str = MARKET, **more: Any) -> dict[str, Any]:
    """A price_change event."""
    told = {"market": market, "price_changes": list(entries), "timestamp": NOW, "event_type": "price_change"}
    return told | more


def pair(price: str = "0.46", mirrored: str = "0.54", size: str = "100", **more: Any) -> dict[str, Any]:
    """A bid at `price`, told for both tokens; best 0.47 to 0.48."""
    return changes(
        change(YES_ID, "BUY", price, size),
        change(NO_ID, "SELL", mirrored, size, "0.52", "0.53"),
        **more,
    )


def book(
    asset: str = YES_ID,
    bids: tuple[tuple[str, str], ...] = (("0.46", "5"), ("0.47", "10")),
    asks: tuple[tuple[str, str], ...] = (("0.48", "7"),),
    **more: Any,
) -> dict[str, Any]:
    """A book event of a market on tick 0.01."""
    told = {
        "market": MARKET,
        "asset_id": asset,
        "timestamp": NOW,
        "hash": "",
        "bids": [{"price": price, "size": size} for price, size in bids],
        "asks": [{"price": price, "size": size} for price, size in asks],
        "tick_size": "0.01",
        "event_type": "book",
        "last_trade_price": "",
    }
    return told | more


def trade(
    asset: str = YES_ID, side: str = "BUY", price: str = "0.48", size: str = "1.886791", **more: Any
) -> dict[str, Any]:
    """A last_trade_price event."""
    told = {
        "market": MARKET,
        "asset_id": asset,
        "price": price,
        "size": size,
        "fee_rate_bps": "0",
        "side": side,
        "timestamp": NOW,
        "event_type": "last_trade_price",
        "transaction_hash": "",
    }
    return told | more


def tick_change(tick: str = "0.001", **more: Any) -> dict[str, Any]:
    """A tick_size_change event."""
    told = {
        "market": MARKET,
        "asset_id": YES_ID,
        "old_tick_size": "0.01",
        "new_tick_size": tick,
        "timestamp": NOW,
        "event_type": "tick_size_change",
    }
    return told | more


def resolved(winner: str | None = YES_ID, **more: Any) -> dict[str, Any]:
    """A market_resolved event."""
    told = {
        "market": MARKET,
        "assets_ids": [YES_ID, NO_ID],
        "winning_asset_id": winner,
        "winning_outcome": "Yes",
        "timestamp": NOW,
        "event_type": "market_resolved",
        "id": "1",
        "tags": ["stocks"],
    }
    return told | more
