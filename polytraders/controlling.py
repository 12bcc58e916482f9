"""Inputs that are not about a book or time: facts, limits, kills, rollout, capital, settlement, references."""

from apps.fairvalue.core import reference
from apps.ledger.core import positions
from apps.registry.core import facts
from apps.risk.core import controls
from polytraders import trading
from polytraders.contracts.inputs import Fact, Kind, Scope
from polytraders.contracts.state import NO_ORDER, Array, Record, State
from polytraders.kernel.jit import cold, kernel


@cold
def pull_scope(state: State, scope: int, index: int) -> None:
    """Take our orders of a scope off the books."""
    for market in range(len(state.markets)):
        mk = state.markets[market]
        if mk.orders > 0:
            for strategy in range(len(state.strategies)):
                if controls.covers(scope, index, market, strategy, mk.cluster, mk.venue):
                    trading.pull(state, market, strategy)


@kernel
def on_kill(state: State, e: Record, killed: int) -> None:
    """A kill takes our orders of its scope off the books at once; a release changes nothing but the flag."""
    controls.set_kill(state, state.portfolio[0], e.price, e.size, killed)
    if killed != 0:
        pull_scope(state, e.price, e.size)


@kernel
def on_flatten(state: State, e: Record) -> None:
    """Orders at rest go too: they could still add to a position, or stand in the way of selling it."""
    controls.set_flatten(state, state.portfolio[0], e.price, e.size, e.a)
    if e.a != 0:
        pull_scope(state, e.price, e.size)


@kernel
def on_pull(state: State, e: Record) -> None:
    """One order goes; if it has ended meanwhile, the next one of its pair stays."""
    pair = state.pairs[e.market, e.price]
    if pair.order != NO_ORDER and pair.order_seq == e.size:
        trading.pull(state, e.market, e.price)


@kernel
def on_rollout(state: State, e: Record) -> None:
    """A step down is immediate: below the stage that may place orders, those that rest go too."""
    state.strategies[e.market].stage = e.size
    if e.size < state.limits[0].rollout_stage_min:
        pull_scope(state, Scope.STRATEGY, e.market)


@kernel
def on_fact(state: State, e: Record) -> None:
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
    told = e.price == Fact.STATUS or e.price == Fact.ALLOWED
    if told and (mk.status != 0 or mk.allowed == 0):
        trading.pull_market(state, e.market)
    trading.due(state, e.market, 0)


@cold
def on_control(state: State, e: Record, out: Array) -> None:
    """1, 7, 11: facts, limits, settings, kills, rollout, capital, settlement, reference prices, proof of life."""
    pf = state.portfolio[0]
    kind = int(e.kind)
    if kind == Kind.FACT:
        on_fact(state, e)
    elif kind == Kind.ALIVE:
        state.connections[e.b].alive_ts = pf.now
    elif kind == Kind.WITNESS:
        state.markets[e.market].witness_ts = pf.now
    elif kind == Kind.REFERENCE:
        reference.note(state.references[e.market], state.reference_ring[e.market], e.price, pf.now)
    elif kind == Kind.LIMIT:
        controls.set_limit(state.limits[0], e.price, e.size)
        for market in range(len(state.markets)):
            trading.due(state, market, 0)
    elif kind == Kind.PARAM:
        state.param_bits[e.market, e.price] = e.size
    elif kind == Kind.SETTING:
        controls.set_setting(state.strategies[e.market], e.price, e.size)
    elif kind == Kind.KILL:
        on_kill(state, e, 1)
    elif kind == Kind.RELEASE:
        on_kill(state, e, 0)
    elif kind == Kind.ROLLOUT:
        on_rollout(state, e)
    elif kind == Kind.CAPITAL:
        pf.cash += e.size
        pf.deposited += e.size
        pf.high_day += e.size
        pf.high_week += e.size
        positions.follow(pf)
    elif kind == Kind.RESOLVED:
        trading.settle(state, out, e.market, e.size)
    elif kind == Kind.FLATTEN:
        on_flatten(state, e)
    elif kind == Kind.PULL:
        on_pull(state, e)
    elif kind == Kind.VENUE:
        state.venues[e.price].allowed = e.size
        if e.size == 0:
            pull_scope(state, Scope.VENUE, e.price)
    elif kind == Kind.CLOCK:
        pf.synthetic = e.a
