"""THE OPERATING LOOP: every input passes the stages in their order, and this file reads like the table.

    1 registry · 2 ingestion and book · 3 event log (in_seq, ordinal) · 4 signals · 5 fair value ·
    6 execution estimate · 7 decision, risk, sizing · 8 order manager · 9 ledger

Live, paper, shadow, replay and backtest run this code: live hands `run` what has arrived, a replay hands it 64k rows.
It is a pure function of its inputs; no clock, no random number, no network, no database. Stages 10 and 11 drive and
watch it from outside.
"""

from apps.ingest.core import intake
from apps.ledger.core import positions
from apps.risk.core import checks
from apps.signals.core import features, windows
from polytraders import controlling, deciding, emit, receiving, trading
from polytraders.contracts import checks as c
from polytraders.contracts.inputs import Flag, Kind
from polytraders.contracts.state import BOOK_OK, NO_ORDER, NONE, Array, Record, State
from polytraders.deciding import Here
from polytraders.kernel.block import open_rows, open_state
from polytraders.kernel.jit import cold, entry, kernel

MS_NS = 1_000_000
FOREVER = 1 << 62
WORD = 0

PULL = (
    1 << c.KILL_GLOBAL | 1 << c.KILL_VENUE | 1 << c.KILL_CLUSTER | 1 << c.KILL_MARKET | 1 << c.MARKET_HALT
    | 1 << c.MARKET_CLOSE | 1 << c.BOOK_VALID | 1 << c.BOOK_STALE
)  # fmt: skip
"""Market votes that take our resting orders off the book."""


# --- 4 to 9: one market ----------------------------------------------------------------------------------------------


@kernel
def renew(state: State, h: Here, out: Array) -> None:
    """4 signals: the market's own votes and features now, and once a minute its counts."""
    mk = h.mk
    votes = deciding.vote_market(None, state, h)
    if votes != mk.votes:
        mk.votes = votes
        trading.due(state, h.market, h.now)
    if mk.orders > 0 and votes & PULL:
        trading.pull_market(state, h.market)
    if h.readable:
        features.write(mk, state.levels[h.market], state.features[h.market], h.now)
    else:
        features.blank(mk, state.features[h.market])
    if h.now >= mk.minute_ts:
        mk.minute_ts = h.now + deciding.MINUTE_NS
        emit.minute(h.pf, out, state.pairs[h.market], h.market)


@kernel
def evaluate(state: State, market: int, out: Array, details: Array) -> None:
    """4 signals, then every strategy's decision on a market."""
    h = deciding.here(state, market)
    renew(state, h, out)
    for strategy in range(len(state.strategies)):
        deciding.judge(state, h, strategy, out, details)
    h.mk.visited_ts = h.now


@cold
def visit(state: State, market: int, out: Array, details: Array) -> None:
    """`evaluate` without a row of the market's own: a deadline has passed, or its book is lost."""
    mk = state.markets[market]
    now = state.portfolio[0].now
    if now >= mk.second:
        windows.roll(mk, state.ring[market], now)
    if mk.orders > 0 and now >= mk.order_ts:
        trading.advance(state, out, market)
    renew(state, deciding.here(state, market), out)
    for strategy in range(len(state.strategies)):
        deciding.judge_apart(state, market, strategy, deciding.WAITING, out, details)
    mk.visited_ts = now


@cold
def next_deadline(state: State, market: int, after: int) -> int:
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


# --- 2 to 9: a row about one market ---------------------------------------------------------------------------------


@kernel
def on_market(state: State, e: Record, out: Array, details: Array) -> None:
    """2 to 9 for a row about one market's book or trades."""
    pf = state.portfolio[0]
    # Adding an int64 makes one of a narrower field, compiled or not.
    market = int(e.market) + WORD
    mk = state.markets[market]
    now = pf.now
    kind = int(e.kind)
    mk.events += 1
    mk.row_ts = now
    state.connections[mk.connection].alive_ts = now
    if now >= mk.second:
        windows.roll(mk, state.ring[market], now)
    # 8. What our orders have met until now, on the book as it stood.
    if mk.orders > 0 and now >= mk.order_ts:
        trading.advance(state, out, market)
    # 2. Ingestion: a continuously valid book, or a refusal.
    whole = True
    if kind == Kind.LEVEL:
        receiving.told_level(state, mk, market, e, out)
        if e.flags & Flag.MIRRORED:
            mk.mirrored += 1
    elif kind == Kind.TRADE:
        if mk.orders > 0:
            trading.prints(state, out, market, int(e.side), e.price, e.size)
        whole = windows.note_trade(mk, state.ring[market], int(e.side), e.price, e.size)
    elif kind == Kind.TICK_SIZE:
        receiving.told_tick(state, mk, market, e.price, out)
    else:
        receiving.told_snapshot(state, mk, market, e, out)
    # 4. Signals: the mid has moved, or not; inside a frame the book is half told and has none.
    if e.flags & Flag.LAST and mk.state == BOOK_OK and kind != Kind.TRADE and mk.bid_px + mk.ask_px != mk.mid2:
        whole = windows.note_mid(mk, state.ring[market])
        if mk.qty_yes | mk.qty_no:
            positions.mark(pf, mk)
    if not whole:
        pf.fault = receiving.RING_FULL
    if e.flags & Flag.LAST:
        evaluate(state, market, out, details)


