"""Stages 8 and 9 at work, composed from oms, ledger and paper.

An approval becomes an order with its capital held; the paper venue's answers become fills, releases and positions. Each
output row is written where its money moves.
"""

from apps.ledger.core import positions, settlement
from apps.risk.core.checks import Trade
from polytraders import emit
from polytraders.contracts import reasons
from polytraders.contracts.inputs import NANO, NO, YES
from polytraders.contracts.state import BUY, NO_ORDER, NONE, SENT, Array, Record, State
from polytraders.kernel import money
from polytraders.kernel.jit import cold, kernel
from polytraders.venues.paper import venue as paper

MS_NS = 1_000_000
FOREVER = 1 << 62
EXPIRED = reasons.number("EXEC_EXPIRED")
CANCELLED = reasons.number("EXEC_CANCELLED")
NO_MATCH = reasons.number("EXEC_NO_MATCH")
POST_ONLY_CROSSES = reasons.number("EXEC_POST_ONLY_CROSSES")
FILLED = reasons.number("EXEC_FILL")
PAYOUT_INVALID = reasons.number("EXEC_LEDGER_PAYOUT_INVALID")


@kernel
def due(state: State, market: int, ts: int) -> None:
    """Something may happen to a market at `ts` without a row of its own: the TICK then visits it."""
    state.deadlines[market] = min(state.deadlines[market], ts)
    pf = state.portfolio[0]
    pf.deadline = min(pf.deadline, ts)


@kernel
def place(pf: Record, lim: Record, mk: Record, cluster: Record, strat: Record, pair: Record, trade: Trade) -> None:
    """The approved trade becomes an order on its way; what it can cost is held in the same breath."""
    now = pf.now
    pair.order = SENT
    pair.order_seq = pf.in_seq
    pair.order_action = trade.action
    pair.order_outcome = trade.outcome
    pair.order_direction = trade.direction
    pair.order_price = trade.worst_px
    pair.order_size = trade.size
    pair.order_left = trade.size
    pair.order_held = 0
    pair.order_maker = trade.maker
    pair.order_front = 0
    pair.order_cancelled = 0
    delay_ms = lim.order_latency_ms + (0 if pair.order_maker != 0 else mk.taker_delay_ms)
    pair.order_arrive_ts = now + delay_ms * MS_NS
    pair.order_expire_ts = now + max(strat.rest_ms, delay_ms) * MS_NS
    positions_hold(pf, mk, cluster, strat, pair)
    mk.order_ts = pair.order_arrive_ts if mk.orders == 0 else min(mk.order_ts, pair.order_arrive_ts)
    mk.orders += 1
    minute = now // (60 * NANO)
    strat.orders = strat.orders + 1 if strat.minute == minute else 1
    strat.minute = minute
    strat.approvals += 1
    pf.approvals += 1


@kernel
def positions_hold(pf: Record, mk: Record, cluster: Record, strat: Record, pair: Record) -> None:
    """Hold the money of a purchase, or the shares of a sale."""
    if pair.order_action == BUY:
        amount = positions.hold_for(mk, pair.order_outcome, pair.order_price, pair.order_left)
        positions.reserve(pf, mk, cluster, strat, pair, amount)
        pair.order_held = amount
    else:
        pair.order_held = pair.order_left


@cold
def fill(state: State, out: Array, market: int, strategy: int, price: int, size: int) -> None:
    """`size` of the pair's order has filled at the YES price `price`."""
    pf = state.portfolio[0]
    mk = state.markets[market]
    pair = state.pairs[market, strategy]
    strat = state.strategies[strategy]
    cluster = state.clusters[mk.cluster]
    own = positions.own_price(pair.order_outcome, price)
    fee = 0
    if pair.order_maker == 0 or mk.fee_taker_only == 0:
        fee = money.fee_micros(size, own, mk.fee_rate, mk.fee_exponent, mk.fee_bps)
    pair.order_left -= size
    # The hold shrinks before the money goes, so that free capital is never less than nothing.
    positions.release(pf, mk, cluster, strat, pair, pair.order_left)
    if pair.order_action == BUY:
        amount = money.notional(size, own, True)
        positions.bought(pf, mk, cluster, strat, pair, pair.order_outcome, size, amount, fee)
    else:
        amount = -money.notional(size, own, False)
        positions.sold(pf, mk, cluster, strat, pair, pair.order_outcome, size, -amount, fee)
    positions.reassess(mk, cluster)
    positions.mark(pf, mk)
    positions.follow(pf)
    strat.fills += 1
    pf.fills += 1
    emit.fill(pf, out, pair, market, strategy, own, size, amount, fee)
    if pair.order_left == 0:
        finish(state, out, market, strategy, FILLED)


@cold
def finish(state: State, out: Array, market: int, strategy: int, reason: int) -> None:
    """The order is over: what it still held is free again."""
    pf = state.portfolio[0]
    mk = state.markets[market]
    pair = state.pairs[market, strategy]
    if pair.order_left > 0:
        held = pair.order_held
        positions.release(pf, mk, state.clusters[mk.cluster], state.strategies[strategy], pair, 0)
        own = positions.own_price(pair.order_outcome, pair.order_price)
        emit.done(pf, out, pair, market, strategy, reason, own, held if pair.order_action == BUY else 0)
        pf.expiries += 1
    pair.order = NO_ORDER
    mk.orders -= 1


