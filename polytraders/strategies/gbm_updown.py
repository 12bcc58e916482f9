"""Up/down markets on a reference price: geometric Brownian motion to the close, blended with the market's mid.

    p = w * N(d2) + (1 - w) * mid,  d2 = (ln(S / K) - sigma^2 tau / 2) / (sigma sqrt(tau))

sigma is per square root of a second, from squared log returns over the time really observed, so it is right before its
window is full. The band moves sigma by a part of itself each way. No strike, no reference or a close outside of the
strategy's horizon: no opinion.
"""

from apps.fairvalue.core import probability, reference, uncertainty
from polytraders.contracts.inputs import NANO
from polytraders.contracts.state import MID, NONE, Array, Record
from polytraders.kernel.jit import kernel
from polytraders.strategies.proposal import Proposal

WEIGHT, SIGMA_LEAST, SIGMA_BAND, HALF_BAND, KAPPA, SECONDS_LEAST, SECONDS_MOST, OBSERVED_LEAST = range(8)
MS_NS = 1_000_000


@kernel
def none(age_ms: int) -> Proposal:
    """No opinion."""
    return Proposal(0.0, 0.0, 1.0, 0, 0, age_ms)


@kernel
def propose(x: Array, params: Array, mk: Record, references: Array, now: int) -> Proposal:
    """The forecast for a market with a reference and a strike."""
    if mk.reference == NONE or mk.strike <= 0:
        return none(0)
    ref = references[mk.reference]
    age_ms = (now - ref.ts) // MS_NS if ref.ts > 0 else NANO
    seconds = (mk.close_ts - now) / NANO
    observed = reference.observed_s(ref, now)
    if (
        ref.price <= 0
        or observed < params[OBSERVED_LEAST]
        or not params[SECONDS_LEAST] <= seconds <= params[SECONDS_MOST]
    ):
        return none(age_ms)
    sigma = max(reference.sigma(ref, now), params[SIGMA_LEAST])
    spot = float(ref.price)
    strike = float(mk.strike)
    rest = (1.0 - params[WEIGHT]) * x[MID]
    p_hat = params[WEIGHT] * probability.gbm_up(spot, strike, sigma, seconds) + rest
    calm = params[WEIGHT] * probability.gbm_up(spot, strike, sigma * (1.0 - params[SIGMA_BAND]), seconds) + rest
    wild = params[WEIGHT] * probability.gbm_up(spot, strike, sigma * (1.0 + params[SIGMA_BAND]), seconds) + rest
    lower = max(min(p_hat, calm, wild) - params[HALF_BAND], 0.0)
    upper = min(max(p_hat, calm, wild) + params[HALF_BAND], 1.0)
    return Proposal(p_hat, lower, upper, uncertainty.buffer_nano(lower, upper, params[KAPPA]), 1, age_ms)
