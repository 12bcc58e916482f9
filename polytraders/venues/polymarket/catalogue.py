"""The venue's catalogue over HTTP: which markets there are, a book as an independent witness, the venue's clock.

Nothing here raises for what the venue answers: a market is a `Listing` or it is `Refused` with a code and its bytes.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

import msgspec
from msgspec import Raw, Struct

from polytraders.contracts.inputs import ASK, BID, NO, PRICE_UNIT
from polytraders.venues.asking import Answer, Asker, Params
from polytraders.venues.polymarket.bookhash import book_hash
from polytraders.venues.polymarket.gamma import GammaMarket, Refusal, gamma_market
from polytraders.venues.polymarket.known import canonical, is_market
from polytraders.venues.polymarket.listing import NAME_MAX, Listing, Refused, condition_of, read
from polytraders.venues.polymarket.messages import Book
from polytraders.venues.polymarket.numbers import MS, TIME_MAX_MS, TIME_MIN_MS, Grid, Sizes, absent, tick, timestamp

PAGE_MARKETS: Final = 100
"""Markets of one page; the venue gives no more."""

PAGES_MAX: Final = 400
TOGETHER_MAX: Final = 4
"""Questions to the CLOB in flight at once."""

OPEN_MARKETS: Final[Params] = (("closed", "false"), ("active", "true"))

UNFINISHED: Final = frozenset({"INTEL_CATALOGUE_UNAVAILABLE", "INTEL_CATALOGUE_ENDLESS"})
"""Codes after which a listing is not whole: a market that is not in it may still exist."""

_NOT_FOUND: Final = 404


class _Page(Struct):
    markets: list[Raw]
    next_cursor: str | None = None


_page: Final = msgspec.json.Decoder(_Page).decode
_book: Final = msgspec.json.Decoder(Book).decode
_time: Final = msgspec.json.Decoder(int | str).decode


class Witness(NamedTuple):
    """A whole book of one token by another way than the feed, in YES terms.

    Attributes:
        condition_id: Its market.
        token: The token it was asked for.
        levels: (BID or ASK, price in 1e-4, size in 1e-6 shares), in the order told.
        tick: The market's tick, price units.
        hash: The venue's hash as told, "" when it told none.
        hash_ok: The hash was reproduced from what was told; None without one.
        source_ts: The venue's time of it, ns.
        raw: The answer's bytes.
    """

    condition_id: str
    token: str
    levels: tuple[tuple[int, int, int], ...]
    tick: int
    hash: str
    hash_ok: bool | None
    source_ts: int
    raw: bytes


def whole(found: Iterable[Listing | Refused]) -> bool:
    """True when the catalogue was read to its end, so that a market that is not in it is not listed any more."""
    return not any(isinstance(one, Refused) and one.code in UNFINISHED for one in found)


async def markets(
    asker: Asker,
    gamma_url: str,
    clob_url: str,
    params: Params = OPEN_MARKETS,
    *,
    pick: Callable[[GammaMarket], bool] | None = None,
    pages_max: int = PAGES_MAX,
) -> list[Listing | Refused]:
    """Every market that Gamma lists under `params`, in Gamma's order, each completed from the CLOB.

    Args:
        asker: Asks the questions.
        gamma_url: Base address of Gamma.
        clob_url: Base address of the CLOB.
        params: Gamma's filters.
        pick: True for the markets that are of interest; the CLOB is asked about those only. Objects that cannot be read
            are always reported.
        pages_max: Pages that are read at most.

    Returns:
        Listings and refusals; a page that could not be had is a refusal too, see `whole`.
    """
    raws, refused = await pages(asker, gamma_url, params, pages_max)
    gate = asyncio.Semaphore(TOGETHER_MAX)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_completed(asker, clob_url, raw, pick, gate)) for raw in raws]
    found = [task.result() for task in tasks]
    return [one for one in found if one is not None] + list(refused)


async def pages(
    asker: Asker, gamma_url: str, params: Params, pages_max: int = PAGES_MAX
) -> tuple[list[bytes], list[Refused]]:
    """Gamma's objects, page by page until there is no next one, and what went wrong on the way."""
    found: list[bytes] = []
    url = f"{gamma_url}/markets/keyset"
    cursors: set[str] = set()
    cursor = ""
    for _ in range(pages_max):
        asked = [*params, ("limit", str(PAGE_MARKETS)), *([("after_cursor", cursor)] if cursor else [])]
        answer = await asker.get(url, asked)
        if not answer.ok:
            return found, [_unavailable(url, answer)]
        try:
            page = _page(answer.body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            return found, [Refused("INTEL_CATALOGUE_UNAVAILABLE", url, str(error), answer.body)]
        found += [bytes(market) for market in page.markets]
        cursor = page.next_cursor or ""
        if not cursor:
            return found, []
        if cursor in cursors:
            return found, [Refused("INTEL_CATALOGUE_ENDLESS", url, "next_cursor came again", answer.body)]
        cursors.add(cursor)
    return found, [Refused("INTEL_CATALOGUE_ENDLESS", url, f"more than {pages_max} pages", b"")]


async def _completed(
    asker: Asker,
    clob_url: str,
    raw: bytes,
    pick: Callable[[GammaMarket], bool] | None,
    gate: asyncio.Semaphore,
) -> Listing | Refused | None:
    """One market, with the CLOB's half; None when it is not picked."""
    try:
        gamma = gamma_market(raw)
        if pick is not None and not pick(gamma):
            return None
        if gamma.enableOrderBook is False:
            raise Refusal("INTEL_LISTING_NO_BOOK", "enableOrderBook")
        condition_id = condition_of(gamma)
    except Refusal as refusal:
        return Refused(refusal.code, "", refusal.what, raw)
    async with gate:
        url = f"{clob_url}/clob-markets/{condition_id}"
        answer = await asker.get(url)
    if not answer.ok and answer.status != _NOT_FOUND:
        return _unavailable(url, answer)
    return read(raw, answer.body if answer.ok else None)


async def book(asker: Asker, clob_url: str, token: str, *, is_yes: bool) -> Witness | Refused:
    """The CLOB's own book of a token, for comparison with the one kept from the feed.

    Args:
        asker: Asks the question.
        clob_url: Base address of the CLOB.
        token: Token id.
        is_yes: The token is its market's YES; the other one's levels are turned round.
    """
    url = f"{clob_url}/book"
    answer = await asker.get(url, [("token_id", token)])
    if answer.status == _NOT_FOUND:
        return Refused("INTEL_LISTING_NO_BOOK", token, "status 404", answer.body)
    if not answer.ok:
        return _unavailable(token, answer)
    try:
        return _witness(answer.body, token, is_yes=is_yes)
    except Refusal as refusal:
        return Refused(refusal.code, token, refusal.what, answer.body)


def _witness(raw: bytes, token: str, *, is_yes: bool) -> Witness:
    try:
        told = _book(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal("INTEL_LISTING_UNREADABLE", str(error)) from error
    if absent(told.market if told.market else None) or told.bids is msgspec.UNSET or told.asks is msgspec.UNSET:
        raise Refusal("INTEL_LISTING_INCOMPLETE", "market, bids or asks")
    market = str(told.market)
    if not is_market(market) or told.asset_id != token:
        raise Refusal("INTEL_LISTING_CONFLICT", "market or token")
    step = tick(told.tick_size)
    time = timestamp(told.timestamp)
    if step < 0 or time < 0:
        raise Refusal("INTEL_LISTING_OUT_OF_RANGE", "tick_size" if step < 0 else "timestamp")
    grid, sizes = Grid(step), Sizes()
    levels: list[tuple[int, int, int]] = []
    for side, side_levels in ((BID, told.bids), (ASK, told.asks)):
        for level in side_levels or ():
            price, size = grid.price(level.price), sizes.read(level.size)
            if price < 0 or size <= 0:
                raise Refusal("INTEL_LISTING_OUT_OF_RANGE", "levels")
            levels.append((side, price, size) if is_yes else (side ^ NO, PRICE_UNIT - price, size))
    if len({level[:2] for level in levels}) < len(levels):
        raise Refusal("INTEL_LISTING_CONFLICT", "a level told twice")
    said = "" if absent(told.hash) else str(told.hash)
    return Witness(canonical(market), token, tuple(levels), step, said, _hash_ok(told), time, raw)


def _hash_ok(told: Book) -> bool | None:
    """Whether the venue's hash covers what it told; None when it told no hash."""
    if absent(told.hash):
        return None
    pairs = [[(str(level.price), str(level.size)) for level in side or ()] for side in (told.bids, told.asks)]
    ours = book_hash(
        market=str(told.market),
        asset_id=str(told.asset_id),
        timestamp=str(told.timestamp),
        bids=pairs[0],
        asks=pairs[1],
        min_order_size="" if absent(told.min_order_size) else str(told.min_order_size),
        tick_size=str(told.tick_size),
        neg_risk=told.neg_risk is True,
        last_trade_price="" if absent(told.last_trade_price) else str(told.last_trade_price),
        version="" if absent(told.version) else str(told.version),
    )
    return ours == told.hash


async def server_time(asker: Asker, clob_url: str) -> int | Refused:
    """The venue's clock, ns UTC. It tells whole seconds."""
    url = f"{clob_url}/time"
    answer = await asker.get(url)
    if not answer.ok:
        return _unavailable(url, answer)
    try:
        text = str(_time(answer.body.strip()))
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return Refused("INTEL_LISTING_UNREADABLE", url, "not a number", answer.body)
    seconds = int(text) if text.isascii() and text.isdigit() and len(text) <= _TIME_DIGITS else 0
    if not TIME_MIN_MS <= seconds * 1_000 < TIME_MAX_MS:
        return Refused("INTEL_LISTING_OUT_OF_RANGE", url, "time", answer.body)
    return seconds * 1_000 * MS


_TIME_DIGITS: Final = 12


def _unavailable(name: str, answer: Answer) -> Refused:
    return Refused("INTEL_CATALOGUE_UNAVAILABLE", name[:NAME_MAX], answer.detail, answer.body)


__all__: Sequence[str] = (
    "OPEN_MARKETS", "Listing", "Refused", "Witness", "book", "markets", "pages", "server_time", "whole",
)  # fmt: skip
