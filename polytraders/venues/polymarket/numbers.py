"""Decimal text to integers, exactly: no float and no Decimal between the venue's string and our unit.

Every function returns a value >= 0 in our unit, `NO_PRICE`, or one of the negative refusals below. What was read once
is remembered by its text, in bounded dictionaries, because a feed says the same few hundred prices over and over.
"""

from typing import Final

from msgspec import UNSET, UnsetType

from polytraders.contracts.inputs import NO_PRICE, PRICE_UNIT, SIZE_MAX

Text = str | UnsetType | None
"""A field as it came: text, null, or absent."""

MISSING, TYPE, INVALID, SIZE_RANGE, PRICE_RANGE, GRID, TIME_RANGE, PROTOCOL, CONFLICT, CAPACITY, REPEATED = range(
    -2, -13, -1
)

REFUSALS: Final = {
    MISSING: "INTEL_FIELD_MISSING",
    TYPE: "INTEL_FIELD_TYPE",
    INVALID: "INTEL_NUMBER_INVALID",
    SIZE_RANGE: "INTEL_SIZE_OUT_OF_RANGE",
    PRICE_RANGE: "INTEL_PRICE_OUT_OF_RANGE",
    GRID: "INTEL_PRICE_OFF_GRID",
    TIME_RANGE: "INTEL_TIMESTAMP_OUT_OF_RANGE",
    PROTOCOL: "INTEL_PROTOCOL_UNKNOWN",
    CONFLICT: "INTEL_OUTCOME_CONFLICT",
    CAPACITY: "INTEL_MARKET_CAPACITY",
    REPEATED: "INTEL_FRAME_REPEATED_KEY",
}

TEXT_MAX: Final = 32
"""Longest number text that is read at all; int() of an endless one would take endless time."""

KEPT_MAX: Final = 32_768
"""Texts remembered of each sort."""

PRICE_DECIMALS: Final = 4
SIZE_DECIMALS: Final = 6
TIME_MIN_MS: Final = 1_577_836_800_000
TIME_MAX_MS: Final = 4_102_444_800_000
MS: Final = 1_000_000

_DECIMALS_MAX: Final = 8
_SCALE: Final[list[int]] = [10**power for power in range(_DECIMALS_MAX + 1)]


def fixed(text: str, decimals: int, finer: int, below: int) -> int:
    """A plain decimal as a whole number of 10**-decimals.

    Args:
        text: ASCII digits with at most one point: "0.46", ".5", "460", with any number of zeros at either end.
        decimals: Decimals of the unit, at most 8.
        finer: Refusal for a number that the unit cannot hold exactly.
        below: Refusal for a number with a minus sign.

    Returns:
        The units, or a refusal; INVALID for anything that is not such a text (exponents, signs, words, other scripts).
    """
    if len(text) > TEXT_MAX or not text.isascii():
        return INVALID
    if text[:1] == "-":
        return below if fixed(text[1:], decimals, 0, INVALID) >= 0 else INVALID
    whole, point, part = text.partition(".")
    if point:
        if not part.isdigit() or not (whole.isdigit() or not whole):
            return INVALID
        if len(part) > decimals:
            part = part.rstrip("0")
            if len(part) > decimals:
                return finer
        return int(whole or "0") * _SCALE[decimals] + int(part or "0") * _SCALE[decimals - len(part)]
    return int(whole) * _SCALE[decimals] if whole.isdigit() else INVALID


class Sizes:
    """Size texts and what they mean in 1e-6 shares."""

    __slots__ = ("kept",)

    def __init__(self) -> None:
        self.kept: dict[Text, int] = {}

    def read(self, text: Text) -> int:
        """Size in 1e-6 shares, 0 to SIZE_MAX, or a refusal."""
        if not isinstance(text, str) or not text:
            return MISSING
        known = self.kept.get(text)
        if known is not None:
            return known
        value = fixed(text, SIZE_DECIMALS, SIZE_RANGE, SIZE_RANGE)
        if value > SIZE_MAX:
            return SIZE_RANGE
        if value >= 0:
            if len(self.kept) >= KEPT_MAX:
                self.kept.clear()
            self.kept[text] = value
        return value


class Grid:
    """The prices of one tick. Whatever is in a dictionary has passed every check, so a hit needs none.

    Attributes:
        tick: Price units; 1 stands for a market whose tick is not known yet as well.
        prices: Text of a level's price to units.
        bests: Text of a best price to units, NO_PRICE for an empty side.
        mirrors: The same seen from the other token: 1 - price.
    """

    __slots__ = ("bests", "mirrors", "prices", "tick")

    def __init__(self, tick: int) -> None:
        self.tick = tick
        self.prices: dict[Text, int] = {}
        self.bests: dict[Text, int] = {}
        self.mirrors: dict[Text, int] = {}

    def price(self, text: Text) -> int:
        """Price of a level or a trade in price units, strictly between 0 and 1, or a refusal."""
        if not isinstance(text, str) or not text:
            return MISSING
        known = self.prices.get(text)
        if known is not None:
            return known
        value = fixed(text, PRICE_DECIMALS, GRID, PRICE_RANGE)
        if value >= PRICE_UNIT or value == 0:
            return PRICE_RANGE
        if value > 0:
            if value % self.tick:
                return GRID
            if len(self.prices) < KEPT_MAX:
                self.prices[text] = value
        return value

    def best(self, text: str | None) -> int:
        """A best price in price units, NO_PRICE for an empty side, or a refusal.

        An empty side is told as an empty text, or as the end of the scale: "0" or "1".
        """
        value = fixed(text, PRICE_DECIMALS, GRID, PRICE_RANGE) if text else 0
        if value < 0:
            return value
        if value > PRICE_UNIT:
            return PRICE_RANGE
        if value % self.tick:
            return GRID
        if value in (0, PRICE_UNIT):
            value = NO_PRICE
        if text is not None and len(self.bests) < KEPT_MAX:
            self.bests[text] = value
            self.mirrors[text] = mirror(value)
        return value


def mirror(price: int) -> int:
    """A price of one token as the other token's; an empty side stays empty."""
    return price if price == NO_PRICE else PRICE_UNIT - price


def tick(text: Text) -> int:
    """A tick in price units: it must divide one pUSD, so that both tokens share a grid; or a refusal."""
    if not isinstance(text, str) or not text:
        return MISSING
    value = fixed(text, PRICE_DECIMALS, GRID, PRICE_RANGE)
    if value < 0:
        return value
    if value == 0 or 2 * value > PRICE_UNIT:
        return PRICE_RANGE
    return value if PRICE_UNIT % value == 0 else GRID


def timestamp(text: Text) -> int:
    """The venue's milliseconds as ns UTC, within the years 2020 to 2100, or a refusal."""
    if not isinstance(text, str) or not text:
        return MISSING
    if len(text) > TEXT_MAX or not (text.isdigit() and text.isascii()):
        return INVALID
    value = int(text)
    return value * MS if TIME_MIN_MS <= value < TIME_MAX_MS else TIME_RANGE


def speaks(version: Text) -> bool:
    """True for a protocol we can read; most messages do not name one."""
    return version is UNSET or not version or version in ("v1", "v2")


def absent(text: Text) -> bool:
    """True when the field says nothing: not there, null or empty."""
    return text is UNSET or not text
