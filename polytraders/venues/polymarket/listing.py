"""One market as the catalogue lists it: exact integers and names, or a refusal with a code. Nothing in between.

Two of the venue's services know a market. Gamma describes it (question, outcomes, times, event); the CLOB knows how it
trades (tick, smallest order, fees, delay). What both tell must agree, except the tick, which changes and which Gamma
tells late.
"""

import re
from typing import Final, NamedTuple

from msgspec import Struct

from polytraders.contracts.inputs import SIZE_MAX, Fact, MarketStatus
from polytraders.venues.polymarket.gamma import (
    ClobMarket,
    GammaMarket,
    Refusal,
    clob_market,
    gamma_market,
    instant,
    needed,
    number,
    text_of,
    texts_of,
)
from polytraders.venues.polymarket.known import OUTCOMES, canonical, is_market, is_token
from polytraders.venues.polymarket.numbers import SIZE_DECIMALS, speaks
from polytraders.venues.polymarket.numbers import tick as tick_of

ITODE_DELAY_MS: Final = 150
"""What the venue holds marketable orders back in markets that it marks `itode`, since 4 September 2026. The mark tells
no length."""

FEE_RATE_MAX: Final = 1_000_000
FEE_EXPONENT_MAX: Final = 10_000
DELAY_S_MAX: Final = 60
TWAP_S_MAX: Final = 3_600
NAME_MAX: Final = 512
YES_NAMES: Final = {"yes": "no", "up": "down"}
"""Names of the outcome that is YES, each with the other one's."""

UNCLASSIFIED: Final = "unclassified"
"""Cluster of markets about which the venue tells nothing that would set them apart: they share one limit."""

_UPDOWN: Final = re.compile(r"([a-z0-9]{2,10})-updown-(5m|15m|1h|4h)-([0-9]{10})")
_DURATIONS_S: Final = {"5m": 300, "15m": 900, "1h": 3_600, "4h": 14_400}
_RESERVED_BITS: Final = ((1 << 64) - 1) << 40
"""Bits of a Protocol v2 token id that are always zero."""
_SECOND: Final = 1_000_000_000


class Listing(Struct, frozen=True, kw_only=True):
    """What the registry must know of a market. Prices in 1e-4, sizes in 1e-6 shares, times in ns UTC.

    Attributes:
        condition_id: Id of the question, 0x and 64 hex digits (Protocol v2 ids are padded).
        tokens: Token ids, YES first.
        outcomes: Their names, in the same order.
        protocol: "v1" or "v2".
        min_size: Smallest order.
        min_size_text: The same as the venue writes it, which its book hash covers.
        tick: Smallest price step.
        fee_rate: Factor of the fee curve, 1e-6.
        fee_exponent: Exponent of the fee curve, 1e-3.
        fee_taker_only: Resting orders pay nothing.
        taker_delay_ms: How long an order that would trade at once is held back.
        open_ts: Start of the window that an up/down market is about; None for others.
        close_ts: End of trading.
        neg_risk: The event's markets exclude each other and share collateral.
        event_id: The venue's id of the event, "" when it has none.
        cluster: Name of the group of markets that one fact can move together.
        title: The question.
        slug: Its name in addresses.
        active: The venue shows it.
        closed: Trading has ended.
        accepting_orders: Orders are taken now.
        reference: What the strike is a price of ("BTC"), None where there is no strike.
        strike_ts: The strike is the reference price at this time; None where there is none.
        strike: 1e-8; the venue does not list it, so None until somebody has observed it.
        twap_s: The settlement averages the reference over so many seconds; 0 = it does not.
        gap_p999_ms: The market's own 99.9 % gap between messages; not listed, None until measured.
    """

    condition_id: str
    tokens: tuple[str, str]
    outcomes: tuple[str, str]
    protocol: str
    min_size: int
    min_size_text: str
    tick: int
    fee_rate: int
    fee_exponent: int
    fee_taker_only: bool
    taker_delay_ms: int
    open_ts: int | None
    close_ts: int
    neg_risk: bool
    event_id: str
    cluster: str
    title: str
    slug: str
    active: bool
    closed: bool
    accepting_orders: bool
    reference: str | None
    strike_ts: int | None
    strike: int | None = None
    twap_s: int = 0
    gap_p999_ms: int | None = None


