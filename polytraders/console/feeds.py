"""Feeds: whether the data can be trusted. Connections and markets with their ages, states over time, and repairs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from django.db import connection
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.safestring import SafeString
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from apps.ingest.models import ChangeRecord, FeedRecord, RefusalRecord
from apps.ingest.projections import BEGAN, CHANGED, MISSED
from apps.ingest.quotes import LAG_EDGES_MS
from polytraders.access.permissions import Permission, needs
from polytraders.console import board, screen
from polytraders.console.frame import show
from polytraders.console.pictures import bands
from polytraders.console.quotes import STATES
from polytraders.console.templatetags.told import clock
from polytraders.contracts.inputs import MarketStatus
from polytraders.contracts.reason import Reason
from polytraders.contracts.reasons import by_number

SPANS_S: Final = {"5m": 300, "15m": 900, "1h": 3_600, "6h": 21_600}
SECOND_NS: Final = 1_000_000_000
LANES: Final = 40
CHANGES: Final = 2_000
"""Changes read for the lanes of one page."""
EVENTS: Final = 30
STALE_NS: Final = 5 * SECOND_NS
MARKETS: Final = """
SELECT m.market, left(coalesce(nullif(m.title, ''), nullif(m.slug, ''), m.condition_id), 300) AS name,
    q.state, q.why, q.connection, q.row_ts, q.witness_ts, q.source_ts, q.ts, q.events, q.snapshots,
    q.snapshot_differences, q.mismatches, q.repairs, q.best_mismatches, q.resyncs, q.witness_differences,
    (CASE q.state WHEN 0 THEN 0 ELSE -1 END)::bigint * 4611686018427387904 + q.row_ts AS sorted
FROM ingest_quote q JOIN registry_market m ON m.shard = q.shard AND m.market = q.market
WHERE q.shard = %s AND coalesce(m.status, 0) < %s AND (%s OR (
    (CASE q.state WHEN 0 THEN 0 ELSE -1 END)::bigint * 4611686018427387904 + q.row_ts, q.market) > (%s, %s))
ORDER BY sorted, q.market LIMIT %s"""
TOTALS: Final = """
SELECT count(*) FILTER (WHERE q.state = 0), count(*) FILTER (WHERE q.state = 1), count(*) FILTER (WHERE q.state = 2),
    coalesce(sum(q.snapshots), 0), coalesce(sum(q.snapshot_differences), 0), coalesce(sum(q.mismatches), 0),
    coalesce(sum(q.repairs), 0), coalesce(sum(q.resyncs), 0), coalesce(sum(q.witness_differences), 0)