@kernel
def match(state: State, out: Array, market: int, strategy: int, levels: Array, taken: Array) -> None:
    """A taker has arrived: it has what is displayed at its limit or better, and the rest of it ends."""
    mk = state.markets[market]
    pair = state.pairs[market, strategy]
    direction = pair.order_direction
    slot = paper.first_level(mk, direction)
    while pair.order != NO_ORDER and mk.state == 0:
        slot = paper.next_level(mk, levels, taken, direction, pair.order_price, slot)
        if slot == NONE:
            break
        price = paper.price_at(mk, direction, slot)
        size = paper.take(mk, levels, taken, direction, slot, pair.order_left)
        fill(state, out, market, strategy, price, size)
    if pair.order != NO_ORDER:
        finish(state, out, market, strategy, NO_MATCH)


@cold
def advance(state: State, out: Array, market: int) -> None:
    """Our orders on a market up to now, before the book takes the next input."""
    pf = state.portfolio[0]
    mk = state.markets[market]
    for strategy in range(state.pairs.shape[1]):
        pair = state.pairs[market, strategy]
        if pair.order == NO_ORDER:
            continue
        what = paper.progress(mk, pair, state.levels[market], pf.now)
        if what == paper.ARRIVED:
            match(state, out, market, strategy, state.levels[market], state.taken[market])
        elif what == paper.CROSSES:
            finish(state, out, market, strategy, POST_ONLY_CROSSES)
        elif what == paper.ENDED:
            finish(state, out, market, strategy, CANCELLED if pair.order_cancelled != 0 else EXPIRED)
    mk.order_ts = next_due(state.pairs[market])


@kernel
def next_due(pairs: Array) -> int:
    """When something next becomes of a market's orders without a row: an arrival or an end."""
    soonest = FOREVER
    for strategy in range(len(pairs)):
        pair = pairs[strategy]
        if pair.order == SENT:
            soonest = min(soonest, pair.order_arrive_ts)
        elif pair.order != NO_ORDER:
            soonest = min(soonest, pair.order_expire_ts)
    return soonest


@cold
def prints(state: State, out: Array, market: int, aggressor: int, price: int, size: int) -> None:
    """A print reaches our resting orders; what fills one of them is not there for the next."""
    for strategy in range(state.pairs.shape[1]):
        pair = state.pairs[market, strategy]
        filled = paper.print_fill(pair, aggressor, price, size)
        if filled > 0:
            at = pair.order_price
            fill(state, out, market, strategy, at, filled)
            size -= filled


@kernel
def displayed(pairs: Array, side: int, price: int, size: int) -> None:
    """A level's new total, for the queues of our resting orders."""
    for strategy in range(len(pairs)):
        paper.displayed(pairs[strategy], side, price, size)


@cold
def pull(state: State, market: int, strategy: int) -> None:
    """Cancel an order; it ends after our latency and can still be filled until then."""
    pf = state.portfolio[0]
    pair = state.pairs[market, strategy]
    if pair.order == NO_ORDER or pair.order_cancelled != 0 or (pair.order == SENT and pair.order_maker == 0):
        return
    pair.order_cancelled = 1
    effective = pf.now + state.limits[0].order_latency_ms * MS_NS
    pair.order_expire_ts = min(pair.order_expire_ts, max(effective, pair.order_arrive_ts))
    due(state, market, pair.order_expire_ts)
    mk = state.markets[market]
    mk.order_ts = min(mk.order_ts, pair.order_expire_ts)


@cold
def pull_market(state: State, market: int) -> None:
    """Cancel every order of ours on a market."""
    for strategy in range(state.pairs.shape[1]):
        pull(state, market, strategy)


@cold
def settle(state: State, out: Array, market: int, pays: int) -> None:
    """The market has resolved: orders end, holdings are paid out, `pays` price units for one YES share.

    A payout that cannot be leaves everything as it was, and says so.
    """
    pf = state.portfolio[0]
    if settlement.redeem(YES, 0, pays) == settlement.REFUSED:
        emit.settled(pf, out, market, NONE, YES, 0, 0, PAYOUT_INVALID)
        return
    mk = state.markets[market]
    cluster = state.clusters[mk.cluster]
    for strategy in range(state.pairs.shape[1]):
        pair = state.pairs[market, strategy]
        strat = state.strategies[strategy]
        if pair.order != NO_ORDER:
            finish(state, out, market, strategy, CANCELLED)
        for outcome in (YES, NO):
            size = positions.held(pair, outcome)
            if size > 0:
                received = settlement.redeem(outcome, size, pays)
                positions.sold(pf, mk, cluster, strat, pair, outcome, size, received, 0)
                emit.settled(pf, out, market, strategy, outcome, size, received, NONE)
    positions.reassess(mk, cluster)
    positions.mark(pf, mk)
    positions.follow(pf)
