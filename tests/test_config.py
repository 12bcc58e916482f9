"""Files that people write: what is read, and every way in which one is refused."""

from pathlib import Path

import pytest

from polytraders import config
from polytraders.config import ConfigError
from polytraders.contracts.inputs import NANO, SIZE_UNIT, Fact, Flag, Kind, Setting, Stage
from polytraders.contracts.state import LIMITS

REGISTRY = """
[[market]]
id = "0xaa"
tokens = ["11", "22"]
min_size = "5"
fee = { rate = "0.05" }
taker_delay_ms = 250
neg_risk = false
close_time = 2026-12-31T00:00:00Z
cluster = "sports"

[[market]]
id = "0xbb"
tokens = ["33", "44"]
min_size = "0.5"
fee = { rate = "0.0725", exponent = "2", taker_only = false }
taker_delay_ms = 0
neg_risk = true
close_time = 2026-06-01T02:00:00+02:00
cluster = "crypto"
allowed = false
fee_bps = 20
gap_p999_ms = 12_000
reference = 1
strike = "95000.5"
title = "Above 95,000.50 at midnight?"
"""

LOGIT = (config.STRATEGIES / "logit.toml").read_text(encoding="utf-8")
LIMITS_TEXT = config.LIMITS_FILE.read_text(encoding="utf-8")


def written(folder: Path, text: str) -> Path:
    """A file with `text`."""
    path = folder / "file.toml"
    path.write_text(text, encoding="utf-8")
    return path


def facts(path: Path, index: int) -> dict[Fact, int]:
    """The facts of a registry's market."""
    registry = config.load_registry(path)
    rows = config.fact_rows(index, registry.market[index], config.cluster_names(registry), 77, path.name)
    assert {(kind, flags, market) for kind, _, flags, market, *_ in rows} == {(Kind.FACT, Flag.ASSUMED, index)}
    return {Fact(fact): value for _, _, _, _, fact, value, _, _ in rows}


def all_facts(path: Path) -> list[dict[Fact, int]]:
    """The facts of both markets."""
    return [facts(path, index) for index in (0, 1)]


def test_worked_example(tmp_path: Path) -> None:
    """A market as the README has it: every fact that stops trading while unknown is told, and nothing is guessed."""
    told = facts(written(tmp_path, REGISTRY), 0)
    assert told[Fact.MIN_SIZE] == 5 * SIZE_UNIT
    assert (told[Fact.FEE_RATE], told[Fact.FEE_EXPONENT], told[Fact.FEE_TAKER_ONLY]) == (50_000, 1_000, 1)
    assert (told[Fact.TAKER_DELAY_MS], told[Fact.NEG_RISK], told[Fact.ALLOWED], told[Fact.CLUSTER]) == (250, 0, 1, 0)
    assert told[Fact.CLOSE_TS] == 1_798_675_200 * NANO
    assert (told[Fact.REFERENCE], told[Fact.STRIKE], told[Fact.SYNCED_TS]) == (-1, 0, 77)
    assert set(Fact) - set(told) == {Fact.CONNECTION}


def test_every_field_of_a_market_arrives_in_the_loops_units(tmp_path: Path) -> None:
    told = facts(written(tmp_path, REGISTRY), 1)
    assert told[Fact.MIN_SIZE] == SIZE_UNIT // 2
    assert (told[Fact.FEE_RATE], told[Fact.FEE_EXPONENT], told[Fact.FEE_TAKER_ONLY]) == (72_500, 2_000, 0)
    assert (told[Fact.FEE_BPS], told[Fact.GAP_P999_MS], told[Fact.CLUSTER], told[Fact.ALLOWED]) == (20, 12_000, 1, 0)
    assert (told[Fact.REFERENCE], told[Fact.STRIKE]) == (1, 9_500_050_000_000)
    assert told[Fact.CLOSE_TS] == 1_780_272_000 * NANO


