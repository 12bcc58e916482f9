"""Stage 2 at work: what a row does to its market's book, and what that means for windows and paper orders."""

from apps.ingest.core import book, intake
from apps.signals.core import windows
from polytraders import emit, trading
from polytraders.contracts.inputs import Flag, Kind
from polytraders.contracts.state import BOOK_OK, NONE, Array, Record, State
from polytraders.kernel.jit import cold, kernel
from polytraders.venues.paper import venue as paper

RING_FULL = 2
"""`pf.fault`: a window could not hold its seconds. Cannot happen by construction; checked all the same."""


@cold
def lose(state: State, out: Array, market: int, why: int) -> None:
    """The market's book may be wrong from here on."""
    mk = state.markets[market]
    if intake.lose(mk, why):
        windows.note_lost(mk, state.ring[market], state.portfolio[0].now)
        emit.book(state.portfolio[0], out, mk, market)


@kernel
def told_level(state: State, mk: Record, market: int, e: Record, out: Array) -> None:
    """2: one level. The frame's last row of a market also tells the venue's own best prices."""
    side = int(e.side) + 0
    levels = state.levels[market]
    if mk.state != BOOK_OK:
        return
    if mk.taken > 0:
        paper_told(state, mk, market, side, e.price, e.size)
    if mk.orders > 0:
        trading.displayed(state.pairs[market], side, e.price, e.size)
    bid_base = mk.bid_base
    ask_base = mk.ask_base
    trimmed = False
    status = book.apply(mk, levels, state.overflow[market], state.staged, side, e.price, e.size)
    if status != book.OK:
        lose(state, out, market, intake.reason_of(status))
    elif e.flags & Flag.BEST and not book.agrees(mk, e.a, e.b):
        pf = state.portfolio[0]
        why = intake.told_best(mk, pf, levels, state.overflow[market], state.staged, e.a, e.b, e.frame)
        if why != 0:
            lose(state, out, market, why)
        trimmed = True
    if mk.taken > 0 and (trimmed or mk.bid_base != bid_base or mk.ask_base != ask_base):
        paper_told_book(state, mk, market, bid_base, ask_base)


@cold
def paper_told(state: State, mk: Record, market: int, side: int, price: int, size: int) -> None:
    """8, paper: a level's new total bounds what our takers can have had of it."""
    slot = paper.slot_of(mk, side, price)
    if slot != NONE:
        paper.told(mk, state.taken[market], side, slot, size)


@cold
def paper_told_book(state: State, mk: Record, market: int, bid_base: int, ask_base: int) -> None:
    """8, paper: levels went or the windows moved from these bases; our takers cannot have had more than is shown."""
    if mk.taken == 0:
        return
    if mk.bid_base != bid_base or mk.ask_base != ask_base:
        paper.moved(mk, state.taken[market], bid_base, ask_base)
    paper.keep(mk, state.levels[market], state.taken[market])


@cold
def told_snapshot(state: State, mk: Record, market: int, e: Record, out: Array) -> None:
    """2: a whole book, applied as one unit."""
    kind = int(e.kind)
    if kind == Kind.SNAP_OPEN:
        intake.open_snapshot(mk, e.flags, e.a)
    elif kind == Kind.SNAP_LEVEL:
        intake.stage_level(mk, state.staged, int(e.side), e.price, e.size)
    else:
        was_valid = mk.state == BOOK_OK
        levels = state.levels[market]
        bid_base = mk.bid_base
        ask_base = mk.ask_base
        why = intake.close_snapshot(mk, levels, state.overflow[market], state.staged, e.flags)
        if why != 0:
            lose(state, out, market, why)
        elif not was_valid:
            if not windows.note_found(mk, state.ring[market], state.portfolio[0].now):
                state.portfolio[0].fault = RING_FULL
            emit.book(state.portfolio[0], out, mk, market)
        paper_told_book(state, mk, market, bid_base, ask_base)


@cold
def told_tick(state: State, mk: Record, market: int, tick: int, out: Array) -> None:
    """2: the market's grid from now on."""
    if tick == mk.tick:
        return
    paper.forget(mk, state.taken[market])
    status = book.change_tick(mk, state.levels[market], state.overflow[market], state.staged, tick)
    if status != book.OK:
        lose(state, out, market, intake.TICK_CHANGED)
