"""Fills: what traded, what it was thought to cost, and whether it is money yet."""

from typing import Any, Final, NamedTuple

from django.db import connection
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from apps.oms.models import FillRecord
from polytraders.access.permissions import Permission, needs
from polytraders.console import board
from polytraders.console.frame import show
from polytraders.console.lists import Listed, as_csv
from polytraders.console.pictures import lanes
from polytraders.console.wanted import wanted
from polytraders.contracts.inputs import NANO, PRICE_UNIT
from polytraders.contracts.market import Action, Outcome

ROLES: Final = ("maker", "taker")
RECENT: Final = 1_000
"""Ended things in a lane: the newest."""
CSV_MOST: Final = 10_000
BOOKED: Final = """
SELECT t.in_seq, t.ordinal, bool_or(t.phase IN ('posted', 'post_pending')),
       bool_or(t.phase = 'void_pending' AND t.part <> 'void')
FROM ledger_transfer t JOIN unnest(%s::bigint[], %s::bigint[]) w (in_seq, ordinal)
     ON w.in_seq = t.in_seq AND w.ordinal = t.ordinal
WHERE t.shard = %s GROUP BY 1, 2"""
THOUGHT: Final = """
SELECT o.order_seq, o.market, o.strategy, d.in_seq, d.ordinal, d.q_exec, o.price
FROM oms_order o JOIN unnest(%s::bigint[], %s::int[], %s::int[]) w (order_seq, market, strategy)
     ON o.order_seq = w.order_seq AND o.market = w.market AND o.strategy = w.strategy
     LEFT JOIN risk_decision d ON d.id = o.id
WHERE o.shard = %s"""
LANES: Final = """
SELECT 'held', width_bucket(%(now)s - created_ts, %(ages)s::bigint[]), count(*),
       sum(CASE WHEN action = 0 THEN held ELSE 0 END)::bigint, min(created_ts)
FROM oms_order WHERE is_open AND shard = %(shard)s GROUP BY 2
UNION ALL
SELECT 'posted', width_bucket(%(now)s - ts, %(ages)s::bigint[]), count(*), sum(abs(money))::bigint, min(ts)
FROM (SELECT ts, money FROM oms_fill WHERE shard = %(shard)s ORDER BY id DESC LIMIT %(most)s) f GROUP BY 2
UNION ALL
SELECT 'voided', width_bucket(%(now)s - changed_ts, %(ages)s::bigint[]), count(*),
       sum(cancelled * price / 10000)::bigint, min(changed_ts)
FROM (SELECT changed_ts, cancelled, price FROM oms_order
      WHERE shard = %(shard)s AND NOT is_open ORDER BY id DESC LIMIT %(most)s) o
WHERE cancelled > 0 GROUP BY 2
UNION ALL
SELECT 'unsettled', width_bucket(%(now)s - m.close_ts, %(ages)s::bigint[]), count(*), sum(p.cost)::bigint,
       min(m.close_ts)
FROM ledger_position p JOIN registry_market m ON m.shard = p.shard AND m.market = p.market
WHERE p.shard = %(shard)s AND p.size <> 0 AND m.close_ts <= %(now)s GROUP BY 2"""


