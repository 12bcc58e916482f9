"""How good forecasts and estimates were. Descriptions of the past, not promises.

Every function takes what was predicted and what happened in the same order; no data gives None, never a flattering 0.
Sums are exact (`math.fsum`), so the order of the sample does not matter.
"""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

PPM: Final = 1_000_000
LEAST_P: Final = 1e-6
"""A forecast of nothing that happens all the same costs this much, and not infinitely much."""


class Bin(NamedTuple):
    """One row of a calibration table: forecasts in [low, high): how many, their mean, and how often YES paid."""

    low: float
    high: float
    forecasts: int
    mean_p: float
    frequency: float


class Drawdown(NamedTuple):
    """The deepest fall below a previous high.

    Attributes:
        amount: Micro-pUSD.
        ppm: Of the high, rounded up; None when the high was not above 0.
        peak: Index of the high.
        trough: Index of the low after it; equal to `peak` when there was no fall.
    """

    amount: int
    ppm: int | None
    peak: int
    trough: int


def _check(p_hats: Sequence[float], outcomes: Sequence[int]) -> None:
    if len(p_hats) != len(outcomes):
        raise ValueError(f"{len(p_hats)} forecasts for {len(outcomes)} outcomes")
    if not all(0.0 <= p <= 1.0 for p in p_hats) or not all(y in (0, 1) for y in outcomes):
        raise ValueError("forecasts lie within 0..1 and outcomes are 0 or 1")


def brier(p_hats: Sequence[float], outcomes: Sequence[int]) -> float | None:
    """Mean of (p_hat - y)^2 over resolved markets: 0 is perfect, 0.25 what a constant 0.5 gets.

    Args:
        p_hats: Forecasts of YES, 0..1.
        outcomes: 1 where YES paid, else 0.

    Raises:
        ValueError: Unequal lengths, a forecast outside 0..1 or not a number, an outcome that is neither.

    Source: specification, stage 10, formula 1.
    """
    _check(p_hats, outcomes)
    if not p_hats:
        return None
    return math.fsum((p - y) ** 2 for p, y in zip(p_hats, outcomes, strict=True)) / len(p_hats)


def calibration(p_hats: Sequence[float], outcomes: Sequence[int], bins: int = 10) -> tuple[Bin, ...]:
    """Forecast against frequency in `bins` equal intervals, empty ones left out; 1.0 falls into the last."""
    _check(p_hats, outcomes)
    sorted_in: list[list[tuple[float, int]]] = [[] for _ in range(bins)]
    for p, y in zip(p_hats, outcomes, strict=True):
        sorted_in[min(int(p * bins), bins - 1)].append((p, y))
    return tuple(
        Bin(
            index / bins,
            (index + 1) / bins,
            len(found),
            math.fsum(p for p, _ in found) / len(found),
            sum(y for _, y in found) / len(found),
        )
        for index, found in enumerate(sorted_in)
        if found
    )


def wilson(hits: float, count: int, z: float = 1.959964) -> tuple[float, float]:
    """Wilson's interval of a frequency: where its true value lies in 95 of 100 cases; (0, 1) for no data.

    Args:
        hits: Cases that came true, 0 to `count`.
        count: Cases.
        z: Quantile of the normal distribution.

    Source: E. B. Wilson, 1927.
    """
    if count <= 0:
        return 0.0, 1.0
    part, square = hits / count, z * z
    middle = part + square / (2 * count)
    half = z * math.sqrt(part * (1 - part) / count + square / (4 * count * count))
    scale = 1 + square / count
    return max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)


def log_loss(p: float, outcome: int) -> float:
    """-ln of the probability that was given to what happened; a certainty that was wrong counts as one in a million."""
    given = p if outcome == 1 else 1.0 - p
    return -math.log(max(given, LEAST_P))


def hash_parity(recorded: Sequence[bytes], replayed: Sequence[bytes]) -> float | None:
    """Percentage of hashes that agree, place by place; a hash that only one side has does not."""
    total = max(len(recorded), len(replayed))
    if total == 0:
        return None
    return 100.0 * sum(a == b for a, b in zip(recorded, replayed, strict=False)) / total


def slippage_rmse(predicted: Sequence[float], realised: Sequence[float]) -> float | None:
    """Root of the mean squared difference between predicted and realised fill prices, in the unit of both.

    Source: specification, stage 10, formula 3.
    """
    if len(predicted) != len(realised):
        raise ValueError(f"{len(predicted)} predictions for {len(realised)} fills")
    if not predicted:
        return None
    return math.sqrt(math.fsum((a - b) ** 2 for a, b in zip(predicted, realised, strict=True)) / len(predicted))


def sharpe(returns: Sequence[float], periods_per_year: float = 1.0) -> float | None:
    """Mean over standard deviation (n - 1) of returns, times the root of the periods in a year; no riskless rate.

    Returns:
        None for fewer than two returns or when they are all alike: a ratio to no risk says nothing.
    """
    count = len(returns)
    if count < 2 or min(returns) == max(returns):
        return None
    mean = math.fsum(returns) / count
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in returns) / (count - 1))
    return mean / deviation * math.sqrt(periods_per_year)


def max_drawdown(equity: Sequence[int]) -> Drawdown | None:
    """The deepest fall of an equity curve (micro-pUSD) below its high until then; the first of equal ones."""
    if not equity:
        return None
    worst = Drawdown(0, 0 if equity[0] > 0 else None, 0, 0)
    peak = 0
    for index, value in enumerate(equity):
        if value > equity[peak]:
            peak = index
        fall = equity[peak] - value
        if fall > worst.amount:
            high = equity[peak]
            worst = Drawdown(fall, -(-fall * PPM // high) if high > 0 else None, peak, index)
    return worst
