"""The one library that turns numbers, times and codes into what pages show."""

import datetime as dt
import re
from contextlib import suppress
from decimal import Decimal
from typing import Final

from django import template
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from polytraders import figures as f
from polytraders.console import what_if
from polytraders.console.pictures.bands import Band
from polytraders.contracts.checks import BITS, CHECKS, MOST
from polytraders.contracts.decision import RiskVote
from polytraders.contracts.reason import Reason
from polytraders.contracts.reasons import REASONS, by_number

register = template.Library()

SECOND_NS: Final = 1_000_000_000
MINUTE_S: Final = 60
HOUR_S: Final = 3_600
DAY_S: Final = 86_400
TENTHS_BELOW_S: Final = 10
KNOWN: Final = {entry.code: entry for entry in REASONS}
SHORT: Final = 80
"""Signs of a title; the venue's ids have 66."""
NAMELESS: Final = re.compile(r"strategy \d+")
"""What stands for the name of a strategy that has none."""
DIGITS_MOST: Final = 10
SAID: Final = {
    "fair_value": "no opinion", "book_stale": "book freshness left", "market_close": "time to the close",
    "registry_fresh": "registry age", "reference": "reference age", "rank": "waits for its rank",
    "intent_open": "own open orders here", "self_trade": "own orders it would meet", "flatten": "being flattened",
    "kill_global": "kill of everything", "kill_venue": "kill of the venue", "kill_cluster": "kill of the cluster",
    "kill_market": "kill of the market", "kill_strategy": "kill of the strategy",
}  # fmt: skip
"""What the value of a check is, where its name does not say so."""
PLACES: Final = {
    "feed": "feeds", "connection": "feeds", "job": "system", "route": "routes", "everything": "control",
    "commands": "control", "cluster": "risk", "strategy": "strategies",
}  # fmt: skip
"""Pages of scopes that have none of their own, by their first word."""
UNKNOWN: Final = "\N{EN DASH}"
"""Stands where there is no number."""


