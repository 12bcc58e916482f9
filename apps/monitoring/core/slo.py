"""Service levels: the share of healthy events, whether it reaches its target, and how fast the error budget goes."""

import math
from typing import Final, NamedTuple

PPM: Final = 1_000_000

MET: Final = "GOV_SLO_MET"
BREACH: Final = "GOV_SLO_BREACH_DETECTED"
UNAVAILABLE: Final = "GOV_SLO_METRICS_UNAVAILABLE"
BURNING: Final = "GOV_SLO_BURN_RATE_EXCEEDED"


class Compliance(NamedTuple):
    """How a service level stands.

    Attributes:
        ppm: Healthy share, rounded down; None when there is nothing to judge by.
        burn_rate: Share of unhealthy events over the share that the target allows; 1 uses the budget up exactly, None
            when there is nothing to judge by.
        code: MET, BREACH or UNAVAILABLE.
    """

    ppm: int | None
    burn_rate: float | None
    code: str


def compliance(healthy: int, total: int, target_ppm: int) -> Compliance:
    """Compare healthy / total with a target, exactly: reaching it is enough.

    Args:
        healthy: Events within the success criteria, 0 to total.
        total: All events that count.
        target_ppm: 1 to 1,000,000; 995,000 is 0.995.

    Returns:
        UNAVAILABLE, not MET, when there were no events or the counts or target are impossible.

    Source: specification, stage 11, formula 1. Its example says that 99,640 of 100,000 miss 0.995; they do not.
    """
    if total <= 0 or not 0 <= healthy <= total or not 0 < target_ppm <= PPM:
        return Compliance(None, None, UNAVAILABLE)
    met = healthy * PPM >= target_ppm * total
    return Compliance(healthy * PPM // total, _burn_rate(total - healthy, total, target_ppm), MET if met else BREACH)


def _burn_rate(unhealthy: int, total: int, target_ppm: int) -> float:
    allowed = (PPM - target_ppm) * total
    if allowed == 0:
        # A target of all events allows no error: the first one uses up everything.
        return math.inf if unhealthy else 0.0
    return unhealthy * PPM / allowed


def burn_code(short: Compliance, long: Compliance, burn_rate_max: float) -> str:
    """Whether the error budget burns too fast: both a short and a long window must say so.

    The short window ends the alarm soon after the cause is gone, the long one keeps a single error from raising it.

    Returns:
        BURNING, MET when at least one window is within `burn_rate_max`, UNAVAILABLE when a window has no events.
    """
    if short.burn_rate is None or long.burn_rate is None:
        return UNAVAILABLE
    return BURNING if short.burn_rate > burn_rate_max and long.burn_rate > burn_rate_max else MET
