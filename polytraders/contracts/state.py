"""The kernel's state: record layouts and the one byte block that holds them all.

Everything is int64 except features and model terms, and every array is a view of one uint8 block, so a snapshot is a
copy of the block, a digest its hash, and a call from Python carries one argument. Slots: a book side is a window of
`SLOTS` consecutive ticks; slot s stands for the price `(base + s) * tick` in price units.
"""

from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np

from polytraders.contracts.checks import N_CHECKS

Record: TypeAlias = Any
"""One record of the layouts below. In compiled code and on a recarray its fields are attributes, which no type says."""
Array: TypeAlias = Any
"""An array of the block or of rows; in compiled code its records have their fields as attributes."""

SLOTS: Final = 1_024
OVERFLOW: Final = 512
"""Levels of one side that may lie outside the window."""
STAGED: Final = 4_096
"""Levels of one snapshot."""
RING: Final = 4_096
"""Seconds with activity that the one-hour window can hold: 3,601 at most, so it cannot overflow."""
REFERENCE_RING: Final = 512
WINDOWS: Final = 3
SPANS_S: Final = (60, 300, 3_600)
PARAMS: Final = 224
NONE: Final = -1

FEATURES: Final = (
    "spread", "mid", "imbalance", "micro", "bid_size", "ask_size", "bid_depth", "ask_depth", "depth_imbalance",
    "buy_flow_60s", "sell_flow_60s", "buy_flow_5m", "sell_flow_5m", "buy_flow_1h", "sell_flow_1h",
    "volatility_60s", "volatility_5m", "volatility_1h", "last_price", "log_odds", "completeness_60s",
    "completeness_5m", "completeness_1h",
)  # fmt: skip
SIGNAL_VERSION: Final = 1
(
    SPREAD, MID, IMBALANCE, MICRO, BID_SIZE, ASK_SIZE, BID_DEPTH, ASK_DEPTH, DEPTH_IMBALANCE, BUY_60S, SELL_60S, BUY_5M,
    SELL_5M, BUY_1H, SELL_1H, VOLATILITY_60S, VOLATILITY_5M, VOLATILITY_1H, LAST_PRICE, LOG_ODDS, COMPLETE_60S,
    COMPLETE_5M, COMPLETE_1H,
) = range(len(FEATURES))  # fmt: skip
N_FEATURES: Final = len(FEATURES)


def record(*names: str, **counts: int) -> np.dtype[Any]:
    """An all-int64 record; `counts` gives the fields that are short arrays."""
    plain: list[Any] = [(name, "<i8") for name in names]
    return np.dtype(plain + [(name, "<i8", (count,)) for name, count in counts.items()])


# Book states; 0 is the only one that may be traded.
BOOK_OK, BOOK_NONE, BOOK_RESYNC = 0, 1, 2

MARKET = record(
    # stage 1: facts (contracts/inputs.py Fact, same order), which of them are known, which only assumed
    "venue", "min_size", "fee_rate", "fee_exponent", "fee_taker_only", "taker_delay_ms", "close_ts", "cluster",
    "neg_risk", "fee_bps", "status", "allowed", "gap_p999_ms", "reference", "strike", "connection", "synced_ts",
    "known", "assumed",
    # stage 2: the book; best_bid and best_ask are slots, bid_px and ask_px their prices (NONE = empty side)
    "tick", "slots", "bid_base", "ask_base", "best_bid", "best_ask", "bid_px", "ask_px", "mid2",
    "bid_depth", "ask_depth", "bid_depth_end", "ask_depth_end", "bid_overflow", "ask_overflow",
    "state", "why", "row_ts", "witness_ts", "snap_token", "staged", "staging", "events",
    "snapshots", "snapshot_differences", "mismatches", "repairs", "best_mismatches", "resyncs", "mirrored",
    # stage 4: windows; `second` = end of the current second, ns; totals since the start, below at each window's tail
    "second", "head", "dirty", "last_price", "log_odds", "observed_ts", "lost_ts",
    "buy", "sell", "moves", "move_sum", "move_squares", "lost_ns",
    # stages 7 to 9
    "votes", "killed", "flatten", "exposure", "worst", "reserved", "qty_yes", "qty_no", "cost", "mark",
    "orders", "order_ts", "visited_ts", "minute_ts", "taken",
    tail=3, buy_base=3, sell_base=3, moves_base=3, sum_base=3, squares_base=3, lost_base=3,
)  # fmt: skip

