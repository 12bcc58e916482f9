"""Orders and fills."""

from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import Field, Query, Schema

from apps.oms.models import FillRecord, OrderRecord
from apps.registry.models import MarketRecord
from polytraders.access.permissions import Permission
from polytraders.api.endpoint import Resource, invalid, missing
from polytraders.api.places import (
    Cursor,
    Limit,
    MarketName,
    MarketRef,
    Page,
    Shard,
    iso,
    located,
    market_index,
    market_ref,
    markets,
    page,
    strategies,
)
from polytraders.contracts.market import Action, Outcome
from polytraders.contracts.reasons import by_number
from polytraders.contracts.stretch import of_row_id

orders = Resource("orders")
PARTS = 3
DIGITS_MOST = 18
Status = Literal[
    "created", "sent", "unknown_pending", "delayed", "resting", "partially_filled", "cancel_pending", "filled",
    "cancelled", "expired", "rejected", "fenced",
]  # fmt: skip
OrderId = Annotated[str | None, Query(None, max_length=60, description="Correlation id of the order.")]


class OrderItem(Schema):
    """One order; price in 0.0001 pUSD of its outcome, sizes in 1e-6 shares, money in micro-pUSD."""

    id: str = Field(description="Correlation id: in_seq:market:strategy of its approval.", examples=["1024:0:1"])
    decision: str
    market: MarketRef
    strategy: str
    action: str
    outcome: str
    price: int
    size: int
    filled: int
    cancelled: int
    held: int = Field(description="Still set aside: micro-pUSD of a BUY, 1e-6 shares of a SELL.")
    spent: int
    fee: int
    status: Status
    reason_code: str
    is_open: bool
    created_ts: int
    created_at: str
    changed_ts: int
    changed_seq: int


class FillItem(Schema):
    """A part of an order that traded; money > 0 was paid, < 0 received, without the fee."""

    id: str
    order: str
    ts: int
    at: str
    market: MarketRef
    strategy: str
    action: str
    outcome: str
    price: int
    size: int
    money: int
    fee: int
    is_maker: bool
    reason_code: str


class OrderDetail(OrderItem):
    """An order with its fills, oldest first."""

    fills: list[FillItem]


@orders.get("/orders", Permission.VIEW, Page[OrderItem])
def list_orders(
    request: HttpRequest,
    market: MarketName,
    status: Annotated[Status | None, Query(None)],
    is_open: Annotated[bool | None, Query(None, description="true: only what can still trade.")],
    cursor: Cursor,
    limit: Limit,
    shard: Shard,
) -> dict[str, Any]:
    """Orders, newest first."""
    rows = OrderRecord.objects.filter(shard=shard)
    if market is not None:
        rows = rows.filter(market=market_index(market, shard))
    if status is not None:
        rows = rows.filter(status=status)
    if is_open is not None:
        rows = rows.filter(is_open=is_open)
    found, more = page(rows, limit, before=None if cursor is None else located(cursor, shard))
    names, known = strategies(shard), markets(shard, (row.market for row in found))
    return {"items": [_order(row, names, known) for row in found], "next": _place(found[-1].id) if more else None}


@orders.get("/orders/{order_id}", Permission.VIEW, OrderDetail, tagged=True)
def get_order(request: HttpRequest, order_id: str, shard: Shard) -> dict[str, Any]:
    """One order with its fills."""
    key = _key(order_id)
    row = OrderRecord.objects.filter(shard=shard, **key).first() if key else None
    if key is None or row is None:
        raise missing("no such order")
    names, known = strategies(shard), markets(shard, [row.market])
    fills = FillRecord.objects.filter(shard=shard, **key).order_by("id")
    return _order(row, names, known) | {"fills": [_fill(fill, names, known) for fill in fills]}


@orders.get("/fills", Permission.VIEW, Page[FillItem])
def list_fills(
    request: HttpRequest, market: MarketName, order: OrderId, cursor: Cursor, limit: Limit, shard: Shard
) -> dict[str, Any]:
    """Fills, newest first."""
    rows = FillRecord.objects.filter(shard=shard)
    if market is not None:
        rows = rows.filter(market=market_index(market, shard))
    if order is not None:
        key = _key(order)
        if key is None:
            raise invalid("an order is in_seq:market:strategy")
        rows = rows.filter(**key)
    found, more = page(rows, limit, before=None if cursor is None else located(cursor, shard))
    names, known = strategies(shard), markets(shard, (row.market for row in found))
    return {"items": [_fill(row, names, known) for row in found], "next": _place(found[-1].id) if more else None}


@orders.get("/fills/{fill_id}", Permission.VIEW, FillItem, tagged=True)
def get_fill(request: HttpRequest, fill_id: str, shard: Shard) -> dict[str, Any]:
    """One fill."""
    row = FillRecord.objects.filter(id=located(fill_id, shard)).first()
    if row is None:
        raise missing("no such fill")
    return _fill(row, strategies(shard), markets(shard, [row.market]))


def _key(told: str) -> dict[str, int] | None:
    parts = told.split(":")
    if len(parts) != PARTS or not all(part.isascii() and part.isdigit() and len(part) < DIGITS_MOST for part in parts):
        return None
    in_seq, market, strategy = map(int, parts)
    return {"order_seq": in_seq, "market": market, "strategy": strategy} if max(market, strategy) < 1 << 31 else None


def _place(row_id: int) -> str:
    _, in_seq, ordinal = of_row_id(row_id)
    return f"{in_seq}:{ordinal}"


def _common(row: Any, names: dict[int, str], known: dict[int, MarketRecord]) -> dict[str, Any]:
    return {
        "market": market_ref(row.market, known),
        "strategy": names.get(row.strategy) or f"strategy {row.strategy}",
        "action": Action(row.action).name,
        "outcome": Outcome(row.outcome).name,
        "reason_code": by_number(row.code).code,
        **{name: getattr(row, name) for name in ("price", "size", "fee")},
    }


def _order(row: OrderRecord, names: dict[int, str], known: dict[int, MarketRecord]) -> dict[str, Any]:
    same = ("filled", "cancelled", "held", "spent", "status", "is_open", "created_ts", "changed_ts", "changed_seq")
    return _common(row, names, known) | {
        "id": row.correlation_id,
        "decision": _place(row.id),
        "created_at": iso(row.created_ts),
        **{name: getattr(row, name) for name in same},
    }


def _fill(row: FillRecord, names: dict[int, str], known: dict[int, MarketRecord]) -> dict[str, Any]:
    return _common(row, names, known) | {
        "id": f"{row.in_seq}:{row.ordinal}",
        "order": f"{row.order_seq}:{row.market}:{row.strategy}",
        "ts": row.ts,
        "at": iso(row.ts),
        "money": row.money,
        "is_maker": row.is_maker,
    }
