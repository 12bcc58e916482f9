"""One book per market, in YES terms: a window of ticks per side with the best price and the five-level depth kept.

A side is `SLOTS` consecutive ticks; what lies outside waits in an overflow list and comes in when the window moves,
which it does only when the best price would leave it. On markets with up to 1,023 ticks (Polymarket down to 0.001) the
window is the whole price range and never moves; on finer grids depth and walks see the levels inside it only, those
within some 512 ticks of the best price. Venue sizes are totals at a price, never differences.
"""

from polytraders.contracts.inputs import ASK, BID, PRICE_UNIT
from polytraders.contracts.state import NONE, OVERFLOW, SLOTS, Array, Record
from polytraders.kernel.jit import cold, kernel

OK, OFF_GRID, FULL = 0, 1, 2
DEPTH_LEVELS = 5


@kernel
def next_bid(bid: Array, slot: int) -> int:
    """The next occupied slot below `slot`, NONE if there is none."""
    slot -= 1
    while slot >= 0 and bid[slot] == 0:
        slot -= 1
    return slot


@kernel
def next_ask(ask: Array, slot: int, slots: int) -> int:
    """The next occupied slot above `slot`, `slots` if there is none."""
    slot += 1
    while slot < slots and ask[slot] == 0:
        slot += 1
    return slot


@kernel
def measure_bid_depth(mk: Record, bid: Array) -> None:
    """Size on the five best bids, and the slot down to which an update can change it."""
    slot = mk.best_bid
    total = 0
    count = 0
    while slot >= 0:
        if bid[slot] > 0:
            total += bid[slot]
            count += 1
            if count == DEPTH_LEVELS:
                break
        slot -= 1
    mk.bid_depth = total
    mk.bid_depth_end = slot


@kernel
def measure_ask_depth(mk: Record, ask: Array) -> None:
    """The same for the asks."""
    slot = mk.best_ask
    slots = mk.slots
    total = 0
    count = 0
    while slot < slots:
        if ask[slot] > 0:
            total += ask[slot]
            count += 1
            if count == DEPTH_LEVELS:
                break
        slot += 1
    mk.ask_depth = total
    mk.ask_depth_end = slot


@kernel
def set_bid(mk: Record, bid: Array, slot: int, size: int) -> None:
    """New total at a slot of the bids."""
    was = bid[slot]
    bid[slot] = size
    best = mk.best_bid
    if size > 0:
        if slot > best:
            mk.best_bid = slot
            mk.bid_px = (mk.bid_base + slot) * mk.tick
    elif slot == best:
        best = next_bid(bid, slot)
        mk.best_bid = best
        mk.bid_px = (mk.bid_base + best) * mk.tick if best >= 0 else NONE
    if slot >= mk.bid_depth_end:
        if was > 0 and size > 0:
            mk.bid_depth += size - was
        elif was != size:
            measure_bid_depth(mk, bid)


@kernel
def set_ask(mk: Record, ask: Array, slot: int, size: int) -> None:
    """New total at a slot of the asks."""
    was = ask[slot]
    ask[slot] = size
    best = mk.best_ask
    if size > 0:
        if slot < best:
            mk.best_ask = slot
            mk.ask_px = (mk.ask_base + slot) * mk.tick
    elif slot == best:
        best = next_ask(ask, slot, mk.slots)
        mk.best_ask = best
        mk.ask_px = (mk.ask_base + best) * mk.tick if best < mk.slots else NONE
    if slot <= mk.ask_depth_end:
        if was > 0 and size > 0:
            mk.ask_depth += size - was
        elif was != size:
            measure_ask_depth(mk, ask)


@kernel
def clear(mk: Record, levels: Array, overflow: Array) -> None:
    """An empty book on both sides."""
    for slot in range(SLOTS):
        levels[BID, slot] = 0
        levels[ASK, slot] = 0
    mk.best_bid = NONE
    mk.best_ask = mk.slots
    mk.bid_px = NONE
    mk.ask_px = NONE
    mk.bid_depth = 0
    mk.ask_depth = 0
    mk.bid_depth_end = NONE
    mk.ask_depth_end = mk.slots
    mk.bid_overflow = 0
    mk.ask_overflow = 0


