"""`limits.toml` and the LIMITS record are one list, and every limit that a check compares with is in it."""

import tomllib
from pathlib import Path

from polytraders.contracts.checks import ALL, CHECKS, INCREASING, LEAST, MOST
from polytraders.contracts.inputs import SIZE_MAX
from polytraders.contracts.state import LIMITS

LIMITS_FILE = Path(__file__).resolve().parents[2] / "polytraders" / "limits.toml"
TABLES = tomllib.loads(LIMITS_FILE.read_text(encoding="utf-8"))


def test_worked_example() -> None:
    assert TABLES["spread_max"]["value"] == 600
    assert TABLES["spread_max"]["unit"] == "price units (1e-4)"


def test_the_tables_are_the_records_fields_in_their_order() -> None:
    assert tuple(TABLES) == LIMITS.names


def test_every_limit_has_a_value_a_unit_and_a_reason() -> None:
    for name, table in TABLES.items():
        assert set(table) == {"value", "unit", "reason"}, name
        assert isinstance(table["value"], int) and not isinstance(table["value"], bool), name
        assert 0 < table["value"] <= SIZE_MAX, name
        assert table["unit"], name
        assert table["reason"].endswith(".") and len(table["reason"]) > 30, name


def test_a_name_tells_the_unit_or_is_an_amount() -> None:
    for name, table in TABLES.items():
        if "_ms" in name:
            assert table["unit"] == "ms", name
        if "_ppm" in name:
            assert table["unit"].startswith("ppm"), name


def test_every_limit_of_a_check_exists() -> None:
    assert {check.limit for check in CHECKS if check.limit} <= set(TABLES)


def test_limits_that_no_check_compares_with_are_used_by_sizing_or_the_paper_venue() -> None:
    compared = {check.limit for check in CHECKS}
    assert set(TABLES) - compared == {"order_latency_ms", "liquidity_take_ppm_max"}


def test_checks_are_well_formed() -> None:
    assert len({check.name for check in CHECKS}) == len(CHECKS) < 62
    for check in CHECKS:
        assert check.applies in (ALL, INCREASING), check.name
        assert check.side in (MOST, LEAST), check.name
        assert check.group in ("market", "pair"), check.name
        assert check.unit, check.name


def test_maxima_reject_above_and_minima_below() -> None:
    for check in CHECKS:
        if check.limit.endswith("_max"):
            assert check.side == MOST, check.name
        if check.limit.endswith("_min"):
            assert check.side == LEAST, check.name
