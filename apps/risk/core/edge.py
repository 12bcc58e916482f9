"""net_edge = p_hat - q_exec - fees - uncertainty_buffer, in 1e-9 per share of the traded outcome."""

from polytraders.contracts.inputs import NANO, UP
from polytraders.kernel.jit import kernel

NO_EDGE = -NANO
"""What an edge counts as when there is no price or no forecast: below every threshold."""


@kernel
def net_edge(direction: int, p_hat: int, q_exec: int, fee: int, buffer: int) -> int:
    """Edge of buying YES (or selling NO, the same trade) for UP, of its mirror for DOWN.

    Args:
        direction: UP or DOWN.
        p_hat: Forecast of YES, 1e-9.
        q_exec: Expected price in YES terms, 1e-9.
        fee: 1e-9 per share, >= 0.
        buffer: 1e-9 per share, >= 0.
    """
    return direction * (p_hat - q_exec) - fee - buffer


@kernel
def nano(direction: int, probability: float) -> int:
    """A probability as an integer of 1e-9, rounded against the trade; what is none counts as 0, and is no opinion."""
    if not (0.0 <= probability <= 1.0):
        return 0
    return int(probability * NANO) if direction == UP else int(probability * NANO) + 1