FROM ingest_quote q JOIN registry_market m ON m.shard = q.shard AND m.market = q.market
WHERE q.shard = %s AND coalesce(m.status, 0) < %s"""

EARLIER: Final = """
SELECT w.market, c.state FROM unnest(%s::int[]) AS w(market), LATERAL (
    SELECT state FROM ingest_change WHERE market = w.market AND shard = %s AND what = %s AND ts < %s
    ORDER BY id DESC LIMIT 1) c"""
"""What each book was before a span."""
UNKNOWN, LOST = 1, 2
"""States of a book that nothing has been told of, and of one that waits for a whole one."""


class Totals(NamedTuple):
    """Over all open markets."""

    valid: int
    unknown: int
    resyncing: int
    snapshots: int
    differences: int
    mismatches: int
    repairs: int
    resyncs: int
    witness_differences: int


@dataclass(frozen=True)
class Lane:
    """One market: its ages in loop time, counters, and its states over the span."""

    row: Mapping[str, Any]
    why: Reason | None
    bands: list[bands.Band]
    market_age_ns: int | None
    witness_age_ns: int | None
    lag_ns: int | None

    @property
    def shapes(self) -> SafeString:
        """The lane drawn: numbers and our own words only, and so many that a template would take far longer."""
        return SafeString("".join(_shape(band) for band in self.bands))


@dataclass(frozen=True)
class Connection:
    """One connection: what the loop says of it, its age now, and how late its rows came."""

    name: str
    number: int
    state: str
    age_ns: int
    feed: FeedRecord | None
    bars: list[bands.Bar]
    p50_ms: int | None
    p99_ms: int | None


def _shape(band: bands.Band) -> str:
    y, height = (1, 16) if band.state == LOST else (7, 4)
    words = f"{clock(band.start)} to {clock(band.end)}: {STATES[band.state]}"
    return (
        f'<rect class="s{band.state}" x="{band.x}" y="{y}" width="{band.width}" height="{height}">'
        f"<title>{words}</title></rect>"
    )


class Event(NamedTuple):
    """A connection missed something, or the loop began anew."""

    ts: int
    what: str
    connection: int
    why: Reason | None


@require_safe
@never_cache
@needs(Permission.VIEW)
def feeds(request: HttpRequest, shard: int = 0) -> HttpResponseBase:
    """The page."""
    strip = board.strip(shard)
    span = request.GET.get("span", "")
    span = span if span in SPANS_S else "15m"
    now = strip.loop.loop_ts if strip.loop else 0
    start = now - SPANS_S[span] * SECOND_NS
    rows, after = _rows(request, shard)
    kept = request.GET.copy()
    kept.pop("after", None)
    first = "?" + kept.urlencode() if "after" in request.GET else ""
    if after:
        kept["after"] = after
    context = {
        "board": strip,
        "connections": _connections(strip, shard),
        "edges": LAG_EDGES_MS,
        "lanes": _lanes(rows, start, now, shard),
        "axis": bands.axis(start, now) if now else [],
        "span": span,
        "spans": SPANS_S,
        "start": start,
        "end": now,
        "totals": _totals(shard),
        "events": _events(shard),
        "refusals": [
            (by_number(each.code), each)
            for each in RefusalRecord.objects.filter(shard=shard).order_by("-last_ts")[:EVENTS]
        ],
        "listed": {"newest": first, "older": "?" + kept.urlencode() if after else ""},
    }
    return show(request, "console/feeds/feeds.html", "feeds", context)


def _rows(request: HttpRequest, shard: int) -> tuple[list[dict[str, Any]], str]:
    """Markets of this page: those without a valid book first, then by their age, the oldest first."""
    after = screen.after(request.GET.get("after", ""))
    key, market = after or (0, 0)
    with connection.cursor() as cursor:
        cursor.execute(MARKETS, (shard, int(MarketStatus.RESOLVING), after is None, key, market, LANES + 1))
        names = [column.name for column in cursor.description or ()]
        found = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    more = f"{found[LANES - 1]['sorted']}.{found[LANES - 1]['market']}" if len(found) > LANES else ""
    return found[:LANES], more


def _lanes(rows: list[dict[str, Any]], start: int, now: int, shard: int) -> list[Lane]:
    """Each market's states over the span; two questions for all of them."""
    changes: dict[int, list[bands.Change]] = {row["market"]: [] for row in rows}
    found = ChangeRecord.objects.filter(shard=shard, what=CHANGED, market__in=list(changes), ts__gte=start)
    for change in reversed(found.order_by("-ts")[:CHANGES]):
        changes[change.market].append(bands.Change(change.ts, change.state, change.why))
    with connection.cursor() as cursor:
        cursor.execute(EARLIER, (list(changes), shard, CHANGED, start))
        earlier = dict(cursor.fetchall())
    made = []
    for row in rows:
        mine = changes[row["market"]]
        row_ts, witness_ts, source_ts = row["row_ts"], row["witness_ts"], row["source_ts"]
        made.append(
            Lane(
                row,
                by_number(row["why"]) if row["why"] else None,
                bands.drawn(bands.bands(mine, start, now, earlier.get(row["market"], UNKNOWN))) if now else [],
                max(0, now - row_ts) if row_ts else None,
                max(0, now - witness_ts) if witness_ts else None,
                row_ts - source_ts if source_ts and row_ts else None,
            )
        )
    return made


def _connections(strip: board.Board, shard: int) -> list[Connection]:
    told = {feed.connection: feed for feed in FeedRecord.objects.filter(shard=shard)}
    made = []
    for said in strip.loop.feeds if strip.loop else ():
        feed = told.get(said["connection"])
        counts = feed.lags if feed else []
        made.append(
            Connection(
                said["name"],
                said["connection"],
                said["state"],
                said["age_ms"] * 1_000_000 + strip.age_ns,
                feed,
                bands.histogram(counts, LAG_EDGES_MS),
                bands.quantile(counts, LAG_EDGES_MS, 0.5),
                bands.quantile(counts, LAG_EDGES_MS, 0.99),
            )
        )
    return made


def _totals(shard: int) -> Totals:
    with connection.cursor() as cursor:
        cursor.execute(TOTALS, (shard, int(MarketStatus.RESOLVING)))
        return Totals(*(int(value) for value in cursor.fetchone()))


def _events(shard: int) -> list[Event]:
    """The last times that a connection missed something or the loop began; by the index of what it was."""
    rows = ChangeRecord.objects.filter(shard=shard)
    missed = rows.filter(what=MISSED).order_by("-id")[:EVENTS]
    began = rows.filter(what=BEGAN).order_by("-id")[:EVENTS]
    found = sorted(missed.union(began), key=lambda change: -change.id)[:EVENTS]
    return [
        Event(
            change.ts,
            "loop began" if change.what == BEGAN else "missed something",
            change.connection,
            by_number(change.why) if change.why > 0 else None,
        )
        for change in found
    ]
