"""Money with its sign, and what goes with it."""

from decimal import Decimal
from typing import Final

from django import template

from polytraders import figures as f

register = template.Library()
UNKNOWN: Final = "\N{EN DASH}"
SENTENCE: Final = 300
MS: Final = 1_000


@register.filter
def gain(micros: int | None) -> str:
    """Micro-pUSD with sign and two decimals; a dash where it is not known."""
    return UNKNOWN if micros is None else f"{Decimal(micros).scaleb(-6):+,.2f}"


@register.filter
def tone(micros: int | None) -> str:
    """Class of a gain or a loss; the sign says the same."""
    return "" if not micros else "pos" if micros > 0 else "neg"


@register.filter
def ppm(value: int | None) -> str:
    """Parts of a million as percent."""
    return UNKNOWN if value is None else f"{value / 10_000:.2f} %"


@register.filter
def micros(value: int) -> str:
    """All six places of micro-pUSD or 1e-6 shares: in the books nothing is rounded."""
    return f"{Decimal(value).scaleb(-6):,.6f}"


@register.filter
def cents(nano: int | None) -> str:
    """1e-9 a share as a price of four decimals, with as many more as it needs to be seen."""
    return UNKNOWN if nano is None else f.fixed(nano, f.NANO, f.PRICE)


@register.filter
def cents_off(nano: int | None) -> str:
    """The same with its sign."""
    return UNKNOWN if nano is None else f.fixed(nano, f.NANO, f.PRICE, sign=bool(nano))


@register.filter
def full(part: float) -> float:
    """A part of one as a length of 100, no longer than that."""
    return round(max(0.0, min(100.0, part * 100)), 1)


@register.filter
def sentence(text: str) -> str:
    """Words that somebody else's names may stand in: one line of at most SENTENCE signs."""
    line = "".join(sign if sign.isprintable() else " " for sign in text)
    return line if len(line) <= SENTENCE else line[: SENTENCE - 1] + "…"


@register.filter
def took(ns: int) -> str:
    """A stretch of time, in milliseconds below a second."""
    ms = ns / 1_000_000
    return f"{ms:.0f} ms" if ms < MS else f"{ms / MS:,.1f} s"
