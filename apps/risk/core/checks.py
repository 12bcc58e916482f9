"""Every check, in one form: a value, a limit and how they compare. All of them vote on every evaluation.

Each function returns its vote as a bit, and writes value and limit into the packet's detail row when there is one, so
that what decided and what is shown can never differ. Market checks are the same for all strategies and vote once per
event; pair checks vote for each strategy. The list, its order and its reason codes: `contracts/checks.py`.
"""

from typing import NamedTuple

from polytraders.contracts import checks as c
from polytraders.contracts.inputs import NANO, UP
from polytraders.contracts.state import BOOK_OK, BUY, NONE, RESTING, Array, Record
from polytraders.kernel.jit import kernel

MS_NS = 1_000_000
PPM = 1_000_000
CONNECTION_SILENT_NS = 10 * NANO
WITNESS_NS = 15 * NANO
GAP_DEFAULT_NS, GAP_LEAST_NS, GAP_MOST_NS = 60 * NANO, 5 * NANO, 600 * NANO


class Trade(NamedTuple):
    """What a strategy would do now, before anybody has judged it. Prices in YES terms."""

    direction: int  # UP or DOWN
    action: int  # BUY or SELL
    outcome: int  # YES or NO
    completeness: int  # ppm, of the least complete window that the strategy reads
    opinion: int  # 1 = the strategy has a forecast
    reference_age_ms: int  # 0 where no reference is read
    band: int  # UB - LB, 1e-9
    p_hat: int  # 1e-9, YES
    q_exec: int  # 1e-9, YES
    fee: int  # 1e-9 per share
    buffer: int  # 1e-9 per share
    edge: int  # 1e-9 per share
    maker: int  # 1 = rests post-only
    wish: int  # 1e-6 shares
    filled: int  # of it, what the displayed book holds
    worst_px: int  # price units
    strategy_cap: int  # 1e-6 shares
    liquidity_cap: int
    portfolio_cap: int
    size: int
    smallest: int  # micro-pUSD of the smallest order
    flattening: int  # 1 = a flatten command covers it
    waits: int  # 1 = the ranking at the next TICK decides


@kernel
def most(detail: Record | None, check: int, value: int, limit: int) -> int:
    """Reject when the value exceeds the limit."""
    if detail is not None:
        detail.values[check] = value
        detail.limits[check] = limit
    return int(value > limit) << check


@kernel
def least(detail: Record | None, check: int, value: int, limit: int) -> int:
    """Reject when the value stays below the limit."""
    if detail is not None:
        detail.values[check] = value
        detail.limits[check] = limit
    return int(value < limit) << check


@kernel
def gap_ns(mk: Record) -> int:
    """The market's own 99.9 % gap between rows, 60 s until known, never under 5 s or over 10 min."""
    if mk.gap_p999_ms == 0:
        return GAP_DEFAULT_NS
    answer: int = min(max(mk.gap_p999_ms * MS_NS, GAP_LEAST_NS), GAP_MOST_NS)
    return answer


@kernel
def stale_ts(mk: Record, alive_ts: int, witness_ts: int) -> int:
    """From when on the book is stale if nothing more arrives.

    A connection may be silent for 10 s; a market for its own gap, or longer while an independent book agreed with ours.
    """
    answer: int = min(alive_ts + CONNECTION_SILENT_NS, max(mk.row_ts + gap_ns(mk), witness_ts + WITNESS_NS))
    return answer


@kernel
def kills(detail: Record | None, pf: Record, mk: Record, cluster: Record, venue: Record) -> int:
    """Kill switches above the strategy: global, venue, cluster, market."""
    return (
        most(detail, c.KILL_GLOBAL, pf.killed, 0)
        | most(detail, c.KILL_VENUE, venue.killed, 0)
        | most(detail, c.KILL_CLUSTER, cluster.killed, 0)
        | most(detail, c.KILL_MARKET, mk.killed, 0)
    )


