"""What endpoints have in common: cursors, times, and how markets and strategies are named."""

import datetime as dt
from collections.abc import Callable, Iterable
from typing import Annotated, Any, Final, Generic, TypeVar

from django.db import connection
from django.db.models import Model, QuerySet
from ninja import Field, Query, Schema
from pydantic import ConfigDict

from apps.monitoring.models import StrategyRecord
from apps.registry.models import MarketRecord
from polytraders.api.endpoint import invalid, missing
from polytraders.console import decisions
from polytraders.contracts.stretch import ORDINAL_BITS, SEQ_BITS, SHARDS_MOST, row_id

SECOND_NS: Final = 1_000_000_000
LIMIT_MOST: Final = 200
DIGITS_MOST: Final = 18
TEXT_MAX: Final = 200
INDEX_MOST: Final = 1 << 31
M = TypeVar("M", bound=Model)
T = TypeVar("T")

Shard = Annotated[int, Query(0, ge=0, lt=SHARDS_MOST, description="Number of the shard.")]
Limit = Annotated[int, Query(50, ge=1, le=LIMIT_MOST, description="Most items of the page.")]
Cursor = Annotated[
    str | None,
    Query(None, max_length=40, description="`next` of the page before; none for the newest.", examples=["1024:3"]),
]
MarketName = Annotated[
    str | None, Query(None, max_length=TEXT_MAX, description="Index, the venue's id, or slug of a market.")
]
StrategyName = Annotated[str | None, Query(None, max_length=TEXT_MAX, description="Name or index of a strategy.")]


class Body(Schema):
    """What is sent: a field that nobody knows is a mistake and not overlooked."""

    model_config = ConfigDict(extra="forbid")


class MarketRef(Schema):
    """Which market; what the registry has not told is null."""

    index: int
    condition_id: str | None
    slug: str | None
    title: str | None = Field(description="Somebody else's text: show it, never run it.")


class Page(Schema, Generic[T]):
    """A page of a list, newest first."""

    items: list[T]
    next: str | None = Field(description="Cursor of the next page, null at the end.", examples=["1024:3"])


def iso(ns: int) -> str:
    """A time as programs like it, to the nanosecond."""
    whole = dt.datetime.fromtimestamp(ns // SECOND_NS, dt.UTC)
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{ns % SECOND_NS:09}Z"


def located(told: str, shard: int) -> int:
    """The row number of `in_seq:ordinal`.

    Raises:
        Refused: 422, it is none.
    """
    numbers = decisions.parsed(told)
    try:
        if numbers is not None:
            return row_id(shard, *numbers)
    except ValueError:
        pass
    raise invalid("a cursor is the `next` of a page, as in_seq:ordinal")


def number(told: str) -> int:
    """A cursor that is a whole number.

    Raises:
        Refused: 422, it is none.
    """
    if told.isascii() and told.isdigit() and len(told) <= DIGITS_MOST:
        return int(told)
    raise invalid("a cursor is the `next` of a page, as a whole number")


def row_number(told: str, what: str) -> int:
    """A whole number that stands in a path.

    Raises:
        Refused: 404, it is none, so there is nothing.
    """
    if told.isascii() and told.isdigit() and len(told) <= DIGITS_MOST:
        return int(told)
    raise missing(f"no such {what}")


def page(rows: "QuerySet[M]", limit: int, *, key: str = "id", before: int | None = None) -> tuple[list[M], bool]:
    """At most `limit` rows before a place, the newest first, and whether there are more. One query."""
    if before is not None:
        rows = rows.filter(**{f"{key}__lt": before})
    found = list(rows.order_by(f"-{key}")[: limit + 1])
    return found[:limit], len(found) > limit


def listed(
    rows: "QuerySet[M]", limit: int, cursor: str | None, told: Callable[[M], dict[str, Any]], *, key: str = "id"
) -> dict[str, Any]:
    """A page of rows that are numbered by `key`, the newest first, with the place where the next one begins.

    Raises:
        Refused: 422, the cursor is not a number that such a page has told.
    """
    found, more = page(rows, limit, key=key, before=None if cursor is None else number(cursor))
    return {"items": [told(row) for row in found], "next": str(getattr(found[-1], key)) if more else None}


def one(rows: "QuerySet[M]", told: str, what: str) -> M:
    """The row with the number that stands in a path.

    Raises:
        Refused: 404, there is none.
    """
    found = rows.filter(id=row_number(told, what)).first()
    if found is None:
        raise missing(f"no such {what}")
    return found


def of_shard(shard: int) -> tuple[int, int]:
    """First and last row number of a shard, for lists whose only index is the number."""
    first = shard << SEQ_BITS + ORDINAL_BITS
    return first, first + (1 << SEQ_BITS + ORDINAL_BITS) - 1


def strategies(shard: int) -> dict[int, str]:
    """Names by index; strategies are few."""
    return dict(StrategyRecord.objects.filter(shard=shard).values_list("strategy", "name"))


def strategy_index(told: str, names: dict[int, str]) -> int:
    """Index of a strategy told by name or index.

    Raises:
        Refused: 422, there is none.
    """
    found = next((index for index, name in names.items() if told in (name, str(index))), None)
    if found is None:
        raise invalid("no such strategy")
    return found


def market_index(told: str, shard: int, *, is_path: bool = False) -> int:
    """Index of a market told by index, the venue's id or slug.

    Raises:
        Refused: 422, there is none; 404 when it stands in the path.
    """
    found = None if "\0" in told else decisions.market_index(told, shard)
    if found is None or found >= INDEX_MOST:
        raise missing("no such market") if is_path else invalid("no such market")
    return found


def markets(shard: int, indices: Iterable[int]) -> dict[int, MarketRecord]:
    """Registry rows by index."""
    wanted = set(indices)
    rows = MarketRecord.objects.filter(shard=shard, market__in=wanted) if wanted else []
    return {row.market: row for row in rows}


def market_ref(index: int, known: dict[int, MarketRecord]) -> MarketRef:
    """Which market, as far as the registry has told."""
    row = known.get(index)
    if row is None:
        return MarketRef(index=index, condition_id=None, slug=None, title=None)
    return MarketRef(index=index, condition_id=row.condition_id, slug=row.slug, title=row.title)


def raw() -> Any:
    """The psycopg connection beneath Django's, in its transaction."""
    connection.ensure_connection()
    return connection.connection
