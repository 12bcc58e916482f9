"""Files that people write: registry, strategy templates, limits. Read strictly, turned into input rows.

Everything that can change a decision enters the loop as an input, so a replay sees the value in force then. A mistake
is a ConfigError with GOV_CONFIG_INVALID, the file and the field; nothing is half applied.
"""

import datetime as dt
import struct
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from polytraders.contracts.inputs import NANO, PRICE_UNIT, SIZE_MAX, SIZE_UNIT, Fact, Flag, Kind, Setting, Stage
from polytraders.contracts.state import LIMITS, PARAMS
from polytraders.strategies import parameters

ROOT: Final = Path(__file__).resolve().parent
LIMITS_FILE: Final = ROOT / "limits.toml"
STRATEGIES: Final = ROOT / "strategies"
PPM: Final = 1_000_000
MS: Final = 1_000
DAY_MS: Final = 86_400_000
DAYS_MAX: Final = 366
LIMIT_MAX: Final = 10**15
CLOSE_MAX: Final = 2**62
"""Times end in the year 2262; this is the year 2116, so that a margin can be added to it."""
REFERENCES_MAX: Final = 2
"""References that a block has room for."""

Row = tuple[int, int, int, int, int, int, int, int]
"""(kind, side, flags, market, price, size, a, b): a control row before it has a number and a time."""


class ConfigError(ValueError):
    """A file that cannot be used; `code` is its reason code."""

    code = "GOV_CONFIG_INVALID"


class RolloutError(ConfigError):
    """A strategy that wants to begin above paper: going up needs evidence, and a file is none."""

    code = "GOV_ROLLOUT_EVIDENCE_MISSING"


class Limit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One table of limits.toml."""

    value: int
    unit: str
    reason: str


class Fee(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A market's fee schedule: rate * (p (1 - p))^exponent per share."""

    rate: str
    exponent: str = "1"
    taker_only: bool = True


