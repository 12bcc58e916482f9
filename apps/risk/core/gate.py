"""The single gate. The only maker of an approval, and nothing can go round it.

All checks vote; the verdict's code is the first rejection in the list's order. A trade that reduces a position is not
stopped by the checks that are for increasing ones.
"""

from apps.risk.core import checks
from apps.risk.core.checks import Trade
from polytraders.contracts import checks as c
from polytraders.contracts.decision import ApprovedTrade, DecisionPacket, Verdict
from polytraders.contracts.state import Record
from polytraders.kernel.jit import kernel


@kernel
def market_votes(
    detail: Record | None,
    pf: Record,
    mk: Record,
    cluster: Record,
    venue: Record,
    lim: Record,
    missing: int,
    stale: int,
    now: int,
) -> int:
    """The votes that are the same for every strategy of a market."""
    return (
        checks.kills(detail, pf, mk, cluster, venue)
        | checks.instrument(detail, mk, venue, lim, missing, now)
        | checks.book(detail, mk, lim, stale, now)
        | checks.drawdowns(detail, pf, lim)
    )


@kernel
def pair_votes(
    detail: Record | None,
    pf: Record,
    mk: Record,
    pair: Record,
    cluster: Record,
    strat: Record,
    lim: Record,
    trade: Trade,
    flattening: int,
    own_orders: int,
    orders_this_minute: int,
) -> int:
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
def decide(votes: int, action: int) -> int:
    """The votes that count for this trade: all of them for a purchase, the unconditional ones for a sale."""
    return votes & ~c.INCREASING_ONLY if checks.is_sale(action) else votes


@kernel
def approves(counted: int) -> bool:
    """No check rejects."""
    return counted == 0


@kernel
def lowest(counted: int) -> int:
    """The lowest set bit as a mask: the first rejection in the order of precedence."""
    return counted & -counted


def approved_trade(packet: DecisionPacket, price: int, held: int) -> ApprovedTrade:
    """The permission that an approving packet gives, once: what an order is made from.

    Args:
        packet: The decision, with the vote of every check.
        price: Worst price, in the outcome's own terms, price units.
        held: Set aside for it: micro-pUSD of a BUY, 1e-6 shares of a SELL.

    Raises:
        ValueError: The packet does not approve; a fault of the caller.
    """
    complete = tuple(vote.check for vote in packet.votes) == tuple(check.name for check in c.CHECKS)
    if packet.verdict is not Verdict.APPROVE or packet.rejections or not complete or packet.approved_size <= 0:
        raise ValueError(f"packet {packet.decision_id} is no approval: {packet.code}")
    return ApprovedTrade(
        decision_id=packet.decision_id,
        correlation_id=packet.correlation_id,
        in_seq=packet.in_seq,
        market=packet.market.index,
        condition_id=packet.market.condition_id,
        token_id=packet.market.tokens[packet.outcome],
        strategy=packet.strategy,
        action=packet.action,
        outcome=packet.outcome,
        price=price,
        size=packet.approved_size,
        held=held,
    )
