"""Orders: where each of them is, those whose fate is unknown always first; and the life of one, step by step."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, NamedTuple

import numpy as np
from django.db import connection
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from apps.eventlog import reading
from apps.oms.models import FillRecord, OrderRecord
from apps.registry.models import MarketRecord
from polytraders.access.permissions import Permission, needs
from polytraders.bookings import Sent, sent
from polytraders.console import board, books
from polytraders.console.frame import show
from polytraders.console.lists import Listed
from polytraders.console.wanted import wanted
from polytraders.contracts import state as s
from polytraders.contracts.orders import OrderStatus
from polytraders.contracts.reasons import by_number
from polytraders.contracts.stretch import of_row_id

OPEN_MOST: Final = 25
"""Open orders above the ended ones; all of them stand under the filter "open"."""
UNKNOWN_MOST: Final = 200
UNKNOWN: Final = OrderStatus.UNKNOWN_PENDING.value
STATES: Final = ("", "open", "ended", *(status.value for status in OrderStatus))
PARTS: Final = 3
VENUE: Final = "at the venue"
OF_ORDER: Final = """
SELECT kind, body FROM log_output
WHERE shard = %s AND order_seq = %s AND market = %s AND strategy = %s AND in_seq >= %s ORDER BY in_seq, ordinal"""


class Line(NamedTuple):
    """One order of a list with its names."""

    row: OrderRecord
    market: str
    strategy: str
    age_ns: int

    @property
    def filled(self) -> float:
        """Part of it that has traded."""
        return self.row.filled / self.row.size if self.row.size else 0.0

    @property
    def left(self) -> int:
        """What can still be filled, 1e-6 shares."""
        return max(0, self.row.size - self.row.filled - self.row.cancelled)


class Moment(NamedTuple):
    """One step of an order's life: loop time, the input that caused it (None: nothing but time), and how it went on."""

    name: str
    ts: int
    in_seq: int | None
    detail: str
    code: str
    since_ns: int


class Span(NamedTuple):
    """A part of the time it took: name, how long, where it begins and ends on the picture, 0 to 1,000."""

    name: str
    ns: int
    x: float
    width: float


@dataclass(frozen=True)
class Life:
    """One order in full.

    Attributes:
        row: As it stands.
        decision_id: The packet that approved it.
        moments: From the approval on.
        spans: The same as stretches of time.
        fills: Its trades.
        transfers: What it did to the books.
        is_maker: It may only rest; None = the log no longer says.
    """

    row: OrderRecord
    decision_id: str
    moments: tuple[Moment, ...]
    spans: tuple[Span, ...]
    fills: tuple[FillRecord, ...]
    transfers: tuple[books.Line, ...]
    is_maker: bool | None


@require_safe
@never_cache
@needs(Permission.VIEW)
def orders(request: HttpRequest, shard: int = 0) -> HttpResponseBase:
    """The list."""
    now = board.strip(shard)
    loop_ts = now.loop.loop_ts if now.loop else 0
    said = wanted(request, shard)
    state = request.GET.get("state", "")
    if state not in STATES:
        state = ""
    every = OrderRecord.objects.filter(shard=shard)
    unknown = list(every.filter(status=UNKNOWN, is_open=True).order_by("-id")[:UNKNOWN_MOST])
    mine = said.of(every)
    is_first = "before" not in request.GET
    still: list[OrderRecord] = []
    if state in ("", "open"):
        still = list(mine.filter(is_open=True).exclude(status=UNKNOWN).order_by("-id")[: OPEN_MOST + 1])
    if state == "":
        listed = Listed(request, mine.filter(is_open=False))
    elif state == "open":
        listed = Listed(request, mine.filter(is_open=True).exclude(status=UNKNOWN))
    elif state == "ended":
        listed = Listed(request, mine.filter(is_open=False))
    else:
        listed = Listed(request, mine.filter(status=state))
    shown_open = still if state == "" and is_first else []
    titles = board.market_titles(shard, {row.market for row in (*unknown, *shown_open, *listed.rows)})

    def lines(rows: Any) -> list[Line]:
        return [
            Line(
                row,
                titles.get(row.market) or f"market {row.market}",
                said.name(row.strategy),
                max(0, loop_ts - (row.created_ts if row.is_open else row.changed_ts)),
            )
            for row in rows
        ]

    context = {
        "board": now,
        "asked": said,
        "state": state,
        "states": STATES[1:],
        "unknown": lines(unknown),
        "still": lines(shown_open[:OPEN_MOST]),
        "more_open": len(shown_open) > OPEN_MOST,
        "rows": lines(listed.rows),
        "listed": listed,
        "is_first": is_first,
    }
    return show(request, "console/orders.html", "orders", context)


def find(correlation_id: str, shard: int = 0) -> OrderRecord | None:
    """An order by input, market and strategy of its approval; None if there is none."""
    parts = correlation_id.split(":")
    if len(parts) != PARTS or not all(part.isascii() and part.isdigit() for part in parts):
        return None
    in_seq, market, strategy = map(int, parts)
    if in_seq >= 2**63 or max(market, strategy) >= 2**31:
        return None
    return OrderRecord.objects.filter(shard=shard, order_seq=in_seq, market=market, strategy=strategy).first()


