"""The market channel's messages, as the venue writes them: everything is text, both tokens are mirrors."""

import hashlib
from typing import Any, Final

import msgspec

from polytraders.contracts.inputs import ASK, BID, PRICE_UNIT
from polytraders.venues.simulator.listing import MIN_SIZE, Market
from polytraders.venues.simulator.texts import levels, price_text, seal, size_text

SIDES: Final = ("BUY", "SELL")


def of(token: int, price: int) -> int:
    """A YES price in terms of a token."""
    return PRICE_UNIT - price if token else price


def stamp(number: int) -> str:
    """Forty hex digits that nobody can recompute from what is told: the hash of a change."""
    return hashlib.sha1(number.to_bytes(8, "big"), usedforsecurity=False).hexdigest()


def price_change(
    market: Market, told: list[tuple[int, int]], order: tuple[int, ...], time_ms: int, number: int
) -> dict[str, Any]:
    """New totals at levels (side, price), for each token in the order given.

    Args:
        market: Told as it is now.
        told: Levels in YES terms.
        order: Tokens: (0, 1), or (1, 0) with the NO row first.
        time_ms: Timestamp.
        number: Makes the hashes.
    """
    book = market.book
    bests = book.best(BID), book.best(ASK)
    changes = [
        _change(market, token, side, price, size_text(book.totals[side].get(price, 0)), bests, number)
        for side, price in told
        for token in order
    ]
    return _changed(market, changes, time_ms)


def _change(
    market: Market, token: int, side: int, price: int, size: str, bests: tuple[int, int], number: int
) -> dict[str, str]:
    return {
        "asset_id": market.tokens[token],
        "price": price_text(of(token, price)),
        "size": size,
        "side": SIDES[side ^ token],
        "hash": stamp(2 * number + token),
        "best_bid": price_text(of(token, bests[token])),
        "best_ask": price_text(of(token, bests[1 - token])),
    }


def _changed(market: Market, changes: list[dict[str, str]], time_ms: int) -> dict[str, Any]:
    return {
        "market": market.condition,
        "price_changes": changes,
        "timestamp": str(time_ms),
        "event_type": "price_change",
    }


def trade(market: Market, token: int, side: int, price: int, size: int, time_ms: int, number: int) -> dict[str, Any]:
    """A print for one token; side and price in YES terms."""
    return {
        "market": market.condition,
        "asset_id": market.tokens[token],
        "price": price_text(of(token, price)),
        "size": size_text(size),
        "fee_rate_bps": "0",
        "side": SIDES[side ^ token],
        "timestamp": str(time_ms),
        "event_type": "last_trade_price",
        "transaction_hash": "0x" + stamp(number) + stamp(number + 1)[:24],
    }


def book(market: Market, token: int, time_ms: int) -> dict[str, Any]:
    """A token's whole book: the best level last on both sides."""
    ours = market.book.levels(BID), market.book.levels(ASK)
    if token:
        bids = [(PRICE_UNIT - price, size) for price, size in reversed(ours[ASK])]
        asks = [(PRICE_UNIT - price, size) for price, size in ours[BID]]
    else:
        bids, asks = ours[BID], ours[ASK][::-1]
    told: dict[str, Any] = {
        "market": market.condition,
        "asset_id": market.tokens[token],
        "timestamp": str(time_ms),
        "hash": "",
        "bids": levels(bids),
        "asks": levels(asks),
        "tick_size": price_text(market.tick),
        "event_type": "book",
        "last_trade_price": market.last_trade,
    }
    told["hash"] = seal(told, market.last_trade, MIN_SIZE, market.event.neg_risk)
    return told


def rest_book(market: Market, token: int, time_ms: int) -> dict[str, Any]:
    """What `/book` answers: the same book with what the channel leaves out."""
    told = book(market, token, time_ms)
    keys = ("market", "asset_id", "timestamp", "hash", "bids", "asks")
    whole = {key: told[key] for key in keys}
    whole |= {"min_order_size": MIN_SIZE, "tick_size": told["tick_size"], "neg_risk": market.event.neg_risk}
    return whole | {"last_trade_price": market.last_trade}


def tick_size_change(market: Market, token: int, old: int, time_ms: int) -> dict[str, Any]:
    """The grid is another from now on."""
    return {
        "market": market.condition,
        "asset_id": market.tokens[token],
        "old_tick_size": price_text(old),
        "new_tick_size": price_text(market.tick),
        "timestamp": str(time_ms),
        "event_type": "tick_size_change",
    }


def best_bid_ask(market: Market, token: int, time_ms: int) -> dict[str, Any]:
    """Best prices of a token."""
    bests = market.book.best(BID), market.book.best(ASK)
    bid, ask = of(token, bests[token]), of(token, bests[1 - token])
    return {
        "market": market.condition,
        "asset_id": market.tokens[token],
        "best_bid": price_text(bid),
        "best_ask": price_text(ask),
        "spread": price_text(ask - bid),
        "timestamp": str(time_ms),
        "event_type": "best_bid_ask",
    }


def new_market(market: Market, time_ms: int) -> dict[str, Any]:
    """A market is listed; numbers are texts here."""
    event, fees = market.event, market.fees
    return {
        "id": str(market.number),
        "question": market.question,
        "market": market.condition,
        "slug": market.name,
        "description": market.question,
        "assets_ids": list(market.tokens),
        "outcomes": list(market.outcomes),
        "event_message": {
            "id": str(event.number),
            "ticker": event.slug,
            "slug": event.slug,
            "title": event.title,
            "description": event.title,
        },
        "timestamp": str(time_ms),
        "event_type": "new_market",
        "tags": list(event.tags),
        "condition_id": market.condition,
        "active": True,
        "clob_token_ids": list(market.tokens),
        "sports_market_type": "",
        "line": "",
        "game_start_time": "",
        "order_price_min_tick_size": price_text(market.tick),
        "group_item_title": market.group_title,
        "taker_base_fee": "1000",
        "fees_enabled": True,
        "fee_schedule": {
            "exponent": str(fees.exponent),
            "rate": fees.rate,
            "taker_only": fees.taker_only,
            "rebate_rate": fees.rebate,
        },
    }


def market_resolved(market: Market, time_ms: int) -> dict[str, Any]:
    """The outcome is known."""
    winner = market.outcome or 0
    return {
        "id": str(market.number),
        "market": market.condition,
        "assets_ids": list(market.tokens),
        "winning_asset_id": market.tokens[winner],
        "winning_outcome": market.outcomes[winner],
        "timestamp": str(time_ms),
        "event_type": "market_resolved",
        "tags": list(market.event.tags),
    }


def crossed(market: Market, time_ms: int) -> dict[str, Any]:
    """A lie: a bid above the best ask, which the best prices told with it bear out."""
    ask = market.book.best(ASK)
    price = min(ask + market.tick, PRICE_UNIT - market.tick)
    changes = [_change(market, token, BID, price, "25", (price, ask), time_ms) for token in (0, 1)]
    return _changed(market, changes, time_ms)


encode = msgspec.json.encode