BAD_REGISTRIES: list[tuple[str, str, str, str]] = [
    ("a field that is missing", 'min_size = "5"\n', "", "missing required field `min_size`"),
    ("a field nobody knows", 'cluster = "sports"', 'cluster = "sports"\ncolour = "red"', "unknown field `colour`"),
    ("a number where text is wanted", 'min_size = "5"', "min_size = 5", "Expected `str`"),
    ("text where yes or no is wanted", "neg_risk = false", 'neg_risk = "no"', "Expected `bool`"),
    ("one token", 'tokens = ["11", "22"]', 'tokens = ["11"]', "length 2"),
    ("a token twice", '"22"', '"11"', "11 stands there twice"),
    ("a token of two markets", '"33"', '"22"', "22 stands there twice"),
    ("a market twice", '"0xbb"', '"0xaa"', "0xaa stands there twice"),
    ("a size in words", 'min_size = "5"', 'min_size = "five"', "min_size: 'five' is not a number"),
    ("a negative size", 'min_size = "5"', 'min_size = "-5"', "min_size: '-5' is negative"),
    ("a size that is none", 'min_size = "5"', 'min_size = "nan"', "min_size: 'nan' is negative"),
    ("an endless size", 'min_size = "5"', 'min_size = "1e99"', "too large"),
    ("a size too fine", 'min_size = "5"', 'min_size = "0.0000001"', "finer than"),
    ("a fee above everything", 'rate = "0.05"', 'rate = "1.01"', "fee.rate"),
    ("a fee rate too fine", 'rate = "0.05"', 'rate = "0.0000005"', "fee.rate"),
    ("a steep exponent", 'exponent = "2"', 'exponent = "11"', "fee.exponent"),
    ("an unknown part of a fee", 'rate = "0.05"', 'rate = "0.05", cap = "1"', "unknown field `cap`"),
    ("a flat fee above everything", "fee_bps = 20", "fee_bps = 10_001", "fee_bps"),
    ("a negative flat fee", "fee_bps = 20", "fee_bps = -1", "fee_bps"),
    ("a delay of an hour", "taker_delay_ms = 250", "taker_delay_ms = 3_600_000", "taker_delay_ms"),
    ("a negative delay", "taker_delay_ms = 250", "taker_delay_ms = -1", "taker_delay_ms"),
    ("a close without a time zone", "2026-12-31T00:00:00Z", "2026-12-31T00:00:00", "0xaa has no time zone"),
    ("a close that is only a day", "2026-12-31T00:00:00Z", "2026-12-31", "close_time"),
    ("a close beyond the clock", "2026-12-31T00:00:00Z", "9999-12-31T00:00:00Z", "close_time of 0xaa"),
    ("a close before the clock", "2026-12-31T00:00:00Z", "1969-12-31T00:00:00Z", "close_time of 0xaa"),
    ("a reference that there is not", "reference = 1", "reference = 2", "reference of 0xbb"),
    ("a negative reference", "reference = 1", "reference = -2", "reference of 0xbb"),
    ("a negative gap", "gap_p999_ms = 12_000", "gap_p999_ms = -1", "gap_p999_ms of 0xbb"),
    ("a gap beyond the clock", "gap_p999_ms = 12_000", "gap_p999_ms = 9_000_000_000_000_000", "gap_p999_ms of 0xbb"),
    ("a strike in words", 'strike = "95000.5"', 'strike = "high"', "strike"),
    ("a strike beyond an integer", 'strike = "95000.5"', 'strike = "1e11"', "strike"),
    ("not TOML", "[[market]]", "[[market", "file.toml"),
    ("a table where a list is wanted", "[[market]]\nid = \"0xaa\"", "[market]\nid = \"0xaa\"", "file.toml"),
]  # fmt: skip


@pytest.mark.parametrize(("was", "now", "words"), [c[1:] for c in BAD_REGISTRIES], ids=[c[0] for c in BAD_REGISTRIES])
def test_a_registry_is_refused(tmp_path: Path, was: str, now: str, words: str) -> None:
    assert was in REGISTRY
    path = written(tmp_path, REGISTRY.replace(was, now, 1))
    with pytest.raises(ConfigError, match=r"^file\.toml") as refusal:
        all_facts(path)
    assert words in str(refusal.value)
    assert refusal.value.code == "GOV_CONFIG_INVALID"


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    for load in (config.load_registry, config.load_strategy, config.load_limits):
        with pytest.raises(ConfigError, match=r"none\.toml: cannot be read \(No such file"):
            load(tmp_path / "none.toml")
        with pytest.raises(ConfigError, match="cannot be read"):
            load(tmp_path)
    (tmp_path / "file.toml").write_bytes(b'name = "\xff\xfe"')
    with pytest.raises(ConfigError, match=r"file\.toml"):
        config.load_registry(tmp_path / "file.toml")


def test_clusters_are_numbered_by_first_mention(tmp_path: Path) -> None:
    assert config.cluster_names(config.load_registry(written(tmp_path, REGISTRY))) == ("sports", "crypto")


