"""Markets: what the registry knows, the book as the loop last told it, and what was measured then.

Books and features are the loop's newest quote of the market with its age. Where there is none, as after a crash of the
database, they are those of its newest decision there, and `source` says so.
"""

import math
import time
from typing import Any, Literal

from django.http import HttpRequest
from ninja import Field, Schema

from apps.eventlog import reading
from apps.ingest.models import QuoteRecord
from apps.monitoring.models import LoopRecord
from apps.registry.models import MarketRecord
from polytraders.access.permissions import Permission
from polytraders.api.endpoint import Resource, missing
from polytraders.api.places import Cursor, Limit, Page, Shard, iso, listed, market_index, raw
from polytraders.console import decisions
from polytraders.contracts import state as s
from polytraders.contracts.inputs import MarketStatus

markets = Resource("markets")
FACTS = (
    "venue", "min_size", "fee_rate", "fee_exponent", "fee_taker_only", "taker_delay_ms", "close_ts", "cluster",
    "neg_risk", "fee_bps", "allowed", "gap_p999_ms", "reference", "strike", "connection", "synced_ts",
)  # fmt: skip
OUTPUT = "SELECT body FROM log_output WHERE shard = %s AND in_seq = %s AND ordinal = %s"


class MarketItem(Schema):
    """One market of the list."""

    index: int
    condition_id: str
    slug: str
    title: str = Field(description="Somebody else's text: show it, never run it.")
    cluster: str
    status: str | None = Field(description="open, paused, halted, resolving, resolved; null = not told.")
    close_ts: int | None = Field(description="Nanoseconds UTC.")
    payout: int | None = Field(description="Of one YES share, 0.0001 pUSD; null = not resolved.")


class MarketDetail(MarketItem):
    """A market with every fact that was told of it."""

    tokens: dict[str, str]
    facts: dict[str, int | None] = Field(
        description="Units as in the log: sizes 1e-6 shares, rates 1e-6, times ms or ns."
    )
    changed_seq: int = Field(description="Input that changed it last.")


class Level(Schema):
    """One price of a side of the book."""

    price: int
    size: int = Field(description="1e-6 shares.")


class Seen(Schema):
    """When, and by whose word."""

    market: int
    source: Literal["quote", "decision"] = Field(
        description="quote: what the loop tells up to five times a second; decision: only what its newest decision saw."
    )
    decision: str | None = Field(description="Of source decision.")
    in_seq: int
    ts: int
    at: str
    age_ms: int = Field(description="Since it was told, by the clock on the wall; of a decision by loop time.")


class Book(Seen):
    """A book; YES terms, 0.0001 pUSD."""

    is_valid: bool
    row_ts: int | None = Field(description="Last accepted row of the book, ns UTC.")
    best_bid: int | None
    best_ask: int | None
    bids: list[Level] | None = Field(description="The best first, at most 20; null when only a decision knows.")
    asks: list[Level] | None


class Features(Seen):
    """What was measured."""

    signal_version: int
    values: dict[str, float | None]


@markets.get("/markets", Permission.VIEW, Page[MarketItem])
def list_markets(request: HttpRequest, cursor: Cursor, limit: Limit, shard: Shard) -> dict[str, Any]:
    """Markets, the last told first."""
    return listed(MarketRecord.objects.filter(shard=shard), limit, cursor, _item, key="market")


@markets.get("/markets/{market}", Permission.VIEW, MarketDetail, tagged=True)
def get_market(request: HttpRequest, market: str, shard: Shard) -> dict[str, Any]:
    """One market by index, the venue's id or slug."""
    row = _found(market, shard)
    told = {"tokens": {"yes": row.token_yes, "no": row.token_no}, "changed_seq": row.changed_seq}
    return _item(row) | told | {"facts": {name: getattr(row, name) for name in FACTS}}


