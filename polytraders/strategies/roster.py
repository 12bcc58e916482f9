"""Which models there are. A strategy is a template over one of them; its number is the Setting MODEL, append only."""

from polytraders.contracts.state import Array, Record
from polytraders.kernel.jit import kernel
from polytraders.strategies import gbm_updown, logit, microprice
from polytraders.strategies.proposal import Proposal

LOGIT, GBM_UPDOWN, MICROPRICE = range(3)


@kernel
def propose(model: int, x: Array, params: Array, mk: Record, references: Array, now: int) -> Proposal:
    """The forecast of one strategy for the market whose features are in `x`."""
    if model == LOGIT:
        return logit.propose(x, params)
    if model == GBM_UPDOWN:
        return gbm_updown.propose(x, params, mk, references, now)
    return microprice.propose(x, params)
