"""Stage 4's artefact: what was measured. Observation, never opinion."""

import math
from dataclasses import dataclass
from enum import Enum


class FeatureQuality(Enum):
    """Whether the measurement can be used."""

    FRESH = "fresh"
    STALE = "stale"
    PARTIAL = "partial"


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureVector:
    """All features of a market at one input, with their names.

    Attributes:
        id: Market index and in_seq: the same measurement has the same id in every replay.
        signal_version: Version of the list of features and of their formulas.
        market: Index of the market.
        in_seq: Input after which it was measured.
        names: One name a feature, unit in the docstring of its formula.
        values: As measured, same order; never NaN or infinite.
        standardised: (value - mean) / scale as the strategy's model read them; empty where its model reads raw values.
        windows_s: Spans of the rolling windows, seconds.
        completeness_ppm: Observed part of each window, same order.
        quality: FRESH, or why not.
    """

    id: str
    signal_version: int
    market: int
    in_seq: int
    names: tuple[str, ...]
    values: tuple[float, ...]
    standardised: tuple[float, ...]
    windows_s: tuple[int, ...]
    completeness_ppm: tuple[int, ...]
    quality: FeatureQuality

    def __post_init__(self) -> None:
        """Refuse a vector that cannot have been measured.

        Raises:
            ValueError: A value is not finite, or names and values do not pair.
        """
        if len(self.names) != len(self.values) or len(self.windows_s) != len(self.completeness_ppm):
            raise ValueError("names and values do not pair")
        if not all(map(math.isfinite, (*self.values, *self.standardised))):
            raise ValueError("a feature is not finite")

    def value(self, name: str) -> float:
        """One feature by its name.

        Raises:
            ValueError: There is no such feature.
        """
        return self.values[self.names.index(name)]
