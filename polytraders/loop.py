"""THE OPERATING LOOP: every input passes the stages in their order, and this file reads like the table.

    1 registry · 2 ingestion and book · 3 event log (in_seq, ordinal) · 4 signals · 5 fair value · 6 execution estimate ·
    7 decision, risk, sizing · 8 order manager · 9 ledger

Live, paper, shadow, replay and backtest run this code: live hands `run` what has arrived, a replay hands it 64k rows.
It is a pure function of its inputs; no clock, no random number, no network, no database. Stages 10 and 11 drive and
watch it from outside.
"""

from typing import NamedTuple

from polytraders import emit, trading
from polytraders.contracts import checks as c
from polytraders.contracts import state as s
from polytraders.contracts.inputs import NANO, NO, PRICE_UNIT, UP, DOWN, YES, Fact, Flag, Kind
from polytraders.contracts.state import APPROVAL, BOOK_OK, BUY, NO_ORDER, NONE, PACKET, SELL
from apps.execution.core import fill as fills
from apps.execution.core import walk
from apps.fairvalue.core import reference, uncertainty
from apps.ingest.core import book, intake
from apps.ledger.core import positions
from apps.registry.core import facts, instruments
from apps.risk.core import checks, controls, edge, gate, sizing
from apps.signals.core import features, windows
from polytraders.kernel.block import open_rows, open_state
from polytraders.kernel.jit import cold_part, entry, part
from polytraders.strategies import roster
from polytraders.strategies.proposal import Proposal
from polytraders.venues.paper import venue as paper

MINUTE_NS = 60 * NANO
MS_NS = 1_000_000
RING_FULL = 2
"""`pf.fault`: a window could not hold its seconds. Cannot happen by construction; checked all the same."""
FOREVER = 1 << 62

PULL = (
    1 << c.KILL_GLOBAL | 1 << c.KILL_VENUE | 1 << c.KILL_CLUSTER | 1 << c.KILL_MARKET | 1 << c.MARKET_HALT
    | 1 << c.MARKET_CLOSE | 1 << c.BOOK_VALID | 1 << c.BOOK_STALE
)  # fmt: skip
"""Market votes that take our resting orders off the book."""


class Here(NamedTuple):
    """One market at one moment, with everything that a decision about it reads."""

    pf: object  # PORTFOLIO
    lim: object  # LIMITS
    mk: object  # MARKET
    cluster: object  # CLUSTER of the market
    venue: object  # VENUE of the market
    market: int
    now: int
    readable: bool  # the book is valid and has two sides


@part
def is_readable(mk):
    """Whether the book is valid and has two sides."""
    return mk.state == BOOK_OK and mk.bid_px != NONE and mk.ask_px != NONE


# --- 5, 6, 7: one strategy's trade -----------------------------------------------------------------------------------


@part
def no_trade(waits):
    """What there is to judge when there is no book to read: nothing that any check could approve."""
    return checks.Trade(
        UP, BUY, YES, 0, 0, 0, 0, 0, 0, 0, 0, edge.NO_EDGE, 0, NONE, 0, 0, 0, 0, 0, 0, waits
    )  # fmt: skip


@part
def is_flattening(h, strat):
    """Whether a flatten command covers the strategy in this market."""
    return h.pf.flatten | h.venue.flatten | h.cluster.flatten | h.mk.flatten | strat.flatten


@part
def direct(h, strat, pair, p_hat):
    """(direction, action, outcome): the side that the forecast favours; what is held against it is sold first."""
    if is_flattening(h, strat) != 0:
        direction = DOWN if pair.qty_yes > 0 else UP
    else:
        direction = UP if p_hat * (2 * PRICE_UNIT) >= h.mk.mid2 else DOWN
    against = NO if direction == UP else YES
    if positions.held(pair, against) >= max(h.mk.min_size, sizing.LOT):
        return direction, SELL, against
    return direction, BUY, positions.opposite(against)


