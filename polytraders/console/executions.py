"""Did trades cost what we thought they would? Predictions against fills, from sums kept by a task."""

import math
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from django.db import connection
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from apps.oms.models import FillRecord
from apps.replay import scoring
from apps.replay.core.metrics import wilson
from apps.replay.models import ExecutionRecord
from polytraders.access.permissions import Permission, needs
from polytraders.console import board
from polytraders.console.frame import show
from polytraders.console.lists import Listed
from polytraders.console.pictures.reliability import Row, diagram, histogram
from polytraders.console.pictures.scale import HEIGHT, Scale, Tick, around, line
from polytraders.contracts.inputs import NANO, PRICE_UNIT
from polytraders.contracts.state import SELL

PREDICTED: Final = """
SELECT o.order_seq, o.market, o.strategy, d.q_exec, d.in_seq, d.ordinal FROM oms_order AS o
JOIN risk_decision AS d ON d.id = o.id
WHERE o.shard = %s AND (o.order_seq, o.market, o.strategy) IN (
    SELECT * FROM unnest(%s::bigint[], %s::int[], %s::int[]))"""
LEFT, RIGHT, TOP, BOTTOM = 60, 990, 12, HEIGHT - 24


class Line(NamedTuple):
    """One strategy: orders with a fill, mean slippage and its root mean square (1e-9), predicted and realised part."""

    name: str
    filled: int
    slippage: float | None
    rmse: float | None
    orders: int
    expected: float | None
    came: float | None
    whole: int


class Fill(NamedTuple):
    """One fill with what was predicted; `worse` > 0 = it cost more than thought, 1e-9 a share."""

    row: FillRecord
    market: str
    strategy: str
    q_exec: int | None
    worse: int | None
    decision_id: str


class Scatter(NamedTuple):
    """Predicted price across, realised price up."""

    dots: list[tuple[float, float, bool]]
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    diagonal: str


@require_safe
@never_cache
@needs(Permission.VIEW)
def page(request: HttpRequest) -> HttpResponseBase:
    """The page."""
    names = board.strategy_names(0)
    told = request.GET.get("strategy", "").strip()
    strategy = next((index for index, name in names.items() if told and told in (name, str(index))), None)
    wrong = bool(told) and strategy is None
    rows = [row for row in ExecutionRecord.objects.filter(shard=0) if not wrong]
    chosen = [row for row in rows if strategy in (None, row.strategy)]
    every = FillRecord.objects.filter(shard=0)
    listed = Listed(request, every.none() if wrong else every if strategy is None else every.filter(strategy=strategy))
    shown = list(listed.rows)
    titles = board.market_titles(0, {row.market for row in shown})
    fills = _fills(shown, titles, names)
    context = {
        "board": board.strip(names=names),
        "wrong": wrong,
        "strategies": sorted(names.items()),
        "strategy": strategy,
        "all": _line("", chosen),
        "by_strategy": [_line(names.get(each) or f"strategy {each}", [row for row in rows if row.strategy == each])
                        for each in sorted({row.strategy for row in rows})],
        "slippage": _slippage(chosen),
        "filling": _filling(chosen),
        "buckets": _buckets(chosen),
        "fills": fills,
        "scatter": scatter(fills),
        "listed": listed,
    }  # fmt: skip
    return show(request, "console/execution.html", "execution", context, status=400 if wrong else 200)


