"""From a score or a price path to the probability that YES pays."""

import math

from polytraders.kernel.jit import kernel


@kernel
def logistic(z: float) -> float:
    """1 / (1 + exp(-z)) without overflow for any z; not a number stays not a number.

    Source: specification, stage 5, formula 1.
    """
    # exp only ever sees a negative argument.
    if z >= 0.0:
        return 1.0 / (1.0 + math.exp(-z))
    small = math.exp(z)
    return small / (1.0 + small)


@kernel
def normal_cdf(x: float) -> float:
    """P(N(0, 1) <= x) = erfc(-x / sqrt 2) / 2, accurate in both tails."""
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


@kernel
def gbm_up(price: float, strike: float, sigma: float, seconds: float) -> float:
    """Probability that a driftless geometric Brownian motion ends at or above the strike: N(d2).

    d2 = (ln(price / strike) - sigma^2 t / 2) / (sigma sqrt t). When nothing can move any more, the present price
    decides, and a tie is Up, as the venue settles it.

    Args:
        price: Reference price now, > 0; any unit.
        strike: Price to be reached at the end, > 0, same unit.
        sigma: Standard deviation of log returns per square root of a second, >= 0.
        seconds: Time to the end, in seconds; the past counts as no time left.

    Returns:
        0..1; not a number when a price is not above 0 or an argument is not a number: there is no opinion then.

    Source: Black-Scholes without drift; ties: the venue's rule for up-or-down markets (Up iff end >= start).
    """
    if not (price > 0.0 and strike > 0.0 and sigma >= 0.0 and not math.isnan(seconds)):
        return math.nan
    spread = sigma * math.sqrt(seconds) if seconds > 0.0 else 0.0
    if spread == 0.0:
        return 1.0 if price >= strike else 0.0
    return normal_cdf(math.log(price / strike) / spread - 0.5 * spread)
