"""Stage 1's artefact: the one record that everybody means by "the market"."""

from dataclasses import dataclass
from enum import IntEnum

from polytraders.contracts.inputs import MarketStatus


class Outcome(IntEnum):
    """Which of a market's two tokens; same numbers as in input and output rows."""

    YES = 0
    NO = 1


class Action(IntEnum):
    """What is done with a token; same numbers as in output rows."""

    BUY = 0
    SELL = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """A tradable question with its two tokens, as the registry knows it at one input.

    None stands for "not known", never for a usual value: a market of which one of the required facts is None is not
    traded (`GOV_INSTRUMENT_UNKNOWN`).

    Attributes:
        index: Number of the market in its shard, from 0.
        condition_id: The venue's id of the question.
        tokens: The venue's ids of the YES and of the NO token.
        venue: Index of the venue.
        status: Only OPEN may be increased.
        tick: Smallest price step, price units of 1e-4 pUSD.
        min_size: Smallest order, 1e-6 shares.
        fee_rate: Factor of the fee curve, 1e-6; a share costs rate * (p (1 - p)) ** exponent.
        fee_exponent: Exponent of the fee curve, 1e-3.
        fee_taker_only: True when resting orders pay nothing.
        fee_bps: Flat fee on top, basis points of the notional.
        taker_delay_ms: How long the venue holds back an order that would trade at once.
        open_ts: Start of trading, ns.
        close_ts: End of trading, ns.
        resolution_ts: When the question was decided, ns.
        resolution_rule: Where the rules are told, a URL or text.
        resolution_source: What decides.
        cluster: Index of the group of markets that one fact can move together.
        category: The venue's heading.
        parent_event_id: The venue's event of several questions.
        neg_risk: True when the event's questions exclude each other and share collateral.
        allowed: True when the market is on the allow-list.
        synced_ts: When the registry last agreed with the venue, ns.
        freshness_ms: Age of that at the input at hand.
        missing: Names of required facts that are not known.
        assumed: Names of facts that come from a file and not from the venue.
    """

    index: int
    condition_id: str
    tokens: tuple[str, str]
    venue: int | None
    status: MarketStatus
    tick: int | None
    min_size: int | None
    fee_rate: int | None
    fee_exponent: int | None
    fee_taker_only: bool | None
    fee_bps: int | None
    taker_delay_ms: int | None
    open_ts: int | None
    close_ts: int | None
    resolution_ts: int | None
    resolution_rule: str | None
    resolution_source: str | None
    cluster: int | None
    category: str | None
    parent_event_id: str | None
    neg_risk: bool | None
    allowed: bool | None
    synced_ts: int | None
    freshness_ms: int | None
    missing: tuple[str, ...]
    assumed: tuple[str, ...]
