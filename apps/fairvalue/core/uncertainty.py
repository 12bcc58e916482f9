"""What not knowing costs: the buffer taken off every edge, and when there is no opinion at all."""

import math
from typing import Final

from polytraders.contracts.inputs import NANO
from polytraders.kernel import money
from polytraders.kernel.jit import kernel

PPM: Final = 1_000_000


@kernel
def is_opinion(p_hat: float, lower: float, upper: float) -> bool:
    """Whether a forecast may be used: 0 <= lower <= p_hat <= upper <= 1, which not-a-number never fulfils."""
    return 0.0 <= lower <= p_hat <= upper <= 1.0


@kernel
def band_nano(lower: float, upper: float) -> int:
    """Width of the band in 1e-9; a band that is none counts as the widest there is."""
    if not (0.0 <= lower <= upper <= 1.0):
        return NANO
    return money.nano(upper) - money.nano(lower)


@kernel
def buffer_nano(lower: float, upper: float, kappa: float) -> int:
    """Half the band times a strategy's caution, kappa * (upper - lower) / 2, in 1e-9 per share, rounded up.

    Args:
        lower: 10 % bound, 0..1.
        upper: 90 % bound, 0..1.
        kappa: 0 to 100; 1 is the specification's table. A kappa outside of this or not a number counts as certainty of
            being wrong: the buffer is then one pUSD a share.

    Source: all eight rows of the specification's fair-value page have buffer = (UB - LB) / 2; its stage page has no
    formula, and its one-trade example used another buffer (about 0.0128 for a half band of 0.035), hence kappa.
    """
    if not (0.0 <= kappa <= 100.0):
        return NANO
    return int(math.ceil(0.5 * kappa * band_nano(lower, upper)))


@kernel
def _less(least: float, share: float) -> float:
    # Written so that not a number, which every comparison denies, ends as nothing.
    if share >= least:
        return least
    return share if share > 0.0 else 0.0


@kernel
def completeness_ppm(windows: int, complete_60s: float, complete_5m: float, complete_1h: float) -> int:
    """The lowest completeness among the windows that a strategy reads, in ppm rounded down.

    Args:
        windows: Bit 0 = 60 s, bit 1 = 5 min, bit 2 = 1 h. A strategy that reads none is not held up: 1,000,000.
        complete_60s: Observed share of the window, 0..1; not a number counts as nothing observed.
        complete_5m: Likewise.
        complete_1h: Likewise.
    """
    least = 1.0
    if windows & 1:
        least = _less(least, complete_60s)
    if windows & 2:
        least = _less(least, complete_5m)
    if windows & 4:
        least = _less(least, complete_1h)
    return int(least * PPM)


@kernel
def suppressed(completeness: int, completeness_min: int, opinion: bool) -> bool:
    """Whether the forecast is withheld: something it reads was not observed for long enough, or it is no probability.

    Args:
        completeness: From `completeness_ppm`.
        completeness_min: The limit, ppm; exactly reaching it is enough.
        opinion: From `is_opinion`.

    Source: specification, stage 5 (suppression when features are incomplete).
    """
    return completeness < completeness_min or not opinion
