"""Stages 5 to 8 for one strategy in one market: what it would trade, what the gate says, what becomes of it."""

from typing import NamedTuple

from apps.execution.core import fill as fills
from apps.execution.core import walk
from apps.fairvalue.core import uncertainty
from apps.ledger.core import positions
from apps.registry.core import instruments
from apps.risk.core import checks, edge, gate, sizing
from apps.risk.core.checks import Trade
from polytraders import emit, trading
from polytraders.contracts import checks as c
from polytraders.contracts import state as s
from polytraders.contracts.inputs import DOWN, NANO, NO, PRICE_UNIT, UP, YES
from polytraders.contracts.state import APPROVAL, BOOK_OK, BUY, NONE, PACKET, SELL, Array, Record, State
from polytraders.kernel.jit import cold, kernel, merged
from polytraders.strategies import roster
from polytraders.strategies.proposal import Proposal

MINUTE_NS = 60 * NANO
WAIT = 1 << c.RANK
"""The votes of a trade that only waits for the ranking."""
WAITING, RANKED, SCORING = 0, 1, 2
"""Why a pair is judged apart from its market's row, see `judge_apart`."""
FAILED = -1e18
"""Score of a candidate that a check rejects by now."""


class Here(NamedTuple):
    """One market at one moment, with everything that a decision about it reads."""

    pf: Record  # PORTFOLIO
    lim: Record  # LIMITS
    mk: Record  # MARKET
    cluster: Record  # CLUSTER of the market
    venue: Record  # VENUE of the market
    market: int
    now: int
    readable: bool  # the book is valid and has two sides


@kernel
def is_readable(mk: Record) -> bool:
    """Whether the book is valid and has two sides."""
    answer: bool = mk.state == BOOK_OK and mk.bid_px != NONE and mk.ask_px != NONE
    return answer


@merged
def here(state: State, market: int) -> Here:
    """Look at one market. Merged, since a compiled function cannot return records."""
    pf = state.portfolio[0]
    mk = state.markets[market]
    cluster = state.clusters[mk.cluster]
    return Here(pf, state.limits[0], mk, cluster, state.venues[mk.venue], market, pf.now, is_readable(mk))


@kernel
def no_trade(waits: int) -> Trade:
    """What there is to judge when there is no book to read: nothing that any check could approve."""
    return checks.Trade(
        UP, BUY, YES, 0, 0, 0, 0, 0, 0, 0, 0, edge.NO_EDGE, 0, 0, 0, NONE, 0, 0, 0, 0, 0, 0, waits
    )  # fmt: skip


@kernel
def is_flattening(h: Here, strat: Record) -> int:
    """Whether a flatten command covers the strategy in this market."""
    answer: int = h.pf.flatten | h.venue.flatten | h.cluster.flatten | h.mk.flatten | strat.flatten
    return answer


@kernel
def direct(h: Here, strat: Record, pair: Record, p_hat: float) -> tuple[int, int, int]:
    """(direction, action, outcome): the side that the forecast favours; what is held against it is sold first."""
    if is_flattening(h, strat) != 0:
        direction = DOWN if pair.qty_yes > 0 else UP
    else:
        direction = UP if p_hat * (2 * PRICE_UNIT) >= h.mk.mid2 else DOWN
    against = NO if direction == UP else YES
    if positions.held(pair, against) >= max(h.mk.min_size, sizing.LOT):
        return direction, SELL, against
    return direction, BUY, positions.opposite(against)


@kernel
def purchase_caps(
    h: Here, strat: Record, x: Array, edge_nano: int, own_nano: int, unit_cost: int, filled: int, maker: int
) -> tuple[int, int, int]:
    """(strategy, liquidity, portfolio) caps of a purchase, 1e-6 shares."""
    capital = h.pf.cash - h.pf.reserved + h.pf.exposure
    strategy_cap = sizing.strategy_cap(
        strat.size, edge_nano, own_nano, strat.kelly_ppm, strat.volatility_target_ppm, x[s.VOLATILITY_5M], capital
    )
    liquidity_cap = filled if maker != 0 else sizing.liquidity_cap(filled, h.lim.liquidity_take_ppm_max)
    left = checks.room(h.pf, h.mk, h.cluster, strat, h.lim) - sizing.ROUNDING
    # The exact cap costs two divisions, and most of the time there is plenty of room.
    if left > 0 and strategy_cap * 1e-9 * unit_cost < left:
        return strategy_cap, liquidity_cap, strategy_cap
    return strategy_cap, liquidity_cap, sizing.affordable(left, unit_cost)


@kernel
def consider(state: State, h: Here, strategy: int, ranking: bool) -> tuple[Trade, Proposal]:
    """5 fair value, 6 execution estimate, and the trade that a strategy would make of them."""
    strat = state.strategies[strategy]
    pair = state.pairs[h.market, strategy]
    x = state.features[h.market]
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
    unit_cost = positions.unit_hold(h.mk, outcome, est.worst_px)
    if action == BUY:
        strategy_cap, liquidity_cap, portfolio_cap = purchase_caps(h, strat, x, gain, own, unit_cost, est.filled, maker)
    else:
        strategy_cap, liquidity_cap, portfolio_cap = wish, est.filled, positions.held(pair, outcome)
    size = sizing.floor_lot(min(strategy_cap, liquidity_cap, portfolio_cap))
    opinion = p.opinion if uncertainty.is_opinion(p.p_hat, p.lower, p.upper) else 0
    complete = uncertainty.completeness_ppm(strat.windows, x[s.COMPLETE_60S], x[s.COMPLETE_5M], x[s.COMPLETE_1H])
    band = uncertainty.band_nano(p.lower, p.upper)
    smallest = sizing.smallest_cost(max(h.mk.min_size, sizing.LOT), unit_cost)
    trade = checks.Trade(
        direction, action, outcome, complete, opinion, p.reference_age_ms, band, p_nano, est.q_exec, est.fee, p.buffer,
        gain, maker, wish, est.filled, est.worst_px, strategy_cap, liquidity_cap, portfolio_cap, size, smallest,
        int(flattening != 0), waits,
    )  # fmt: skip
    return trade, p