@register.filter
def age(ns: int | None) -> str:
    """How long ago, in one unit."""
    if ns is None:
        return "never"
    seconds = ns / SECOND_NS
    if seconds < TENTHS_BELOW_S:
        return f"{seconds:.1f} s"
    for unit, size in (("d", DAY_S), ("h", HOUR_S), ("min", MINUTE_S)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


@register.filter
def clock(ns: int) -> str:
    """Time of day, UTC, to the millisecond."""
    whole = dt.datetime.fromtimestamp(ns // SECOND_NS, dt.UTC)
    return f"{whole:%H:%M:%S}.{ns % SECOND_NS // 1_000_000:03}"


utc = register.filter("utc", f.utc)
price = register.filter("price", f.price)
shares = register.filter("shares", f.shares)


@register.filter
def edge(nano: int | None) -> str:
    """1e-9 per share with sign; a dash where it is not known."""
    return UNKNOWN if nano is None else f.per_share(nano, sign=True)


@register.filter
def nano(value: int | None) -> str:
    """1e-9 per share; a dash where it is not known."""
    return UNKNOWN if value is None else f.per_share(value)


@register.filter
def chance(value: float | None) -> str:
    """A probability; a dash where there is no opinion."""
    return UNKNOWN if value is None else f"{value:.4f}"


@register.filter
def money(micros: int | None) -> str:
    """Micro-pUSD with two decimals."""
    return UNKNOWN if micros is None else f.shares(micros)


@register.filter
def count(value: int | None) -> str:
    """A whole number with separators."""
    return UNKNOWN if value is None else f"{value:,}"


@register.filter
def percent(part: float) -> str:
    """A part of one."""
    return f"{part * 100:.1f} %"


@register.filter
def width(part: float) -> str:
    """A part of one as a length of 100; what there is can be seen, however small."""
    return f"{max(0.5, part * 100) if part > 0 else 0:.1f}"


@register.filter
def age_ms(ns: int) -> int:
    """Whole milliseconds, for scripts."""
    return ns // 1_000_000


@register.filter
def size_bytes(value: int) -> str:
    """Mebibytes."""
    return f"{value / 1_048_576:,.0f} MiB"


@register.filter
def plainly(text: object) -> str:
    """Somebody else's text on one line of bearable length: nothing in it may turn the page round or break it."""
    line = str(text)
    shown = "".join(sign if sign.isprintable() else " " for sign in line[:SHORT])
    return shown if len(line) <= SHORT else shown[: SHORT - 1] + "…"


@register.filter
def words(name: str) -> str:
    """An identifier as words."""
    return name.replace("_", " ")


@register.filter
def check_words(name: str) -> str:
    """What a check looks at."""
    return SAID.get(name) or words(name)


@register.filter
def of_one(name: str, number: int) -> str:
    """The name of what is counted, in the singular where there is one of it."""
    return name.removesuffix("s") if number == 1 else name


@register.filter
def limit_words(name: str) -> str:
    """A limit or setting as words, without the unit of its integer, which its value brings along."""
    return " ".join(word for word in name.split("_") if word not in ("ppm", "ms"))


@register.filter
def fence_ms(us: int | None) -> str:
    """Microseconds as milliseconds; a dash where it did not come."""
    return UNKNOWN if us is None else f"{us / 1_000:,.1f}"


@register.simple_tag
def reason(code: "str | int | Reason") -> SafeString:
    """A code as a link to its page, with its meaning to hover over; one that this build does not know, as it is."""
    entry = code if isinstance(code, Reason) else by_number(code) if isinstance(code, int) else KNOWN.get(code)
    if entry is None:
        return format_html('<span class="code">{}</span>', code)
    return format_html(
        '<a class="code {}" href="/reasons/{}/" title="{}">{}</a>',
        entry.severity,
        entry.code,
        entry.meaning,
        entry.code,
    )


@register.simple_tag
def strategy_link(name: str) -> SafeString:
    """A strategy's name as a link to its page; one that has no name of its own has no page."""
    address = address_of(f"strategy {name}") if not NAMELESS.fullmatch(name) else ""
    return _linked(address, name)


@register.simple_tag
def market_link(index: int, title: str) -> SafeString:
    """A market's title as a link to its page."""
    return _linked(reverse("market", args=[index]), title)


@register.simple_tag
def scope_link(scope: str) -> SafeString:
    """What an alert or a limit is about, as a link to where one sees it."""
    return _linked(address_of(scope), scope)


@register.simple_tag
def input_link(in_seq: int) -> SafeString:
    """An input's number as a link to its place in the log."""
    return format_html('<a href="{}?seq={}">{}</a>', reverse("replays-scrub"), in_seq, f"{in_seq:,}")


@register.filter
def address_of(scope: str) -> str:
    """Where one sees a scope like "market 3" or "job replay_log", "" where there is no page of it."""
    kind, _, which = str(scope).partition(" ")
    if kind == "market" and which.isascii() and which.isdigit() and len(which) < DIGITS_MOST:
        return reverse("market", args=[int(which)])
    if kind == "strategy" and which and not (which.isascii() and which.isdigit()):
        with suppress(NoReverseMatch):
            return reverse("strategy", args=[which])
    return reverse(PLACES[kind]) if kind in PLACES else ""


def _linked(address: str, text: str) -> SafeString:
    if not address:
        return format_html("<bdi>{}</bdi>", plainly(text))
    return format_html('<a href="{}"><bdi>{}</bdi></a>', address, plainly(text))


@register.simple_tag
def reason_name(number: int) -> str:
    """Only the code's name, where a link already stands."""
    return by_number(number).code


@register.filter
def shifted(x: float) -> float:
    """Left end of a mark of five units that has its middle at `x`."""
    return max(0.0, min(995.0, x - 2.5))


@register.simple_tag
def figure(vote: RiskVote, which: str) -> str:
    """Value, limit or distance of a vote in its unit; what is a state and no number, by its name."""
    number: int = getattr(vote, which)
    if vote.unit in f.NAMED:
        return UNKNOWN if which == "distance" else f.named(number, vote.unit)
    if f.is_no_price(number, vote.unit):
        return UNKNOWN if which == "distance" else "no price"
    return f.fitted(number, f.UNITS.get(vote.unit, f.COUNT), 14)


@register.simple_tag
def unit(vote: RiskVote) -> str:
    """Short name of a vote's unit."""
    return "" if vote.unit in f.NAMED else f.UNITS.get(vote.unit, f.COUNT).name


@register.simple_tag
def bound(vote: RiskVote) -> str:
    """How value and limit compare."""
    if vote.unit in f.NAMED and vote.unit != f.STAGE:
        return "must be"
    return "≤" if CHECKS[BITS[vote.check]].side == MOST else "≥"


@register.simple_tag
def meaning(code: str) -> str:
    """What a code means, where there is room to say so."""
    return KNOWN[code].meaning if code in KNOWN else ""


@register.filter
def amount(value: int, unit: str) -> str:
    """A limit or a strategy's setting with its unit."""
    return f.amount(value, f.SETTINGS[unit])


@register.filter
def level(value: int, unit: str) -> str:
    """How much of a limit is used: to the hundredth of its unit."""
    told = f.SETTINGS[unit]
    return f"{Decimal(value).scaleb(-told.places):,.2f} {told.name}"


@register.filter
def unlocalized(value: float) -> str:
    """A number as attributes want it."""
    return f"{value:g}"


@register.filter
def words_of(text: str) -> list[str]:
    """Words as a list, for a loop over a few fixed ones."""
    return text.split()


@register.filter
def limit_field(vote: RiskVote) -> str:
    """Name of the form's field for a check's limit, "" where nobody sets it."""
    return what_if.field_of(vote)


@register.filter
def limit_text(vote: RiskVote) -> str:
    """The limit exactly, in its unit, for that field."""
    return f.plain(vote.limit, f.UNITS.get(vote.unit, f.COUNT).places)


@register.filter
def short(value: float) -> str:
    """A measured number with six figures."""
    return f"{value:,.6g}"


@register.filter
def delayed(ns: int) -> str:
    """A delay between two steps, which may be nothing."""
    if ns == 0:
        return "0"
    return f"+{ns / SECOND_NS * 1_000:,.3f} ms" if abs(ns) < SECOND_NS else f"+{age(ns)}"


@register.filter
def hexed(data: "bytes | memoryview") -> str:
    """Bytes as hex."""
    return bytes(data).hex()


@register.filter
def scored(value: float | None) -> str:
    """A mean error with four figures behind the point; a dash where there is none."""
    return UNKNOWN if value is None else f"{value:.4f}"


@register.filter
def edge_of(value: float | None) -> str:
    """A mean of numbers in 1e-9 per share, with sign."""
    return UNKNOWN if value is None else f.per_share(round(value), sign=True)


@register.filter
def add_number(value: float, more: float) -> str:
    """A sum as attributes want it; Django's own knows whole numbers only."""
    return f"{value + more:g}"


@register.filter
def ppm(value: int) -> str:
    """Parts per million as a factor."""
    return f.fixed(value, 6, 4)


@register.filter
def of_a_million(value: int) -> str:
    """Parts per million as whole per cent, rounded down: only what is whole is 100."""
    return f"{value // 10_000} %"


@register.filter
def across(ends: tuple[float, float]) -> float:
    """Width between two places of a picture; what there is can be seen."""
    return max(1.0, round(abs(ends[1] - ends[0]), 1))


@register.filter
def title_of(market: object) -> str:
    """A market's question, or what stands for it."""
    return str(market)


@register.filter
def lost_words(bands: "list[Band]") -> str:
    """A lane of states for who cannot see it."""
    whole = sum(band.end - band.start for band in bands)
    valid = sum(band.end - band.start for band in bands if band.state == 0)
    return f"valid for {valid / whole * 100:.1f} % of the time" if whole else "nothing is known"
