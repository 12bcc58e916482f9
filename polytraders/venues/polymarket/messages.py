"""The market channel's messages as typed structs; everything optional, so that what is missing gets its own code.

Field meanings are the venue's. Numbers come as text and stay text here. Order of fields is the venue's usual order.
"""

from typing import Final

from msgspec import UNSET, Raw, Struct, UnsetType
from msgspec.json import Decoder as Json

Field = str | UnsetType
Maybe = str | UnsetType | None


class Change(Struct, gc=False):
    """New total at one price of one token. `hash` covers the venue's book and cannot be recomputed from the message."""

    asset_id: Field = UNSET
    price: Field = UNSET
    size: Field = UNSET
    side: Field = UNSET
    hash: Maybe = UNSET
    best_bid: Maybe = UNSET
    best_ask: Maybe = UNSET


class PriceChange(Struct, gc=False):
    """Levels that changed, told for both tokens of a market."""

    market: Field = UNSET
    price_changes: list[Change] | UnsetType = UNSET
    timestamp: Field = UNSET
    event_type: Field = UNSET
    version: Maybe = UNSET


class Level(Struct, gc=False):
    """Total at one price of a whole book."""

    price: Field = UNSET
    size: Field = UNSET


class Book(Struct, gc=False):
    """A whole book of one token, bids ascending and asks descending as sent."""

    market: Field = UNSET
    asset_id: Field = UNSET
    timestamp: Field = UNSET
    hash: Maybe = UNSET
    bids: list[Level] | UnsetType | None = UNSET
    asks: list[Level] | UnsetType | None = UNSET
    tick_size: Maybe = UNSET
    event_type: Field = UNSET
    last_trade_price: Maybe = UNSET
    version: Maybe = UNSET
    min_order_size: Maybe = UNSET
    neg_risk: bool | UnsetType | None = UNSET


class Trade(Struct, gc=False):
    """Somebody traded; printed for one of the two tokens. `fee_rate_bps` is "0" even where fees are taken: not used."""

    market: Field = UNSET
    asset_id: Field = UNSET
    price: Field = UNSET
    size: Field = UNSET
    fee_rate_bps: Maybe = UNSET
    side: Field = UNSET
    timestamp: Field = UNSET
    event_type: Field = UNSET
    transaction_hash: Maybe = UNSET
    version: Maybe = UNSET


class TickSizeChange(Struct, gc=False):
    """The market's price grid changed."""

    market: Field = UNSET
    asset_id: Field = UNSET
    old_tick_size: Maybe = UNSET
    new_tick_size: Field = UNSET
    timestamp: Field = UNSET
    event_type: Field = UNSET
    version: Maybe = UNSET


class MarketResolved(Struct, gc=False):
    """The outcome is known."""

    market: Field = UNSET
    assets_ids: list[str] | UnsetType = UNSET
    winning_asset_id: Maybe = UNSET
    winning_outcome: Maybe = UNSET
    timestamp: Field = UNSET
    event_type: Field = UNSET
    version: Maybe = UNSET


class Head(Struct, gc=False):
    """Enough to tell what sort of message it is."""

    event_type: Field = UNSET


Event = PriceChange | Book | Trade | TickSizeChange | MarketResolved

price_change: Final = Json(PriceChange).decode
head: Final = Json(Head).decode
many: Final = Json(list[Raw]).decode

READERS: Final = {
    "price_change": price_change,
    "book": Json(Book).decode,
    "last_trade_price": Json(Trade).decode,
    "tick_size_change": Json(TickSizeChange).decode,
    "market_resolved": Json(MarketResolved).decode,
}

COUNTED: Final = frozenset({"best_bid_ask", "new_market"})
"""Known, and only counted: best_bid_ask repeats what price_change already tells, new_market is sent for every market of
the venue."""

_STRUCTS: Final[dict[str, type[Struct]]] = {
    "price_change": PriceChange,
    "book": Book,
    "last_trade_price": Trade,
    "tick_size_change": TickSizeChange,
    "market_resolved": MarketResolved,
}

_NEW_MARKET: Final = (
    "id", "question", "market", "slug", "description", "assets_ids", "outcomes", "event_message", "timestamp",
    "event_type", "tags", "condition_id", "active", "clob_token_ids", "sports_market_type", "line",
    "game_start_time", "order_price_min_tick_size", "group_item_title", "taker_base_fee", "fees_enabled",
    "fee_schedule", "version",
)  # fmt: skip

FIELDS: Final[dict[str, frozenset[str]]] = {
    **{name: frozenset(struct.__struct_fields__) for name, struct in _STRUCTS.items()},
    "market_resolved": frozenset({*MarketResolved.__struct_fields__, *_NEW_MARKET}),
    "best_bid_ask": frozenset(
        {"event_type", "market", "asset_id", "best_bid", "best_ask", "spread", "timestamp", "version"}
    ),
    "new_market": frozenset(_NEW_MARKET),
}
"""Field names of each event type; anything else is counted by name."""

PARTS: Final[dict[str, tuple[tuple[str, ...], frozenset[str]]]] = {
    "price_change": (("price_changes",), frozenset(Change.__struct_fields__)),
    "book": (("bids", "asks"), frozenset(Level.__struct_fields__)),
}
"""Where an event holds a list of objects, and their field names."""


def told(event: Struct) -> int:
    """How many keys an event that was not refused accounts for, those of its levels and changes included."""
    count = _present(event)
    if isinstance(event, PriceChange):
        return count + sum(_present(change) for change in event.price_changes or ())
    if isinstance(event, Book):
        # A level without price or size has been refused.
        return count + len(Level.__struct_fields__) * (len(event.bids or ()) + len(event.asks or ()))
    return count


def _present(struct: Struct) -> int:
    return sum(getattr(struct, name) is not UNSET for name in struct.__struct_fields__)
