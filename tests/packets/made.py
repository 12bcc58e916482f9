"""The specification's one trade as rows: p_hat 0.67, q_exec 0.645, costs 0.016, net edge +0.009, BUY 2,000 YES."""

from typing import NamedTuple

import numpy as np

from polytraders.contracts import checks as c
from polytraders.contracts import state as s
from polytraders.contracts.inputs import Fact, Stage
from polytraders.naming import Moment, Names

NOW = 1_700_000_050_840_000_000
SHARE = 1_000_000
SIZE = 2_000 * SHARE
NAMES = Names(
    markets=("0x" + "ab" * 32,),
    tokens=(("111", "222"),),
    strategies=("logit",),
    clusters=("politics",),
    venues=("paper",),
    titles=("Will it rain tomorrow?",),
)
NUMBERS = {
    "registry_fresh": (2_500, 86_400_000),
    "market_close": (3_600_000, 30_000),
    "book_stale": (9_960_000_000, 1),
    "book_crossed": (200, 100),
    "market_quality": (200, 600),
    "liquidity": (2_100 * SHARE, 50 * SHARE),
    "features": (1_000_000, 950_000),
    "reference": (0, 5_000),
    "band": (70_000_000, 200_000_000),
    "fillable": (SIZE, 5 * SHARE),
    "net_edge": (9_000_000, 1_000_000),
    "hold": (9_000_000, -4_000_000_000),
    "market_exposure": (3_241_126, 5_000 * SHARE),
    "strategy_exposure": (3_241_126, 5_000 * SHARE),
    "portfolio_exposure": (3_241_126, 5_000 * SHARE),
    "capital": (3_241_126, 10_000 * SHARE),
    "drawdown_day": (0, 40_000),
    "drawdown_week": (0, 100_000),
    "correlation": (3_241_126, 1_500 * SHARE),
    "concentration": (3_241_126, 100_000 * 10_000),
    "rollout_stage": (int(Stage.PAPER), int(Stage.PAPER)),
    "order_rate": (1, 60),
    "price_collar": (200, 500),
    "size": (SIZE, 5 * SHARE),
}
"""Value and limit where they are not those of a flag."""


class Made(NamedTuple):
    """One decision of the loop."""

    out: np.void
    detail: np.void
    at: Moment


def example() -> Made:
    """The trade above, approved. Its rows may be written to."""
    out = np.zeros(1, s.OUT)
    for name, number in {
        "in_seq": 7, "ordinal": 1, "ts": NOW, "kind": s.APPROVAL, "first": c.APPROVED, "price": 6_500, "size": SIZE,
        "money": 1_325_000_000, "counted": 3, "counted_first": c.RANK, "order_seq": 7,
    }.items():  # fmt: skip
        out[name] = number
    detail = np.zeros(1, s.DETAIL)
    for name, value in {
        "p_hat": 0.67, "lower": 0.64, "upper": 0.71, "buffer": 12_775_000, "q_exec": 645_000_000, "fee": 3_225_000,
        "net_edge": 9_000_000, "p_own": 670_000_000, "wish": SIZE, "filled": SIZE, "strategy_cap": SIZE,
        "liquidity_cap": 2_400 * SHARE, "portfolio_cap": 3_000 * SHARE, "slippage": 15_000_000, "p_fill": 0.93,
        "fill_ms": 60, "valid_ms": 1_000, "warnings": 1, "quality": s.BOOK_OK, "book_row_ts": NOW - 40_000_000,
        "best_bid": 6_200, "best_ask": 6_400, "reference": s.NONE,
    }.items():  # fmt: skip
        detail[name] = value
    features = {"spread": 0.02, "mid": 0.63, "bid_size": 1_200.0, "ask_size": 1_500.0, "bid_depth": 4_000.0}
    features |= {"ask_depth": 2_100.0, "completeness_60s": 1.0, "completeness_5m": 1.0, "completeness_1h": 0.25}
    for name, value in features.items():
        detail["features"][0, s.FEATURES.index(name)] = value
    for check in c.CHECKS:
        flag = (1, 1) if check.side == c.LEAST else (0, 0)
        bit = c.BITS[check.name]
        detail["values"][0, bit], detail["limits"][0, bit] = NUMBERS.get(check.name, flag)
    return Made(out[0], detail[0], moment())


def moment() -> Moment:
    """Registry facts, settings and limits of the trade above."""
    market, strategy, limits = np.zeros(1, s.MARKET), np.zeros(1, s.STRATEGY), np.zeros(1, s.LIMITS)
    for name, number in {
        "tick": 100, "min_size": 5 * SHARE, "fee_bps": 50, "fee_exponent": 1_000, "fee_taker_only": 1, "allowed": 1,
        "taker_delay_ms": 0, "close_ts": NOW + 3_600_000_000_000, "synced_ts": NOW - 2_500_000_000,
        "known": (1 << len(Fact)) - 1 & ~(1 << Fact.STRIKE), "assumed": 1 << Fact.MIN_SIZE | 1 << Fact.CLOSE_TS,
    }.items():  # fmt: skip
        market[name] = number
    strategy["rest_ms"] = 2_000
    limits["order_latency_ms"] = 60
    limits["concentration_ppm_max"] = 100_000
    params = np.zeros(s.PARAMS)
    params[4 + 2 * s.N_FEATURES : 4 + 3 * s.N_FEATURES] = 1.0
    return Moment(market[0], strategy[0], limits[0], params)
