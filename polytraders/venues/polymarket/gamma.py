"""What Gamma and the CLOB say about a market, as typed structs, and how their texts become exact values.

Lists come as lists or as JSON inside a text, numbers quoted or not; numbers are read from their text and never pass
through a float. Everything is optional: what is missing is for the reader of a listing to judge.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from polytraders.venues.polymarket.numbers import INVALID, MS, TIME_MAX_MS, TIME_MIN_MS, fixed

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

T = TypeVar("T")


class Refusal(Exception):  # noqa: N818 - it is no error of ours, and never leaves this package
    """Carries a code out of the reading of one answer."""

    def __init__(self, code: str, what: str) -> None:
        super().__init__(code, what)
        self.code = code
        self.what = what


class _Series(Struct):
    slug: str | None = None


class _Event(Struct):
    id: str | int | None = None
    slug: str | None = None
    category: str | None = None
    seriesSlug: str | None = None  # noqa: N815 - the venue's spelling, as in the structs below
    series: list[_Series] | None = None
    negRisk: bool | None = None  # noqa: N815


class _FeeSchedule(Struct):
    rate: Raw | UnsetType = UNSET
    exponent: Raw | UnsetType = UNSET
    takerOnly: bool | None = None  # noqa: N815


class _Crypto(Struct):
    twapEnabled: bool | None = None  # noqa: N815
    twapLookbackSeconds: Raw | UnsetType = UNSET  # noqa: N815


class GammaMarket(Struct):
    """Gamma's object, as far as it is used; all the rest of its fields is left alone."""

    id: str | int | None = None
    conditionId: str | None = None  # noqa: N815
    slug: str | None = None
    question: str | None = None
    category: str | None = None
    outcomes: str | list[str] | None = None
    outcomePrices: str | list[Raw] | None = None  # noqa: N815
    clobTokenIds: str | list[str] | None = None  # noqa: N815
    positionIds: str | list[str] | None = None  # noqa: N815
    version: str | None = None
    orderMinSize: Raw | UnsetType = UNSET  # noqa: N815
    orderPriceMinTickSize: Raw | UnsetType = UNSET  # noqa: N815
    secondsDelay: Raw | UnsetType = UNSET  # noqa: N815
    feesEnabled: bool | None = None  # noqa: N815
    feeSchedule: _FeeSchedule | None = None  # noqa: N815
    endDate: str | None = None  # noqa: N815
    enableOrderBook: bool | None = None  # noqa: N815
    acceptingOrders: bool | None = None  # noqa: N815
    active: bool | None = None
    closed: bool | None = None
    negRisk: bool | None = None  # noqa: N815
    events: list[_Event] | None = None
    cryptoMarketConfig: _Crypto | None = None  # noqa: N815
    umaResolutionStatus: str | None = None  # noqa: N815
    resolutionStatus: str | None = None  # noqa: N815
    automaticallyResolved: bool | None = None  # noqa: N815
    closedTime: str | None = None  # noqa: N815


class _ClobToken(Struct):
    t: str | None = None
    o: str | None = None


class _ClobFee(Struct):
    r: Raw | UnsetType = UNSET
    e: Raw | UnsetType = UNSET
    to: bool | None = None


class ClobMarket(Struct):
    """The CLOB's object. It leaves out what is false or zero: no `nr`, `itode` or `sd` means no."""

    c: str | None = None
    t: list[_ClobToken] | None = None
    mts: Raw | UnsetType = UNSET
    mos: Raw | UnsetType = UNSET
    nr: bool = False
    itode: bool = False
    sd: Raw | UnsetType = UNSET
    fd: _ClobFee | None = None
    v: str | None = None


_gamma: Final = msgspec.json.Decoder(GammaMarket).decode
_clob: Final = msgspec.json.Decoder(ClobMarket).decode
_texts: Final = msgspec.json.Decoder(list[str]).decode


def gamma_market(raw: bytes) -> GammaMarket:
    """Gamma's object, typed.

    Raises:
        Refusal: It is not that sort of object.
    """
    return _decoded(_gamma, raw)


def clob_market(raw: bytes) -> ClobMarket:
    """The CLOB's object, typed.

    Raises:
        Refusal: It is not that sort of object.
    """
    return _decoded(_clob, raw)


def _decoded(decode: Callable[[bytes], T], raw: bytes) -> T:
    try:
        return decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal("INTEL_LISTING_UNREADABLE", str(error)) from error


def text_of(field: Raw | UnsetType) -> str:
    """Text of a number, quoted or not; "" when it is absent, null or empty."""
    if isinstance(field, UnsetType):
        return ""
    text = bytes(field).decode("utf-8", "replace")
    return "" if text == "null" else text.removeprefix('"').removesuffix('"')


def texts_of(field: str | list[str] | None) -> list[str]:
    """A list of texts that comes as a list, or as JSON inside a text."""
    if isinstance(field, str):
        return _decoded(_texts, field.encode()) if field else []
    return field or []


def number(field: Raw | UnsetType, decimals: int, most: int, what: str, least: int = 0) -> int | None:
    """A number in units of 10**-decimals, None when it is not told.

    Raises:
        Refusal: It is told and cannot be held exactly, or is out of bounds.
    """
    text = text_of(field)
    if not text:
        return None
    value = fixed(text, decimals, INVALID, INVALID)
    if not least <= value <= most:
        raise Refusal("INTEL_LISTING_OUT_OF_RANGE", what)
    return value


def instant(text: str | None, what: str) -> int | None:
    """An ISO time as ns UTC; None when it is not told. A time without a zone is refused."""
    if not text:
        return None
    try:
        told = datetime.fromisoformat(text)
    except ValueError as error:
        raise Refusal("INTEL_LISTING_OUT_OF_RANGE", what) from error
    if told.tzinfo is None:
        raise Refusal("INTEL_LISTING_OUT_OF_RANGE", what)
    value = (told - _EPOCH) // timedelta(microseconds=1) * 1_000
    if not TIME_MIN_MS * MS <= value < TIME_MAX_MS * MS:
        raise Refusal("INTEL_LISTING_OUT_OF_RANGE", what)
    return value


def needed(value: T | None, what: str) -> T:
    """The value, or a refusal because it is not told."""
    if value is None:
        raise Refusal("INTEL_LISTING_INCOMPLETE", what)
    return value
