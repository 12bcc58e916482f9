"""From a template's named parameters to the model's row of numbers. No compiled code, so a web process may read it."""

import math
from itertools import pairwise
from typing import Any, Final

from polytraders.contracts.state import FEATURES, N_FEATURES, PARAMS

MODELS: Final = ("logit", "gbm_updown", "microprice")
"""Names of the models; the place is the model's number, so append only."""

MICROPRICE: Final = ("pull", "half_band", "volatility_band", "kappa")
GBM_UPDOWN: Final = (
    "weight", "sigma_least", "sigma_band", "half_band", "kappa", "seconds_least", "seconds_most", "observed_least",
)  # fmt: skip
LOGIT: Final = ("bias", "log_odds_weight", "kappa")
KNOTS_AT: Final = 3
WEIGHTS_AT: Final = 4
TABLE_AT: Final = WEIGHTS_AT + 3 * N_FEATURES
KNOTS_MAX: Final = (PARAMS - TABLE_AT) // 4


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"parameter {name} is not a finite number")
    return float(value)


def _plain(names: tuple[str, ...], given: dict[str, Any]) -> list[float]:
    if set(given) != set(names):
        raise ValueError(f"parameters must be exactly {', '.join(names)}")
    return [_number(name, given[name]) for name in names]


def _table_of(part: str, given: Any) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise ValueError(f"{part} is not a table of names")
    return given


def _features(part: str, told: Any, otherwise: float) -> list[float]:
    given = _table_of(part, told)
    unknown = set(given) - set(FEATURES)
    if unknown:
        raise ValueError(f"{part}: no such feature: {', '.join(sorted(unknown))}")
    return [_number(f"{part}.{name}", given.get(name, otherwise)) for name in FEATURES]


def _table(told: Any) -> list[float]:
    """x, y, lower and upper of the calibration's knots, one after the other."""
    given = _table_of("calibration", told)
    columns = [given.get(name) for name in ("x", "y", "lower", "upper")]
    if set(given) != {"x", "y", "lower", "upper"} or not all(isinstance(column, list) for column in columns):
        raise ValueError("calibration needs the lists x, y, lower and upper")
    lists = [[_number("calibration", value) for value in column] for column in columns if column is not None]
    x, y, lower, upper = lists
    if len({len(column) for column in lists}) != 1 or not 2 <= len(x) <= KNOTS_MAX:
        raise ValueError(f"calibration needs 2 to {KNOTS_MAX} knots, the same number in each list")
    rising = all(a < b for a, b in pairwise(x)) and all(
        a <= b for column in (y, lower, upper) for a, b in pairwise(column)
    )
    around = all(0 <= low <= middle <= high <= 1 for low, middle, high in zip(lower, y, upper, strict=True))
    if not rising or not around:
        raise ValueError("calibration must rise, with 0 <= lower <= y <= upper <= 1")
    return [value for column in lists for value in column]


def _logit(given: dict[str, Any]) -> list[float]:
    given = dict(given)
    weights = _features("weights", given.pop("weights", {}), 0.0)
    means = _features("means", given.pop("means", {}), 0.0)
    scales = _features("scales", given.pop("scales", {}), 1.0)
    if any(scale <= 0.0 for scale in scales):
        raise ValueError("scales must be positive")
    table = _table(given.pop("calibration", {}))
    return [*_plain(LOGIT, given), float(len(table) // 4), *weights, *means, *(1.0 / scale for scale in scales), *table]


def layout(model: str, given: dict[str, Any]) -> tuple[float, ...]:
    """The parameter row of a model.

    Raises:
        ValueError: An unknown model, or a parameter that is missing, unknown or no finite number.
    """
    if model == "logit":
        return tuple(_logit(given))
    if model == "gbm_updown":
        return tuple(_plain(GBM_UPDOWN, given))
    if model == "microprice":
        return tuple(_plain(MICROPRICE, given))
    raise ValueError(f"no such model: {model}; there are {', '.join(MODELS)}")
