"""Integers of the log as figures that people read: exact, in the unit of the thing, never a zero that is none."""

import datetime as dt
from decimal import Decimal, DecimalException, InvalidOperation
from typing import Final, NamedTuple

SIZE: Final = 6
"""Decimal places of a size in 1e-6 shares, and of micro-pUSD."""
PRICE: Final = 4
NANO: Final = 9
SECOND_NS: Final = 1_000_000_000
DAY_S: Final = 86_400
DAYS_FROM_S: Final = 10_000
"""From here on a span is told in days."""
DAYS_WHOLE_FROM: Final = 90_000
"""From here on, which is the age of what never happened, in whole ones."""


class Unit(NamedTuple):
    """How a check's numbers are told.

    Attributes:
        name: Short name.
        places: The integer is in units of 10 ** -places; of a span, of a second.
        shown: Decimals shown.
    """

    name: str
    places: int
    shown: int


COUNT: Final = Unit("", 0, 0)
SPAN: Final = "time"
FACTS: Final = "facts"
"""A word of bits, told by how many of them are set; the facts themselves stand in the packet by name."""
UNITS: Final[dict[str, Unit]] = {
    "flag": Unit("flag", 0, 0),
    "status": Unit("status", 0, 0),
    "book state": Unit("state", 0, 0),
    "stage": Unit("stage", 0, 0),
    "missing facts (bits)": Unit(FACTS, 0, 0),
    "open orders": Unit("orders", 0, 0),
    "orders this minute": Unit("orders", 0, 0),
    "own orders it would meet": Unit("orders", 0, 0),
    "ms": Unit(SPAN, 3, 3),
    "ms to close": Unit(SPAN, 3, 3),
    "ns of freshness left": Unit(SPAN, 9, 3),
    "spread, price units": Unit("pUSD", PRICE, 4),
    "price units from the mid": Unit("pUSD", PRICE, 4),
    "1e-9 per share": Unit("pUSD", NANO, 6),
    "1e-9": Unit("prob.", NANO, 6),
    "1e-6 shares": Unit("shares", SIZE, 2),
    "ppm of the window": Unit("%", 4, 2),
    "ppm of the day's high": Unit("%", 4, 2),
    "ppm of the week's high": Unit("%", 4, 2),
    "micro-pUSD": Unit("pUSD", SIZE, 2),
    "micro-pUSD, worst case": Unit("pUSD", SIZE, 2),
    "micro-pUSD with the smallest order": Unit("pUSD", SIZE, 2),
}
"""Every unit that a check names. The table shows the short name; what is compared stands in the list of checks."""
WINDOWS: Final = "windows"
STAGE: Final = "stage"
FLAG: Final = "flag"
SETTINGS: Final[dict[str, Unit]] = {
    **{name: UNITS[name] for name in ("flag", "ms", "1e-6 shares", "micro-pUSD", "1e-9 per share", "1e-9", "stage")},
    "price units (1e-4)": Unit("pUSD", PRICE, 4),
    "ppm": Unit("%", 4, 0),
    "orders a minute and strategy": Unit("orders", 0, 0),
    "number": COUNT,
    "bits: 60 s, 5 m, 1 h": Unit(WINDOWS, 0, 0),
}
"""Every unit that a limit or a strategy's setting names."""
STAGES: Final = ("replay", "shadow", "paper", "canary", "live")
NAMED: Final[dict[str, tuple[str, ...]]] = {
    FLAG: ("no", "yes"),
    STAGE: STAGES,
    "status": ("open", "paused", "halted", "resolving", "resolved"),
    "book state": ("whole", "none yet", "resyncing"),
}
"""Units of checks that are no numbers: their names by value. Of all but the ladder's stages one is the right one."""
BIG: Final = Decimal(10) ** 12


def fixed(value: int, places: int, shown: int, *, sign: bool = False) -> str:
    """`value * 10 ** -places` with `shown` decimals, or with as many more as a small number needs to be seen."""
    exact = Decimal(value).scaleb(-places)
    while value and shown < places and not round(exact, shown):
        shown += 1
    return f"{exact:{'+' if sign else ''}.{shown}f}"