PAIR = record(
    # the last verdict and how often it has been given since its packet
    "first", "votes", "action", "outcome", "repeats", "packets",
    # position: 1e-6 shares, cost in micro-pUSD
    "qty_yes", "qty_no", "cost_yes", "cost_no", "realised", "fees", "exposure",
    # the one open order, prices in YES terms; held = micro-pUSD (BUY) or 1e-6 shares (SELL)
    "order", "order_seq", "order_action", "order_outcome", "order_direction", "order_price", "order_size", "order_left",
    "order_held", "order_maker", "order_arrive_ts", "order_expire_ts", "order_front", "order_cancelled",
    "candidate",
)  # fmt: skip

STRATEGY = record(
    # Setting, same order
    "model", "windows", "immediate", "maker", "size", "exposure_max", "rest_ms", "edge_min", "kelly_ppm",
    "volatility_target_ppm", "collar", "band_max",
    "stage", "killed", "flatten", "exposure", "minute", "orders", "approvals", "fills",
)  # fmt: skip

PORTFOLIO = record(
    "in_seq", "now", "synthetic", "fault", "count", "details", "ordinal",
    "killed", "flatten", "cash", "reserved", "exposure", "mark", "equity", "high_day", "high_week", "day", "week",
    "deposited", "fees", "realised", "evaluations", "packets", "approvals", "orders", "fills", "expiries", "candidates",
    "drawdown_day", "drawdown_week", "deadline", "frames_refused", "first_mismatch_frame",
)  # fmt: skip

CLUSTER = record("exposure", "worst", "killed", "flatten")
VENUE = record("allowed", "killed", "flatten")
CONNECTION = record("alive_ts")
REFERENCE_PRICE = record("price", "ts", "head", "tail", "squares", "squares_base", "first_ts")

LIMITS = record(
    "registry_age_ms_max", "close_margin_ms", "spread_max", "depth_min", "completeness_ppm_min", "reference_age_ms_max",
    "market_exposure_max", "portfolio_exposure_max", "drawdown_day_ppm_max", "drawdown_week_ppm_max",
    "cluster_exposure_max", "concentration_ppm_max", "rollout_stage_min", "orders_per_minute_max", "order_latency_ms",
    "liquidity_take_ppm_max",
)  # fmt: skip


class State(NamedTuple):
    """Views of the block in layout order: M markets, S strategies, C clusters, V venues, L connections, R prices."""

    portfolio: Array  # PORTFOLIO[1]
    limits: Array  # LIMITS[1]
    markets: Array  # MARKET[M]
    pairs: Array  # PAIR[M, S]
    strategies: Array  # STRATEGY[S]
    clusters: Array  # CLUSTER[C]
    venues: Array  # VENUE[V]
    connections: Array  # CONNECTION[L]
    references: Array  # REFERENCE_PRICE[R]
    levels: Array  # int64[M, 2, SLOTS] size per slot
    taken: Array  # int64[M, 2, SLOTS] of it, what our paper takers have already had
    overflow: Array  # int64[M, 2, OVERFLOW, 2] (price, size) outside the window
    ring: Array  # int64[M, RING, 8] second, buy, sell, moves, move_sum, move_squares, lost_ns before it
    reference_ring: Array  # int64[R, REFERENCE_RING, 2] second, squares before it
    staged: Array  # int64[STAGED, 3] side, price, size of the snapshot that is arriving
    features: Array  # float64[M, N_FEATURES]; the windows' part is only rewritten when it has changed
    params: Array  # float64[S, PARAMS]
    ranked: Array  # float64[M * S, 2] score and pair of the candidates at a TICK
    deadlines: Array  # int64[M] no verdict or order of the market changes before, without a row of its own
    candidates: Array  # int64[M * S] pairs (market * S + strategy) that wait for the ranking
    param_bits: Array  # int64[S, PARAMS] the same bytes as `params`: how a PARAM input sets one