@part
def purchase_caps(h, strat, x, edge_nano, own_nano, unit_cost, filled, maker):
    """(strategy, liquidity, portfolio) caps of a purchase, 1e-6 shares."""
    capital = h.pf.cash - h.pf.reserved + h.pf.exposure
    strategy_cap = sizing.strategy_cap(
        strat.size, edge_nano, own_nano, strat.kelly_ppm, strat.volatility_target_ppm, x[s.VOLATILITY_5M], capital
    )
    liquidity_cap = filled if maker != 0 else sizing.liquidity_cap(filled, h.lim.liquidity_take_ppm_max)
    left = checks.room(h.pf, h.mk, h.cluster, strat, h.lim)
    # The exact cap costs two divisions, and most of the time there is plenty of room.
    if left > 0 and strategy_cap * 1e-9 * unit_cost + 1.0 < left:
        return strategy_cap, liquidity_cap, strategy_cap
    return strategy_cap, liquidity_cap, sizing.affordable(left, unit_cost)


@part
def consider(state, h, strategy, ranking):
    """5 fair value, 6 execution estimate, and the trade that a strategy would make of them."""
    strat = state.strategies[strategy]
    pair = state.pairs[h.market, strategy]
    x = state.features
    waits = 0 if ranking or strat.immediate != 0 else 1
    if not h.readable:
        return no_trade(waits), Proposal(0.0, 0.0, 1.0, 0, 0, 0)
    # 5. Fair value: p_hat and its band.
    p = roster.propose(strat.model, x, state.params[strategy], h.mk, state.references, h.now)
    flattening = is_flattening(h, strat)
    direction, action, outcome = direct(h, strat, pair, p.p_hat)
    # 6. Execution estimate: q_exec and fees.
    maker = strat.maker if flattening == 0 else 0
    wish = strat.size if action == BUY else sizing.floor_lot(min(strat.size, positions.held(pair, outcome)))
    if flattening != 0 and action == SELL:
        wish = sizing.floor_lot(positions.held(pair, outcome))
    if maker != 0:
        est = walk.rest(h.mk, direction, wish)
    else:
        est = walk.take(h.mk, state.levels[h.market], state.taken[h.market], direction, wish)
    # 7. The terms of net_edge, as integers, each rounded against us.
    p_nano = edge.nano(direction, p.p_hat)
    gain = edge.net_edge(direction, p_nano, est.q_exec, est.fee, p.buffer) if est.filled > 0 else edge.NO_EDGE
    own = est.q_exec if outcome == YES else NANO - est.q_exec
    unit_cost = own + max(est.fee, h.mk.fee_rate * 250)
    if action == BUY:
        strategy_cap, liquidity_cap, portfolio_cap = purchase_caps(h, strat, x, gain, own, unit_cost, est.filled, maker)
    else:
        strategy_cap, liquidity_cap, portfolio_cap = wish, est.filled, positions.held(pair, outcome)
    size = sizing.floor_lot(min(strategy_cap, liquidity_cap, portfolio_cap))
    opinion = p.opinion if uncertainty.is_opinion(p.p_hat, p.lower, p.upper) else 0
    complete = uncertainty.completeness_ppm(strat.windows, x[s.COMPLETE_60S], x[s.COMPLETE_5M], x[s.COMPLETE_1H])
    trade = checks.Trade(
        direction, action, outcome, complete, opinion, p.reference_age_ms, uncertainty.band_nano(p.lower, p.upper), p_nano, est.q_exec,
        est.fee, p.buffer, gain, est.filled, est.worst_px, strategy_cap, liquidity_cap, portfolio_cap, size,
        sizing.smallest_cost(max(h.mk.min_size, sizing.LOT), unit_cost), int(flattening != 0), waits,
    )  # fmt: skip
    return trade, p


