"""Standardised features: z = (x - mean) / scale, so that one weight means the same for every feature."""

import math
from typing import Final

from polytraders.kernel.jit import kernel

Z_MAX: Final = 8.0
"""Beyond eight scales a feature says that something is wrong, not that the forecast should be eight times surer."""


@kernel
def standardise(x: float, mean: float, scale: float) -> float:
    """(x - mean) / scale, held within -Z_MAX..Z_MAX.

    Args:
        x: A feature in its own unit. Not a number stays not a number, so that the forecast is none and not a guess.
        mean: What counts as ordinary, same unit.
        scale: What counts as far, same unit, > 0; `scale_code` refuses others where a model is loaded.
    """
    return held((x - mean) / scale)


@kernel
def standardise_by(x: float, mean: float, inverse: float) -> float:
    """The same with 1 / scale, which a model has at hand: a product where the other has a division."""
    return held((x - mean) * inverse)


@kernel
def held(z: float) -> float:
    """z within -Z_MAX..Z_MAX; not a number stays not a number."""
    if z > Z_MAX:
        return Z_MAX
    if z < -Z_MAX:
        return -Z_MAX
    return z


def scale_code(mean: float, scale: float) -> str:
    """Reason code that refuses a model's mean and scale, "" when `standardise` may use them."""
    if not math.isfinite(mean) or not math.isfinite(scale) or scale <= 0.0:
        return "INTEL_SCALE_INVALID"
    return ""
