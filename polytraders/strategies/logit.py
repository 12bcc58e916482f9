"""Logistic regression on the standardised feature vector, calibrated.

    z = bias + log_odds_weight * log_odds + sum of weight_i * (x_i - mean_i) / scale_i,  p = 1 / (1 + e^-z)

followed by the isotonic table and its 10/90 % band. With all weights 0 and log_odds_weight 1 it repeats the market's
own mid: the weights say in what it disagrees. Windows read: as the template says.
"""

from apps.fairvalue.core import calibration, probability, uncertainty
from apps.signals.core import standardise
from polytraders.contracts.state import LOG_ODDS, N_FEATURES, Array
from polytraders.kernel.jit import kernel
from polytraders.strategies.proposal import Proposal

# Layout of the parameter row.
BIAS, LOG_ODDS_WEIGHT, KAPPA, KNOTS = range(4)
WEIGHTS = 4
MEANS = WEIGHTS + N_FEATURES
INVERSES = MEANS + N_FEATURES  # 1 / scale
TABLE = INVERSES + N_FEATURES


@kernel
def score(x: Array, params: Array) -> float:
    """z of the formula above."""
    z: float = params[BIAS] + params[LOG_ODDS_WEIGHT] * x[LOG_ODDS]
    for feature in range(N_FEATURES):
        weight = params[WEIGHTS + feature]
        if weight != 0.0:
            z += weight * standardise.standardise_by(x[feature], params[MEANS + feature], params[INVERSES + feature])
    return z


@kernel
def propose(x: Array, params: Array) -> Proposal:
    """The calibrated forecast."""
    raw = probability.logistic(score(x, params))
    p_hat, lower, upper = calibration.calibrate(params, TABLE, int(params[KNOTS]), raw)
    return Proposal(p_hat, lower, upper, uncertainty.buffer_nano(lower, upper, params[KAPPA]), 1, 0)