@part
def vote(detail, state, h, strategy, trade):
    """Every check about one strategy's trade."""
    strat = state.strategies[strategy]
    pair = state.pairs[h.market, strategy]
    own_orders = 0
    if h.mk.orders > 0 and strat.maker == 0:
        pairs = state.pairs[h.market]
        own_orders = checks.meets_own(pairs, len(pairs), strategy, trade.direction, trade.worst_px)
    orders = strat.orders if strat.minute == h.now // MINUTE_NS else 0
    flattening = is_flattening(h, strat)
    return gate.pair_votes(
        detail, h.pf, h.mk, pair, h.cluster, strat, h.lim, trade, flattening, own_orders, orders
    )


@part
def vote_market(detail, state, h):
    """Every check that is the same for all strategies of a market."""
    alive = state.connections[h.mk.connection].alive_ts
    witness = alive if h.pf.synthetic != 0 else h.mk.witness_ts
    stale = checks.stale_ts(h.mk, alive, witness)
    missing = instruments.missing(h.mk)
    return gate.market_votes(detail, h.pf, h.mk, h.cluster, h.venue, h.lim, missing, stale, h.now)


@part
def write_detail(state, h, strategy, trade, p, details):
    """The packet's numbers: the same checks once more, this time with their values and limits."""
    strat = state.strategies[strategy]
    pair = state.pairs[h.market, strategy]
    mk = h.mk
    d = details[emit.detail_row(h.pf, details)]
    vote_market(d, state, h)
    vote(d, state, h, strategy, trade)
    down = trade.outcome == NO
    d.p_hat = p.p_hat
    d.lower = p.lower
    d.upper = p.upper
    d.buffer = trade.buffer
    d.q_exec = NANO - trade.q_exec if down else trade.q_exec
    d.p_own = NANO - trade.p_hat if down else trade.p_hat
    d.fee = trade.fee
    d.net_edge = trade.edge
    d.filled = trade.filled
    d.strategy_cap = trade.strategy_cap
    d.liquidity_cap = trade.liquidity_cap
    d.portfolio_cap = trade.portfolio_cap
    d.slippage = walk.slippage(trade.direction, trade.q_exec, mk.mid2) if trade.filled > 0 else 0
    d.wish = strat.size
    delay = fills.delay_ms(mk, h.lim.order_latency_ms, strat.maker)
    d.p_fill, d.fill_ms = fills.predict(
        mk, state.levels[h.market], trade.direction, strat.maker, trade.filled, strat.size, strat.rest_ms, delay
    )
    d.valid_ms = fills.VALID_MS
    d.warnings = fills.warnings(mk, trade.filled, strat.size)
    d.quality = mk.state
    d.book_row_ts = mk.row_ts
    d.best_bid = mk.bid_px
    d.best_ask = mk.ask_px
    d.reference = state.references[mk.reference].price if mk.reference != NONE else NONE
    d.position = pair.qty_yes - pair.qty_no
    for feature in range(len(state.features)):
        d.features[feature] = state.features[feature]


@cold_part
def conclude(state, h, strategy, trade, p, counted, out, details):
    """A new verdict: its packet, and for an approval the order (8) with its capital held (9)."""
    pair = state.pairs[h.market, strategy]
    kind = APPROVAL if gate.approves(counted) else PACKET
    at = emit.verdict(h.pf, out, kind, pair, h.market, strategy, counted, trade.action, trade.outcome)
    write_detail(state, h, strategy, trade, p, details)
    pair.candidate = int(counted == 1 << c.RANK)
    h.pf.candidates += pair.candidate
    if kind == APPROVAL:
        trading.place(h.pf, h.lim, h.mk, h.cluster, state.strategies[strategy], pair, trade)
        emit.approval(out[at], pair, positions.own_price(trade.outcome, trade.worst_px))


@part
def judge(state, h, strategy, ranking, out, details):
    """Stages 5 to 9 for one strategy in one market."""
    trade, p = consider(state, h, strategy, ranking)
    counted = gate.decide(h.mk.votes | vote(None, state, h, strategy, trade), trade.action)
    pair = state.pairs[h.market, strategy]
    h.pf.evaluations += 1
    if counted == pair.votes and counted != 0 and trade.action == pair.action and trade.outcome == pair.outcome:
        pair.repeats += 1
        if h.now - pair.packet_ts >= MINUTE_NS:
            emit.counts(h.pf, out, pair, h.market, strategy)
        if counted == 1 << c.RANK and pair.candidate == 0:
            pair.candidate = 1
            h.pf.candidates += 1
    else:
        conclude(state, h, strategy, trade, p, counted, out, details)