@require_safe
@never_cache
@needs(Permission.VIEW)
def order(request: HttpRequest, order_id: str, shard: int = 0) -> HttpResponseBase:
    """One order."""
    row = find(order_id, shard)
    if row is None:
        raise Http404("no such order")
    now = board.strip(shard)
    market = MarketRecord.objects.filter(shard=shard, market=row.market).first()
    names = board.strategy_names(shard)
    told = life(row)
    context = {
        "board": now,
        "line": Line(row, str(market) if market else f"market {row.market}", names.get(row.strategy, ""), 0),
        "life": told,
        "reason": by_number(row.code),
        "age_ns": max(0, (now.loop.loop_ts if now.loop else 0) - row.changed_ts),
        "may_be_pulled": row.is_open and not (row.status == OrderStatus.SENT.value and not told.is_maker),
    }
    return show(request, "console/order.html", "orders", context, status=HTTPStatus.OK)


def life(row: OrderRecord) -> Life:
    """The order with its steps from the log, its trades and its bookings: four queries."""
    told = _outputs(row)
    way = _sent(row, told)
    fills = tuple(
        FillRecord.objects.filter(order_seq=row.order_seq, market=row.market, strategy=row.strategy, shard=row.shard)
        .order_by("id")
    )  # fmt: skip
    moments = _moments(row, told, fills, way)
    _, in_seq, ordinal = of_row_id(row.id)
    events = {(in_seq, ordinal)} | {(fill.in_seq, fill.ordinal) for fill in fills}
    events |= {(int(each.out["in_seq"]), int(each.out["ordinal"])) for each in told}
    transfers = tuple(books.of_events(row.shard, sorted(events)))
    return Life(row, f"{in_seq}:{ordinal}", moments, _spans(moments), fills, transfers, way.maker if way else None)


class Told(NamedTuple):
    """An output row of the order from the log; its detail, where it has one."""

    kind: int
    out: np.void
    detail: np.void | None


def _outputs(row: OrderRecord) -> list[Told]:
    with connection.cursor() as cursor:
        cursor.execute(OF_ORDER, (row.shard, row.order_seq, row.market, row.strategy, row.order_seq))
        return [Told(kind, *reading.unbody(bytes(body))) for kind, body in cursor.fetchall()]


def _sent(row: OrderRecord, told: Sequence[Told]) -> Sent | None:
    """How it travelled; None = the log no longer says."""
    approval = next((each for each in told if each.kind == s.APPROVAL), None)
    if approval is None or approval.detail is None:
        return None
    connection.ensure_connection()
    try:
        at = reading.moment(connection.connection, row.shard, row.market, row.strategy, row.order_seq)
    except LookupError:
        return None
    return sent(approval.out, approval.detail, at)


def _moments(
    row: OrderRecord, told: Sequence[Told], fills: tuple[FillRecord, ...], way: Sent | None
) -> tuple[Moment, ...]:
    found: list[tuple[str, int, int | None, str, str]] = [
        ("approved", row.created_ts, row.order_seq, "the gate approved it and its capital was held", "")
    ]
    ends = [each.out for each in told if each.kind == s.DONE]
    last_ts = max([row.changed_ts, *(fill.ts for fill in fills)])
    if way is not None and (way.arrive_ts <= last_ts or row.is_open):
        found.append((VENUE, way.arrive_ts, None, "our latency, and the venue's delay for takers", ""))
    left = row.size
    for fill in fills:
        left -= fill.size
        as_what = "as maker" if fill.is_maker else "as taker"
        words = f"{fill.size / 1e6:,.2f} at {fill.price / 1e4:.4f} {as_what}, {left / 1e6:,.2f} left"
        found.append(("filled" if left <= 0 else "part filled", fill.ts, fill.in_seq, words, by_number(fill.code).code))
    for out in ends:
        words = f"{int(out['size']) / 1e6:,.2f} given up, nothing is held any more"
        found.append(("ended", int(out["ts"]), int(out["in_seq"]), words, by_number(int(out["first"])).code))
    if way is not None and row.is_open:
        found.append(("ends at the latest", way.expire_ts, None, "the end of its life, unless it is filled before", ""))
    found.sort(key=lambda moment: moment[1])
    before = [found[0][1], *(moment[1] for moment in found[:-1])]
    return tuple(Moment(*moment, moment[1] - since) for moment, since in zip(found, before, strict=True))


def _spans(moments: tuple[Moment, ...]) -> tuple[Span, ...]:
    whole = moments[-1].ts - moments[0].ts
    if not whole:
        return ()
    made, at = [], 0.0
    for moment in moments[1:]:
        width = moment.since_ns / whole * 1_000
        if moment.since_ns:
            made.append(
                Span(
                    "to the venue" if moment.name == VENUE else f"to {moment.name}",
                    moment.since_ns,
                    round(at, 1),
                    round(max(2.0, width), 1),
                )
            )
        at += width
    return tuple(made)