@markets.get("/markets/{market}/book", Permission.VIEW, Book)
def get_book(request: HttpRequest, market: str, shard: Shard) -> dict[str, Any]:
    """The book as the loop last told it, with its age.

    Without a quote it is what the loop saw when it made its newest decision there: `source` is then "decision".
    """
    row = _found(market, shard)
    quote = QuoteRecord.objects.filter(shard=shard, market=row.market).first()
    if quote is not None:
        return _quoted(quote) | {
            "is_valid": quote.state == s.BOOK_OK,
            "row_ts": quote.row_ts or None,
            "best_bid": quote.bid,
            "best_ask": quote.ask,
            "bids": _levels(quote.bid_prices, quote.bid_sizes),
            "asks": _levels(quote.ask_prices, quote.ask_sizes),
        }
    told, detail = _newest(row, shard)
    bid, ask = (int(detail[name]) for name in ("best_bid", "best_ask"))
    return told | {
        "is_valid": int(detail["quality"]) == s.BOOK_OK,
        "row_ts": int(detail["book_row_ts"]) or None,
        "best_bid": None if bid == s.NONE else bid,
        "best_ask": None if ask == s.NONE else ask,
        "bids": None,
        "asks": None,
    }


@markets.get("/markets/{market}/features", Permission.VIEW, Features)
def get_features(request: HttpRequest, market: str, shard: Shard) -> dict[str, Any]:
    """What the loop last measured, with its age; a value that cannot be measured is null.

    Without a quote it is what was measured with the newest decision there: `source` is then "decision".
    """
    row = _found(market, shard)
    quote = QuoteRecord.objects.filter(shard=shard, market=row.market).first()
    if quote is not None:
        told, measured = _quoted(quote), list(quote.features) or [math.nan] * s.N_FEATURES
    else:
        told, detail = _newest(row, shard)
        measured = detail["features"].tolist()
    values = zip(s.FEATURES, measured, strict=True)
    return told | {
        "signal_version": s.SIGNAL_VERSION,
        "values": {name: value if math.isfinite(value) else None for name, value in values},
    }


def _quoted(quote: QuoteRecord) -> dict[str, Any]:
    age_ms = max(0, time.time_ns() - quote.at_ns) // 1_000_000
    head = {"market": quote.market, "source": "quote", "decision": None, "in_seq": quote.in_seq}
    return head | {"ts": quote.ts, "at": iso(quote.ts), "age_ms": age_ms}


def _levels(prices: list[int], sizes: list[int]) -> list[dict[str, int]]:
    return [{"price": price, "size": size} for price, size in zip(prices, sizes, strict=True)]


def _found(told: str, shard: int) -> MarketRecord:
    row = MarketRecord.objects.filter(shard=shard, market=market_index(told, shard, is_path=True)).first()
    if row is None:
        raise missing("no such market")
    return row


def _newest(market: MarketRecord, shard: int) -> tuple[dict[str, Any], Any]:
    row = decisions.latest(market.market, shard)
    found = raw().execute(OUTPUT, (shard, row.in_seq, row.ordinal)).fetchone() if row else None
    detail = reading.unbody(bytes(found[0]))[1] if found else None
    if row is None or detail is None:
        raise missing("nothing has been told of it yet")
    loop = LoopRecord.objects.filter(shard=shard).only("loop_ts").first()
    now_ts = max(loop.loop_ts, row.ts) if loop else row.ts
    head = {"market": market.market, "source": "decision", "decision": row.decision_id, "in_seq": row.in_seq}
    return head | {"ts": row.ts, "at": iso(row.ts), "age_ms": (now_ts - row.ts) // 1_000_000}, detail


def _item(row: MarketRecord) -> dict[str, Any]:
    return {
        "index": row.market,
        "condition_id": row.condition_id,
        "slug": row.slug,
        "title": row.title,
        "cluster": row.cluster_name,
        "status": None if row.status is None else MarketStatus(row.status).name.lower(),
        "close_ts": row.close_ts,
        "payout": row.payout,
    }