class Refused(NamedTuple):
    """Something the catalogue said and nobody may use.

    Attributes:
        code: Why.
        name: Condition id, slug or address that it is about, as far as known.
        what: The field or statement that is to blame.
        raw: The bytes as received, for whoever looks into it.
    """

    code: str
    name: str
    what: str
    raw: bytes


class _Fees(NamedTuple):
    rate: int
    exponent: int
    taker_only: bool


class _Window(NamedTuple):
    """What the slug of an up/down market tells."""

    asset: str
    start_ts: int
    end_ts: int


def read(gamma_raw: bytes, clob_raw: bytes | None) -> Listing | Refused:
    """One market from the two services' bytes; never raises.

    Args:
        gamma_raw: Gamma's object.
        clob_raw: The CLOB's object, None when it has none.
    """
    name = ""
    try:
        gamma = gamma_market(gamma_raw)
        name = gamma.conditionId or gamma.slug or str(gamma.id or "")
        if clob_raw is None:
            raise Refusal("INTEL_LISTING_INCOMPLETE", "the CLOB does not know the market yet")
        return listing_of(gamma, clob_market(clob_raw))
    except Refusal as refusal:
        return Refused(refusal.code, name[:NAME_MAX], refusal.what, b"\n".join(filter(None, (gamma_raw, clob_raw))))


def listing_of(gamma: GammaMarket, clob: ClobMarket) -> Listing:
    """One market from the two services' objects.

    Raises:
        Refusal: A fact is missing, out of bounds, or told in two ways.
    """
    if gamma.enableOrderBook is False:
        raise Refusal("INTEL_LISTING_NO_BOOK", "enableOrderBook")
    condition_id = condition_of(gamma)
    if clob.c and canonical(clob.c) != condition_id:
        raise Refusal("INTEL_LISTING_CONFLICT", "condition id")
    protocol = _protocol(gamma, clob)
    tokens, outcomes = _tokens(gamma, clob, protocol)
    min_size, min_size_text = _min_size(gamma, clob)
    fees = _fees(gamma, clob)
    slug = needed(gamma.slug or None, "slug")
    window = _window(slug)
    neg_risk = needed(gamma.negRisk, "negRisk")
    if clob.nr and not neg_risk:
        raise Refusal("INTEL_LISTING_CONFLICT", "negRisk")
    event = gamma.events[0] if gamma.events else None
    crypto = gamma.cryptoMarketConfig
    twap = number(crypto.twapLookbackSeconds, 0, TWAP_S_MAX, "twapLookbackSeconds") if crypto else None
    return Listing(
        condition_id=condition_id,
        tokens=tokens,
        outcomes=outcomes,
        protocol=protocol,
        min_size=min_size,
        min_size_text=min_size_text,
        tick=_tick(gamma, clob),
        fee_rate=fees.rate,
        fee_exponent=fees.exponent,
        fee_taker_only=fees.taker_only,
        taker_delay_ms=_delay_ms(gamma, clob),
        open_ts=window.start_ts if window else None,
        close_ts=_close_ts(gamma, window),
        neg_risk=neg_risk,
        event_id="" if event is None or event.id is None else str(event.id),
        cluster=_cluster(gamma, neg_risk, window),
        title=needed(gamma.question or None, "question")[:NAME_MAX],
        slug=slug[:NAME_MAX],
        active=needed(gamma.active, "active"),
        closed=needed(gamma.closed, "closed"),
        accepting_orders=needed(gamma.acceptingOrders, "acceptingOrders"),
        reference=window.asset.upper() if window else None,
        strike_ts=window.start_ts if window else None,
        twap_s=(twap or 0) if crypto and crypto.twapEnabled else 0,
    )


def condition_of(gamma: GammaMarket) -> str:
    """The market's condition id, spelled with 64 digits.

    Raises:
        Refusal: There is none, or it is no such id.
    """
    text = needed(gamma.conditionId or None, "conditionId")
    if not is_market(text):
        raise Refusal("INTEL_LISTING_OUT_OF_RANGE", "conditionId")
    return canonical(text)


