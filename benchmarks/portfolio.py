"""What the benchmarked loop is set up with: limits, capital, and up to three strategies that find trades.

Two logistic models with ten weights and a calibration table of sixteen knots, one taking and one resting, and a
micro-price maker: each reads windows, each walks the book, all checks vote on every one of them.
"""

import struct
import tomllib
from typing import Any

import numpy as np

from apps.fairvalue.core.calibration import Table
from benchmarks.dataset import SetupRow, facts
from benchmarks.measure import ROOT
from polytraders.contracts import state as s
from polytraders.contracts.inputs import NANO, SIZE_UNIT, Kind, Setting, Stage
from polytraders.strategies import logit, microprice, roster

LIMITS = ROOT / "polytraders" / "limits.toml"
CAPITAL = 10_000 * SIZE_UNIT
KNOTS = 16
SIZE = 20 * SIZE_UNIT

SLOW = {
    s.SPREAD: 0.001,
    s.DEPTH_IMBALANCE: 0.005,
    s.BUY_60S: 0.004,
    s.SELL_60S: -0.004,
    s.BUY_5M: 0.030,
    s.SELL_5M: -0.030,
    s.BUY_1H: 0.004,
    s.SELL_1H: -0.004,
    s.VOLATILITY_60S: 0.001,
    s.VOLATILITY_5M: 0.001,
}
"""Weights that lean on the flow of minutes and hours."""
FAST = SLOW | {s.BUY_60S: 0.060, s.SELL_60S: -0.060, s.BUY_5M: 0.004, s.SELL_5M: -0.004}
"""Weights that lean on the last minute's flow."""


def _row(kind: int, market: int, price: int, size: int) -> SetupRow:
    return (kind, 0, 0, market, price, size, 0, 0, 0)


def _bits(value: float) -> int:
    """The int64 with the bytes of a float64, as PARAM inputs carry it."""
    return int(struct.unpack("<q", struct.pack("<d", value))[0])


def _table() -> Table:
    x = np.linspace(0.0, 1.0, KNOTS)
    columns = (x, x, np.maximum(x - 0.004, 0.0), np.minimum(x + 0.004, 1.0))
    return Table(*(tuple(float(value) for value in column) for column in columns))


def _logit(weights: dict[int, float], bias: float) -> dict[int, float]:
    """Parameters of a logistic model: the market's own log odds, a standing view, and what the weights add to it."""
    params = {logit.BIAS: bias, logit.LOG_ODDS_WEIGHT: 1.0, logit.KAPPA: 0.5, logit.KNOTS: float(KNOTS)}
    for feature in range(s.N_FEATURES):
        params[logit.INVERSES + feature] = 1.0
    for feature, weight in weights.items():
        params[logit.WEIGHTS + feature] = weight
        params[logit.INVERSES + feature] = 0.001 if s.BUY_60S <= feature <= s.SELL_1H else 1.0
    return params | {logit.TABLE + at: value for at, value in enumerate(_table().flat().tolist())}


def _micro() -> dict[int, float]:
    return {
        microprice.PULL: 0.002,
        microprice.HALF_BAND: 0.002,
        microprice.VOLATILITY_BAND: 0.01,
        microprice.KAPPA: 0.5,
    }


def _strategy(
    index: int, model: int, params: dict[int, float], maker: int, immediate: int, edge_min: float
) -> list[SetupRow]:
    settings: dict[int, int] = {
        Setting.MODEL: model,
        Setting.WINDOWS: 0b011,
        Setting.IMMEDIATE: immediate,
        Setting.MAKER: maker,
        Setting.SIZE: SIZE,
        Setting.EXPOSURE_MAX: 3_000 * SIZE_UNIT,
        Setting.REST_MS: 30_000,
        Setting.EDGE_MIN: int(edge_min * NANO),
        Setting.KELLY_PPM: 250_000,
        Setting.VOLATILITY_TARGET_PPM: 0,
        Setting.COLLAR: 500,
        Setting.BAND_MAX: 200_000_000,
    }
    rows = [_row(Kind.SETTING, index, setting, value) for setting, value in settings.items()]
    rows += [_row(Kind.PARAM, index, at, _bits(value)) for at, value in params.items()]
    return [*rows, _row(Kind.ROLLOUT, index, 0, Stage.PAPER)]


def limits() -> dict[str, Any]:
    """The product's own limits.toml."""
    return tomllib.loads(LIMITS.read_text())


def setup(markets: int, strategies: int) -> list[SetupRow]:
    """Every row that comes before the market data.

    Args:
        markets: Markets, indices from 0.
        strategies: 1 to 3 of the strategies above.
    """
    known = (
        _strategy(0, roster.LOGIT, _logit(SLOW, 0.01), maker=0, immediate=0, edge_min=0.004),
        _strategy(1, roster.LOGIT, _logit(FAST, -0.01), maker=1, immediate=1, edge_min=0.018),
        _strategy(2, roster.MICROPRICE, _micro(), maker=1, immediate=0, edge_min=0.020),
    )
    rows: list[SetupRow] = [(Kind.CLOCK, 0, 0, -1, 0, 0, 1, 0, 0), _row(Kind.VENUE, -1, 0, 1)]
    rows += [_row(Kind.LIMIT, -1, index, limit["value"]) for index, limit in enumerate(limits().values())]
    rows.append(_row(Kind.CAPITAL, -1, 0, CAPITAL))
    for strategy in known[:strategies]:
        rows += strategy
    return rows + facts(markets)
