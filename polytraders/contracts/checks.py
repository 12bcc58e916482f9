"""The ordered open list of checks. Bit n of a `votes` word set = check n rejects; the lowest set bit is the verdict's code.

The order is the order of precedence, and it is data: bits are assigned from it. Every check always votes, whatever the
others said. A check that applies to INCREASING trades votes approve on a trade that reduces a position; all others vote
on every trade. `side` says how value and limit compare: MOST rejects value > limit, LEAST rejects value < limit.
"""

from typing import Final, NamedTuple

ALL: Final = "all"
INCREASING: Final = "increasing"
MOST: Final = "most"
LEAST: Final = "least"


class Check(NamedTuple):
    """One line of the list.

    Attributes:
        name: Name of the check, unique; also its function's name.
        code: Reason code of a rejection, in `reasons.py`.
        applies: ALL trades or only INCREASING ones.
        side: MOST (value must not exceed the limit) or LEAST (must reach it).
        unit: Unit of value and limit.
        limit: Entry of `limits.toml` it compares with, or "" where the limit is 0, 1 or comes from the strategy.
        group: Where its input lives: "market" checks vote once per event, "pair" checks once per strategy.
    """

    name: str
    code: str
    applies: str
    side: str
    unit: str
    limit: str
    group: str


# fmt: off
CHECKS: Final[tuple[Check, ...]] = (
    Check("kill_global", "RISK_KILL_SWITCH_ACTIVE", ALL, MOST, "flag", "", "market"),
    Check("kill_venue", "RISK_KILL_SWITCH_ACTIVE", ALL, MOST, "flag", "", "market"),
    Check("kill_cluster", "RISK_KILL_SWITCH_ACTIVE", ALL, MOST, "flag", "", "market"),
    Check("kill_market", "RISK_KILL_SWITCH_ACTIVE", ALL, MOST, "flag", "", "market"),
    Check("kill_strategy", "RISK_KILL_SWITCH_ACTIVE", ALL, MOST, "flag", "", "pair"),
    Check("flatten", "RISK_FLATTEN", INCREASING, MOST, "flag", "", "pair"),
    Check("instrument", "GOV_INSTRUMENT_UNKNOWN", ALL, MOST, "missing facts (bits)", "", "market"),
    Check("compliance_venue", "RISK_VENUE_NOT_ALLOWED", ALL, LEAST, "flag", "", "market"),
    Check("compliance_market", "RISK_MARKET_NOT_ALLOWED", ALL, LEAST, "flag", "", "market"),
    Check("registry_fresh", "INTEL_REGISTRY_STALE", INCREASING, MOST, "ms", "registry_age_ms_max", "market"),
    Check("market_halt", "RISK_MARKET_HALTED", INCREASING, MOST, "status", "", "market"),
    Check("market_close", "RISK_MARKET_CLOSING", INCREASING, LEAST, "ms to close", "close_margin_ms", "market"),
    Check("book_valid", "INTEL_BOOK_INVALID", ALL, MOST, "book state", "", "market"),
    Check("book_stale", "RISK_STALE_BOOK", ALL, LEAST, "ns of freshness left", "", "market"),
    Check("book_crossed", "INTEL_BOOK_CROSSED", ALL, LEAST, "spread, price units", "", "market"),
    Check("market_quality", "RISK_SPREAD_WIDE", ALL, MOST, "spread, price units", "spread_max", "market"),
    Check("liquidity", "RISK_LIQUIDITY_INSUFFICIENT", INCREASING, LEAST, "1e-6 shares", "depth_min", "market"),
    Check("features", "STRAT_FEATURES_INCOMPLETE", INCREASING, LEAST, "ppm of the window", "completeness_ppm_min", "pair"),
    Check("reference", "STRAT_REFERENCE_STALE", INCREASING, MOST, "ms", "reference_age_ms_max", "pair"),
    Check("fair_value", "STRAT_NO_OPINION", ALL, MOST, "flag", "", "pair"),
    Check("band", "STRAT_BAND_WIDE", INCREASING, MOST, "1e-9", "", "pair"),
    Check("fillable", "EXEC_UNFILLABLE", ALL, LEAST, "1e-6 shares", "", "pair"),
    Check("intent_open", "RISK_INTENT_OPEN", ALL, MOST, "open orders", "", "pair"),
    Check("net_edge", "STRAT_NO_EDGE", INCREASING, LEAST, "1e-9 per share", "", "pair"),
    Check("hold", "STRAT_HOLD", ALL, LEAST, "1e-9 per share", "", "pair"),
    Check("market_exposure", "RISK_MARKET_LIMIT", INCREASING, MOST, "micro-pUSD with the smallest order", "market_exposure_max", "pair"),
    Check("strategy_exposure", "RISK_STRATEGY_LIMIT", INCREASING, MOST, "micro-pUSD", "", "pair"),
    Check("portfolio_exposure", "RISK_PORTFOLIO_LIMIT", INCREASING, MOST, "micro-pUSD", "portfolio_exposure_max", "pair"),
    Check("capital", "RISK_CAPITAL_INSUFFICIENT", INCREASING, MOST, "micro-pUSD", "", "pair"),
    Check("drawdown_day", "RISK_DRAWDOWN_BREACH", INCREASING, MOST, "ppm of the day's high", "drawdown_day_ppm_max", "market"),
    Check("drawdown_week", "RISK_DRAWDOWN_BREACH", INCREASING, MOST, "ppm of the week's high", "drawdown_week_ppm_max", "market"),
    Check("correlation", "RISK_CLUSTER_LIMIT", INCREASING, MOST, "micro-pUSD, worst case", "cluster_exposure_max", "pair"),
    Check("concentration", "RISK_CONCENTRATION", INCREASING, MOST, "micro-pUSD with the smallest order", "concentration_ppm_max", "pair"),
    Check("rollout_stage", "GOV_ROLLOUT_STAGE", INCREASING, LEAST, "stage", "rollout_stage_min", "pair"),
    Check("order_rate", "RISK_ORDER_RATE", INCREASING, MOST, "orders this minute", "orders_per_minute_max", "pair"),
    Check("price_collar", "RISK_PRICE_COLLAR", ALL, MOST, "price units from the mid", "", "pair"),
    Check("self_trade", "RISK_SELF_TRADE", ALL, MOST, "own orders it would meet", "", "pair"),
    Check("size", "RISK_SIZE_BELOW_MIN", ALL, LEAST, "1e-6 shares", "", "pair"),
    Check("rank", "STRAT_AWAITING_RANK", INCREASING, MOST, "flag", "", "pair"),
)
# fmt: on