# --- strategies ------------------------------------------------------------------------------------------------------


def test_a_template_arrives_in_the_loops_units(tmp_path: Path) -> None:
    strategy = config.load_strategy(written(tmp_path, LOGIT.replace("kelly = 0.25", "kelly = 0.5")))
    told = dict(zip(Setting, strategy.settings, strict=True))
    assert (strategy.name, strategy.model, strategy.stage) == ("logit", "logit", Stage.PAPER)
    assert (told[Setting.MODEL], told[Setting.WINDOWS], told[Setting.IMMEDIATE], told[Setting.MAKER]) == (0, 3, 0, 0)
    assert (told[Setting.SIZE], told[Setting.EXPOSURE_MAX]) == (50 * SIZE_UNIT, 1_000 * SIZE_UNIT)
    assert (told[Setting.REST_MS], told[Setting.EDGE_MIN], told[Setting.KELLY_PPM]) == (2_000, 1_000_000, 500_000)
    assert (told[Setting.COLLAR], told[Setting.BAND_MAX]) == (500, 200_000_000)


def test_a_bare_name_is_a_shipped_template() -> None:
    assert config.load_strategy(Path("logit")) == config.load_strategy(config.STRATEGIES / "logit.toml")


BAD_TEMPLATES: list[tuple[str, str, str, str]] = [
    ("a field that is missing", "size = 50\n", "", "missing required field `size`"),
    ("a field nobody knows", "size = 50", "size = 50\nforce = true", "unknown field `force`"),
    ("a window that there is not", '"5m"]', '"15m"]', "windows are of 60s, 5m, 1h"),
    ("a policy that there is not", 'policy = "take"', 'policy = "sweep"', "policy is 'take' or 'make'"),
    ("a stage that there is not", 'stage = "paper"', 'stage = "production"', "stage is one of replay, shadow"),
    ("a model that there is not", 'model = "logit"', 'model = "oracle"', "oracle"),
    ("a parameter that is missing", "bias = 0.0\n", "", "parameters must be exactly bias"),
    ("a parameter of another model", "bias = 0.0", "bias = 0.0\npull = 1.0", "parameters must be exactly bias"),
    ("a parameter in words", "bias = 0.0", 'bias = "none"', "parameter bias is not a finite number"),
    ("a parameter that is none", "bias = 0.0", "bias = nan", "parameter bias is not a finite number"),
    ("an endless parameter", "bias = 0.0", "bias = inf", "parameter bias is not a finite number"),
    ("yes as a parameter", "bias = 0.0", "bias = true", "parameter bias is not a finite number"),
    ("a weight of no feature", "imbalance = 0.06", "mood = 0.06", "weights: no such feature: mood"),
    ("a scale of nothing", "buy_flow_60s = 500.0", "buy_flow_60s = 0.0", "scales must be positive"),
    ("weights that are no table", "[parameters.weights]", "[[parameters.weights]]", "weights"),
    ("a calibration that is no table", "[parameters.calibration]", "[[parameters.calibration]]", "is not a table"),
    ("a calibration without bounds", "lower = [0.0, 0.0, 0.96, 0.98]\n", "", "calibration needs the lists"),
    ("a calibration with one more", "[parameters.calibration]", "[parameters.calibration]\nz = [1]", "the lists"),
    ("a calibration that is a number", "x = [0.0, 0.02, 0.98, 1.0]", "x = 0.0", "calibration needs the lists"),
    ("knots of different number", "x = [0.0, 0.02, 0.98, 1.0]", "x = [0.0, 0.02, 1.0]", "the same number"),
    ("knots that fall", "x = [0.0, 0.02, 0.98, 1.0]", "x = [0.0, 0.98, 0.02, 1.0]", "must rise"),
    ("a knot twice", "x = [0.0, 0.02, 0.98, 1.0]", "x = [0.0, 0.02, 0.02, 1.0]", "must rise"),
    ("a bound on the wrong side", "lower = [0.0, 0.0, 0.96, 0.98]", "lower = [0.0, 0.5, 0.96, 0.98]", "lower <= y"),
    ("a probability above one", "upper = [0.02, 0.04, 1.0, 1.0]", "upper = [0.02, 0.04, 1.0, 1.1]", "lower <= y"),
    ("nothing wished", "size = 50", "size = 0", "size must be positive"),
    ("a negative size", "size = 50", "size = -50", "size"),
    ("a size beyond the door", "size = 50", "size = 10_000_001", "size"),
    ("an exposure that is none", "exposure_max = 1000", "exposure_max = nan", "exposure_max"),
    ("a negative life", "rest_ms = 2000", "rest_ms = -1", "rest_ms"),
    ("a life beyond the clock", "rest_ms = 2000", "rest_ms = 9_000_000_000_000_000", "rest_ms"),
    ("an edge too fine", "edge_min = 0.001", "edge_min = 0.0000000001", "edge_min"),
    ("an edge above everything", "edge_min = 0.001", "edge_min = 1.5", "edge_min"),
    ("more than all of Kelly", "kelly = 0.25", "kelly = 1.1", "kelly"),
    ("a negative target", "volatility_target = 0", "volatility_target = -1", "volatility_target"),
    ("a collar above everything", "collar = 0.05", "collar = 1.5", "collar"),
    ("a collar off the grid of prices", "collar = 0.05", "collar = 0.00005", "collar"),
    ("a band above everything", "band_max = 0.20", "band_max = 1.01", "band_max"),
    ("text where yes or no is wanted", "immediate = false", 'immediate = "no"', "Expected `bool`"),
    ("not TOML", 'name = "logit"', "name = logit", "file.toml"),
]


