"""The trace: one correlation id from the input rows around it to the ledger and the settlement."""

import re
from http import HTTPStatus
from typing import Final

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from apps.oms.models import OrderRecord
from apps.risk.models import DecisionRecord
from polytraders.access.permissions import Permission, needs
from polytraders.console import board, decisions
from polytraders.console.frame import show
from polytraders.console.steps import trace

CORRELATION: Final = re.compile(r"(\d{1,12}):(\d{1,9}):(\d{1,9})", re.ASCII)
EXAMPLES: Final = 12


@require_safe
@never_cache
@needs(Permission.VIEW)
def start(request: HttpRequest) -> HttpResponseBase:
    """Enter an id, or take a recent one; a decision's id leads to its correlation."""
    told = request.GET.get("id", "").strip()
    if CORRELATION.fullmatch(told):
        return redirect("trace-of", told)
    row = decisions.find(told) if told else None
    if row is not None:
        return redirect("trace-of", row.correlation_id)
    names = board.strategy_names(0)
    orders = list(OrderRecord.objects.filter(shard=0).order_by("-id")[:EXAMPLES])
    rows = list(DecisionRecord.objects.filter(shard=0).order_by("-id")[:EXAMPLES])
    markets = {order.market for order in orders} | {row.market for row in rows}
    titles = board.market_titles(0, markets)
    context = {
        "board": board.strip(names=names),
        "asked": told if told.isprintable() and len(told) <= len("9" * 32) else "",
        "wrong": bool(told),
        "orders": [(row, titles.get(row.market), names.get(row.strategy)) for row in orders],
        "rows": [(row, titles.get(row.market), names.get(row.strategy)) for row in rows],
    }
    return show(request, "console/trace.html", "trace", context, status=HTTPStatus.NOT_FOUND if told else HTTPStatus.OK)


@require_safe
@never_cache
@needs(Permission.VIEW)
def one(request: HttpRequest, correlation_id: str) -> HttpResponseBase:
    """Every step of one id."""
    in_seq, market, strategy = (int(part) for part in correlation_id.split(":"))
    # Columns of four bytes hold less than nine digits can say.
    found = trace(in_seq, market, strategy) if in_seq < 1 << 40 and max(market, strategy) < 1 << 31 else None
    names = board.strategy_names(0)
    context = {
        "board": board.strip(names=names),
        "id": correlation_id,
        "trace": found,
        "market": str(found.market) if found and found.market else f"market {market}",
        "market_index": market,
        "strategy": names.get(strategy) or f"strategy {strategy}",
    }
    status = HTTPStatus.OK if found else HTTPStatus.NOT_FOUND
    return show(request, "console/trace_of.html", "trace", context, status=status)