# --- 4 to 9: one market ----------------------------------------------------------------------------------------------


@part
def evaluate(state, market, out, details):
    """4 signals, then every strategy's decision on a market."""
    mk = state.markets[market]
    cluster = state.clusters[mk.cluster]
    venue = state.venues[mk.venue]
    h = Here(state.portfolio[0], state.limits[0], mk, cluster, venue, market, state.portfolio[0].now, is_readable(mk))
    votes = vote_market(None, state, h)
    if votes != mk.votes:
        mk.votes = votes
        h.pf.deadline = min(h.pf.deadline, h.now)
    if mk.orders > 0 and votes & PULL:
        trading.pull_market(state, market)
    if h.readable:
        features.write(mk, state.levels[market], state.features, h.now)
    else:
        features.blank(state.features)
    for strategy in range(len(state.strategies)):
        judge(state, h, strategy, False, out, details)
    mk.visited_ts = h.now


@cold_part
def visit(state, market, out, details):
    """A look at a market without a row of its own: a deadline has passed, or its book is lost."""
    mk = state.markets[market]
    now = state.portfolio[0].now
    if now >= mk.second:
        windows.roll(mk, state.ring[market], now)
    if mk.orders > 0:
        trading.advance(state, out, market)
    evaluate(state, market, out, details)


@cold_part
def next_deadline(state, market, after):
    """The first moment after `after` at which a market's verdicts or orders can change without a row of its own."""
    pf = state.portfolio[0]
    mk = state.markets[market]
    lim = state.limits[0]
    alive = state.connections[mk.connection].alive_ts
    stale = checks.stale_ts(mk, alive, alive if pf.synthetic != 0 else mk.witness_ts)
    soonest = FOREVER
    if stale > after:
        soonest = min(soonest, stale)
    close = mk.close_ts - lim.close_margin_ms * MS_NS
    if close > after:
        soonest = min(soonest, close)
    if mk.close_ts > after:
        soonest = min(soonest, mk.close_ts)
    old = mk.synced_ts + (lim.registry_age_ms_max + 1) * MS_NS
    if old > after:
        soonest = min(soonest, old)
    for strategy in range(len(state.strategies)):
        pair = state.pairs[market, strategy]
        if pair.order != NO_ORDER:
            if pair.order_arrive_ts > after:
                soonest = min(soonest, pair.order_arrive_ts)
            if pair.order_expire_ts > after:
                soonest = min(soonest, pair.order_expire_ts)
    return soonest


# --- 2, 3, 4: what a row does to its market --------------------------------------------------------------------------


@cold_part
def lose(state, out, market, why):
    """The market's book may be wrong from here on."""
    mk = state.markets[market]
    if intake.lose(mk, why):
        windows.note_lost(mk, state.ring[market], state.portfolio[0].now)
        emit.book(state.portfolio[0], out, mk, market)


@part
def told_level(state, mk, market, e, out):
    """2: one level. The frame's last row of a market also tells the venue's own best prices."""
    side = int(e.side)
    levels = state.levels[market]
    if mk.state != BOOK_OK:
        return
    if mk.taken > 0:
        paper_told(state, mk, market, side, e.price, e.size)
    if mk.orders > 0:
        trading.displayed(state, market, side, e.price, e.size)
    status = book.apply(mk, levels, state.overflow[market], state.staged, side, e.price, e.size)
    if status != book.OK:
        lose(state, out, market, intake.reason_of(status))
    elif e.flags & Flag.BEST and not book.agrees(mk, e.a, e.b):
        pf = state.portfolio[0]
        why = intake.told_best(mk, pf, levels, state.overflow[market], state.staged, e.a, e.b, e.frame)
        if why != 0:
            lose(state, out, market, why)


