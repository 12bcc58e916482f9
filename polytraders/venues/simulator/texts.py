"""How the venue spells things: prices, sizes, identifiers, and the fingerprint of a book."""

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import msgspec

from polytraders.contracts.inputs import PRICE_UNIT, SIZE_UNIT

CENT: Final = SIZE_UNIT // 100
"""The finest size the crowd uses: 0.01 share."""


@lru_cache(maxsize=PRICE_UNIT + 1)
def price_text(price: int) -> str:
    """A price in price units as the venue writes it, without zeros at the end: "0.34", "0.5", "0", "1"."""
    whole, part = divmod(price, PRICE_UNIT)
    return f"{whole}.{part:04d}".rstrip("0").rstrip(".")


@lru_cache(maxsize=16_384)
def size_text(size: int) -> str:
    """A size in 1e-6 shares as the venue writes it: "402", "17549.29"."""
    whole, part = divmod(size // CENT, SIZE_UNIT // CENT)
    return f"{whole}.{part:02d}".rstrip("0").rstrip(".") if part else str(whole)


def identifiers(seed: int, name: object) -> tuple[str, str, str]:
    """Condition id, YES token and NO token of a made-up market.

    Args:
        seed: Any integer.
        name: What tells the market from the others of the seed.
    """
    digests = [hashlib.sha256(f"{seed}/{name}/{part}".encode()) for part in ("condition", "yes", "no")]
    return (
        "0x" + digests[0].hexdigest(),
        str(int.from_bytes(digests[1].digest(), "big")),
        str(int.from_bytes(digests[2].digest(), "big")),
    )


def seal(book: dict[str, Any], last_trade_price: str, min_order_size: str, neg_risk: bool) -> str:
    """The fingerprint that the venue sends with a book: SHA-1 of compact JSON, ten keys in a fixed order, hash empty.

    Written down a second time, beside the reader's own, so that each can be wrong alone.

    Args:
        book: market, asset_id, timestamp, bids, asks, tick_size as they will be sent.
        last_trade_price: As sent.
        min_order_size: As the registry's pages say it.
        neg_risk: Likewise.
    """
    told = {key: book[key] for key in ("market", "asset_id", "timestamp")}
    told |= {"hash": "", "bids": book["bids"], "asks": book["asks"], "min_order_size": min_order_size}
    told |= {"tick_size": book["tick_size"], "neg_risk": neg_risk, "last_trade_price": last_trade_price}
    return hashlib.sha1(msgspec.json.encode(told), usedforsecurity=False).hexdigest()


def levels(side: Sequence[tuple[int, int]]) -> list[dict[str, str]]:
    """Levels (price, size) as a book tells them, in the order given."""
    return [{"price": price_text(price), "size": size_text(size)} for price, size in side]
