"""One decision in full: its rows from the log, what was in force, its names, and what became of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from django.db import connection
from django.db.models import Q, QuerySet
from django.db.models.expressions import RawSQL

from apps.eventlog import reading
from apps.ledger.models import Movement
from apps.monitoring.models import StrategyRecord
from apps.oms.models import FillRecord, OrderRecord
from apps.registry.models import MarketRecord
from apps.risk.models import DecisionRecord
from polytraders.contracts.decision import DecisionPacket
from polytraders.contracts.stretch import of_row_id, row_id
from polytraders.naming import Moment, Names
from polytraders.packets import packet

PARTS = 2
DIGITS_MOST = 18


@dataclass(frozen=True)
class Told:
    """A decision with all that belongs to it."""

    packet: DecisionPacket
    names: Names
    at: Moment
    worst_px: int
    order: OrderRecord | None
    fills: tuple[FillRecord, ...]
    bookings: tuple[Movement, ...]
    newer: "Neighbour | None"
    older: "Neighbour | None"


class Neighbour(NamedTuple):
    """The decision before or after: its id and the number of its code."""

    decision_id: str
    code: int


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


def names_for(row: DecisionRecord, known: Mapping[int, str] | None = None) -> Names:
    """Names of one market and all strategies; the columns are empty where nothing of them is told."""
    market = MarketRecord.objects.filter(shard=row.shard, market=row.market).first()
    strategies = known
    if strategies is None:
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


WHOLE: Final = f"""
SELECT (SELECT body FROM log_output WHERE shard = %(shard)s AND in_seq = %(in_seq)s AND ordinal = %(ordinal)s),
    {reading.IN_FORCE},
    (SELECT ARRAY[id, code] FROM risk_decision WHERE shard = %(shard)s AND market = %(market)s
        AND strategy = %(strategy)s AND id > %(id)s ORDER BY id LIMIT 1),
    (SELECT ARRAY[id, code] FROM risk_decision WHERE shard = %(shard)s AND market = %(market)s
        AND strategy = %(strategy)s AND id < %(id)s ORDER BY id DESC LIMIT 1)"""  # noqa: S608
"""A decision's body, what was in force then, and its neighbours of the same market and strategy: one question."""


OF_ORDER: Final = """
SELECT booked.id FROM log_output AS told JOIN ledger_transfer AS booked USING (shard, in_seq, ordinal)
WHERE told.shard = %s AND told.order_seq = %s AND told.market = %s AND told.strategy = %s"""


def rendered(row: DecisionRecord) -> tuple[DecisionPacket, Names]:
    """The packet of a row, made from the log: the same bytes whenever and wherever it is made.

    Raises:
        LookupError: The log no longer holds it.
    """
    names = names_for(row)
    return _whole(row, names).packet, names


class Whole(NamedTuple):
    """A decision from the log: its packet, what was in force, its worst price in terms of YES, and its neighbours."""

    packet: DecisionPacket
    at: Moment
    worst_px: int
    newer: "Neighbour | None"
    older: "Neighbour | None"


def _whole(row: DecisionRecord, names: Names) -> Whole:
    wanted = {name: getattr(row, name) for name in ("id", "shard", "in_seq", "ordinal", "market", "strategy")}
    with connection.cursor() as cursor:
        cursor.execute(WHOLE, wanted)
        body, *records, newer, older = cursor.fetchone()
    if body is None:
        raise LookupError(row.decision_id)
    out, detail = reading.unbody(bytes(body))
    if detail is None:
        raise LookupError(row.decision_id)
    at = reading.opened(records, wanted)
    made = packet(out, detail, names=names, at=at)
    return Whole(made, at, int(detail["worst_px"]), _neighbour(newer), _neighbour(older))


def _neighbour(found: list[int] | None) -> "Neighbour | None":
    if found is None:
        return None
    _, in_seq, ordinal = of_row_id(found[0])
    return Neighbour(f"{in_seq}:{ordinal}", found[1])


def told(row: DecisionRecord, strategies: Mapping[int, str] | None = None) -> Told:
    """The packet with its order, fills, bookings and neighbours of the same market and strategy; at most six questions.

    Args:
        row: The decision.
        strategies: Names, where they are known already.

    Raises:
        LookupError: The log no longer holds it.
    """
    names = names_for(row, strategies)
    made, at, worst_px, newer, older = _whole(row, names)
    order: OrderRecord | None = None
    fills: tuple[FillRecord, ...] = ()
    bookings: tuple[Movement, ...] = ()
    if row.approved_size:
        # An order has the number of its approval.
        order = OrderRecord.objects.filter(id=row.id).first()
        mine = {"order_seq": row.in_seq, "market": row.market, "strategy": row.strategy}
        fills = tuple(FillRecord.objects.filter(shard=row.shard, **mine).order_by("id"))
        bookings = tuple(bookings_of(row.shard, **mine))
    return Told(made, names, at, worst_px, order, fills, bookings, newer, older)


def bookings_of(shard: int, order_seq: int, market: int, strategy: int, most: int = 200) -> "QuerySet[Movement]":
    """Movements of the ledger that an order's life has made, in order, with their accounts."""
    mine = RawSQL(OF_ORDER, (shard, order_seq, market, strategy))  # noqa: S611  all values are parameters
    rows = Movement.objects.filter(id__in=mine)
    return rows.select_related("from_account", "to_account").order_by("id")[:most]
