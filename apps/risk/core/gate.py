"""The single gate. The only maker of an approval, and nothing can go round it.

All checks vote; the verdict's code is the first rejection in the list's order. A trade that reduces a position is not
stopped by the checks that are for increasing ones.
"""

from polytraders.contracts import checks as c
from apps.risk.core import checks
from polytraders.kernel.jit import kernel


@kernel
def market_votes(detail, pf, mk, cluster, venue, lim, missing, stale, now):
    """The votes that are the same for every strategy of a market."""
    return (
        checks.kills(detail, pf, mk, cluster, venue)
        | checks.instrument(detail, mk, venue, lim, missing, now)
        | checks.book(detail, mk, lim, stale, now)
        | checks.drawdowns(detail, pf, lim)
    )


@kernel
def pair_votes(detail, pf, mk, pair, cluster, strat, lim, trade, flattening, own_orders, orders_this_minute):
    """The votes about one strategy's trade."""
    return (
        checks.most(detail, c.KILL_STRATEGY, strat.killed, 0)
        | checks.most(detail, c.FLATTEN, flattening, 0)
        | checks.opinion(detail, strat, lim, trade)
        | checks.value(detail, mk, pair, strat, trade, checks.is_sale(trade.action))
        | checks.exposures(detail, pf, mk, cluster, strat, lim, trade)
        | checks.conduct(detail, mk, strat, lim, trade, own_orders, orders_this_minute)
    )


@kernel
def decide(votes, action):
    """The votes that count for this trade: all of them for a purchase, the unconditional ones for a sale."""
    return votes & ~c.INCREASING_ONLY if checks.is_sale(action) else votes


@kernel
def approves(counted):
    """No check rejects."""
    return counted == 0


@kernel
def lowest(counted):
    """The lowest set bit as a mask: the first rejection in the order of precedence."""
    return counted & -counted