def _protocol(gamma: GammaMarket, clob: ClobMarket) -> str:
    """The version; listings older than versions are v1."""
    if not speaks(gamma.version) or not speaks(clob.v):
        raise Refusal("INTEL_LISTING_PROTOCOL", "version")
    if gamma.version and clob.v and gamma.version != clob.v:
        raise Refusal("INTEL_LISTING_CONFLICT", "version")
    return gamma.version or clob.v or "v1"


def _tokens(gamma: GammaMarket, clob: ClobMarket, protocol: str) -> tuple[tuple[str, str], tuple[str, str]]:
    """Token ids and outcome names, YES first by name, whatever the order they are told in."""
    told = tokens_of(gamma, protocol)
    ours = dict(zip(texts_of(gamma.outcomes), told, strict=False))
    if clob.t is not None:
        theirs = {pair.o: pair.t for pair in clob.t if pair.o and pair.t}
        if len(theirs) < OUTCOMES:
            raise Refusal("INTEL_LISTING_INCOMPLETE", "tokens of the CLOB")
        if theirs != ours:
            raise Refusal("INTEL_LISTING_CONFLICT", "tokens")
    yes, no = yes_first(list(ours))
    return (ours[yes], ours[no]), (yes, no)


def tokens_of(gamma: GammaMarket, protocol: str) -> list[str]:
    """Token ids in the order of Gamma's outcomes.

    Raises:
        Refusal: They are not two different ids of the protocol, one an outcome.
    """
    told = texts_of(gamma.positionIds if protocol == "v2" else gamma.clobTokenIds)
    names = texts_of(gamma.outcomes)
    if not told or not names:
        raise Refusal("INTEL_LISTING_INCOMPLETE", "tokens" if names else "outcomes")
    if len(names) != OUTCOMES or len(set(names)) != OUTCOMES:
        raise Refusal("INTEL_LISTING_OUTCOMES", "outcomes")
    if len(told) != OUTCOMES or len(set(told)) != OUTCOMES or not all(map(is_token, told)):
        raise Refusal("INTEL_LISTING_CONFLICT", "tokens")
    if protocol == "v2" and any(int(token) & _RESERVED_BITS for token in told):
        raise Refusal("INTEL_LISTING_PROTOCOL", "positionIds")
    return told


def yes_first(names: list[str]) -> tuple[str, str]:
    """The two outcome names, that of YES first.

    Raises:
        Refusal: They are not Yes and No, or Up and Down.
    """
    for yes, no in (names, names[::-1]):
        if YES_NAMES.get(yes.strip().lower()) == no.strip().lower():
            return yes, no
    raise Refusal("INTEL_LISTING_OUTCOMES", "outcomes")


def _min_size(gamma: GammaMarket, clob: ClobMarket) -> tuple[int, str]:
    ours = number(gamma.orderMinSize, SIZE_DECIMALS, SIZE_MAX, "orderMinSize", 1)
    theirs = number(clob.mos, SIZE_DECIMALS, SIZE_MAX, "mos", 1)
    if ours is not None and theirs is not None and ours != theirs:
        raise Refusal("INTEL_LISTING_CONFLICT", "smallest order")
    size = needed(ours if theirs is None else theirs, "smallest order")
    return size, text_of(gamma.orderMinSize) or text_of(clob.mos)


def _tick(gamma: GammaMarket, clob: ClobMarket) -> int:
    """The CLOB's tick where it tells one: Gamma's answers are cached, and ticks get finer near the ends."""
    text = text_of(clob.mts) or text_of(gamma.orderPriceMinTickSize)
    if not text:
        raise Refusal("INTEL_LISTING_INCOMPLETE", "tick")
    value = tick_of(text)
    if value < 0:
        raise Refusal("INTEL_LISTING_OUT_OF_RANGE", "tick")
    return value