class Line(NamedTuple):
    """One fill with its names.

    Attributes:
        row: It.
        market: Question.
        strategy: Name.
        age_ns: Loop time since.
        thought: What the decision took it to trade at, in the outcome's own terms, 1e-9 a share; None = not known.
        decision_id: The packet; "" = not there.
        settlement: posted, voided, pending, or "" where the books say nothing of it.
    """

    row: FillRecord
    market: str
    strategy: str
    age_ns: int
    thought: int | None
    decision_id: str
    settlement: str

    @property
    def order_id(self) -> str:
        """Of its order."""
        return f"{self.row.order_seq}:{self.row.market}:{self.row.strategy}"

    @property
    def worse_by(self) -> int | None:
        """How much worse than thought it traded, 1e-9 a share; negative is better."""
        if self.thought is None:
            return None
        paid = self.row.price * (NANO // PRICE_UNIT)
        return paid - self.thought if self.row.action == Action.BUY else self.thought - paid


@require_safe
@never_cache
@needs(Permission.VIEW)
def fills(request: HttpRequest, shard: int = 0) -> HttpResponseBase:
    """The list, and the lanes above it."""
    now = board.strip(shard)
    loop_ts = now.loop.loop_ts if now.loop else 0
    said = wanted(request, shard)
    role = request.GET.get("role", "")
    rows = said.of(FillRecord.objects.filter(shard=shard))
    if role in ROLES:
        rows = rows.filter(is_maker=role == "maker")
    listed = Listed(request, rows)
    context = {
        "board": now,
        "asked": said,
        "role": role,
        "roles": ROLES,
        "listed": listed,
        "rows": told(list(listed.rows), said.strategies, loop_ts, shard),
        "lanes": lanes.drawn(lane_counts(shard, loop_ts), loop_ts),
        "query": request.GET.urlencode(),
        "is_first": "before" not in request.GET,
    }
    return show(request, "console/fills.html", "fills", context)


def lane_counts(shard: int, loop_ts: int) -> list[lanes.Count]:
    """How many things are how old in each lane: one query."""
    with connection.cursor() as cursor:
        given: dict[str, Any] = {"shard": shard, "now": loop_ts, "ages": list(lanes.AGES_NS), "most": RECENT}
        cursor.execute(LANES, given)
        return [lanes.Count(*row) for row in cursor.fetchall()]


def told(rows: list[FillRecord], strategies: dict[int, str], loop_ts: int, shard: int) -> list[Line]:
    """Fills with what was thought of them and what the books say: three queries, whatever their number."""
    titles = board.market_titles(shard, {row.market for row in rows})
    thought = _thought(rows, shard)
    booked = _booked(rows, shard)
    made = []
    for row in rows:
        decision_id, price = thought.get((row.order_seq, row.market, row.strategy), ("", None))
        made.append(
            Line(
                row,
                titles.get(row.market) or f"market {row.market}",
                strategies.get(row.strategy) or f"strategy {row.strategy}",
                max(0, loop_ts - row.ts),
                price,
                decision_id,
                booked.get((row.in_seq, row.ordinal), ""),
            )
        )
    return made


def _thought(rows: list[FillRecord], shard: int) -> dict[tuple[int, int, int], tuple[str, int | None]]:
    keys = sorted({(row.order_seq, row.market, row.strategy) for row in rows})
    found: dict[tuple[int, int, int], tuple[str, int | None]] = {}
    if keys:
        with connection.cursor() as cursor:
            cursor.execute(THOUGHT, [*(list(column) for column in zip(*keys, strict=True)), shard])
            for order_seq, market, strategy, in_seq, ordinal, q_exec, _ in cursor.fetchall():
                found[order_seq, market, strategy] = ("" if in_seq is None else f"{in_seq}:{ordinal}", q_exec)
    return found


def _booked(rows: list[FillRecord], shard: int) -> dict[tuple[int, int], str]:
    found: dict[tuple[int, int], str] = {}
    if rows:
        events = sorted({(row.in_seq, row.ordinal) for row in rows})
        with connection.cursor() as cursor:
            cursor.execute(BOOKED, [*(list(column) for column in zip(*events, strict=True)), shard])
            for in_seq, ordinal, posted, voided in cursor.fetchall():
                found[in_seq, ordinal] = "posted" if posted else "voided" if voided else "pending"
    return found


@require_safe
@never_cache
@needs(Permission.EXPORT)
def fills_csv(request: HttpRequest, shard: int = 0) -> HttpResponseBase:
    """The newest fills of the same filters as a file."""
    said = wanted(request, shard)
    rows = said.of(FillRecord.objects.filter(shard=shard))
    role = request.GET.get("role", "")
    if role in ROLES:
        rows = rows.filter(is_maker=role == "maker")
    found = list(rows.order_by("-id")[:CSV_MOST])
    header = (
        "fill", "ts_ns", "market", "title", "strategy", "action", "outcome", "price", "size", "money", "fee", "role",
        "order", "decision", "predicted_price", "settlement",
    )  # fmt: skip

    def cells(line: Line) -> tuple[Any, ...]:
        row = line.row
        return (
            str(row), row.ts, row.market, line.market, line.strategy, Action(row.action).name,
            Outcome(row.outcome).name, row.price / PRICE_UNIT, row.size / 1e6, row.money / 1e6, row.fee / 1e6,
            "maker" if row.is_maker else "taker", line.order_id, line.decision_id,
            None if line.thought is None else line.thought / NANO, line.settlement,
        )  # fmt: skip

    return as_csv("fills", header, map(cells, told(found, said.strategies, 0, shard)))