@cold_part
def paper_told(state, mk, market, side, price, size):
    """8, paper: a level's new total bounds what our takers can have had of it."""
    slot = paper.slot_of(mk, side, price)
    if slot != NONE:
        paper.told(mk, state.taken[market], side, slot, size)


@cold_part
def told_snapshot(state, mk, market, e, out):
    """2: a whole book, applied as one unit."""
    kind = int(e.kind)
    if kind == Kind.SNAP_OPEN:
        intake.open_snapshot(mk, e.flags, e.a)
    elif kind == Kind.SNAP_LEVEL:
        intake.stage_level(mk, state.staged, int(e.side), e.price, e.size)
    else:
        was_valid = mk.state == BOOK_OK
        levels = state.levels[market]
        base = mk.bid_base + mk.ask_base
        why = intake.close_snapshot(mk, levels, state.overflow[market], state.staged, e.flags)
        if why != 0:
            lose(state, out, market, why)
        elif not was_valid:
            if not windows.note_found(mk, state.ring[market], state.portfolio[0].now):
                state.portfolio[0].fault = RING_FULL
            emit.book(state.portfolio[0], out, mk, market)
        if mk.taken > 0:
            if mk.bid_base + mk.ask_base == base:
                paper.keep(mk, levels, state.taken[market])
            else:
                paper.forget(mk, state.taken[market])


@cold_part
def told_tick(state, mk, market, tick, out):
    """2: the market's grid from now on."""
    if tick == mk.tick:
        return
    paper.forget(mk, state.taken[market])
    status = book.change_tick(mk, state.levels[market], state.overflow[market], state.staged, tick)
    if status != book.OK:
        lose(state, out, market, intake.TICK_CHANGED)


@part
def on_market(state, e, out, details):
    """2 to 9 for a row about one market's book or trades."""
    pf = state.portfolio[0]
    market = int(e.market)
    mk = state.markets[market]
    now = pf.now
    kind = int(e.kind)
    mk.events += 1
    mk.row_ts = now
    state.connections[mk.connection].alive_ts = now
    if now >= mk.second:
        windows.roll(mk, state.ring[market], now)
    # 8. What our orders have met until now, on the book as it stood.
    if mk.orders > 0:
        trading.advance(state, out, market)
    # 2. Ingestion: a continuously valid book, or a refusal.
    whole = True
    if kind == Kind.LEVEL:
        told_level(state, mk, market, e, out)
        if e.flags & Flag.MIRRORED:
            mk.mirrored += 1
    elif kind == Kind.TRADE:
        if mk.orders > 0:
            trading.prints(state, out, market, int(e.side), e.price, e.size)
        whole = windows.note_trade(mk, state.ring[market], int(e.side), e.price, e.size)
    elif kind == Kind.TICK_SIZE:
        told_tick(state, mk, market, e.price, out)
    else:
        told_snapshot(state, mk, market, e, out)
    # 4. Signals: the mid has moved, or not.
    if mk.state == BOOK_OK and kind != Kind.TRADE and mk.bid_px + mk.ask_px != mk.mid2 and mk.staging == 0:
        whole = windows.note_mid(mk, state.ring[market])
        if mk.qty_yes | mk.qty_no:
            positions.mark(pf, mk)
    if not whole:
        pf.fault = RING_FULL
    if e.flags & Flag.LAST:
        evaluate(state, market, out, details)


# --- TICK: time itself -----------------------------------------------------------------------------------------------


@part
def visit_due(state, out, details):
    """Visit each market whose deadline has passed; remember the next one."""
    pf = state.portfolio[0]
    soonest = FOREVER
    pf.deadline = FOREVER
    for market in range(len(state.markets)):
        mk = state.markets[market]
        if mk.events == 0:
            continue
        if next_deadline(state, market, mk.visited_ts) <= pf.now:
            visit(state, market, out, details)
        soonest = min(soonest, next_deadline(state, market, pf.now))
    pf.deadline = soonest


