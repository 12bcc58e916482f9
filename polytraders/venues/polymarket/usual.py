"""The short way for the usual frame: one level of a known market, told for both tokens alike.

It only ever accepts. Every text it looks up is in a dictionary of texts that passed all checks before, and an absent
field is in none, so a hit is a proof; anything else is left to the long way.
"""

from typing import Final

from msgspec import UNSET

from polytraders.contracts.inputs import ASK, BID, PRICE_UNIT, Flag, Kind
from polytraders.venues.polymarket.events import Row
from polytraders.venues.polymarket.known import Known
from polytraders.venues.polymarket.messages import Change, PriceChange
from polytraders.venues.polymarket.numbers import MS, TIME_MAX_MS, TIME_MIN_MS, Grid, speaks

PAIR_KEYS: Final = 18
"""Keys of such a frame: four of its own and seven for each token. With all of them present and no more colons than
keys, no key is unknown and none is said twice: the cheapest complete scan there is."""

TIME_DIGITS: Final = 13

_LEVEL: Final = int(Kind.LEVEL)
_FLAGS: Final = int(Flag.LAST | Flag.BEST | Flag.MIRRORED)


def pair(known: Known, event: PriceChange, one: Change, two: Change) -> Row | None:
    """The frame's LEVEL row, or None when it is not that sort of frame.

    Args:
        known: The decoder's markets.
        event: The decoded frame; the caller has counted its colons against PAIR_KEYS, plus one for a version.
        one: Its first change, of either token.
        two: Its second.
    """
    spot = known.spots.get(one.asset_id)
    if spot is None:
        return None
    yes, no = one, two
    if spot & 1:
        spot -= 1
        yes, no = two, one
    market = spot >> 1
    text = event.timestamp
    if (
        known.spots.get(yes.asset_id) != spot
        or known.spots.get(no.asset_id) != spot + 1
        or known.index.get(event.market) != market
        or event.event_type != "price_change"
        or (event.version is not UNSET and not speaks(event.version))
        or type(text) is not str
        or len(text) != TIME_DIGITS
        or not text.isdigit()
        or not text.isascii()
    ):
        return None
    time = int(text)
    if not TIME_MIN_MS <= time < TIME_MAX_MS:
        return None
    if yes.side == "BUY" and no.side == "SELL":
        side = BID
    elif yes.side == "SELL" and no.side == "BUY":
        side = ASK
    else:
        return None
    size = known.sizes.kept.get(yes.size)
    if size is None:
        size = known.sizes.read(yes.size)
    grid = known.grids[market]
    if size < 0 or not _alike(grid, yes, no):
        return None
    return (
        _LEVEL, side, _FLAGS, market,
        grid.prices[yes.price], size, grid.bests[yes.best_bid], grid.bests[yes.best_ask], time * MS,
    )  # fmt: skip


def _alike(grid: Grid, yes: Change, no: Change) -> bool:
    """True when all prices are known texts, every key is there and the two tokens mirror each other."""
    prices = grid.prices
    mirrors = grid.mirrors
    price = prices.get(yes.price)
    other = prices.get(no.price)
    bid = grid.bests.get(yes.best_bid)
    ask = grid.bests.get(yes.best_ask)
    return (
        price is not None
        and other is not None
        and bid is not None
        and ask is not None
        and price + other == PRICE_UNIT
        and yes.size == no.size
        and mirrors.get(no.best_ask) == bid
        and mirrors.get(no.best_bid) == ask
        and yes.hash is not UNSET
        and no.hash is not UNSET
    )
