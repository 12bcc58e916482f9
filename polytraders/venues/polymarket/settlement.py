"""How a market ended: what a YES share pays, or that nobody has said so plainly yet.

Two ways lead here. The feed's `market_resolved` frames become RESOLVED rows in `events.py`; since the venue loses such
frames, closed markets are also asked for. Both make the same rows, by `rows_of`, so the loop cannot tell them apart.
A payout is never guessed: not from a last price, not from the end of trading, not from half a statement.
"""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import msgspec

from polytraders.contracts.inputs import PRICE_UNIT, YES
from polytraders.venues.asking import Asker
from polytraders.venues.polymarket.catalogue import PAGE_MARKETS, pages
from polytraders.venues.polymarket.events import Row, resolution_rows
from polytraders.venues.polymarket.gamma import GammaMarket, Refusal, gamma_market, text_of, texts_of
from polytraders.venues.polymarket.known import OUTCOMES, canonical
from polytraders.venues.polymarket.listing import Refused, condition_of, tokens_of, yes_first
from polytraders.venues.polymarket.numbers import PRICE_DECIMALS, fixed, speaks

RESOLVED: Final = "resolved"
IDS_MAX: Final = 20
"""Markets asked for at once, so that the address stays short."""

_PAYOUTS: Final = frozenset({(PRICE_UNIT, 0), (0, PRICE_UNIT), (PRICE_UNIT // 2, PRICE_UNIT // 2)})
"""What a market can pay: all to one side, or half to each. Anything else is a price, not a payout."""


class Resolution(NamedTuple):
    """What a market pays.

    Attributes:
        condition_id: The market.
        payout: Of one YES share, price units; a NO share pays the rest of PRICE_UNIT.
        winner: Token that pays all, "" when both pay half.
    """

    condition_id: str
    payout: int
    winner: str


class Pending(NamedTuple):
    """A market that is not resolved yet.

    Attributes:
        condition_id: The market.
        status: What the venue calls it: "proposed", "disputed", ..., "" when it says nothing.
    """

    condition_id: str
    status: str


async def resolutions(
    asker: Asker, gamma_url: str, condition_ids: Sequence[str]
) -> list[Resolution | Pending | Refused]:
    """Ask how these markets ended.

    Args:
        asker: Asks the questions.
        gamma_url: Base address of Gamma.
        condition_ids: Markets whose trading should be over.

    Returns:
        What is known of each that the venue lists as closed, at most once each. One that is not in it is not closed.
    """
    wanted = {canonical(condition_id) for condition_id in condition_ids}
    found: dict[str, Resolution | Pending | Refused] = {}
    failed: list[Refused] = []
    ids = list(dict.fromkeys(condition_ids))
    for first in range(0, len(ids), IDS_MAX):
        asked = [("closed", "true"), *(("condition_ids", one) for one in ids[first : first + IDS_MAX])]
        raws, refused = await pages(asker, gamma_url, asked, pages_max=1 + IDS_MAX // PAGE_MARKETS)
        failed += refused
        for raw in raws:
            told = read(raw)
            name = told.name if isinstance(told, Refused) else told.condition_id
            if name not in wanted:
                # Not one of ours, unless its name could not be read: then nobody can tell, and it is reported.
                failed += [told] if isinstance(told, Refused) and not name else []
                continue
            if name in found and found[name] != told:
                told = Refused("EXEC_LEDGER_RESOLUTION_CONFLICT", name, "told twice, differently", raw)
            found[name] = told
    return [*found.values(), *failed]


def read(raw: bytes) -> Resolution | Pending | Refused:
    """What one of Gamma's objects says about the market's end; never raises."""
    name = ""
    try:
        gamma = gamma_market(raw)
        name = gamma.conditionId or ""
        name = condition_of(gamma)
        return resolution_of(gamma, name, raw)
    except Refusal as refusal:
        return Refused("EXEC_LEDGER_RESOLUTION_UNCLEAR", name, refusal.what, raw)


def resolution_of(gamma: GammaMarket, condition_id: str, raw: bytes) -> Resolution | Pending | Refused:
    """What Gamma's object says about the market's end.

    Args:
        gamma: The object.
        condition_id: Its condition id.
        raw: Its bytes, kept with a refusal.

    Raises:
        Refusal: Its tokens or outcomes cannot be read.
    """
    if not gamma.closed or not _is_final(gamma):
        return Pending(condition_id, (gamma.umaResolutionStatus or gamma.resolutionStatus or "").lower())
    if not speaks(gamma.version):
        return Refused("EXEC_LEDGER_RESOLUTION_UNCLEAR", condition_id, "version", raw)
    tokens = tokens_of(gamma, gamma.version or "v1")
    names = texts_of(gamma.outcomes)
    order = yes_first(names)
    payouts = dict(zip(names, prices_of(gamma), strict=False))
    pays = payouts.get(order[0], -1), payouts.get(order[1], -1)
    if pays not in _PAYOUTS:
        return Refused("EXEC_LEDGER_RESOLUTION_UNCLEAR", condition_id, "outcomePrices", raw)
    winner = next((token for token, name in zip(tokens, names, strict=True) if payouts[name] == PRICE_UNIT), "")
    return Resolution(condition_id, pays[YES], winner)


def _is_final(gamma: GammaMarket) -> bool:
    """The venue says that the answer stands. Of two statements both must say so; none is not enough."""
    told = [status.lower() for status in (gamma.umaResolutionStatus, gamma.resolutionStatus) if status]
    if told:
        return all(status == RESOLVED for status in told)
    # Without a status only a market that resolves by itself is final, and only once it takes no orders any more.
    return gamma.automaticallyResolved is True and gamma.acceptingOrders is False


def prices_of(gamma: GammaMarket) -> list[int]:
    """Outcome prices in price units, -1 for one that is no plain decimal; empty when they are not two."""
    told = gamma.outcomePrices
    try:
        parts = msgspec.json.decode(told, type=list[msgspec.Raw]) if isinstance(told, str) else told or []
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return []
    values = [fixed(text_of(part), PRICE_DECIMALS, -1, -1) for part in parts]
    return values if len(values) == OUTCOMES else []


def agree(polled: Iterable[Resolution], payouts: dict[str, int]) -> list[Refused]:
    """Contradictions between what was polled and what is already settled.

    Args:
        polled: Resolutions of this poll.
        payouts: Payout of YES of each market that the log has settled, by condition id.
    """
    return [
        Refused(
            "EXEC_LEDGER_RESOLUTION_CONFLICT", one.condition_id, f"{payouts[one.condition_id]} and {one.payout}", b""
        )
        for one in polled
        if payouts.get(one.condition_id, one.payout) != one.payout
    ]


def rows_of(resolution: Resolution, market: int) -> list[Row]:
    """The rows that a `market_resolved` frame would have become, without the venue's time, which a poll does not tell.

    Args:
        resolution: How the market ended.
        market: Its index in the shard.
    """
    return resolution_rows(market, resolution.payout, 0)