@kernel
def instrument(detail: Record | None, mk: Record, venue: Record, lim: Record, missing: int, now: int) -> int:
    """Is the market known, allowed, fresh in the registry, open, and not about to close?"""
    return (
        most(detail, c.INSTRUMENT, missing, 0)
        | least(detail, c.COMPLIANCE_VENUE, venue.allowed, 1)
        | least(detail, c.COMPLIANCE_MARKET, mk.allowed, 1)
        | most(detail, c.REGISTRY_FRESH, (now - mk.synced_ts) // MS_NS, lim.registry_age_ms_max)
        | most(detail, c.MARKET_HALT, mk.status, 0)
        | least(detail, c.MARKET_CLOSE, (mk.close_ts - now) // MS_NS, lim.close_margin_ms)
    )


@kernel
def book(detail: Record | None, mk: Record, lim: Record, stale: int, now: int) -> int:
    """Is the book whole, fresh, uncrossed, narrow and deep enough?"""
    two_sided = mk.bid_px != NONE and mk.ask_px != NONE
    # A book without two sides has no spread: it fails both bounds.
    spread = mk.ask_px - mk.bid_px if two_sided else NONE
    return (
        most(detail, c.BOOK_VALID, mk.state, BOOK_OK)
        | least(detail, c.BOOK_STALE, stale - now, 1)
        | least(detail, c.BOOK_CROSSED, spread, max(mk.tick, 1))
        | most(detail, c.MARKET_QUALITY, spread if two_sided else NANO, lim.spread_max)
        | least(detail, c.LIQUIDITY, min(mk.bid_depth, mk.ask_depth), lim.depth_min)
    )


@kernel
def drawdowns(detail: Record | None, pf: Record, lim: Record) -> int:
    """Has the portfolio fallen too far today or this week?"""
    return most(detail, c.DRAWDOWN_DAY, pf.drawdown_day, lim.drawdown_day_ppm_max) | most(
        detail, c.DRAWDOWN_WEEK, pf.drawdown_week, lim.drawdown_week_ppm_max
    )


@kernel
def opinion(detail: Record | None, strat: Record, lim: Record, trade: Trade) -> int:
    """Does the strategy see enough to have a forecast, and is it narrow enough to act on?"""
    return (
        least(detail, c.FEATURES, trade.completeness, lim.completeness_ppm_min)
        | most(detail, c.REFERENCE, trade.reference_age_ms, lim.reference_age_ms_max)
        | most(detail, c.FAIR_VALUE, 1 - trade.opinion, 0)
        | most(detail, c.BAND, trade.band, strat.band_max)
    )


@kernel
def value(detail: Record | None, mk: Record, pair: Record, strat: Record, trade: Trade, reducing: bool) -> int:
    """Can it be filled, is nothing open, and does it pay?"""
    return (
        least(detail, c.FILLABLE, trade.filled, max(mk.min_size, 1))
        | most(detail, c.INTENT_OPEN, int(pair.order != 0), 0)
        | least(detail, c.NET_EDGE, trade.edge, strat.edge_min)
        | least(detail, c.HOLD, trade.edge, 0 if reducing and trade.flattening == 0 else -4 * NANO)
    )


@kernel
def exposures(
    detail: Record | None, pf: Record, mk: Record, cluster: Record, strat: Record, lim: Record, trade: Trade
) -> int:
    """Is there room for the smallest order under every cap?"""
    capital = pf.cash + pf.exposure - pf.reserved
    return (
        most(detail, c.MARKET_EXPOSURE, mk.exposure + trade.smallest, lim.market_exposure_max)
        | most(detail, c.STRATEGY_EXPOSURE, strat.exposure + trade.smallest, strat.exposure_max)
        | most(detail, c.PORTFOLIO_EXPOSURE, pf.exposure + trade.smallest, lim.portfolio_exposure_max)
        | most(detail, c.CAPITAL, trade.smallest, pf.cash - pf.reserved)
        | most(detail, c.CORRELATION, cluster.worst + trade.smallest, lim.cluster_exposure_max)
        | most(detail, c.CONCENTRATION, mk.exposure + trade.smallest, lim.concentration_ppm_max * (capital // PPM))
    )


@kernel
def room(pf: Record, mk: Record, cluster: Record, strat: Record, lim: Record) -> int:
    """Micro-pUSD that every cap still leaves."""
    capital = pf.cash + pf.exposure - pf.reserved
    left = min(lim.market_exposure_max - mk.exposure, strat.exposure_max - strat.exposure)
    left = min(left, lim.portfolio_exposure_max - pf.exposure)
    left = min(left, lim.cluster_exposure_max - cluster.worst)
    left = min(left, lim.concentration_ppm_max * (capital // PPM) - mk.exposure)
    answer: int = min(left, pf.cash - pf.reserved)
    return answer


@kernel
def meets_own(pairs: Array, strategies: int, own: int, direction: int, worst_px: int) -> int:
    """Resting orders of our other strategies on this market that a taker up to `worst_px` would meet."""
    count = 0
    for other in range(strategies):
        pair = pairs[other]
        if other != own and pair.order == RESTING and pair.order_direction == -direction:
            reached = pair.order_price <= worst_px if direction == UP else pair.order_price >= worst_px
            count += int(reached)
    return count


@kernel
def conduct(
    detail: Record | None,
    mk: Record,
    strat: Record,
    lim: Record,
    trade: Trade,
    own_orders: int,
    orders_this_minute: int,
) -> int:
    """Is the strategy allowed to trade, at this pace, at this price, at this size, and not with ourselves?"""
    distance = abs(2 * trade.worst_px - mk.mid2) // 2 if trade.worst_px != NONE else NONE
    return (
        least(detail, c.ROLLOUT_STAGE, strat.stage, lim.rollout_stage_min)
        | most(detail, c.ORDER_RATE, orders_this_minute + 1, lim.orders_per_minute_max)
        | most(detail, c.PRICE_COLLAR, distance if distance != NONE else NANO, strat.collar)
        | most(detail, c.SELF_TRADE, own_orders, 0)
        | least(detail, c.SIZE, trade.size, max(mk.min_size, 1))
        | most(detail, c.RANK, trade.waits, 0)
    )


@kernel
def is_sale(action: int) -> bool:
    """A sale gives up what is held; it is never an increasing trade."""
    return action != BUY