@kernel
def list_outside(mk: Record, overflow: Array, side: int, price: int, size: int) -> bool:
    """Keep a level that is outside the window. False = no room left: the book can no longer be trusted."""
    count = mk.bid_overflow if side == BID else mk.ask_overflow
    row = 0
    while row < count and overflow[side, row, 0] != price:
        row += 1
    if size == 0:
        if row == count:
            return True
        count -= 1
        overflow[side, row, 0] = overflow[side, count, 0]
        overflow[side, row, 1] = overflow[side, count, 1]
    else:
        if row == count:
            if count == OVERFLOW:
                return False
            count += 1
        overflow[side, row, 0] = price
        overflow[side, row, 1] = size
    if side == BID:
        mk.bid_overflow = count
    else:
        mk.ask_overflow = count
    return True


@kernel
def level_size(mk: Record, levels: Array, overflow: Array, side: int, price: int) -> int:
    """Size that our book has at a price."""
    if price % mk.tick != 0:
        return 0
    slot = price // mk.tick - (mk.bid_base if side == BID else mk.ask_base)
    if 0 <= slot < mk.slots:
        return int(levels[side, slot])
    count = mk.bid_overflow if side == BID else mk.ask_overflow
    for row in range(count):
        if overflow[side, row, 0] == price:
            return int(overflow[side, row, 1])
    return 0


@kernel
def count_levels(mk: Record, levels: Array) -> int:
    """Occupied levels of both sides."""
    count: int = mk.bid_overflow + mk.ask_overflow
    for slot in range(mk.slots):
        if levels[BID, slot] > 0:
            count += 1
        if levels[ASK, slot] > 0:
            count += 1
    return count


@kernel
def collect(mk: Record, levels: Array, overflow: Array, side: int, rows: Array, start: int) -> int:
    """Copy every level of one side to `rows[start:]` as (side, price, size); returns the end."""
    base = mk.bid_base if side == BID else mk.ask_base
    for slot in range(mk.slots):
        if levels[side, slot] > 0:
            rows[start, 0] = side
            rows[start, 1] = (base + slot) * mk.tick
            rows[start, 2] = levels[side, slot]
            start += 1
    count = mk.bid_overflow if side == BID else mk.ask_overflow
    for row in range(count):
        rows[start, 0] = side
        rows[start, 1] = overflow[side, row, 0]
        rows[start, 2] = overflow[side, row, 1]
        start += 1
    return start


