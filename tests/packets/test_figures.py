"""Integers as figures: exact, in the right unit, within their column."""

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polytraders.config import load_limits
from polytraders.contracts.checks import CHECKS
from polytraders.contracts.inputs import MarketStatus, Stage
from polytraders.figures import (
    COUNT,
    NAMED,
    SETTINGS,
    STAGES,
    UNITS,
    amount,
    fitted,
    fixed,
    is_no_price,
    named,
    per_share,
    percent,
    plain,
    price,
    shares,
    span,
    typed,
    utc,
)

COLUMN = 11


def test_worked_example() -> None:
    assert per_share(645_000_000) == "0.645000"
    assert per_share(9_000_000, sign=True) == "+0.009000"
    assert shares(2_000_000_000) == "2,000.00"
    assert price(6_400) == "0.6400"
    assert percent(950_000) == "95.00 %"
    assert utc(1_700_000_050_840_000_000) == "2023-11-14 22:14:10.840000 UTC"


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0.000 s"),
        (1, "1 ns"),
        (-999_999, "-999999 ns"),
        (1_000_000, "0.001 s"),
        (60_000_000, "0.060 s"),
        (9_999_999_000_000, "9999.999 s"),
        (86_400_000_000_000, "1.00 d"),
        (-1_780_272_000_000_000_000, "-20605.00 d"),
    ],
)
def test_a_span_brings_its_own_unit(ns: int, text: str) -> None:
    assert span(ns) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (500_000_000, "micro-pUSD", "500.00"),
        (-1, "micro-pUSD", "-0.000001"),
        (10**13, "1e-6 shares", "10000000.00"),
        (10**14, "1e-6 shares", "100000000.0"),
        (10**9, "spread, price units", "100000.0000"),
        (-1, "1e-9 per share", "-1e-9"),
        (255 | 1 << 32, "missing facts (bits)", "9"),
        (-(255 | 1 << 32), "missing facts (bits)", "-9"),
        (0, "missing facts (bits)", "0"),
        (86_400_000, "ms", "1.00 d"),
        (12_345, "ppm of the day's high", "1.23"),
    ],
)
def test_a_checks_number_is_told_in_its_unit(value: int, unit: str, text: str) -> None:
    assert fitted(value, UNITS[unit], COLUMN) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (300_000_000, "micro-pUSD", "300.00 pUSD"),
        (-1, "micro-pUSD", "-0.000001 pUSD"),
        (5_000_000_000, "micro-pUSD", "5,000.00 pUSD"),
        (600, "price units (1e-4)", "0.0600 pUSD"),
        (40_000, "ppm", "4 %"),
        (123_456, "ppm", "12.3456 %"),
        (86_400_000, "ms", "1 d"),
        (30_000, "ms", "30 s"),
        (60, "ms", "0.06 s"),
        (0, "ms", "0 s"),
        (100_000_000, "ms", "100,000 s"),
        (50_000_000, "1e-6 shares", "50.00 shares"),
        (3_000_000, "1e-9 per share", "0.003000 pUSD"),
        (60, "orders a minute and strategy", "60 orders"),
        (2, "stage", "paper"),
        (9, "stage", "9"),
        (1, "flag", "yes"),
        (5, "bits: 60 s, 5 m, 1 h", "60 s, 1 h"),
        (0, "bits: 60 s, 5 m, 1 h", "none"),
        (7, "number", "7"),
    ],
)
def test_a_limit_is_told_with_its_unit(value: int, unit: str, text: str) -> None:
    assert amount(value, SETTINGS[unit]) == text


@pytest.mark.parametrize(
    ("value", "unit", "is_none"),
    [
        (10_000, "spread, price units", False),
        (10**9, "spread, price units", True),
        (-(10**9), "price units from the mid", True),
        (10**9, "micro-pUSD", False),
    ],
)
def test_what_stands_for_no_price_is_known(value: int, unit: str, is_none: bool) -> None:
    assert is_no_price(value, unit) == is_none


def test_a_state_has_a_name_and_one_that_is_not_known_its_number() -> None:
    assert [named(value, "book state") for value in (0, 1, 2, 3, -1)] == ["whole", "none yet", "resyncing", "3", "-1"]
    assert NAMED["status"] == tuple(status.name.lower() for status in MarketStatus)


def test_every_limit_and_setting_has_a_unit_and_stages_have_the_ladders_names() -> None:
    assert {limit.unit for limit in load_limits().values()} <= set(SETTINGS)
    assert list(STAGES) == [stage.name.lower() for stage in Stage]


@given(st.integers(-(10**12), 10**12), st.sampled_from([0, 3, 4, 6, 9]))
def test_what_one_types_is_what_stood_there(value: int, places: int) -> None:
    assert typed(plain(value, places), places) == value


@pytest.mark.parametrize("text", ["", "x", "nan", "inf", "1e13", "0.00001", "1e-99999", "9" * 40, "1 2", "\u0663"])
def test_what_cannot_be_meant_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no number"):
        typed(text, 4)


def test_every_unit_of_the_checks_is_known_and_short() -> None:
    assert {check.unit for check in CHECKS} == set(UNITS)
    assert max(len(unit.name) for unit in (*UNITS.values(), COUNT)) <= 6


@given(st.integers(-(10**13), 10**13), st.sampled_from(sorted(UNITS)))
def test_a_number_that_is_not_nothing_never_looks_like_nothing_and_fits(value: int, name: str) -> None:
    unit = UNITS[name]
    text = fitted(value, unit, COLUMN)
    assert unit.places == 0 or len(text) <= COLUMN
    if unit.name not in ("time", "facts"):
        assert (Decimal(text) == 0) == (value == 0)
        assert abs(Decimal(text) - Decimal(value).scaleb(-unit.places)) <= Decimal(1).scaleb(-min(unit.shown, 0)) / 2


def test_a_span_that_rounds_up_to_the_limit_is_told_in_days() -> None:
    assert fitted(-9_999_999_500_000, UNITS["ns of freshness left"], COLUMN) == "-0.12 d"
    assert fitted(-9_999_999_499_999, UNITS["ns of freshness left"], COLUMN) == "-9999.999 s"


@given(st.integers(-(10**15), 10**15), st.integers(0, 9))
def test_all_places_shown_is_exact(value: int, places: int) -> None:
    assert Decimal(fixed(value, places, places)) == Decimal(value).scaleb(-places)


@given(st.integers(0, 4_000_000_000_000_000_000))
def test_a_time_reads_back_to_the_microsecond(ns: int) -> None:
    read = dt.datetime.strptime(utc(ns), "%Y-%m-%d %H:%M:%S.%f UTC").replace(tzinfo=dt.UTC)
    whole = read - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    assert (whole.days * 86_400 + whole.seconds) * 1_000_000 + whole.microseconds == ns // 1_000