@cold_part
def judge_one(state, market, strategy, ranking, out, details):
    """One strategy's decision in one market, apart from the market's own row."""
    mk = state.markets[market]
    cluster = state.clusters[mk.cluster]
    venue = state.venues[mk.venue]
    h = Here(state.portfolio[0], state.limits[0], mk, cluster, venue, market, state.portfolio[0].now, is_readable(mk))
    if h.readable:
        features.write(mk, state.levels[market], state.features, h.now)
    else:
        features.blank(state.features)
    judge(state, h, strategy, ranking, out, details)


@part
def collect(state, out, details):
    """The candidates that still pass every check, each with its score; the others get their new verdict."""
    count = 0
    for market in range(len(state.markets)):
        if state.markets[market].events == 0:
            continue
        for strategy in range(len(state.strategies)):
            pair = state.pairs[market, strategy]
            if pair.candidate == 0:
                continue
            pair.candidate = 0
            mk = state.markets[market]
            cluster = state.clusters[mk.cluster]
            venue = state.venues[mk.venue]
            h = Here(state.portfolio[0], state.limits[0], mk, cluster, venue, market, state.portfolio[0].now, is_readable(mk))
            h.mk.votes = vote_market(None, state, h)
            if h.readable:
                features.write(h.mk, state.levels[market], state.features, h.now)
            else:
                features.blank(state.features)
            trade, p = consider(state, h, strategy, True)
            if gate.decide(h.mk.votes | vote(None, state, h, strategy, trade), trade.action) == 0:
                state.ranked[count, 0] = trade.edge * (1.0 - (p.upper - p.lower))
                state.ranked[count, 1] = market * len(state.strategies) + strategy
                count += 1
            else:
                judge_one(state, market, strategy, False, out, details)
    return count


