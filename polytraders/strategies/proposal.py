"""What a strategy answers: a forecast with its band, or that it has none. It proposes; it never orders."""

from typing import NamedTuple


class Proposal(NamedTuple):
    """A forecast of YES.

    Attributes:
        p_hat: Probability, 0..1.
        lower: 10 % quantile, <= p_hat.
        upper: 90 % quantile, >= p_hat.
        buffer: Uncertainty buffer, 1e-9 per share.
        opinion: 1 = a forecast, 0 = none (the other fields then mean nothing).
        reference_age_ms: Age of the reference price it was made from, 0 where none is read.
    """

    p_hat: float
    lower: float
    upper: float
    buffer: int
    opinion: int
    reference_age_ms: int
