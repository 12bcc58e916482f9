"""The templates that are shipped, and the documentation's words about them."""

import re
import tomllib
from pathlib import Path

import pytest

from apps.fairvalue.core.calibration import Table, table_code
from polytraders import config
from polytraders.config import STRATEGIES
from polytraders.contracts.inputs import NANO, SIZE_UNIT, Setting, Stage
from polytraders.contracts.state import PARAMS
from polytraders.strategies import parameters, roster

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = sorted(STRATEGIES.glob("*.toml"))


def test_worked_example() -> None:
    """`logit` takes 50 shares where an edge of a tenth of a cent is left, reads two windows, and starts on paper."""
    strategy = config.load_strategy(Path("logit"))
    told = dict(zip(Setting, strategy.settings, strict=True))
    assert (told[Setting.SIZE], told[Setting.EDGE_MIN]) == (50 * SIZE_UNIT, NANO // 1_000)
    assert (told[Setting.WINDOWS], told[Setting.MAKER], strategy.stage) == (0b011, 0, Stage.PAPER)


def test_every_model_has_a_template_and_every_template_a_model() -> None:
    assert {path.stem for path in TEMPLATES} == set(parameters.MODELS)
    assert [getattr(roster, model.upper()) for model in parameters.MODELS] == list(range(len(parameters.MODELS)))


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_a_template_loads_and_promises_no_more_than_paper(path: Path) -> None:
    strategy = config.load_strategy(path)
    assert (strategy.name, strategy.model) == (path.stem, path.stem)
    assert strategy.stage <= Stage.PAPER
    assert 0 < len(strategy.params) <= PARAMS
    rows = config.strategy_rows(3, strategy)
    assert {market for _, _, _, market, *_ in rows} == {3}
    told = dict(zip(Setting, strategy.settings, strict=True))
    assert told[Setting.EDGE_MIN] > 0
    assert 0 < told[Setting.BAND_MAX] < NANO
    assert told[Setting.SIZE] <= told[Setting.EXPOSURE_MAX]


def test_the_shipped_calibration_is_one_that_the_kernel_may_use() -> None:
    params = config.load_strategy(Path("logit")).params
    knots = int(params[parameters.KNOTS_AT])
    columns = [params[parameters.TABLE_AT + n * knots : parameters.TABLE_AT + (n + 1) * knots] for n in range(4)]
    assert len(params) == parameters.TABLE_AT + 4 * knots
    assert table_code(Table(*columns)) == ""


def test_the_readmes_strategy_is_a_template_that_is_shipped() -> None:
    """docs/replay.md shows the beginning of a template; what it shows must be in the file, with these values."""
    readme = (ROOT / "docs/replay.md").read_text(encoding="utf-8")
    shown = [tomllib.loads(text) for text in re.findall(r"```toml\n(.*?)```", readme, re.DOTALL)]
    (strategy,) = [table for table in shown if "model" in table]
    template = tomllib.loads((STRATEGIES / f"{strategy['model']}.toml").read_text(encoding="utf-8"))
    assert strategy == template


def test_the_readmes_registry_can_be_read(tmp_path: Path) -> None:
    readme = (ROOT / "docs/replay.md").read_text(encoding="utf-8")
    (text,) = [text for text in re.findall(r"```toml\n(.*?)```", readme, re.DOTALL) if "[[market]]" in text]
    (tmp_path / "registry.toml").write_text(text, encoding="utf-8")
    registry = config.load_registry(tmp_path / "registry.toml")
    assert config.fact_rows(0, registry.market[0], config.cluster_names(registry), 0, "README")
