"""One decision in full: its rows from the log, what was in force, its names, and what became of it."""

from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import Q

from apps.eventlog import reading
from apps.monitoring.models import StrategyRecord
from apps.oms.models import FillRecord, OrderRecord
from apps.registry.models import MarketRecord
from apps.risk.models import DecisionRecord
from polytraders.contracts.decision import DecisionPacket
from polytraders.contracts.stretch import row_id
from polytraders.naming import Names
from polytraders.packets import packet

PARTS = 2
DIGITS_MOST = 18


@dataclass(frozen=True)
class Told:
    """A decision with all that belongs to it."""

    packet: DecisionPacket
    names: Names
    order: OrderRecord | None
    fills: tuple[FillRecord, ...]
    newer: DecisionRecord | None
    older: DecisionRecord | None


def parsed(decision_id: str) -> tuple[int, int] | None:
    """Input and ordinal of `in_seq:ordinal`; None if it is not one."""
    parts = decision_id.split(":")
    if len(parts) != PARTS or not all(part.isascii() and part.isdigit() and len(part) < DIGITS_MOST for part in parts):
        return None
    return int(parts[0]), int(parts[1])


def find(decision_id: str, shard: int = 0) -> DecisionRecord | None:
    """The row of a decision by its id, None if there is none."""
    numbers = parsed(decision_id)
    if numbers is None:
        return None
    try:
        where = row_id(shard, *numbers)
    except ValueError:
        return None
    return DecisionRecord.objects.filter(id=where).first()


def market_index(told: str, shard: int = 0) -> int | None:
    """Index of a market told by index, the venue's id or a slug; None if there is none."""
    if told.isascii() and told.isdigit():
        return int(told) if len(told) < DIGITS_MOST // 2 else None
    rows = MarketRecord.objects.filter(Q(condition_id=told) | Q(slug=told), shard=shard)
    return rows.values_list("market", flat=True).first()


def latest(market: int, shard: int = 0) -> DecisionRecord | None:
    """A market's last decision."""
    return DecisionRecord.objects.filter(shard=shard, market=market).order_by("-id").first()


def names_for(row: DecisionRecord) -> Names:
    """Names of one market and all strategies; the columns are empty where nothing of them is told."""
    market = MarketRecord.objects.filter(shard=row.shard, market=row.market).first()
    strategies = dict(StrategyRecord.objects.filter(shard=row.shard).values_list("strategy", "name"))
    most = max((*strategies, row.strategy))

    def column(value: str) -> tuple[str, ...]:
        return ("",) * row.market + (value,)

    if market is None:
        tokens: tuple[tuple[str, ...], ...] = ()
        ids = column(f"market {row.market}")
        return Names(ids, tokens, [strategies.get(index) or f"strategy {index}" for index in range(most + 1)])
    clusters = ("",) * market.cluster + (market.cluster_name,) if market.cluster_name and market.cluster else ()
    return Names(
        markets=column(market.condition_id or f"market {row.market}"),
        tokens=((),) * row.market + ((market.token_yes, market.token_no),),
        strategies=[strategies.get(index) or f"strategy {index}" for index in range(most + 1)],
        clusters=clusters,
        titles=column(market.title),
    )


def rendered(row: DecisionRecord) -> tuple[DecisionPacket, Names]:
    """The packet of a row, made from the log: the same bytes whenever and wherever it is made.

    Raises:
        LookupError: The log no longer holds it.
    """
    names = names_for(row)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT body FROM log_output WHERE shard = %s AND in_seq = %s AND ordinal = %s",
            (row.shard, row.in_seq, row.ordinal),
        )
        found = cursor.fetchone()
    if found is None:
        raise LookupError(row.decision_id)
    out, detail = reading.unbody(bytes(found[0]))
    if detail is None:
        raise LookupError(row.decision_id)
    conn: Any = connection.connection
    at = reading.moment(conn, row.shard, row.market, row.strategy, row.in_seq)
    return packet(out, detail, names=names, at=at), names


def told(row: DecisionRecord) -> Told:
    """The packet with its order, fills and neighbours of the same market and strategy.

    Raises:
        LookupError: The log no longer holds it.
    """
    made, names = rendered(row)
    mine = {"shard": row.shard, "market": row.market, "strategy": row.strategy}
    order = OrderRecord.objects.filter(order_seq=row.in_seq, **mine).first() if row.approved_size else None
    fills = FillRecord.objects.filter(order_seq=row.in_seq, **mine).order_by("id") if order else ()
    around = DecisionRecord.objects.filter(**mine)
    return Told(
        made,
        names,
        order,
        tuple(fills),
        around.filter(id__gt=row.id).order_by("id").first(),
        around.filter(id__lt=row.id).order_by("-id").first(),
    )
