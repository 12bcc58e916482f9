"""One typed event to input rows, in YES terms.

Each reader appends its rows and returns the event's time in ns, or a refusal of `numbers.py`; after a refusal its rows
and whatever it taught `known` are worthless and the caller takes them back. Sides: a bid for the NO token is an ask for
YES at 1 - price, and buying NO is selling YES.
"""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from msgspec import UNSET

from polytraders.contracts.inputs import ASK, BID, NO_PRICE, PRICE_UNIT, YES, Fact, Flag, Kind, MarketStatus
from polytraders.venues.polymarket.bookhash import book_hash
from polytraders.venues.polymarket.known import OUTCOMES, Known
from polytraders.venues.polymarket.messages import Book, Change, MarketResolved, PriceChange, TickSizeChange, Trade
from polytraders.venues.polymarket.numbers import (
    CONFLICT,
    MISSING,
    PROTOCOL,
    REPEATED,
    SIZE_RANGE,
    TYPE,
    Text,
    absent,
    mirror,
    speaks,
    tick,
    timestamp,
)

Row = tuple[int, int, int, int, int, int, int, int, int]
"""kind, side, flags, market, price, size, a, b, source_ts."""

# Plain integers: rows are columns of numbers, and an enum's member is slower to make one of.
FACT, TICK_SIZE, SNAP_OPEN, SNAP_LEVEL = int(Kind.FACT), int(Kind.TICK_SIZE), int(Kind.SNAP_OPEN), int(Kind.SNAP_LEVEL)
SNAP_CLOSE, LEVEL, TRADE, RESOLVED = int(Kind.SNAP_CLOSE), int(Kind.LEVEL), int(Kind.TRADE), int(Kind.RESOLVED)
LAST, BEST, MIRRORED, MIRROR_BROKEN = int(Flag.LAST), int(Flag.BEST), int(Flag.MIRRORED), int(Flag.MIRROR_BROKEN)
TWIN, HASH_OK, HASH_BAD, HASH_EMPTY = int(Flag.TWIN), int(Flag.HASH_OK), int(Flag.HASH_BAD), int(Flag.HASH_EMPTY)
STATUS, ENDED, PAID = int(Fact.STATUS), int(MarketStatus.RESOLVING), int(MarketStatus.RESOLVED)

SIDES: Final = {"BUY": BID, "SELL": ASK}
UNTOLD: Final = (0, 0)
"""In place of best bid and ask when the change does not tell them: no such pair of best prices exists."""


def _time(event: PriceChange | Book | Trade | TickSizeChange | MarketResolved) -> int:
    """The event's time, or a refusal of its time or its protocol."""
    return timestamp(event.timestamp) if speaks(event.version) else PROTOCOL


def side_of(text: Text, token: int) -> int:
    """BID or ASK in YES terms, or a refusal."""
    if absent(text):
        return MISSING
    side = SIDES.get(str(text))
    return TYPE if side is None else side ^ token


class _Told(NamedTuple):
    """One change in YES terms; `best` is (best bid, best ask) or UNTOLD."""

    spot: int
    side: int
    price: int
    size: int
    best: tuple[int, int]


def _change(known: Known, market: Text, change: Change) -> _Told | int:
    """Read one change, or refuse it."""
    spot = known.place(market, change.asset_id)
    if spot < 0:
        return spot
    token = spot & 1
    grid = known.grids[spot >> 1]
    price = grid.price(change.price)
    size = known.sizes.read(change.size)
    side = side_of(change.side, token)
    best = UNTOLD
    if isinstance(change.best_bid, str) and isinstance(change.best_ask, str):
        best = grid.best(change.best_bid), grid.best(change.best_ask)
    refusal = next((value for value in (price, size, side, *best) if value < NO_PRICE), 0)
    if refusal:
        return refusal
    if token != YES:
        price = PRICE_UNIT - price
        best = best if best == UNTOLD else (mirror(best[1]), mirror(best[0]))
    return _Told(spot, side, price, size, best)


def price_changes(known: Known, event: PriceChange, rows: list[Row]) -> int:
    """LEVEL rows, one for each pair of mirrored changes, at the place of the pair's first.

    The YES change counts where there is one. Pairs are (side, price) in YES terms, matched in order, so a level that
    changes twice in a frame stays two rows.
    """
    time = _time(event)
    if time < 0 or not isinstance(event.price_changes, list):
        return min(time, MISSING)
    made: list[list[int]] = []
    bests: list[tuple[int, int]] = []
    alone: dict[tuple[int, int, int], deque[int]] = {}
    last, last_token = UNTOLD, -1
    for change in event.price_changes:
        told = _change(known, event.market, change)
        if isinstance(told, int):
            return told
        token = told.spot & 1
        if told.best != UNTOLD and (token == YES or last_token != YES):
            last, last_token = told.best, token
        twins = alone.get((1 - token, told.side, told.price))
        if not twins:
            alone.setdefault((token, told.side, told.price), deque()).append(len(made))
            made.append([LEVEL, told.side, 0, told.spot >> 1, told.price, told.size, 0, 0, time])
            bests.append(told.best)
            continue
        at = twins.popleft()
        agree = made[at][5] == told.size and (bests[at] == told.best or UNTOLD in (bests[at], told.best))
        made[at][2] = MIRRORED if agree else MIRROR_BROKEN
        if token == YES:
            made[at][5] = told.size
    if made:
        made[-1][2] |= LAST
        if last != UNTOLD:
            made[-1][2] |= BEST
            made[-1][6:8] = last
    rows.extend(tuple(row) for row in made)  # type: ignore[misc]
    return time


