"""Markets: the screener, and one market with everything that is known of it."""

import json
from typing import Any, Final

from django.db import connection
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from apps.ingest.models import ChangeRecord, QuoteRecord, SampleRecord
from apps.ingest.projections import CHANGED
from apps.ledger.models import PositionRecord
from apps.oms.models import FillRecord, OrderRecord
from apps.registry.models import MarketRecord
from apps.risk.models import DecisionRecord
from polytraders.access.permissions import Permission, needs
from polytraders.console import board, quotes, rules, screen
from polytraders.console.frame import show
from polytraders.console.pictures import bands, prices
from polytraders.console.quotes import yes_terms
from polytraders.contracts.inputs import MarketStatus
from polytraders.contracts.reasons import by_number
from polytraders.figures import price as price_words
from polytraders.figures import shares as shares_words

DECISIONS: Final = 20
FILLS: Final = 200
ORDERS: Final = 10
CHANGES: Final = 200
SAMPLES: Final = 1_440
COLUMNS: Final = ("ts", "state", "bid", "ask", "p_hats", "lowers", "uppers")
Told = list[float | None]
"""One entry a strategy."""
MARKET: Final = """
SELECT row_to_json(m), row_to_json(q),
    (SELECT json_object_agg(strategy, name) FROM monitoring_strategy WHERE shard = m.shard),
    (SELECT json_agg(p) FROM ledger_position p WHERE p.shard = m.shard AND p.market = m.market)
FROM registry_market m LEFT JOIN ingest_quote q ON q.shard = m.shard AND q.market = m.market
WHERE m.shard = %s AND m.market = %s"""


@require_safe
@never_cache
@needs(Permission.VIEW)
def markets(request: HttpRequest) -> HttpResponseBase:
    """The screener."""
    asked = screen.Asked.of(request.GET)
    lines, after = screen.page(asked)
    kept = request.GET.copy()
    kept.pop("after", None)
    first = "" if asked.after is None else "?" + kept.urlencode()
    if after:
        kept["after"] = after
    context = {
        "asked": asked,
        "lines": lines,
        "listed": {"newest": first, "older": "?" + kept.urlencode() if after else ""},
        "reasons": screen.reasons(),
        "clusters": screen.clusters(),
        "sorts": [(name, words) for name, (words, _) in screen.SORTS.items()],
        "kinds": screen.KINDS,
        "code": by_number(asked.code).code if asked.code >= 0 else "",
    }
    return show(request, "console/markets/list.html", "markets", context)


@require_safe
@never_cache
@needs(Permission.VIEW)
def market(request: HttpRequest, index: int, shard: int = 0) -> HttpResponseBase:
    """One market. Its numbers come by socket, the rest is asked for again every few seconds."""
    row, quote, names, positions = _read(index, shard)
    strip = board.strip(shard)
    seen = quotes.shown(quote, names) if quote else None
    orders = _orders(index, shard)
    still_open = [order for order in orders if order.is_open]
    decisions = DecisionRecord.objects.filter(shard=shard, market=index).order_by("-id")[:DECISIONS]
    fills = list(FillRecord.objects.filter(shard=shard, market=index).order_by("-id")[:FILLS])
    chosen = _strategy(request, names)
    line, points = _line(index, shard, fills, chosen)
    context: dict[str, Any] = {
        "board": strip,
        "market": row,
        "status": MarketStatus(row.status).name.lower() if row.status is not None else "not told",
        "seen": seen,
        "names": names,
        "chosen": chosen,
        "line": line,
        "points": points[-60:],
        "fills": [(fill, *yes_terms(fill), names.get(fill.strategy, "")) for fill in fills[:ORDERS]],
        "orders": [(order, names.get(order.strategy, "")) for order in orders],
        "positions": [(each, names.get(each.strategy, "")) for each in positions if each.size or each.realised],
        "decisions": [(each, by_number(each.code), names.get(each.strategy, "")) for each in decisions],
        "facts": rules.facts(row),
        "changes": rules.changes(index, shard),
    }
    if seen is not None:
        context |= quotes.context("ladder", seen, still_open)
    return show(request, "console/markets/market.html", "markets", context)


def _read(index: int, shard: int) -> tuple[MarketRecord, QuoteRecord | None, dict[int, str], list[PositionRecord]]:
    """The market, its quote, names of strategies and what is held: one question."""
    if index >= 2**31:
        raise Http404("no such market")
    with connection.cursor() as cursor:
        cursor.execute(MARKET, (shard, index))
        found = cursor.fetchone()
    if found is None:
        raise Http404("no such market")
    row, quote, names, positions = (json.loads(part) if isinstance(part, str) else part for part in found)
    return (
        MarketRecord(**row),
        QuoteRecord(**quote) if quote else None,
        {int(strategy): name for strategy, name in (names or {}).items()},
        [PositionRecord(**each) for each in positions or ()],
    )


def _orders(index: int, shard: int) -> list[OrderRecord]:
    """All that are open, and the newest of the others; one question, each half by its own index."""
    rows = OrderRecord.objects.filter(shard=shard, market=index)
    found = rows.filter(is_open=True).order_by("-id")[:ORDERS].union(rows.order_by("-id")[:ORDERS])
    return sorted(found, key=lambda order: (not order.is_open, -order.id))


def _strategy(request: HttpRequest, names: dict[int, str]) -> int:
    """Whose forecast is drawn: the one asked for, else the first."""
    asked = request.GET.get("strategy", "")
    if asked.isascii() and asked.isdigit() and len(asked) < 4 and int(asked) in names:
        return int(asked)
    return min(names, default=0)


def _line(
    index: int, shard: int, fills: list[FillRecord], strategy: int
) -> tuple[prices.Prices | None, list[prices.Point]]:
    """The price line with the forecast of one strategy, our fills and the stretches without a book; two questions."""
    samples = SampleRecord.objects.filter(shard=shard, market=index).order_by("-ts").values_list(*COLUMNS)[:SAMPLES]
    points = [_point(strategy, *sample) for sample in reversed(samples)]
    changes = ChangeRecord.objects.filter(shard=shard, market=index, what=CHANGED).order_by("-id")[:CHANGES]
    states = [bands.Change(change.ts, change.state, change.why) for change in reversed(changes)]
    if len(points) < 2:
        return None, points
    marks = []
    for fill in fills:
        price, is_up = yes_terms(fill)
        role = "maker" if fill.is_maker else "taker"
        words = f"{'bought' if is_up else 'sold'} {shares_words(fill.size)} at {price_words(price)}, {role}"
        marks.append(prices.Fill(fill.ts, price, is_up, fill.is_maker, words))
    gone = bands.lost(states, points[0].ts, points[-1].ts)
    return prices.prices(points, marks, gone), points


def _point(
    strategy: int, ts: int, state: int, bid: int | None, ask: int | None, p_hats: Told, lowers: Told, uppers: Told
) -> prices.Point:
    p_hat = p_hats[strategy] if strategy < len(p_hats) else None
    fair = None if p_hat is None else (p_hat, lowers[strategy] or 0.0, uppers[strategy] or 0.0)
    return prices.Point(ts, state == 0, bid, ask, fair)
