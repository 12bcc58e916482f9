"""Stage 5's artefact: what a model thinks the YES share is worth, and how sure it is."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FairValue:
    """A calibrated probability with its band.

    Attributes:
        id: Feature vector's id and strategy.
        model: Name of the compiled model.
        model_version: Hash of the model's parameters, hex.
        calibration_version: Hash of the calibration table, hex.
        p_hat: Probability that YES pays, 0..1.
        lower: 10 % quantile, 0..1.
        upper: 90 % quantile, 0..1.
        buffer: Taken off the edge for not being sure, 1e-9 per share.
        completeness_ppm: Least completeness of the windows that the strategy reads.
        suppression: Reason code why the number must not be traded on; None = it may.
    """

    id: str
    model: str
    model_version: str
    calibration_version: str
    p_hat: float
    lower: float
    upper: float
    buffer: int
    completeness_ppm: int
    suppression: str | None

    def __post_init__(self) -> None:
        """Refuse what is not a probability.

        Raises:
            ValueError: Outside 0..1, NaN, or a band turned round.
        """
        if not (0.0 <= self.p_hat <= 1.0 and 0.0 <= self.lower <= self.upper <= 1.0):
            raise ValueError(f"no probability: {self.lower} {self.p_hat} {self.upper}")