@part
def rank(state, out, details):
    """7: who gets the capital. Best adjusted edge times confidence first, then the lower market, then the lower strategy.

    Each one is judged again with what those before it have taken.
    """
    state.portfolio[0].candidates = 0
    count = collect(state, out, details)
    for _ in range(count):
        best = 0
        for row in range(1, count):
            # Rows are in order of market and strategy, so a tie stays with the first.
            if state.ranked[row, 0] > state.ranked[best, 0]:
                best = row
        which = int(state.ranked[best, 1])
        state.ranked[best, 0] = -FOREVER
        judge_one(state, which // len(state.strategies), which % len(state.strategies), True, out, details)


@cold_part
def on_tick(state, e, out, details):
    """250 ms have passed: days roll, silence and expiry show, and the candidates are ranked."""
    pf = state.portfolio[0]
    positions.roll_day(pf, pf.now)
    if pf.now >= pf.deadline:
        visit_due(state, out, details)
    if pf.candidates > 0:
        rank(state, out, details)


# --- everything else that is an input --------------------------------------------------------------------------------


@cold_part
def on_refusal(state, e, out, details, why):
    """A frame was refused or missed: its market's book, or every book of its connection, is lost."""
    for market in range(len(state.markets)):
        mk = state.markets[market]
        if mk.events > 0 and (market == e.market or (e.market == NONE and mk.connection == e.b)):
            lose(state, out, market, why)
            visit(state, market, out, details)


@part
def on_kill(state, e, killed):
    """A kill takes our orders of its scope off the books at once; a release changes nothing but the flag."""
    pf = state.portfolio[0]
    scope = e.price
    index = e.size
    controls.set_kill(state, pf, scope, index, killed)
    if killed == 0:
        return
    for market in range(len(state.markets)):
        mk = state.markets[market]
        if mk.orders > 0:
            for strategy in range(len(state.strategies)):
                if controls.covers(scope, index, market, strategy, mk.cluster, mk.venue):
                    trading.pull(state, market, strategy)


@part
def on_fact(state, e):
    """1: a registry fact. A market that changes its cluster takes its exposure with it."""
    mk = state.markets[e.market]
    if e.price == Fact.CLUSTER and e.size != mk.cluster:
        for sign in (-1, 1):
            cluster = state.clusters[mk.cluster]
            cluster.exposure += sign * mk.exposure
            cluster.worst += sign * mk.worst
            if sign == -1:
                mk.cluster = e.size
    facts.apply(mk, e.price, e.size, e.flags)
    state.portfolio[0].deadline = 0


@cold_part
def on_control(state, e, out, details):
    """1, 7, 11: facts, limits, settings, kills, rollout, capital, settlement, reference prices, proof of life."""
    pf = state.portfolio[0]
    kind = int(e.kind)
    if kind == Kind.FACT:
        on_fact(state, e)
    elif kind == Kind.REFUSED:
        pf.frames_refused += 1
        on_refusal(state, e, out, details, e.a)
    elif kind == Kind.GAP:
        on_refusal(state, e, out, details, intake.GAP)
    elif kind == Kind.ALIVE:
        state.connections[e.b].alive_ts = pf.now
    elif kind == Kind.WITNESS:
        state.markets[e.market].witness_ts = pf.now
    elif kind == Kind.REFERENCE:
        reference.note(state.references[e.market], state.reference_ring[e.market], e.price, pf.now)
    elif kind == Kind.LIMIT:
        controls.set_limit(state.limits[0], e.price, e.size)
        pf.deadline = 0
    elif kind == Kind.PARAM:
        state.param_bits[e.market, e.price] = e.size
    elif kind == Kind.SETTING:
        controls.set_setting(state.strategies[e.market], e.price, e.size)
    elif kind == Kind.KILL:
        on_kill(state, e, 1)
    elif kind == Kind.RELEASE:
        on_kill(state, e, 0)
    elif kind == Kind.ROLLOUT:
        state.strategies[e.market].stage = e.size
    elif kind == Kind.CAPITAL:
        pf.cash += e.size
        pf.deposited += e.size
        pf.high_day += e.size
        pf.high_week += e.size
        positions.follow(pf)
    elif kind == Kind.RESOLVED:
        trading.settle(state, out, e.market, e.size)
    elif kind == Kind.FLATTEN:
        controls.set_flatten(state, pf, e.price, e.size, e.a)
    elif kind == Kind.VENUE:
        state.venues[e.price].allowed = e.size
    elif kind == Kind.CLOCK:
        pf.synthetic = e.a


@part
def step(state, e, out, details):
    """One input through all stages."""
    pf = state.portfolio[0]
    # 3. The event log: gapless number, and loop time that never steps back.
    pf.in_seq = e.in_seq
    pf.ordinal = 0
    pf.now = max(pf.now, e.recv_ts)
    kind = int(e.kind)
    if kind >= Kind.TICK_SIZE and kind <= Kind.TRADE:
        on_market(state, e, out, details)
    elif kind == Kind.TICK:
        on_tick(state, e, out, details)
    else:
        on_control(state, e, out, details)


@entry
def run(block, inputs, start, stop, outs, detail_bytes):
    """`step` over rows start..stop of `inputs`, outputs from the beginning of `outs`.

    Args:
        block: The state, see kernel/block.py.
        inputs: Bytes of INPUT rows.
        start: First row.
        stop: End of the rows.
        outs: Bytes for OUT rows; afterwards `portfolio.count` of them are filled.
        detail_bytes: Bytes for DETAIL rows, `portfolio.details` of them filled.

    Returns:
        The next row: `stop`, or less when the outputs are nearly full or `portfolio.fault` is set.
    """
    state = open_state(block)
    events, out, details = open_rows(inputs, outs, detail_bytes)
    pf = state.portfolio[0]
    pf.count = 0
    pf.details = 0
    margin = 64 + 4 * state.pairs.shape[0] * state.pairs.shape[1]
    room = max(len(out) - margin, 1)
    detail_room = max(len(details) - margin, 1)
    for i in range(start, stop):
        step(state, events[i], out, details)
        if pf.count >= room or pf.details >= detail_room or pf.fault != 0:
            return i + 1
    return stop
