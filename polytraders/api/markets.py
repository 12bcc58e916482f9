"""Markets: what the registry knows, the book as the loop last told it, and what was measured then."""

import math
from typing import Any

from django.http import HttpRequest
from ninja import Field, Schema

from apps.eventlog import reading
from apps.registry.models import MarketRecord
from polytraders.access.permissions import Permission
from polytraders.api.endpoint import Resource, missing
from polytraders.api.places import Cursor, Limit, Page, Shard, iso, market_index, number, page, raw
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


class Book(Schema):
    """A book as the loop last told it, with its newest decision there; YES terms, 0.0001 pUSD."""

    market: int
    decision: str
    in_seq: int
    ts: int
    at: str
    is_valid: bool
    row_ts: int | None = Field(description="Last accepted row of the book, ns UTC.")
    best_bid: int | None
    best_ask: int | None


class Features(Schema):
    """What was measured with a market's newest decision."""

    market: int
    decision: str
    in_seq: int
    ts: int
    at: str
    signal_version: int
    values: dict[str, float | None]


@markets.get("/markets", Permission.VIEW, Page[MarketItem])
def list_markets(request: HttpRequest, cursor: Cursor, limit: Limit, shard: Shard) -> dict[str, Any]:
    """Markets, the last told first."""
    before = None if cursor is None else number(cursor)
    found, more = page(MarketRecord.objects.filter(shard=shard), limit, key="market", before=before)
    return {"items": [_item(row) for row in found], "next": str(found[-1].market) if more else None}


@markets.get("/markets/{market}", Permission.VIEW, MarketDetail, tagged=True)
def get_market(request: HttpRequest, market: str, shard: Shard) -> dict[str, Any]:
    """One market by index, the venue's id or slug."""
    row = _found(market, shard)
    told = {"tokens": {"yes": row.token_yes, "no": row.token_no}, "changed_seq": row.changed_seq}
    return _item(row) | told | {"facts": {name: getattr(row, name) for name in FACTS}}


@markets.get("/markets/{market}/book", Permission.VIEW, Book, tagged=True)
def get_book(request: HttpRequest, market: str, shard: Shard) -> dict[str, Any]:
    """The book as last told.

    The web half holds no books: this is what the loop saw when it made its newest decision in that market.
    """
    told, detail = _newest(market, shard)
    bid, ask = (int(detail[name]) for name in ("best_bid", "best_ask"))
    return told | {
        "is_valid": int(detail["quality"]) == s.BOOK_OK,
        "row_ts": int(detail["book_row_ts"]) or None,
        "best_bid": None if bid == s.NONE else bid,
        "best_ask": None if ask == s.NONE else ask,
    }


@markets.get("/markets/{market}/features", Permission.VIEW, Features, tagged=True)
def get_features(request: HttpRequest, market: str, shard: Shard) -> dict[str, Any]:
    """What was measured with the newest decision; a value that could not be measured is null."""
    told, detail = _newest(market, shard)
    values = zip(s.FEATURES, detail["features"].tolist(), strict=True)
    return told | {
        "signal_version": s.SIGNAL_VERSION,
        "values": {name: value if math.isfinite(value) else None for name, value in values},
    }


def _found(told: str, shard: int) -> MarketRecord:
    row = MarketRecord.objects.filter(shard=shard, market=market_index(told, shard, is_path=True)).first()
    if row is None:
        raise missing("no such market")
    return row


def _newest(told: str, shard: int) -> tuple[dict[str, Any], Any]:
    market = _found(told, shard)
    row = decisions.latest(market.market, shard)
    found = raw().execute(OUTPUT, (shard, row.in_seq, row.ordinal)).fetchone() if row else None
    detail = reading.unbody(bytes(found[0]))[1] if found else None
    if row is None or detail is None:
        raise missing("nothing has been decided there yet")
    head = {"market": market.market, "decision": row.decision_id, "in_seq": row.in_seq}
    return head | {"ts": row.ts, "at": iso(row.ts)}, detail


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
