"""The paper venue: one open order per strategy and market, filled against the real book. No network.

A taker arrives after our latency and the venue's taker delay and has what is displayed then, at its limit or better,
less what our takers have already had from those levels; the rest of it ends. A resting order waits behind the size
that was displayed at its price when it arrived. It moves up only by prints at that price, or when less is displayed
than stood before it. Prints at its price after the queue is used up, and prints through its price, fill it, in parts.
A print is shared by our orders, never used twice. A cancel takes effect after our latency; until then it can still be
filled.
"""

from polytraders.contracts.inputs import ASK, BID, UP
from polytraders.contracts.state import BOOK_OK, NONE, RESTING, SENT, Array, Record
from polytraders.kernel.jit import cold, kernel

WAITING, ARRIVED, CROSSES, ENDED = 0, 1, 2, 3


@kernel
def own_side(direction: int) -> int:
    """The side that an order rests on."""
    return BID if direction == UP else ASK


@kernel
def slot_of(mk: Record, side: int, price: int) -> int:
    """Slot of a price, NONE when it is outside the window."""
    slot = price // mk.tick - (mk.bid_base if side == BID else mk.ask_base)
    return slot if 0 <= slot < mk.slots else NONE


@kernel
def crosses(mk: Record, direction: int, price: int) -> bool:
    """Whether a resting order at `price` would meet the opposite side."""
    best: int = mk.ask_px if direction == UP else mk.bid_px
    return best != NONE and (price >= best if direction == UP else price <= best)


@cold
def progress(mk: Record, pair: Record, levels: Array, now: int) -> int:
    """What has become of an order by `now`, on the book as it was until now.

    Returns:
        WAITING, ARRIVED (a taker: match it now), CROSSES (post-only refused) or ENDED (expired or cancelled).
    """
    if pair.order == SENT:
        if now < pair.order_arrive_ts:
            return WAITING
        if pair.order_maker == 0:
            return ARRIVED
        # Nobody knows the venue's book while ours is invalid, so nothing is assumed to rest on it.
        if mk.state != BOOK_OK or crosses(mk, pair.order_direction, pair.order_price):
            return CROSSES
        side = own_side(pair.order_direction)
        slot = slot_of(mk, side, pair.order_price)
        pair.order_front = levels[side, slot] if slot != NONE else 0
        pair.order = RESTING
    return ENDED if now >= pair.order_expire_ts else WAITING


@kernel
def next_level(mk: Record, levels: Array, taken: Array, direction: int, limit_px: int, slot: int) -> int:
    """The next slot, from `slot` on, with something left for a taker at its limit or better; NONE at the end."""
    if direction == UP:
        while slot < mk.slots and (mk.ask_base + slot) * mk.tick <= limit_px:
            if levels[ASK, slot] > taken[ASK, slot]:
                return slot
            slot += 1
        return NONE
    while slot >= 0 and (mk.bid_base + slot) * mk.tick >= limit_px:
        if levels[BID, slot] > taken[BID, slot]:
            return slot
        slot -= 1
    return NONE


@kernel
def first_level(mk: Record, direction: int) -> int:
    """Where a taker begins."""
    answer: int = mk.best_ask if direction == UP else mk.best_bid
    return answer


@kernel
def price_at(mk: Record, direction: int, slot: int) -> int:
    """YES price of a slot on the side that a taker meets."""
    answer: int = ((mk.ask_base if direction == UP else mk.bid_base) + slot) * mk.tick
    return answer


@kernel
def take(mk: Record, levels: Array, taken: Array, direction: int, slot: int, wanted: int) -> int:
    """Take up to `wanted` from a slot; remembers that it is no longer there for our next taker."""
    side = ASK if direction == UP else BID
    size = min(wanted, levels[side, slot] - taken[side, slot])
    if taken[side, slot] == 0:
        mk.taken += 1
    taken[side, slot] += size
    answer: int = size
    return answer


@kernel
def told(mk: Record, taken: Array, side: int, slot: int, size: int) -> None:
    """A level's new total: no more can have been taken from it than it shows."""
    before = taken[side, slot]
    if before > size:
        taken[side, slot] = size
        if size == 0:
            mk.taken -= 1


@cold
def moved(mk: Record, taken: Array, bid_base: int, ask_base: int) -> None:
    """The windows no longer begin where they did: what was taken stays at its price, what is outside is forgotten."""
    shift(taken, BID, mk.bid_base - bid_base)
    shift(taken, ASK, mk.ask_base - ask_base)
    count = 0
    for slot in range(taken.shape[1]):
        count += int(taken[BID, slot] > 0) + int(taken[ASK, slot] > 0)
    mk.taken = count


@kernel
def shift(taken: Array, side: int, slots: int) -> None:
    """Move one side down by so many slots (negative: up)."""
    count = taken.shape[1]
    if slots > 0:
        for slot in range(count):
            taken[side, slot] = taken[side, slot + slots] if slot + slots < count else 0
    elif slots < 0:
        for slot in range(count - 1, -1, -1):
            taken[side, slot] = taken[side, slot + slots] if slot + slots >= 0 else 0


@cold
def forget(mk: Record, taken: Array) -> None:
    """The grid is another: what was taken can no longer be placed."""
    if mk.taken > 0:
        for slot in range(taken.shape[1]):
            taken[BID, slot] = 0
            taken[ASK, slot] = 0
        mk.taken = 0


@cold
def keep(mk: Record, levels: Array, taken: Array) -> None:
    """A whole new book: no more can have been taken from a level than it shows."""
    for side in range(2):
        for slot in range(taken.shape[1]):
            if taken[side, slot] > 0:
                told(mk, taken, side, slot, levels[side, slot])


@kernel
def displayed(pair: Record, side: int, price: int, size: int) -> None:
    """A level's new total at our own price: nobody can stand before us that is no longer displayed."""
    if pair.order == RESTING and side == own_side(pair.order_direction) and price == pair.order_price:
        pair.order_front = min(pair.order_front, size)


@kernel
def print_fill(pair: Record, aggressor: int, price: int, size: int) -> int:
    """What a print of `size` at `price` fills of a resting order, once its queue has been served.

    A print by a buyer meets asks, one by a seller meets bids. Through our price: everybody at our price was served.
    """
    side = own_side(pair.order_direction)
    if pair.order != RESTING or aggressor == side:
        return 0
    through = pair.order_price - price if side == BID else price - pair.order_price
    if through < 0:
        return 0
    if through > 0:
        pair.order_front = 0
        answer: int = min(pair.order_left, size)
        return answer
    over = size - pair.order_front
    pair.order_front = max(pair.order_front - size, 0)
    return min(pair.order_left, over) if over > 0 else 0
