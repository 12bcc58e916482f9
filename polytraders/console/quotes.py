"""Live numbers of markets: fragments of the pages that show one, from the loop's quotes, newest state only."""

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import structlog
from django.db import DatabaseError
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from apps.ingest.models import QuoteRecord
from apps.monitoring.models import StrategyRecord
from apps.oms.models import OrderRecord
from polytraders import figures as f
from polytraders.console.fragment import Fragment
from polytraders.console.pictures.depth import Depth, depth
from polytraders.console.templatetags.told import UNKNOWN, clock
from polytraders.contracts.inputs import PRICE_UNIT
from polytraders.contracts.reasons import by_number

PART: Final = re.compile(r"(quote|ladder)-([0-9]{1,7})")
"""`quote-7` is the line of numbers of market 7, `ladder-7` its ladder, depth and tape."""
MARKETS_MOST: Final = 200
"""Markets that one reading looks at; more are watched by nobody's hand."""
DEEP: Final = (
    "bid_prices", "bid_sizes", "ask_prices", "ask_sizes", "trade_ts", "trade_prices", "trade_sizes", "features",
)  # fmt: skip
"""Columns that the line of numbers does without."""
NAMES_S: Final = 5.0
STATES: Final = ("valid", "unknown", "resyncing")

log = structlog.get_logger(__name__)


class Rung(NamedTuple):
    """One price of the ladder: what the market shows there, what of it is ours, and its part of the largest level."""

    price: int
    bid: int
    ask: int
    ours: int
    part: float


class Opinion(NamedTuple):
    """A strategy's last forecast: p_hat, the ends of its band, and loop time since it was told."""

    strategy: str
    p_hat: float
    lower: float
    upper: float
    age_ns: int


class Trade(NamedTuple):
    """One trade of the market's, YES terms."""

    ts: int
    price: int
    size: int
    bought: bool


class Shown(NamedTuple):
    """A quote as pages show it."""

    quote: QuoteRecord
    state: str
    why: Any
    code: Any
    opinions: tuple[Opinion, ...]

    @property
    def mid2(self) -> int | None:
        """Bid plus ask."""
        quote = self.quote
        return None if quote.bid is None or quote.ask is None else quote.bid + quote.ask

    @property
    def mid(self) -> str:
        """Half of it."""
        return UNKNOWN if self.mid2 is None else f"{self.mid2 / 2 / PRICE_UNIT:.5f}".rstrip("0")

    @property
    def is_crossed(self) -> bool:
        """Whether the best bid is not below the best ask."""
        return self.quote.spread is not None and self.quote.spread <= 0


class _Names:
    """Names of strategies, which are few and change with a restart of the loop only: read again every few seconds."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[float, dict[int, str]]] = {}

    def of(self, shard: int) -> dict[int, str]:
        read_s, names = self._known.get(shard, (-NAMES_S, {}))
        if time.monotonic() - read_s >= NAMES_S:
            names = dict(StrategyRecord.objects.filter(shard=shard).values_list("strategy", "name"))
            self._known[shard] = time.monotonic(), names
        return names


_names = _Names()


def is_quote(name: str) -> bool:
    """Whether a part is a market's line of numbers."""
    return name.startswith("quote-") and PART.fullmatch(name) is not None


def is_ladder(name: str) -> bool:
    """Whether a part is a market's ladder."""
    return name.startswith("ladder-") and PART.fullmatch(name) is not None


def shown(quote: QuoteRecord, names: Mapping[int, str]) -> Shown:
    """A quote with names instead of numbers."""
    opinions = [
        Opinion(names.get(index) or f"strategy {index}", p_hat, lower, upper, max(0, quote.ts - ts))
        for index, (p_hat, lower, upper, ts) in enumerate(
            zip(quote.p_hats, quote.lowers, quote.uppers, quote.forecast_ts, strict=True)
        )
        if p_hat is not None and lower is not None and upper is not None and ts is not None
    ]
    return Shown(
        quote,
        STATES[quote.state],
        by_number(quote.why) if quote.why > 0 else None,
        by_number(quote.code) if quote.code > 0 else None,
        tuple(opinions),
    )


def trades(quote: QuoteRecord) -> list[Trade]:
    """The tape, the newest first."""
    return [
        Trade(ts, price, abs(size), size > 0)
        for ts, price, size in zip(quote.trade_ts, quote.trade_prices, quote.trade_sizes, strict=True)
    ]


def levels(quote: QuoteRecord) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """(price, size) of bids and asks, best first."""
    return (
        list(zip(quote.bid_prices, quote.bid_sizes, strict=True)),
        list(zip(quote.ask_prices, quote.ask_sizes, strict=True)),
    )


def yes_terms(order: Any) -> tuple[int, bool]:
    """An order's or fill's price in YES terms, and whether it bids for YES: to buy NO is to sell YES."""
    price = PRICE_UNIT - order.price if order.outcome else order.price
    return price, order.action == order.outcome