@kernel
def choose_window(mk: Record, bid_px: int, ask_px: int) -> None:
    """Place the windows for a tick and the best prices that will have to fit (NONE = no such side)."""
    whole = PRICE_UNIT // mk.tick + 1
    if whole <= SLOTS and bid_px <= PRICE_UNIT and ask_px <= PRICE_UNIT:
        mk.slots = whole
        mk.bid_base = 0
        mk.ask_base = 0
        return
    mk.slots = SLOTS
    bid_tick = bid_px // mk.tick if bid_px >= 0 else (ask_px // mk.tick if ask_px >= 0 else 0)
    ask_tick = ask_px // mk.tick if ask_px >= 0 else bid_tick
    mk.bid_base = max(0, bid_tick - SLOTS // 2)
    mk.ask_base = max(0, ask_tick - SLOTS // 2)


@kernel
def rebuild(mk: Record, levels: Array, overflow: Array, rows: Array, count: int) -> int:
    """Replace the book by `rows[:count]`, each (side, price, size). OK, OFF_GRID or FULL."""
    bid_px = NONE
    ask_px = NONE
    for row in range(count):
        price = rows[row, 1]
        if price % mk.tick != 0:
            return OFF_GRID
        if rows[row, 2] == 0:
            continue
        if rows[row, 0] == BID:
            bid_px = max(bid_px, price)
        elif ask_px == NONE or price < ask_px:
            ask_px = price
    choose_window(mk, bid_px, ask_px)
    clear(mk, levels, overflow)
    for row in range(count):
        side = rows[row, 0]
        price = rows[row, 1]
        slot = price // mk.tick - (mk.bid_base if side == BID else mk.ask_base)
        if 0 <= slot < mk.slots:
            levels[side, slot] = rows[row, 2]
        elif not list_outside(mk, overflow, side, price, rows[row, 2]):
            return FULL
    if bid_px != NONE:
        mk.best_bid = bid_px // mk.tick - mk.bid_base
        mk.bid_px = bid_px
    if ask_px != NONE:
        mk.best_ask = ask_px // mk.tick - mk.ask_base
        mk.ask_px = ask_px
    measure_bid_depth(mk, levels[BID])
    measure_ask_depth(mk, levels[ASK])
    return OK


@cold
def recentre(mk: Record, levels: Array, overflow: Array, rows: Array) -> int:
    """Move the windows to where the best prices are. `rows` is scratch."""
    count = collect(mk, levels, overflow, BID, rows, 0)
    count = collect(mk, levels, overflow, ASK, rows, count)
    return rebuild(mk, levels, overflow, rows, count)


@cold
def outside(mk: Record, levels: Array, overflow: Array, rows: Array, side: int, price: int, size: int) -> int:
    """A level beyond the window, or a side whose window has run empty."""
    if not list_outside(mk, overflow, side, price, size):
        return FULL
    better = price > mk.bid_px if side == BID else (mk.ask_px == NONE or price < mk.ask_px)
    return recentre(mk, levels, overflow, rows) if size > 0 and better else OK


@kernel
def apply(mk: Record, levels: Array, overflow: Array, rows: Array, side: int, price: int, size: int) -> int:
    """New total `size` at `price` on `side`. OK, OFF_GRID or FULL."""
    tick = mk.tick
    ticks = price // tick
    if ticks * tick != price:
        return OFF_GRID
    if side == BID:
        slot = ticks - mk.bid_base
        if 0 <= slot < mk.slots:
            set_bid(mk, levels[BID], slot, size)
            if mk.best_bid < 0 and mk.bid_overflow > 0:
                return recentre(mk, levels, overflow, rows)
            return OK
    else:
        slot = ticks - mk.ask_base
        if 0 <= slot < mk.slots:
            set_ask(mk, levels[ASK], slot, size)
            if mk.best_ask >= mk.slots and mk.ask_overflow > 0:
                return recentre(mk, levels, overflow, rows)
            return OK
    return outside(mk, levels, overflow, rows, side, price, size)


@kernel
def change_tick(mk: Record, levels: Array, overflow: Array, rows: Array, tick: int) -> int:
    """Put the book on a new grid. OFF_GRID when a level does not fit it: the book must be told anew."""
    if mk.tick == 0:
        mk.tick = tick
        choose_window(mk, NONE, NONE)
        clear(mk, levels, overflow)
        return OK
    count = collect(mk, levels, overflow, BID, rows, 0)
    count = collect(mk, levels, overflow, ASK, rows, count)
    mk.tick = tick
    return rebuild(mk, levels, overflow, rows, count)


@kernel
def agrees(mk: Record, bid_px: int, ask_px: int) -> bool:
    """Whether our best prices are the told ones (NONE = that side is empty)."""
    return bool(mk.bid_px == bid_px and mk.ask_px == ask_px)


@cold
def trim(mk: Record, levels: Array, overflow: Array, rows: Array, bid_px: int, ask_px: int) -> int:
    """Remove own levels better than the told best prices; returns how many.

    When an aggressive order takes out a level and its remainder rests, the venue tells the new resting level only; the
    consumed one stays in our book until the told best price shows that it is gone.
    """
    removed = 0
    while mk.bid_px > bid_px and mk.bid_px != NONE:
        apply(mk, levels, overflow, rows, BID, mk.bid_px, 0)
        removed += 1
    while mk.ask_px != NONE and (ask_px == NONE or mk.ask_px < ask_px):
        apply(mk, levels, overflow, rows, ASK, mk.ask_px, 0)
        removed += 1
    return removed


@kernel
def differences(mk: Record, levels: Array, overflow: Array, rows: Array, count: int) -> int:
    """In how many levels a told book, `rows[:count]`, differs from ours."""
    differing = 0
    known = 0
    for row in range(count):
        ours = level_size(mk, levels, overflow, rows[row, 0], rows[row, 1])
        if ours != rows[row, 2]:
            differing += 1
        if ours > 0:
            known += 1
    return differing + count_levels(mk, levels) - known
