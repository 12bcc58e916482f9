"""Positions: what is held, what it could be sold for now, and what it pays when its market resolves."""

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from django.db import connection
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from apps.ledger.models import FlattenRecord
from polytraders.access.permissions import Permission, needs
from polytraders.console import board
from polytraders.console.frame import show
from polytraders.console.pictures import payoff
from polytraders.console.wanted import Wanted, wanted
from polytraders.contracts.inputs import PRICE_UNIT, Scope
from polytraders.contracts.state import BOOK_OK

ROWS: Final = 50
MOST: Final = 2**63 - 1
HELD: Final = """
WITH held AS (
    SELECT market, sum(cost)::bigint AS cost, sum(size) FILTER (WHERE outcome = 0)::bigint AS yes,
           sum(size) FILTER (WHERE outcome = 1)::bigint AS no
    FROM ledger_position WHERE shard = %(shard)s AND size <> 0
    AND (%(strategy)s::int IS NULL OR strategy = %(strategy)s)
    AND (%(market)s::int IS NULL OR market = %(market)s) GROUP BY market
), valued AS (
    SELECT h.market, h.cost, coalesce(h.yes, 0) AS yes, coalesce(h.no, 0) AS no, m.bid, m.ask, m.state, m.row_ts,
           CASE WHEN m.state = %(ok)s AND (h.yes IS NULL OR m.bid >= 0) AND (h.no IS NULL OR m.ask >= 0)
                THEN (coalesce(h.yes, 0) * greatest(m.bid, 0) + coalesce(h.no, 0) * (10000 - greatest(m.ask, 0)))
                     / 10000 END AS value
    FROM held h LEFT JOIN ledger_mark m ON m.shard = %(shard)s AND m.market = h.market
)"""
TOTALS: Final = f"""{HELD}
SELECT count(*), coalesce(sum(cost), 0)::bigint, count(value), coalesce(sum(value), 0)::bigint,
       coalesce(sum(cost) FILTER (WHERE value IS NOT NULL), 0)::bigint,
       coalesce(sum(yes - cost), 0)::bigint, coalesce(sum(no - cost), 0)::bigint,
       coalesce(sum(least(yes, no) - cost), 0)::bigint, coalesce(sum(greatest(yes, no) - cost), 0)::bigint,
       coalesce(max(cost), 0)::bigint
FROM valued"""  # noqa: S608
PAGE: Final = f"""{HELD}
SELECT v.market, v.cost, v.yes, v.no, v.bid, v.ask, v.state, v.row_ts, v.value, r.title, r.condition_id, r.close_ts,
       r.payout, r.cluster_name
FROM valued v LEFT JOIN registry_market r ON r.shard = %(shard)s AND r.market = v.market
WHERE (v.cost, v.market) < (%(cost)s, %(before)s) ORDER BY v.cost DESC, v.market DESC LIMIT %(most)s"""  # noqa: S608
PARTS: Final = """
SELECT p.market, p.strategy, p.outcome, p.size, p.cost, p.realised, p.fees, p.changed_ts,
       coalesce((SELECT sum(o.held) FROM oms_order o WHERE o.is_open AND o.shard = p.shard AND o.market = p.market
                 AND o.strategy = p.strategy AND o.outcome = p.outcome AND o.action = 1), 0)::bigint
FROM ledger_position p
WHERE p.shard = %(shard)s AND p.market = ANY(%(markets)s) AND p.size <> 0
  AND (%(strategy)s::int IS NULL OR p.strategy = %(strategy)s) ORDER BY p.market, p.strategy, p.outcome"""


class Totals(NamedTuple):
    """All that is held, micro-pUSD.

    Attributes:
        markets: In how many markets.
        cost: What it cost.
        priced: How many of them have a price.
        value: What the best buyers would pay for those, were there enough of them.
        priced_cost: What those cost.
        if_yes: Profit or loss if every market resolves YES, like the three below.
        if_no: All of them NO.
        worst: Each of them against us.
        best: Each of them for us.
        largest: Cost of the largest market.
    """

    markets: int
    cost: int
    priced: int
    value: int
    priced_cost: int
    if_yes: int
    if_no: int
    worst: int
    best: int
    largest: int

    @property
    def unrealised(self) -> int:
        """Of what has a price: what it would fetch less what it cost."""
        return self.value - self.priced_cost


@dataclass(frozen=True)
class Part:
    """One strategy's shares of one outcome; sizes 1e-6 shares, money micro-pUSD, `price` what a buyer pays now."""

    strategy: str
    outcome: str
    size: int
    cost: int
    realised: int
    fees: int
    changed_ts: int
    reserved: int
    price: int | None

    @property
    def free(self) -> int:
        """May be sold."""
        return self.size - self.reserved

    @property
    def average(self) -> int:
        """Cost of a share, 1e-9."""
        return self.cost * 1_000 * 1_000_000 // self.size if self.size else 0

    @property
    def value(self) -> int | None:
        """At the price now."""
        return None if self.price is None else self.size * self.price // PRICE_UNIT

    @property
    def unrealised(self) -> int | None:
        """Value less cost."""
        return None if self.value is None else self.value - self.cost


@dataclass(frozen=True)
class Market:
    """What is held in one market."""

    market: int
    name: str
    cluster: str
    cost: int
    yes: int
    no: int
    value: int | None
    price_age_ns: int | None
    why_no_price: str
    close_ts: int | None
    has_closed: bool
    is_cashing_out: bool
    may_cash_out: bool
    part_of_cost: float
    parts: tuple[Part, ...]

    @property
    def if_yes(self) -> int:
        """Profit or loss if it resolves YES."""
        return self.yes - self.cost

    @property
    def if_no(self) -> int:
        """Profit or loss if it resolves NO."""
        return self.no - self.cost

    @property
    def unrealised(self) -> int | None:
        """At what could be had now."""
        return None if self.value is None else self.value - self.cost