class Sizes(NamedTuple):
    """How many of each the block holds."""

    markets: int
    strategies: int
    clusters: int = 8
    venues: int = 2
    connections: int = 2
    references: int = 2


# Order states; the paper venue moves SENT to RESTING on arrival.
NO_ORDER, SENT, RESTING = 0, 1, 2

# Output kinds. PACKET: a verdict changed. APPROVAL: a packet and its order. COUNTS: the same verdict for a minute.
# DONE: the rest of an order ended without a fill. BOOK: a book became valid or invalid. SETTLED: a market paid out.
PACKET, APPROVAL, COUNTS, FILL, DONE, BOOK, SETTLED = range(7)

# Actions of a verdict.
BUY, SELL = 0, 1

OUT = np.dtype(
    [
        ("in_seq", "<i8"),
        ("ordinal", "<i8"),
        ("ts", "<i8"),
        ("kind", "<i4"),
        ("market", "<i4"),
        ("strategy", "<i4"),
        ("first", "<i4"),  # bit of the first rejecting check or APPROVED; DONE, BOOK, SETTLED: number of the reason
        ("votes", "<i8"),
        ("action", "<i4"),  # BUY 0, SELL 1
        ("outcome", "<i4"),  # YES 0, NO 1
        ("price", "<i8"),  # in the outcome's own terms, price units
        ("size", "<i8"),
        ("money", "<i8"),  # APPROVAL, DONE: held; FILL: spent (+) or received (-); SETTLED: received; micro-pUSD
        ("fee", "<i8"),  # micro-pUSD of a fill
        ("held", "<i8"),  # APPROVAL, FILL: what the order holds from now on, micro-pUSD of a BUY, 1e-6 shares of a SELL
        ("counted", "<i8"),  # evaluations with the verdict before this row
        ("counted_first", "<i8"),  # and the bit of that verdict; NONE = none before
        ("order_seq", "<i8"),  # in_seq of the approval that made the order
        ("detail", "<i8"),  # row in DETAIL, NONE = none
    ]
)

DETAIL = np.dtype(
    [
        ("p_hat", "<f8"),
        ("lower", "<f8"),
        ("upper", "<f8"),
        ("buffer", "<i8"),  # 1e-9 per share, like the four below
        ("q_exec", "<i8"),
        ("fee", "<i8"),
        ("net_edge", "<i8"),
        ("p_own", "<i8"),  # forecast of the traded outcome
        ("wish", "<i8"),  # sizes 1e-6 shares: wished, walked, and the three caps
        ("filled", "<i8"),
        ("strategy_cap", "<i8"),
        ("liquidity_cap", "<i8"),
        ("portfolio_cap", "<i8"),
        ("worst_px", "<i8"),  # worst price of the walk in YES terms, price units, NONE = nothing to be had
        ("slippage", "<i8"),  # 1e-9, against the mid
        ("p_fill", "<f8"),
        ("fill_ms", "<i8"),
        ("valid_ms", "<i8"),
        ("warnings", "<i8"),
        ("quality", "<i8"),
        ("book_row_ts", "<i8"),
        ("best_bid", "<i8"),  # price units, NONE = empty side
        ("best_ask", "<i8"),
        ("reference", "<i8"),
        ("position", "<i8"),  # 1e-6 shares: YES held minus NO held, of this strategy
        ("features", "<f8", (N_FEATURES,)),
        ("values", "<i8", (N_CHECKS,)),
        ("limits", "<i8", (N_CHECKS,)),
    ]
)
