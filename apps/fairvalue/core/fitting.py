"""Fitting a calibration table to resolved markets. Offline: the loop never imports this module, nor scipy."""

from typing import Final

import numpy as np
from scipy.optimize import isotonic_regression
from scipy.stats import beta

from apps.fairvalue.core.calibration import KNOTS_MAX, Floats, Table

LOWER_QUANTILE: Final = 0.10
UPPER_QUANTILE: Final = 0.90


def sample_code(scores: Floats, outcomes: Floats) -> str:
    """Reason code that refuses a sample, "" when `fit` may use it."""
    if scores.ndim != 1 or scores.shape != outcomes.shape or len(scores) == 0:
        return "STRAT_CALIBRATION_INVALID"
    if not bool(((scores >= 0.0) & (scores <= 1.0)).all()) or not bool(np.isin(outcomes, (0.0, 1.0)).all()):
        return "STRAT_CALIBRATION_INVALID"
    return ""


def fit(scores: Floats, outcomes: Floats) -> Table:
    """Isotonic regression of outcomes on scores, reduced to at most KNOTS_MAX knots.

    The sum of (outcome - f(score))^2 is minimised over never decreasing f. Each of its constant blocks becomes a knot
    at the block's mean score; while there are too many, the two neighbours whose joining loses least are joined. Bounds
    are the 10 % and 90 % quantiles of the Beta posterior of the block's frequency under a uniform prior, widened where
    they would exclude the frequency or decrease.

    Args:
        scores: (n,) raw probabilities, 0..1.
        outcomes: (n,) 1 where YES paid, 0 where not.

    Raises:
        ValueError: The sample is one that `sample_code` refuses.

    Source: specification, stage 5 (isotonic, quantiles of the posterior); Barlow et al. 1972; the prior and the
    reduction are ours.
    """
    code = sample_code(scores, outcomes)
    if code:
        raise ValueError(f"{code}: scores within 0..1 and outcomes 0 or 1 are needed")
    # Equal scores must get equal answers, so they are one observation with a weight.
    x, place = np.unique(scores, return_inverse=True)
    weight = np.bincount(place).astype(np.float64)
    wins = np.bincount(place, weights=outcomes)
    borders = isotonic_regression(wins / weight, weights=weight).blocks[:-1]
    blocks = np.stack([np.add.reduceat(column, borders) for column in (weight, wins, x * weight)])
    blocks = _reduce(blocks)
    n, k, sums = blocks
    y = k / n
    lower = np.minimum(beta.ppf(LOWER_QUANTILE, k + 1.0, n - k + 1.0), y)
    upper = np.maximum(beta.ppf(UPPER_QUANTILE, k + 1.0, n - k + 1.0), y)
    lower = np.minimum.accumulate(lower[::-1])[::-1]
    upper = np.maximum.accumulate(upper)
    return Table(*(tuple(float(value) for value in column) for column in (sums / n, y, lower, upper)))


def _reduce(blocks: Floats) -> Floats:
    # (3, blocks): weight, wins, weighted scores. Joining two costs n1 n2 / (n1 + n2) (y1 - y2)^2 in squared error.
    while blocks.shape[1] > KNOTS_MAX:
        n, k, _ = blocks
        cost = n[:-1] * n[1:] / (n[:-1] + n[1:]) * np.diff(k / n) ** 2
        at = int(np.argmin(cost))
        joined = blocks[:, at : at + 2].sum(axis=1, keepdims=True)
        blocks = np.hstack((blocks[:, :at], joined, blocks[:, at + 2 :]))
    return blocks