def fitted(value: int, unit: Unit, width: int) -> str:
    """The figure in at most `width` characters: a large one gives up decimals, a tiny one its zeros."""
    if unit.name == SPAN:
        return span(value * 10 ** (9 - unit.places))
    if unit.name == FACTS:
        return str(abs(value).bit_count() * (1 if value > 0 else -1))
    text = fixed(value, unit.places, unit.shown)
    if len(text) <= width:
        return text
    exact = Decimal(value).scaleb(-unit.places)
    if abs(exact) < 1:
        return f"{exact.normalize():e}"
    return f"{exact:.{max(0, width - len(f'{exact:.0f}') - 1)}f}"


def is_no_price(value: int, unit: str) -> bool:
    """Whether a check's number stands for the price of an empty side of a book: no two prices lie as far apart."""
    return unit in ("spread, price units", "price units from the mid") and abs(value) > 10**PRICE


def named(value: int, unit: str) -> str:
    """A state's name; the number of one that has none."""
    names = NAMED[unit]
    return names[value] if 0 <= value < len(names) else str(value)


def amount(value: int, unit: Unit) -> str:
    """A limit or setting exactly, with its unit: `300.00 pUSD`, `4 %`, `0.06 s`, `1 d`."""
    if unit.name in NAMED:
        return named(value, unit.name)
    if unit.name == WINDOWS:
        return ", ".join(name for bit, name in enumerate(("60 s", "5 m", "1 h")) if value >> bit & 1) or "none"
    exact = Decimal(value).scaleb(-unit.places)
    if unit.name == SPAN:
        days, rest = divmod(exact, DAY_S)
        return f"{days:,f} d" if days and not rest else f"{exact.normalize():,f} s"
    needed = max(unit.shown, -int(exact.normalize().as_tuple().exponent))
    return f"{exact:,.{needed}f} {unit.name}".rstrip()


def entered(unit: Unit) -> str:
    """What a number that a person types is counted in."""
    stages = ", ".join(f"{number} {name}" for number, name in enumerate(STAGES))
    return {SPAN: "seconds", STAGE: stages}.get(unit.name, unit.name)


def plain(value: int, places: int) -> str:
    """`value * 10 ** -places` exactly, as a person would type it, without needless zeros."""
    told = f"{Decimal(value).scaleb(-places):f}"
    return told.rstrip("0").rstrip(".") if "." in told else told


def typed(text: str, places: int) -> int:
    """What a person typed, in whole units of 10 ** -places.

    Raises:
        ValueError: It is no number, too large, or finer than that.
    """
    try:
        exact = Decimal(text.strip().replace(",", "").replace("_", ""))
        if not text.isascii() or not exact.is_finite() or exact.copy_abs() > BIG:
            raise InvalidOperation
        scaled = exact.scaleb(places)
        if scaled != int(scaled):
            raise InvalidOperation
    except DecimalException as error:
        raise ValueError(f"{text[:40]!r} is no number, too large, or has more than {places} decimals") from error
    return int(scaled)


def span(ns: int) -> str:
    """A stretch of time with its own unit: nanoseconds, seconds or days."""
    seconds = Decimal(ns).scaleb(-9)
    if ns and abs(ns) < SECOND_NS // 1_000:
        return f"{ns} ns"
    if abs(round(seconds, 3)) < DAYS_FROM_S:
        return f"{seconds:.3f} s"
    days = seconds / DAY_S
    return f"{days:.2f} d" if abs(days) < DAYS_WHOLE_FROM else f"{days:.0f} d"


def utc(ns: int) -> str:
    """A time to the microsecond."""
    whole = dt.datetime.fromtimestamp(ns // SECOND_NS, dt.UTC)
    return f"{whole:%Y-%m-%d %H:%M:%S}.{ns % SECOND_NS // 1_000:06} UTC"


def shares(size: int) -> str:
    """1e-6 shares with two decimals."""
    return f"{Decimal(size).scaleb(-SIZE):,.2f}"


def price(units: int) -> str:
    """Price units with four decimals."""
    return fixed(units, PRICE, 4)


def per_share(nano: int, *, sign: bool = False) -> str:
    """1e-9 pUSD per share with six decimals; half a unit of the sixth is lost, the packet has all nine."""
    return f"{Decimal(nano).scaleb(-NANO):{'+' if sign else ''}.6f}"


def percent(ppm: int) -> str:
    """Parts per million as per cent."""
    return f"{Decimal(ppm).scaleb(-4):.2f} %"
