"""Signals: what was measured. Vectors of all markets with their completeness, and one of them in full."""

from typing import Any, Final, NamedTuple

from django.db import connection
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from apps.ingest.models import SampleRecord
from apps.signals.definitions import DEFINITIONS, PART, PRICE, SHARES, Definition
from polytraders.access.permissions import Permission, needs
from polytraders.console import board
from polytraders.console.frame import show
from polytraders.console.pictures.spark import Spark, spark
from polytraders.console.templatetags.told import UNKNOWN
from polytraders.contracts.inputs import MarketStatus
from polytraders.contracts.reasons import by_number
from polytraders.contracts.state import FEATURES, SIGNAL_VERSION

ROWS: Final = 40
SAMPLES: Final = 360
"""Half an hour."""
STALE_NS: Final = 15_000_000_000
"""As long as the loop believes a book that nothing confirms."""
PPM: Final = 1_000_000
COLUMNS: Final = ("mid", "spread", "imbalance", "depth_imbalance", "buy_flow_60s", "sell_flow_60s", "volatility_5m")
"""Of the list; all of them stand on the market's own lines."""
NUMBERS: Final = {name: place for place, name in enumerate(FEATURES)}
MARKETS: Final = """
SELECT m.market, left(coalesce(nullif(m.title, ''), nullif(m.slug, ''), m.condition_id), 300) AS name,
    q.state, q.why, q.in_seq, q.ts, q.row_ts, q.features, q.completeness_ppm
FROM ingest_quote q JOIN registry_market m ON m.shard = q.shard AND m.market = q.market
WHERE q.shard = %s AND coalesce(m.status, 0) < %s AND q.market > %s ORDER BY q.market LIMIT %s"""
ONE: Final = MARKETS.replace(
    "AND coalesce(m.status, 0) < %s AND q.market > %s ORDER BY q.market LIMIT %s", "AND q.market = %s"
)


class Line(NamedTuple):
    """A market's vector in short: fresh, stale, partial or none, and the numbers of the list."""

    row: dict[str, Any]
    quality: str
    why: Any
    values: list[str]
    complete: list[float]


class Feature(NamedTuple):
    """One number of a vector: what it is, its value, and how it went."""

    definition: Definition
    value: str
    spark: Spark | None
    low: str
    high: str


def words(definition: Definition, value: float) -> str:
    """A value in its unit."""
    if definition.unit == PRICE:
        return f"{value:.4f}"
    if definition.unit == SHARES:
        return f"{value:,.2f}"
    if definition.unit == PART:
        return f"{value * 100:.1f} %"
    return f"{value:.6f}" if abs(value) < 1 else f"{value:.4f}"


def quality(row: dict[str, Any], now: int) -> str:
    """Whether a vector may be used: fresh, stale (nothing came for long), partial (a window has gaps), or none."""
    if not row["features"]:
        return "none"
    if now - row["row_ts"] > STALE_NS:
        return "stale"
    return "fresh" if min(row["completeness_ppm"], default=0) >= PPM * 95 // 100 else "partial"


@require_safe
@never_cache
@needs(Permission.VIEW)
def signals(request: HttpRequest, shard: int = 0) -> HttpResponseBase:
    """The page; `?market=` shows one vector in full, `?after=` goes on in the list."""
    strip = board.strip(shard)
    now = strip.loop.loop_ts if strip.loop else 0
    given = request.GET.get("after", "")
    start = int(given) if given.isascii() and given.isdigit() and len(given) < 10 else -1
    rows = _read(MARKETS, (shard, int(MarketStatus.RESOLVING), start, ROWS + 1))
    more, rows = len(rows) > ROWS, rows[:ROWS]
    asked = request.GET.get("market", "")
    chosen = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 10 else None
    one = _read(ONE, (shard, chosen)) if chosen is not None else rows[:1]
    kept = request.GET.copy()
    kept.pop("after", None)
    first = "?" + kept.urlencode() if start >= 0 else ""
    if more:
        kept["after"] = str(rows[-1]["market"])
    context = {
        "board": strip,
        "lines": [_line(row, now) for row in rows],
        "columns": [DEFINITIONS[NUMBERS[name]] for name in COLUMNS],
        "listed": {"newest": first, "older": "?" + kept.urlencode() if more else ""},
        "one": _line(one[0], now) if one else None,
        "features": _features(one[0], shard) if one else [],
        "definitions": DEFINITIONS,
        "version": SIGNAL_VERSION,
        "age_ns": max(0, now - one[0]["row_ts"]) if one and now else None,
        "missing": chosen is not None and not one,
    }
    return show(request, "console/signals/signals.html", "signals", context)


def _read(statement: str, values: tuple[int, ...]) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _line(row: dict[str, Any], now: int) -> Line:
    why = by_number(row["why"]) if row["why"] else None
    if not row["features"]:
        return Line(row, "none", why, [UNKNOWN] * len(COLUMNS), [])
    values = [words(DEFINITIONS[NUMBERS[name]], row["features"][NUMBERS[name]]) for name in COLUMNS]
    return Line(row, quality(row, now), why, values, [part / PPM for part in row["completeness_ppm"]])


def _features(row: dict[str, Any], shard: int) -> list[Feature]:
    """All numbers of one vector with their history; one question."""
    samples = SampleRecord.objects.filter(shard=shard, market=row["market"]).order_by("-ts")
    history = list(samples.values_list("features", flat=True)[:SAMPLES])[::-1]
    made = []
    for place, definition in enumerate(DEFINITIONS):
        line = spark([vector[place] if len(vector) > place else None for vector in history])
        value = words(definition, row["features"][place]) if row["features"] else UNKNOWN
        ends = (words(definition, line.low), words(definition, line.high)) if line else ("", "")
        made.append(Feature(definition, value, line, *ends))
    return made