class RegistryMarket(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a capture cannot tell about one market; tokens[0] is YES."""

    id: str
    tokens: tuple[str, str]
    min_size: str
    fee: Fee
    taker_delay_ms: int
    neg_risk: bool
    close_time: dt.datetime
    cluster: str
    allowed: bool = True
    fee_bps: int = 0
    gap_p999_ms: int = 0
    reference: int = -1
    strike: str = "0"
    title: str = ""


class Registry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A registry file."""

    market: tuple[RegistryMarket, ...]


class Template(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A strategy template. Sizes in shares, money in pUSD, prices and probabilities 0..1."""

    name: str
    model: str
    windows: tuple[str, ...]
    policy: str
    immediate: bool
    size: float
    exposure_max: float
    rest_ms: int
    edge_min: float
    kelly: float
    volatility_target: float
    collar: float
    band_max: float
    stage: str
    parameters: dict[str, Any]


class Strategy(NamedTuple):
    """A template as the loop reads it."""

    name: str
    model: str
    settings: tuple[int, ...]  # in Setting order
    params: tuple[float, ...]
    stage: int


def _read(path: Path, kind: Any) -> Any:
    try:
        return msgspec.toml.decode(path.read_bytes(), type=kind, strict=True)
    except OSError as error:
        raise ConfigError(f"{path.name}: cannot be read ({error.strerror})") from error
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path.name}: {error}") from error


def _scaled(text: str | float, unit: int, where: str, most: int = SIZE_MAX * PPM) -> int:
    """A decimal as an integer of 1 / unit, exact, never negative."""
    try:
        value = Decimal(str(text)) * unit
    except InvalidOperation as error:
        raise ConfigError(f"{where}: {text!r} is not a number") from error
    if not value.is_finite() or value != value.to_integral_value() or not 0 <= value <= most:
        raise ConfigError(f"{where}: {text!r} is negative, too large or finer than 1/{unit}")
    return int(value)


def load_limits(path: Path = LIMITS_FILE) -> dict[str, Limit]:
    """The limits in the kernel's order.

    Raises:
        ConfigError: A table is missing, unknown, out of order or has a wrong field.
    """
    limits: dict[str, Limit] = _read(path, dict[str, Limit])
    names = LIMITS.names or ()
    if tuple(limits) != names:
        raise ConfigError(f"{path.name}: tables must be exactly {', '.join(names)}, in this order")
    for name, limit in limits.items():
        if not 0 <= limit.value <= limit_most(name):
            raise ConfigError(f"{path.name}: {name} is negative or above {limit_most(name):,}")
    return limits


def limit_most(name: str) -> int:
    """Above this no limit means anything, and sums of it might not fit into an integer."""
    if "_ms" in name:
        return DAYS_MAX * DAY_MS
    return 10 * PPM if "_ppm" in name else LIMIT_MAX


def limit_rows(limits: dict[str, Limit]) -> list[Row]:
    """LIMIT inputs."""
    return [(Kind.LIMIT, 0, 0, -1, index, limit.value, 0, 0) for index, limit in enumerate(limits.values())]


def load_registry(path: Path) -> Registry:
    """A registry file.

    Raises:
        ConfigError: Not of this form, a market twice, or a token twice.
    """
    registry: Registry = _read(path, Registry)
    seen: set[str] = set()
    for market in registry.market:
        for name in (market.id, *market.tokens):
            if name in seen:
                raise ConfigError(f"{path.name}: {name} stands there twice")
            seen.add(name)
    return registry


def cluster_names(registry: Registry) -> tuple[str, ...]:
    """Clusters in order of first mention; the index is the loop's."""
    return tuple(dict.fromkeys(market.cluster for market in registry.market))


def fact_rows(index: int, market: RegistryMarket, clusters: tuple[str, ...], synced_ts: int, where: str) -> list[Row]:
    """FACT inputs of one market, all marked as assumed: a person wrote them, no venue confirmed them."""
    if market.close_time.tzinfo is None:
        raise ConfigError(f"{where}: close_time of {market.id} has no time zone")
    close_ts = int(market.close_time.timestamp()) * NANO
    ranges = {
        "taker_delay_ms": (0, market.taker_delay_ms, 60_000),
        "fee_bps": (0, market.fee_bps, 10_000),
        "gap_p999_ms": (0, market.gap_p999_ms, DAY_MS),
        "reference": (-1, market.reference, REFERENCES_MAX - 1),
        "close_time": (0, close_ts, CLOSE_MAX),
    }
    for name, (least, value, most) in ranges.items():
        if not least <= value <= most:
            raise ConfigError(f"{where}: {name} of {market.id} is out of range")
    values = {
        Fact.VENUE: 0,
        Fact.MIN_SIZE: _scaled(market.min_size, SIZE_UNIT, f"{where}: min_size"),
        Fact.FEE_RATE: _scaled(market.fee.rate, PPM, f"{where}: fee.rate", PPM),
        Fact.FEE_EXPONENT: _scaled(market.fee.exponent, MS, f"{where}: fee.exponent", 10 * MS),
        Fact.FEE_TAKER_ONLY: int(market.fee.taker_only),
        Fact.TAKER_DELAY_MS: market.taker_delay_ms,
        Fact.CLOSE_TS: close_ts,
        Fact.CLUSTER: clusters.index(market.cluster),
        Fact.NEG_RISK: int(market.neg_risk),
        Fact.FEE_BPS: market.fee_bps,
        Fact.STATUS: 0,
        Fact.ALLOWED: int(market.allowed),
        Fact.GAP_P999_MS: market.gap_p999_ms,
        Fact.REFERENCE: market.reference,
        Fact.STRIKE: _scaled(market.strike, 10**8, f"{where}: strike", 10**18),
        Fact.SYNCED_TS: synced_ts,
    }
    return [(Kind.FACT, 0, Flag.ASSUMED, index, fact, value, 0, 0) for fact, value in values.items()]


def load_strategy(path: Path) -> Strategy:
    """A strategy template; a bare name is one of those shipped.

    Raises:
        ConfigError: Not of this form, or a parameter that its model does not have.
        RolloutError: A stage above paper.
    """
    if not path.suffix and not path.exists():
        path = STRATEGIES / f"{path.name}.toml"
    template: Template = _read(path, Template)
    where = path.name
    windows = ("60s", "5m", "1h")
    if any(window not in windows for window in template.windows):
        raise ConfigError(f"{where}: windows are of {', '.join(windows)}")
    if template.policy not in ("take", "make"):
        raise ConfigError(f"{where}: policy is 'take' or 'make'")
    stages = {stage.name.lower(): int(stage) for stage in Stage}
    if template.stage not in stages:
        raise ConfigError(f"{where}: stage is one of {', '.join(stages)}")
    if stages[template.stage] > Stage.PAPER:
        raise RolloutError(f"{where}: a strategy begins at paper at most, not at {template.stage}")
    try:
        params = parameters.layout(template.model, template.parameters)
        model = parameters.MODELS.index(template.model)
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from error
    settings = {
        Setting.MODEL: model,
        Setting.WINDOWS: sum(1 << windows.index(window) for window in set(template.windows)),
        Setting.IMMEDIATE: int(template.immediate),
        Setting.MAKER: int(template.policy == "make"),
        Setting.SIZE: _scaled(template.size, SIZE_UNIT, f"{where}: size", SIZE_MAX),
        Setting.EXPOSURE_MAX: _scaled(template.exposure_max, SIZE_UNIT, f"{where}: exposure_max"),
        Setting.REST_MS: template.rest_ms,
        Setting.EDGE_MIN: _scaled(template.edge_min, NANO, f"{where}: edge_min", NANO),
        Setting.KELLY_PPM: _scaled(template.kelly, PPM, f"{where}: kelly", PPM),
        Setting.VOLATILITY_TARGET_PPM: _scaled(template.volatility_target, PPM, f"{where}: volatility_target"),
        Setting.COLLAR: _scaled(template.collar, PRICE_UNIT, f"{where}: collar", PRICE_UNIT),
        Setting.BAND_MAX: _scaled(template.band_max, NANO, f"{where}: band_max", NANO),
    }
    if not 0 <= template.rest_ms <= DAY_MS or settings[Setting.SIZE] == 0:
        raise ConfigError(f"{where}: size must be positive and rest_ms between 0 and a day")
    ordered = tuple(settings[setting] for setting in Setting)
    return Strategy(template.name, template.model, ordered, params, stages[template.stage])


def strategy_rows(index: int, strategy: Strategy) -> list[Row]:
    """SETTING, PARAM and ROLLOUT inputs of one strategy."""
    rows: list[Row] = [
        (Kind.SETTING, 0, 0, index, setting, value, 0, 0) for setting, value in enumerate(strategy.settings)
    ]
    for place, value in enumerate(strategy.params[:PARAMS]):
        if value != 0.0:
            bits = struct.unpack("<q", struct.pack("<d", value))[0]
            rows.append((Kind.PARAM, 0, 0, index, place, bits, 0, 0))
    rows.append((Kind.ROLLOUT, 0, 0, index, 0, strategy.stage, 0, 0))
    return rows


MOVABLE: Final = {
    "size": (Setting.SIZE, 1, SIZE_MAX),
    "exposure_max": (Setting.EXPOSURE_MAX, 0, SIZE_MAX * PPM),
    "rest_ms": (Setting.REST_MS, 0, DAY_MS),
    "edge_min": (Setting.EDGE_MIN, 0, NANO),
    "kelly_ppm": (Setting.KELLY_PPM, 0, PPM),
    "volatility_target_ppm": (Setting.VOLATILITY_TARGET_PPM, 0, PPM),
    "collar": (Setting.COLLAR, 0, PRICE_UNIT),
    "band_max": (Setting.BAND_MAX, 0, NANO),
}
"""Settings of a strategy that may be changed while it runs, with the least and the most the loop takes."""


def setting_bounds(name: str) -> tuple[int, int, int]:
    """Which setting it is, and its bounds.

    Raises:
        ConfigError: There is none of this name, or it belongs to the model and does not change while it runs.
    """
    if name not in MOVABLE:
        raise ConfigError(f"{name[:40]!r} does not change while a strategy runs; {', '.join(MOVABLE)} do")
    return MOVABLE[name]