def _sides(known: Known, event: Book, spot: int, time: int) -> list[Row] | int:
    """SNAP_LEVEL rows of a whole book in the order sent, or a refusal. A price said twice on a side is refused."""
    token, index = spot & 1, spot >> 1
    grid = known.grids[index]
    made: list[Row] = []
    for levels, side in ((event.bids, BID ^ token), (event.asks, ASK ^ token)):
        before = len(made)
        for level in levels or ():
            price = grid.price(level.price)
            size = known.sizes.read(level.size)
            if price < 0 or size <= 0:
                return price if price < 0 else size or SIZE_RANGE
            if token != YES:
                price = PRICE_UNIT - price
            made.append((SNAP_LEVEL, side, 0, index, price, size, 0, 0, time))
        if len({row[4] for row in made[before:]}) < len(made) - before:
            return REPEATED
    return made


def _hash_flag(known: Known, event: Book, index: int) -> int:
    """HASH_EMPTY, HASH_OK or HASH_BAD; 0 when the registry's half of what is hashed is not known."""
    if absent(event.hash):
        return HASH_EMPTY
    facts = known.facts[index]
    if facts is None or not isinstance(event.tick_size, str) or not isinstance(event.last_trade_price, str):
        return 0
    ours = book_hash(
        market=str(event.market),
        asset_id=str(event.asset_id),
        timestamp=str(event.timestamp),
        bids=_texts(event.bids),
        asks=_texts(event.asks),
        min_order_size=facts[0],
        tick_size=event.tick_size,
        neg_risk=facts[1],
        last_trade_price=event.last_trade_price,
        version=event.version if isinstance(event.version, str) else "",
    )
    return HASH_OK if ours == event.hash else HASH_BAD


def _texts(levels: Any) -> list[tuple[str, str]]:
    return [(level.price, level.size) for level in levels or ()]


def book(known: Known, event: Book, rows: list[Row]) -> int:
    """TICK_SIZE where it is news, then SNAP_OPEN, the levels and SNAP_CLOSE."""
    time = _time(event)
    if time < 0 or event.bids is UNSET or event.asks is UNSET:
        return min(time, MISSING)
    spot = known.place(event.market, event.asset_id)
    if spot < 0:
        return spot
    token, index = spot & 1, spot >> 1
    if not absent(event.tick_size):
        step = tick(event.tick_size)
        if step < 0:
            return step
        if known.set_tick(index, step):
            rows.append((TICK_SIZE, 0, 0, index, step, 0, 0, 0, time))
    levels = _sides(known, event, spot, time)
    if isinstance(levels, int):
        return levels
    flags = _hash_flag(known, event, index) | (TWIN if known.set_book(index, token, time) else 0)
    rows.append((SNAP_OPEN, 0, flags, index, 0, len(levels), token, 0, time))
    rows.extend(levels)
    rows.append((SNAP_CLOSE, 0, LAST, index, 0, 0, 0, 0, time))
    return time


def trade(known: Known, event: Trade, rows: list[Row]) -> int:
    """A TRADE row; the side is the aggressor's."""
    time = _time(event)
    spot = time if time < 0 else known.place(event.market, event.asset_id)
    if spot < 0:
        return spot
    token, index = spot & 1, spot >> 1
    price = known.grids[index].price(event.price)
    size = known.sizes.read(event.size)
    side = side_of(event.side, token)
    refusal = next((value for value in (price, size or SIZE_RANGE, side) if value < 0), 0)
    if refusal:
        return refusal
    price = price if token == YES else PRICE_UNIT - price
    rows.append((TRADE, side, LAST, index, price, size, token, 0, time))
    return time


def tick_size_change(known: Known, event: TickSizeChange, rows: list[Row]) -> int:
    """A TICK_SIZE row, once: the venue says it for both tokens."""
    time = _time(event)
    spot = time if time < 0 else known.place(event.market, event.asset_id)
    if spot < 0:
        return spot
    step = tick(event.new_tick_size)
    if step < 0:
        return step
    if known.set_tick(spot >> 1, step):
        rows.append((TICK_SIZE, 0, LAST, spot >> 1, step, 0, 0, 0, time))
    return time


def market_resolved(known: Known, event: MarketResolved, rows: list[Row]) -> int:
    """Status and payout. A market nobody subscribed to yields nothing; without a winner the payout stays open."""
    time = _time(event)
    if time < 0 or absent(event.market):
        return min(time, MISSING)
    index = known.find(str(event.market))
    if index is None:
        return time
    winner = event.winning_asset_id
    if absent(winner):
        rows.append((FACT, 0, LAST, index, STATUS, ENDED, 0, 0, time))
        return time
    tokens = known.tokens[index]
    named = event.assets_ids if isinstance(event.assets_ids, list) else []
    if winner not in tokens and (len(tokens) == OUTCOMES or winner not in named or not set(tokens) & set(named)):
        return CONFLICT
    payout = PRICE_UNIT if winner == tokens[YES] else 0
    rows.extend(resolution_rows(index, payout, time))
    return time


def resolution_rows(index: int, payout: int, time: int) -> list[Row]:
    """What makes the loop settle a market.

    Args:
        index: The market.
        payout: Of one YES share, price units.
        time: The venue's time, ns; 0 when it told none.
    """
    return [(FACT, 0, 0, index, STATUS, PAID, 0, 0, time), (RESOLVED, 0, LAST, index, 0, payout, 0, 0, time)]


ROWS: Final[Mapping[str, Callable[[Known, Any, list[Row]], int]]] = {
    "price_change": price_changes,
    "book": book,
    "last_trade_price": trade,
    "tick_size_change": tick_size_change,
    "market_resolved": market_resolved,
}