def _fees(gamma: GammaMarket, clob: ClobMarket) -> _Fees:
    """The fee schedule. Base fees of the venue are not read: they say 1000 for every market."""
    told: list[_Fees] = []
    if gamma.feesEnabled is False:
        told.append(_Fees(0, 1_000, True))
    elif gamma.feeSchedule is not None:
        schedule = gamma.feeSchedule
        rate = number(schedule.rate, 6, FEE_RATE_MAX, "feeSchedule.rate")
        exponent = number(schedule.exponent, 3, FEE_EXPONENT_MAX, "feeSchedule.exponent")
        told.append(
            _Fees(
                needed(rate, "feeSchedule.rate"),
                needed(exponent, "feeSchedule.exponent"),
                needed(schedule.takerOnly, "feeSchedule.takerOnly"),
            )
        )
    if clob.fd is not None:
        rate = number(clob.fd.r, 6, FEE_RATE_MAX, "fd.r")
        exponent = number(clob.fd.e, 3, FEE_EXPONENT_MAX, "fd.e")
        told.append(_Fees(needed(rate, "fd.r"), needed(exponent, "fd.e"), needed(clob.fd.to, "fd.to")))
    if not told:
        raise Refusal("INTEL_LISTING_INCOMPLETE", "fees")
    # Without a rate the rest of a schedule says nothing.
    if len({fees if fees.rate else 0 for fees in told}) > 1:
        raise Refusal("INTEL_LISTING_CONFLICT", "fees")
    return told[0]


def _delay_ms(gamma: GammaMarket, clob: ClobMarket) -> int:
    """The longest delay that anything told about the market implies."""
    ours = number(gamma.secondsDelay, 0, DELAY_S_MAX, "secondsDelay") or 0
    theirs = number(clob.sd, 0, DELAY_S_MAX, "sd") or 0
    return max(1_000 * ours, 1_000 * theirs, ITODE_DELAY_MS if clob.itode else 0)


def _window(slug: str) -> _Window | None:
    found = _UPDOWN.fullmatch(slug)
    if found is None:
        return None
    start = int(found[3])
    return _Window(found[1], start * _SECOND, (start + _DURATIONS_S[found[2]]) * _SECOND)


def _close_ts(gamma: GammaMarket, window: _Window | None) -> int:
    """End of trading; an up/down market's slug must say the same."""
    close = needed(instant(gamma.endDate, "endDate"), "endDate")
    if window is not None and window.end_ts != close:
        raise Refusal("INTEL_LISTING_CONFLICT", "endDate")
    return close


def _cluster(gamma: GammaMarket, neg_risk: bool, window: _Window | None) -> str:
    """What moves together: a neg-risk event, else an asset or a series, else an event, else a category."""
    event = gamma.events[0] if gamma.events else None
    if neg_risk:
        if event is None or event.id is None:
            raise Refusal("INTEL_LISTING_INCOMPLETE", "event of a neg-risk market")
        return f"negrisk-{event.id}"[:NAME_MAX]
    if window is not None:
        return window.asset
    series = event.seriesSlug or next((one.slug for one in event.series or () if one.slug), None) if event else None
    named = f"event-{event.id}" if event is not None and event.id is not None else None
    category = gamma.category or (event.category if event else None)
    return (series or (category or "").strip().lower() or named or UNCLASSIFIED)[:NAME_MAX]


def status_of(listing: Listing) -> MarketStatus:
    """How far its life has come; only what is open may be increased."""
    if listing.closed:
        return MarketStatus.RESOLVING
    return MarketStatus.OPEN if listing.active and listing.accepting_orders else MarketStatus.PAUSED


def facts_of(listing: Listing) -> dict[Fact, int]:
    """The facts of a listing that are numbers of their own; cluster, reference and connection are a shard's indices."""
    facts = {
        Fact.VENUE: 0,
        Fact.MIN_SIZE: listing.min_size,
        Fact.FEE_RATE: listing.fee_rate,
        Fact.FEE_EXPONENT: listing.fee_exponent,
        Fact.FEE_TAKER_ONLY: int(listing.fee_taker_only),
        Fact.TAKER_DELAY_MS: listing.taker_delay_ms,
        Fact.CLOSE_TS: listing.close_ts,
        Fact.NEG_RISK: int(listing.neg_risk),
        Fact.STATUS: int(status_of(listing)),
        Fact.ALLOWED: 1,
        Fact.GAP_P999_MS: listing.gap_p999_ms or 0,
    }
    return facts | ({Fact.STRIKE: listing.strike} if listing.strike is not None else {})
