"""The venue's own fingerprint of a book: SHA-1 over compact JSON of the book with an empty hash in it.

Keys come in the venue's order and texts exactly as sent, so "0.50" and "0.5" differ. Seen to reproduce on REST books of
Protocol v1 and v2. A message of the market channel leaves two of the fields out (they come from the registry) and may
carry an older last_trade_price than the one hashed: there, a mismatch is worth counting and proves nothing.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

Pair = tuple[str, str]
"""Price and size of a level, as sent."""


def book_hash(
    *,
    market: str,
    asset_id: str,
    timestamp: str,
    bids: Iterable[Pair],
    asks: Iterable[Pair],
    min_order_size: str,
    tick_size: str,
    neg_risk: bool,
    last_trade_price: str,
    version: str = "",
) -> str:
    """The 40 hex digits the venue should have sent with this book.

    Args:
        market: Condition id.
        asset_id: Token id.
        timestamp: Milliseconds, as sent.
        bids: Levels in the order sent.
        asks: Levels in the order sent.
        min_order_size: Smallest order in shares, the venue's text.
        tick_size: The venue's text.
        neg_risk: The market is one of a negative-risk event.
        last_trade_price: The venue's text, empty before the first trade.
        version: "v2" is part of what is hashed; "v1" and "" are not.
    """
    book: dict[str, Any] = {
        "market": market,
        "asset_id": asset_id,
        "timestamp": timestamp,
        "hash": "",
        "bids": _levels(bids),
        "asks": _levels(asks),
        "min_order_size": min_order_size,
        "tick_size": tick_size,
        "neg_risk": neg_risk,
        "last_trade_price": last_trade_price,
    }
    if version not in ("", "v1"):
        book["version"] = version
    return hashlib.sha1(msgspec.json.encode(book), usedforsecurity=False).hexdigest()


def _levels(pairs: Iterable[Pair]) -> list[dict[str, str]]:
    return [{"price": price, "size": size} for price, size in pairs]


def rest_hash(book: Mapping[str, Any]) -> str:
    """The hash of a REST /book response, which carries every field itself.

    Args:
        book: The decoded response.

    Raises:
        KeyError: A field of the response is missing.
    """

    def pairs(levels: Sequence[Mapping[str, str]] | None) -> list[Pair]:
        return [(level["price"], level["size"]) for level in levels or ()]

    return book_hash(
        market=book["market"],
        asset_id=book["asset_id"],
        timestamp=book["timestamp"],
        bids=pairs(book["bids"]),
        asks=pairs(book["asks"]),
        min_order_size=book["min_order_size"],
        tick_size=book["tick_size"],
        neg_risk=book["neg_risk"],
        last_trade_price=book["last_trade_price"],
        version=book.get("version") or "",
    )