@kernel
def vote(detail: Record | None, state: State, h: Here, strategy: int, trade: Trade) -> int:
    """Every check about one strategy's trade."""
    strat = state.strategies[strategy]
    pair = state.pairs[h.market, strategy]
    own_orders = 0
    if h.mk.orders > 0 and strat.maker == 0:
        pairs = state.pairs[h.market]
        own_orders = checks.meets_own(pairs, len(pairs), strategy, trade.direction, trade.worst_px)
    orders = strat.orders if strat.minute == h.now // MINUTE_NS else 0
    flattening = is_flattening(h, strat)
    return gate.pair_votes(detail, h.pf, h.mk, pair, h.cluster, strat, h.lim, trade, flattening, own_orders, orders)


@kernel
def vote_market(detail: Record | None, state: State, h: Here) -> int:
    """Every check that is the same for all strategies of a market."""
    alive = state.connections[h.mk.connection].alive_ts
    witness = alive if h.pf.synthetic != 0 else h.mk.witness_ts
    stale = checks.stale_ts(h.mk, alive, witness)
    missing = instruments.missing(h.mk)
    return gate.market_votes(detail, h.pf, h.mk, h.cluster, h.venue, h.lim, missing, stale, h.now)


@kernel
def write_detail(state: State, h: Here, strategy: int, trade: Trade, p: Proposal, details: Array) -> None:
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
    d.wish = trade.wish
    d.worst_px = trade.worst_px
    delay = fills.delay_ms(mk, h.lim.order_latency_ms, trade.maker)
    d.p_fill, d.fill_ms = fills.predict(
        mk, state.levels[h.market], trade.direction, trade.maker, trade.filled, trade.wish, strat.rest_ms, delay
    )
    d.valid_ms = fills.VALID_MS
    d.warnings = fills.warnings(mk, trade.filled, trade.wish)
    d.quality = mk.state
    d.book_row_ts = mk.row_ts
    d.best_bid = mk.bid_px
    d.best_ask = mk.ask_px
    d.reference = state.references[mk.reference].price if mk.reference != NONE else NONE
    d.position = pair.qty_yes - pair.qty_no
    for feature in range(s.N_FEATURES):
        d.features[feature] = state.features[h.market, feature]


@kernel
def await_rank(state: State, h: Here, strategy: int) -> None:
    """Put a pair on the list for the ranking at the next TICK, once."""
    pair = state.pairs[h.market, strategy]
    if pair.candidate == 0:
        pair.candidate = 1
        state.candidates[h.pf.candidates] = h.market * len(state.strategies) + strategy
        h.pf.candidates += 1


@cold
def conclude(
    state: State, h: Here, strategy: int, trade: Trade, p: Proposal, counted: int, out: Array, details: Array
) -> None:
    """A new verdict: its packet, and for an approval the order (8) with its capital held (9)."""
    pair = state.pairs[h.market, strategy]
    kind = APPROVAL if gate.approves(counted) else PACKET
    at = emit.verdict(h.pf, out, kind, pair, h.market, strategy, counted, trade.action, trade.outcome)
    write_detail(state, h, strategy, trade, p, details)
    if counted == WAIT:
        await_rank(state, h, strategy)
    if kind == APPROVAL:
        trading.place(h.pf, h.lim, h.mk, h.cluster, state.strategies[strategy], pair, trade)
        trading.due(state, h.market, pair.order_arrive_ts)
        emit.approval(out[at], pair, positions.own_price(trade.outcome, trade.worst_px))


@kernel
def note(
    state: State, h: Here, strategy: int, trade: Trade, p: Proposal, counted: int, out: Array, details: Array
) -> None:
    """One more evaluation: the verdict that stands once more, or a new one."""
    pair = state.pairs[h.market, strategy]
    h.pf.evaluations += 1
    if counted == pair.votes and counted != 0 and trade.action == pair.action and trade.outcome == pair.outcome:
        pair.repeats += 1
        if counted == WAIT and pair.candidate == 0:
            await_rank(state, h, strategy)
    else:
        conclude(state, h, strategy, trade, p, counted, out, details)


@kernel
def judge(state: State, h: Here, strategy: int, out: Array, details: Array) -> None:
    """Stages 5 to 9 for one strategy in one market."""
    trade, p = consider(state, h, strategy, False)
    counted = gate.decide(h.mk.votes | vote(None, state, h, strategy, trade), trade.action)
    note(state, h, strategy, trade, p, counted, out, details)


@cold
def judge_apart(state: State, market: int, strategy: int, purpose: int, out: Array, details: Array) -> float:
    """`judge` apart from the market's own row, in code of its own; the market's votes and features are up to date.

    Args:
        state: The state.
        market: Which market.
        strategy: Which strategy.
        purpose: WAITING: as any other evaluation. RANKED: its turn in the ranking has come. SCORING: only to know.
        out: OUT rows.
        details: DETAIL rows.

    Returns:
        For SCORING, adjusted edge times confidence, or FAILED when a check rejects; else 0.
    """
    h = here(state, market)
    trade, p = consider(state, h, strategy, purpose != WAITING)
    counted = gate.decide(h.mk.votes | vote(None, state, h, strategy, trade), trade.action)
    if purpose == SCORING:
        return trade.edge * (1.0 - (p.upper - p.lower)) if counted == 0 else FAILED
    note(state, h, strategy, trade, p, counted, out, details)
    return 0.0