@pytest.mark.parametrize(("was", "now", "words"), [c[1:] for c in BAD_TEMPLATES], ids=[c[0] for c in BAD_TEMPLATES])
def test_a_template_is_refused(tmp_path: Path, was: str, now: str, words: str) -> None:
    assert was in LOGIT
    with pytest.raises(ConfigError, match=r"^file\.toml") as refusal:
        config.load_strategy(written(tmp_path, LOGIT.replace(was, now, 1)))
    assert words in str(refusal.value)


@pytest.mark.parametrize("stage", ["canary", "live"])
def test_a_strategy_does_not_begin_above_paper(tmp_path: Path, stage: str) -> None:
    with pytest.raises(ConfigError, match="begins at paper at most") as refusal:
        config.load_strategy(written(tmp_path, LOGIT.replace('stage = "paper"', f'stage = "{stage}"')))
    assert refusal.value.code == "GOV_ROLLOUT_EVIDENCE_MISSING"


# --- limits ----------------------------------------------------------------------------------------------------------


def test_the_shipped_limits_are_rows_in_the_records_order() -> None:
    limits = config.load_limits()
    rows = config.limit_rows(limits)
    assert tuple(limits) == LIMITS.names
    assert [(kind, index) for kind, _, _, _, index, *_ in rows] == [(Kind.LIMIT, n) for n in range(len(limits))]
    assert rows[2][5] == limits["spread_max"].value == 600


BAD_LIMITS: list[tuple[str, str, str, str]] = [
    ("a table that is missing", "[spread_max]", "[spread_most]", "tables must be exactly registry_age_ms_max"),
    ("tables out of order", "[registry_age_ms_max]", "[close_margin_ms]", ""),
    ("a field that is missing", 'unit = "ms"\n', "", "missing required field `unit`"),
    ("a field nobody knows", 'unit = "ms"', 'unit = "ms"\ndefault = 1', "unknown field `default`"),
    ("a limit in words", "value = 600", 'value = "600"', "Expected `int`"),
    ("a broken number", "value = 600", "value = 600.5", "Expected `int`"),
    ("a negative limit", "value = 600", "value = -1", "spread_max"),
    ("a limit beyond an integer", "value = 600", "value = 10_000_000_000_000_000", "spread_max"),
    ("a time beyond the clock", "value = 86_400_000", "value = 9_000_000_000_000", "registry_age_ms_max"),
    ("not TOML", "[spread_max]", "[spread_max", "file.toml"),
]


@pytest.mark.parametrize(("was", "now", "words"), [c[1:] for c in BAD_LIMITS], ids=[c[0] for c in BAD_LIMITS])
def test_limits_are_refused(tmp_path: Path, was: str, now: str, words: str) -> None:
    assert was in LIMITS_TEXT
    with pytest.raises(ConfigError, match=r"^file\.toml") as refusal:
        config.load_limits(written(tmp_path, LIMITS_TEXT.replace(was, now, 1)))
    assert words in str(refusal.value)


def test_limits_in_another_order_are_refused(tmp_path: Path) -> None:
    tables = LIMITS_TEXT.split("\n[")
    swapped = "\n[".join([tables[0], tables[2], tables[1], *tables[3:]])
    with pytest.raises(ConfigError, match="in this order"):
        config.load_limits(written(tmp_path, swapped))