def ladder(quote: QuoteRecord, orders: Iterable[OrderRecord]) -> list[Rung]:
    """Asks from the highest shown down to the best, then bids; a price of ours that the book does not show, too."""
    bids, asks = (dict(side) for side in levels(quote))
    ours: dict[int, int] = {}
    for order in orders:
        price, is_bid = yes_terms(order)
        ours[price] = ours.get(price, 0) + order.size - order.filled - order.cancelled
        (bids if is_bid else asks).setdefault(price, 0)
    most = max((*bids.values(), *asks.values(), 1))
    rungs = [
        Rung(price, 0, size, ours.get(price, 0), size / most) for price, size in sorted(asks.items(), reverse=True)
    ]
    return rungs + [
        Rung(price, size, 0, ours.get(price, 0), size / most) for price, size in sorted(bids.items(), reverse=True)
    ]


def picture(seen: Shown, orders: Sequence[OrderRecord]) -> Depth | None:
    """Depth of a quote's book with the first strategy's forecast."""
    marks = [(yes_terms(order)[0], order.size - order.filled - order.cancelled) for order in orders]
    first = seen.opinions[0] if seen.opinions else None
    fair = (first.p_hat, first.lower, first.upper) if first else None
    bids, asks = levels(seen.quote)
    return depth(bids, asks, marks, fair)


def open_orders(markets: Iterable[int], shard: int = 0) -> dict[int, list[OrderRecord]]:
    """Our open orders by market; one question, by the index of the open ones."""
    found: dict[int, list[OrderRecord]] = {}
    for order in OrderRecord.objects.filter(shard=shard, is_open=True, market__in=list(markets)).order_by("-id"):
        found.setdefault(order.market, []).append(order)
    return found


def fragments(parts: frozenset[str], known: Mapping[str, Any], shard: int = 0) -> dict[str, Fragment]:
    """The named parts as they are now, rendered where their keys are not the known ones; three questions at most."""
    wanted: dict[int, set[str]] = {}
    for name in parts:
        match = PART.fullmatch(name)
        if match:
            wanted.setdefault(int(match[2]), set()).add(match[1])
    markets = sorted(wanted)[:MARKETS_MOST]
    try:
        deep = [market for market in markets if "ladder" in wanted[market]]
        rows = QuoteRecord.objects.filter(shard=shard, market__in=markets)
        found = list(rows if deep else rows.defer(*DEEP))
        names = _names.of(shard)
        orders = open_orders(deep, shard) if deep else {}
    except DatabaseError:
        # The strip says so; what stands here stays and turns grey.
        log.warning("quotes: no database")
        return {}
    made: dict[str, Fragment] = {}
    for quote in found:
        for kind in wanted[quote.market]:
            name = f"{kind}-{quote.market}"
            mine = orders.get(quote.market, [])
            key = quote_key(quote) if kind == "quote" else ladder_key(quote, mine)
            if known.get(name) != key:
                made[name] = Fragment(key, rendered(kind, shown(quote, names), mine))
    return made


def quote_key(quote: QuoteRecord) -> tuple[Any, ...]:
    """What the line of numbers shows."""
    return (
        quote.bid, quote.ask, quote.bid_size, quote.ask_size, quote.tick, quote.state, quote.why, quote.code,
        quote.last_price, tuple(quote.p_hats), tuple(part // 10_000 for part in quote.completeness_ppm),
    )  # fmt: skip


def ladder_key(quote: QuoteRecord, orders: Sequence[OrderRecord]) -> tuple[Any, ...]:
    """What ladder, depth and tape show."""
    return (
        *levels(quote), tuple(quote.trade_ts), quote.state, tuple(quote.p_hats),
        tuple((order.id, order.filled, order.cancelled) for order in orders),
    )  # fmt: skip


def rendered(kind: str, seen: Shown, orders: Sequence[OrderRecord]) -> str:
    """HTML of a part."""
    return render_to_string(f"console/markets/_{kind}.html", context(kind, seen, orders))


def context(kind: str, seen: Shown, orders: Sequence[OrderRecord]) -> dict[str, Any]:
    """What the template of a part needs."""
    if kind == "quote":
        return {"seen": seen}
    return {
        "seen": seen,
        "rungs": rung_rows(ladder(seen.quote, orders), seen.quote),
        "tape": tape_rows(trades(seen.quote)),
        "depth": picture(seen, orders),
    }


def rung_rows(rungs: Sequence[Rung], quote: QuoteRecord) -> SafeString:
    """Rows of the ladder. They hold numbers only, and are many: a template would take ten times as long."""
    return SafeString("".join(_rung(rung, rung.price in (quote.bid, quote.ask)) for rung in rungs))


def _rung(rung: Rung, is_best: bool) -> str:
    side = "ask" if rung.ask else "bid" if rung.bid else ""
    bid, ask, ours = (f.shares(size) if size else "" for size in (rung.bid, rung.ask, rung.ours))
    return (
        f'<tr class="{side}{" best" if is_best else ""}"><td class="n">{bid}</td>'
        f'<th scope="row" class="n">{f.price(rung.price)}</th><td class="n">{ask}</td><td class="n">{ours}</td></tr>'
    )


def tape_rows(trades: Sequence[Trade]) -> SafeString:
    """Rows of the tape, likewise."""
    return SafeString("".join(_print(trade) for trade in trades))


def _print(trade: Trade) -> str:
    side, words = ("bid", "▲ bought") if trade.bought else ("ask", "▼ sold")
    return (
        f'<tr class="{side}"><td>{clock(trade.ts)}</td><td>{words}</td><td class="n">{f.price(trade.price)}</td>'
        f'<td class="n">{f.shares(trade.size)}</td></tr>'
    )
