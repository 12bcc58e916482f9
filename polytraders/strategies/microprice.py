"""The micro-price, pulled by the last minute's flow: a market maker's view of where the next trade goes.

    p = micro + pull * (buy_flow_60s - sell_flow_60s) / (buy_flow_60s + sell_flow_60s)

The band is a fixed half width plus a multiple of the last minute's volatility.
"""

from apps.fairvalue.core import uncertainty
from polytraders.contracts.state import BUY_60S, MICRO, MID, SELL_60S, VOLATILITY_60S, Array
from polytraders.kernel.jit import kernel
from polytraders.strategies.proposal import Proposal

PULL, HALF_BAND, VOLATILITY_BAND, KAPPA = range(4)


@kernel
def propose(x: Array, params: Array) -> Proposal:
    """The forecast; always an opinion."""
    flow = x[BUY_60S] + x[SELL_60S]
    lean = (x[BUY_60S] - x[SELL_60S]) / flow if flow > 0.0 else 0.0
    p_hat = min(max(x[MICRO] + params[PULL] * lean, 0.001), 0.999)
    half = params[HALF_BAND] + params[VOLATILITY_BAND] * x[VOLATILITY_60S] * x[MID]
    lower = max(p_hat - half, 0.0)
    upper = min(p_hat + half, 1.0)
    return Proposal(p_hat, lower, upper, uncertainty.buffer_nano(lower, upper, params[KAPPA]), 1, 0)