def _fills(rows: list[FillRecord], titles: dict[int, str], names: dict[int, str]) -> list[Fill]:
    """Fills with their orders' predictions; one question."""
    keys = sorted({(row.order_seq, row.market, row.strategy) for row in rows})
    predicted: dict[tuple[int, int, int], tuple[int | None, str]] = {}
    if keys:
        with connection.cursor() as cursor:
            cursor.execute(PREDICTED, (0, *([*column] for column in zip(*keys, strict=True))))
            for order_seq, market, strategy, q_exec, in_seq, ordinal in cursor.fetchall():
                predicted[order_seq, market, strategy] = q_exec, f"{in_seq}:{ordinal}"
    made = []
    for row in rows:
        q_exec, decision = predicted.get((row.order_seq, row.market, row.strategy), (None, ""))
        worse = None
        if q_exec is not None:
            price = row.price * (NANO // PRICE_UNIT)
            worse = q_exec - price if row.action == SELL else price - q_exec
        title = titles.get(row.market) or f"market {row.market}"
        made.append(Fill(row, title, names.get(row.strategy) or f"strategy {row.strategy}", q_exec, worse, decision))
    return made


def scatter(fills: list[Fill]) -> Scatter | None:
    """The picture of the fills of a page; None without a prediction."""
    pairs = [(fill.q_exec / NANO, fill.row.price / PRICE_UNIT, fill.worse) for fill in fills
             if fill.q_exec is not None and fill.worse is not None]  # fmt: skip
    if not pairs:
        return None
    low, high = around([value for pair in pairs for value in pair[:2]])
    x, y = Scale(low, high, LEFT, RIGHT), Scale(low, high, BOTTOM, TOP)

    def words(value: float) -> str:
        return f"{value:.3g}"

    dots = [(x(predicted), y(realised), worse > 0) for predicted, realised, worse in pairs]
    return Scatter(dots, x.ticks(words, 8), y.ticks(words, 4), line([(x(low), y(low)), (x(high), y(high))]))


def _line(name: str, rows: list[ExecutionRecord]) -> Line:
    slips = [row for row in rows if row.what == scoring.SLIPPAGE]
    fillings = [row for row in rows if row.what == scoring.FILLING]
    filled, orders = sum(row.count for row in slips), sum(row.count for row in fillings)
    return Line(
        name,
        filled,
        sum(row.expected for row in slips) / filled if filled else None,
        math.sqrt(sum(row.came for row in slips) / filled) if filled else None,
        orders,
        sum(row.expected for row in fillings) / orders if orders else None,
        sum(row.came for row in fillings) / orders if orders else None,
        sum(row.whole for row in fillings),
    )


def _slippage(rows: list[ExecutionRecord]) -> Any:
    counts = dict.fromkeys(range(-scoring.SLIP_MOST, scoring.SLIP_MOST + 1), 0)
    for row in rows:
        if row.what == scoring.SLIPPAGE:
            counts[row.bin] += row.count
    sides = {True: "under", False: "over"}
    bins = [
        (f"{place * scoring.SLIP_STEP / NANO:+.3f}" if place else "0", count, sides[place < 0] if place else "")
        for place, count in counts.items()
    ]
    return histogram(bins, range(0, len(bins), 5))


def _filling(rows: list[ExecutionRecord]) -> Any:
    return diagram([Row(line.bin, line.count, line.forecast, line.hits) for line in _sums(rows)], [], scoring.FILL_BINS)


@dataclass(frozen=True)
class Bucket:
    """Orders of one bin of P(fill): how many, predicted and realised part, wholly filled with Wilson's interval."""

    low: float
    high: float
    count: int
    expected: float
    came: float
    whole: float
    lower: float
    upper: float


def _buckets(rows: list[ExecutionRecord]) -> list[Bucket]:
    found = []
    parts: dict[int, float] = {}
    for row in rows:
        if row.what == scoring.FILLING:
            parts[row.bin] = parts.get(row.bin, 0.0) + row.came
    for one in _sums(rows):
        ends = one.bin / scoring.FILL_BINS, (one.bin + 1) / scoring.FILL_BINS
        interval = wilson(one.hits, one.count)
        mean = one.forecast / one.count
        found.append(Bucket(*ends, one.count, mean, parts[one.bin] / one.count, one.hits / one.count, *interval))
    return found


def _sums(rows: list[ExecutionRecord]) -> list[Row]:
    """Count, sum of P(fill) and whole fills of each bin."""
    found: dict[int, Row] = {}
    for row in rows:
        if row.what == scoring.FILLING:
            before = found.get(row.bin, Row(row.bin, 0, 0.0, 0))
            found[row.bin] = Row(
                row.bin, before.count + row.count, before.forecast + row.expected, before.hits + row.whole
            )
    return [found[place] for place in sorted(found)]