# --- TICK: time itself -----------------------------------------------------------------------------------------------


@kernel
def visit_due(state: State, out: Array, details: Array) -> None:
    """Visit each market whose deadline has passed; remember the next one."""
    now = state.portfolio[0].now
    soonest = FOREVER
    for market in range(len(state.deadlines)):
        if state.deadlines[market] <= now:
            mk = state.markets[market]
            if mk.events > 0 and next_deadline(state, market, mk.visited_ts) <= now:
                visit(state, market, out, details)
            state.deadlines[market] = next_deadline(state, market, now) if mk.events > 0 else FOREVER
        soonest = min(soonest, state.deadlines[market])
    state.portfolio[0].deadline = soonest


@cold
def look(state: State, market: int) -> None:
    """The market now, with its windows, features and own votes up to date."""
    mk = state.markets[market]
    now = state.portfolio[0].now
    if now >= mk.second:
        windows.roll(mk, state.ring[market], now)
    if deciding.is_readable(mk):
        features.write(mk, state.levels[market], state.features[market], now)
    else:
        features.blank(mk, state.features[market])
    mk.votes = deciding.vote_market(None, state, deciding.here(state, market))


@kernel
def rank(state: State, out: Array, details: Array) -> None:
    """7: who gets the capital: best adjusted edge times confidence first, then lower market, then lower strategy.

    Each one is judged again with what those before it have taken.
    """
    pf = state.portfolio[0]
    strategies = len(state.strategies)
    count = 0
    for place in range(pf.candidates):
        which = state.candidates[place]
        pair = state.pairs[which // strategies, which % strategies]
        pair.candidate = 0
        if pair.votes == deciding.WAIT:
            market = which // strategies
            look(state, market)
            state.ranked[count, 0] = deciding.judge_apart(
                state, market, which % strategies, deciding.SCORING, out, details
            )
            state.ranked[count, 1] = which
            count += 1
    pf.candidates = 0
    for _ in range(count):
        best = 0
        for row in range(1, count):
            ahead = state.ranked[row, 0] - state.ranked[best, 0]
            if ahead > 0.0 or (ahead == 0.0 and state.ranked[row, 1] < state.ranked[best, 1]):
                best = row
        which = int(state.ranked[best, 1])
        purpose = deciding.RANKED if state.ranked[best, 0] > deciding.FAILED else deciding.WAITING
        # Those that no longer pass come last, for their new verdict only; those done come after all.
        state.ranked[best, 0] = 2 * deciding.FAILED
        deciding.judge_apart(state, which // strategies, which % strategies, purpose, out, details)


@cold
def on_tick(state: State, out: Array, details: Array) -> None:
    """250 ms have passed: days roll, silence and expiry show, and the candidates are ranked."""
    pf = state.portfolio[0]
    positions.roll_day(pf, pf.now)
    if pf.now >= pf.deadline:
        visit_due(state, out, details)
    if pf.candidates > 0:
        rank(state, out, details)


@cold
def on_refusal(state: State, e: Record, out: Array, details: Array, why: int) -> None:
    """A frame was refused or missed: its market's book, or every book of its connection, is lost."""
    state.portfolio[0].frames_refused += int(why != intake.GAP)
    for market in range(len(state.markets)):
        mk = state.markets[market]
        if mk.events > 0 and (market == e.market or (e.market == NONE and mk.connection == e.b)):
            receiving.lose(state, out, market, why)
            visit(state, market, out, details)


@kernel
def step(state: State, e: Record, out: Array, details: Array) -> None:
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
        # Most TICKs find nothing to do; the call itself would be the most expensive thing about them.
        if pf.now >= pf.deadline or pf.candidates > 0 or pf.now // positions.DAY_NS != pf.day:
            on_tick(state, out, details)
    elif kind == Kind.REFUSED:
        on_refusal(state, e, out, details, e.a)
    elif kind == Kind.GAP:
        on_refusal(state, e, out, details, intake.GAP)
    else:
        controlling.on_control(state, e, out)


@entry
def run(block: Array, inputs: Array, start: int, stop: int, outs: Array, detail_bytes: Array) -> int:
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