class Page(NamedTuple):
    """One page of markets, the largest first; `newest` and `older` for the pager."""

    markets: tuple[Market, ...]
    newest: str
    older: str


@require_safe
@never_cache
@needs(Permission.VIEW)
def positions(request: HttpRequest, shard: int = 0) -> HttpResponseBase:
    """The page."""
    now = board.strip(shard)
    loop_ts = now.loop.loop_ts if now.loop else 0
    said = wanted(request, shard)
    given = _given(said, shard)
    totals = Totals(0, 0, 0, 0, 0, 0, 0, 0, 0, 0) if said.wrong else read_totals(given)
    flattening = list(FlattenRecord.objects.filter(shard=shard, is_on=True).order_by("-in_seq")[:ROWS])
    page = Page((), "", "") if said.wrong else read_page(request, given, said, totals, flattening, loop_ts)
    equity = int(now.loop.money.get("equity", 0)) if now.loop else 0
    context = {
        "board": now,
        "asked": said,
        "totals": totals,
        "page_of": page,
        "flattening": [(row, _scope(row, said)) for row in flattening],
        "picture": payoff.drawn([payoff.Payoff(m.name, m.if_yes, m.if_no, m.unrealised) for m in page.markets]),
        "equity": equity,
        "concentration": totals.largest / equity if equity > 0 else None,
        "is_first": not request.GET.get("before"),
    }
    return show(request, "console/positions.html", "positions", context)


def _given(said: Wanted, shard: int) -> dict[str, Any]:
    return {
        "shard": shard,
        "strategy": said.where.get("strategy"),
        "market": said.where.get("market"),
        "ok": BOOK_OK,
    }


def read_totals(given: dict[str, Any]) -> Totals:
    """Sums over all that is held: one query over the index of what is not nothing."""
    with connection.cursor() as cursor:
        cursor.execute(TOTALS, given)
        return Totals(*cursor.fetchone())


def _scope(row: FlattenRecord, said: Wanted) -> str:
    scope = Scope(row.scope)
    if scope is Scope.GLOBAL:
        return "everything"
    return said.name(row.index) if scope is Scope.STRATEGY else f"{scope.name.lower()} {row.index}"


def _cursor(text: str) -> tuple[int, int]:
    cost, _, market = text.partition(":")
    if cost.isascii() and cost.isdigit() and market.isascii() and market.isdigit() and max(len(cost), len(market)) < 19:
        return int(cost), int(market)
    return MOST, 2**31 - 1


def read_page(
    request: HttpRequest,
    given: dict[str, Any],
    said: Wanted,
    totals: Totals,
    flattening: list[FlattenRecord],
    loop_ts: int,
) -> Page:
    """The markets behind `?before=cost:market`, the largest first: two queries."""
    before = request.GET.get("before", "")
    cost, market = _cursor(before)
    with connection.cursor() as cursor:
        cursor.execute(PAGE, given | {"cost": cost, "before": market, "most": ROWS + 1})
        rows = cursor.fetchall()
        cursor.execute(PARTS, given | {"markets": [row[0] for row in rows[:ROWS]]})
        parts = cursor.fetchall()
    on = {(Scope(row.scope), row.index) for row in flattening}
    markets = tuple(_market(row, parts, said, totals, on, loop_ts) for row in rows[:ROWS])
    kept = request.GET.copy()
    kept.pop("before", None)
    newest = "?" + kept.urlencode() if before else ""
    older = ""
    if len(rows) > ROWS:
        kept["before"] = f"{markets[-1].cost}:{markets[-1].market}"
        older = "?" + kept.urlencode()
    return Page(markets, newest, older)


def _market(
    row: tuple[Any, ...],
    parts: list[tuple[Any, ...]],
    said: Wanted,
    totals: Totals,
    on: set[tuple[Scope, int]],
    loop_ts: int,
) -> Market:
    market, cost, yes, no, bid, ask, state, row_ts, value, title, condition_id, close_ts, payout, cluster = row
    prices = {0: None if bid is None or bid < 0 else bid, 1: None if ask is None or ask < 0 else PRICE_UNIT - ask}
    why = ""
    if bid is None:
        why = "the loop has not told a price"
    elif state != BOOK_OK:
        why, prices = "its book is not valid now", {0: None, 1: None}
    elif value is None:
        why = "nobody is there to buy"
    has_closed = bool(close_ts and loop_ts and close_ts <= loop_ts)
    return Market(
        market=market,
        name=title or condition_id or f"market {market}",
        cluster=cluster or "",
        cost=cost,
        yes=yes,
        no=no,
        value=value,
        price_age_ns=None if row_ts is None else max(0, loop_ts - row_ts),
        why_no_price=why,
        close_ts=close_ts,
        has_closed=has_closed,
        is_cashing_out=(Scope.MARKET, market) in on or (Scope.GLOBAL, 0) in on,
        may_cash_out=bool(condition_id) and not has_closed and payout is None,
        part_of_cost=cost / totals.cost if totals.cost else 0.0,
        parts=tuple(
            Part(
                said.name(strategy),
                "NO" if outcome else "YES",
                size,
                paid,
                realised,
                fees,
                ts,
                reserved,
                prices[outcome],
            )
            for of, strategy, outcome, size, paid, realised, fees, ts, reserved in parts
            if of == market
        ),
    )