N_CHECKS: Final = len(CHECKS)

BITS: Final[dict[str, int]] = {check.name: bit for bit, check in enumerate(CHECKS)}

INCREASING_ONLY: Final = sum(1 << bit for bit, check in enumerate(CHECKS) if check.applies == INCREASING)
"""Votes that do not count against a reducing trade."""

APPROVED: Final = 62
"""What stands for the first code of an approval: above every check's bit."""

(
    KILL_GLOBAL, KILL_VENUE, KILL_CLUSTER, KILL_MARKET, KILL_STRATEGY, FLATTEN, INSTRUMENT, COMPLIANCE_VENUE,
    COMPLIANCE_MARKET, REGISTRY_FRESH, MARKET_HALT, MARKET_CLOSE, BOOK_VALID, BOOK_STALE, BOOK_CROSSED, MARKET_QUALITY,
    LIQUIDITY, FEATURES, REFERENCE, FAIR_VALUE, BAND, FILLABLE, INTENT_OPEN, NET_EDGE, HOLD, MARKET_EXPOSURE,
    STRATEGY_EXPOSURE, PORTFOLIO_EXPOSURE, CAPITAL, DRAWDOWN_DAY, DRAWDOWN_WEEK, CORRELATION, CONCENTRATION,
    ROLLOUT_STAGE, ORDER_RATE, PRICE_COLLAR, SELF_TRADE, SIZE, RANK,
) = range(N_CHECKS)  # fmt: skip


def first(votes: int) -> int:
    """The bit of the verdict's code: the lowest rejecting check, or APPROVED when none rejects."""
    return APPROVED if votes == 0 else (votes & -votes).bit_length() - 1


def code_of(bit: int) -> str:
    """The reason code of a verdict bit."""
    return "STRAT_EDGE_DETECTED" if bit == APPROVED else CHECKS[bit].code
