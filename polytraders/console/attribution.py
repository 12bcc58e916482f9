"""Where a strategy's money comes from: what its decisions expected of its last fills, and what the fills gave."""

from dataclasses import dataclass
from typing import Final

from apps.oms.models import FillRecord, OrderRecord
from apps.risk.models import DecisionRecord
from polytraders.contracts.state import BUY

LOOKED: Final = 2_000
"""Newest fills of all strategies that are looked through: a bound, so that the page costs the same for ever."""
TAKEN: Final = 300
NANO_PER_PRICE: Final = 100_000


@dataclass(frozen=True)
class Attribution:
    """The newest fills of one strategy, micro-pUSD.

    Attributes:
        fills: How many are in it.
        makers: Of these, how many were resting orders.
        edge: What the decisions expected, after fees and buffer: net_edge times size.
        buffer: What they kept back for uncertainty.
        spread: Price paid against the price expected, + = better.
        fees: Paid.
    """

    fills: int
    makers: int
    edge: int
    buffer: int
    spread: int
    fees: int


def recent(strategy: int, shard: int = 0) -> Attribution:
    """Of at most 300 fills; three queries."""
    newest = FillRecord.objects.filter(shard=shard).order_by("-id")[:LOOKED]
    fills = [fill for fill in newest if fill.strategy == strategy][:TAKEN]
    seqs = {fill.order_seq for fill in fills}
    orders = OrderRecord.objects.filter(shard=shard, order_seq__in=seqs, strategy=strategy)
    places = {(order.order_seq, order.market): order.id for order in orders}
    decided = DecisionRecord.objects.in_bulk(list(places.values()))
    edge = buffer = spread = 0
    for fill in fills:
        row = decided.get(places.get((fill.order_seq, fill.market), -1))
        if row is None or row.net_edge is None or row.q_exec is None:
            continue
        edge += row.net_edge * fill.size // 1_000_000_000
        buffer += (row.buffer or 0) * fill.size // 1_000_000_000
        # Both in the outcome's own terms.
        better = row.q_exec - fill.price * NANO_PER_PRICE
        spread += (better if fill.action == BUY else -better) * fill.size // 1_000_000_000
    return Attribution(
        len(fills), sum(fill.is_maker for fill in fills), edge, buffer, spread, sum(fill.fee for fill in fills)
    )
