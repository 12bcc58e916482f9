"""Money arithmetic against exact fractions."""

import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polytraders.contracts.inputs import NANO, PRICE_UNIT, SIZE_MAX, SIZE_UNIT
from polytraders.kernel import money

INT63 = 2**63 - 1
SIZES = st.integers(0, SIZE_MAX)
PRICES = st.integers(0, PRICE_UNIT)
RATES = st.integers(0, money.RATE_MAX)
BPS = st.integers(0, 10_000)

many = settings(max_examples=400, deadline=None)


def up(x: Fraction) -> int:
    return math.ceil(x)


def test_worked_example() -> None:
    # 0.645 * 2,000 * 50 / 10,000 = 6.45 pUSD, and 0.003225 a share.
    assert money.fee_micros(2_000 * SIZE_UNIT, 6_450, 0, 1_000, 50) == 6_450_000
    assert money.fee_per_share(645_000_000, 0, 1_000, 50) == 3_225_000


def test_the_crypto_schedule_costs_one_and_three_quarter_cents_at_a_half() -> None:
    assert money.fee_per_share(500_000_000, 70_000, 1_000, 0) == 17_500_000
    assert money.fee_micros(100 * SIZE_UNIT, 5_000, 70_000, 1_000, 0) == 1_750_000


def test_the_old_schedule_has_exponent_two() -> None:
    # rate 0.25, exponent 2: 0.25 * 0.25^2 = 0.015625 a share.
    assert money.fee_per_share(500_000_000, 250_000, 2_000, 0) == 15_625_000
    assert money.fee_micros(SIZE_UNIT, 5_000, 250_000, 2_000, 0) == 15_630  # 0.015625 -> 0.01563


@pytest.mark.parametrize(
    ("micros_of_a_share", "fee"),
    [(0, 0), (571, 0), (572, 10), (856, 10), (857, 10), (858, 20), (1_000_000, 17_500)],
)
def test_a_fee_below_a_hundred_thousandth_is_nothing_and_halves_round_up(micros_of_a_share: int, fee: int) -> None:
    # 0.0175 a share at a half: 572e-6 shares cost 1.001e-5, 858e-6 cost 1.5015e-5.
    assert money.fee_micros(micros_of_a_share, 5_000, 70_000, 1_000, 0) == fee


def test_exactly_half_a_step_rounds_up() -> None:
    # 0.04 * 0.25 = 0.01 a share; 1,500e-6 shares cost exactly 1.5e-5.
    assert money.fee_micros(1_500, 5_000, 40_000, 1_000, 0) == 20


@pytest.mark.parametrize("price", [-1, 0, PRICE_UNIT, PRICE_UNIT + 1])
def test_the_curve_is_nothing_at_and_beyond_certainty(price: int) -> None:
    for exponent in (1_000, 2_000):
        assert money.fee_micros(SIZE_UNIT, price, 70_000, exponent, 0) == 0
        assert money.fee_per_share(price * 100_000, 70_000, exponent, 0) == 0


@many
@given(st.integers(-INT63, INT63), st.integers(1, INT63))
def test_division_rounds_as_fractions_do(a: int, b: int) -> None:
    assert money.floor_div(a, b) == math.floor(Fraction(a, b))
    assert money.ceil_div(a, b) == math.ceil(Fraction(a, b))


@many
@given(st.integers(-INT63, INT63), st.integers(0, 2**45 - 1), st.integers(1, 2**46 - 1))
def test_mul_div_is_exact_where_the_product_overflows(a: int, b: int, c: int) -> None:
    exact = Fraction(a * b, c)
    if abs(exact) < 2**62:
        assert money.mul_div(a, b, c) == math.floor(exact)
        assert money.mul_div_up(a, b, c) == math.ceil(exact)


@many
@given(st.integers(0, SIZE_MAX), SIZES, st.integers(1, SIZE_MAX))
def test_a_part_of_the_largest_position_is_exact(cost: int, part: int, whole: int) -> None:
    part = min(part, whole)
    assert money.mul_div(cost, part, whole) == cost * part // whole
    assert money.mul_div_up(cost, part, whole) == -(-cost * part // whole)


@many
@given(SIZES, PRICES)
def test_notional_rounds_against_us(size: int, price: int) -> None:
    exact = Fraction(size * price, PRICE_UNIT)
    assert money.notional(size, price, True) == math.ceil(exact)
    assert money.notional(size, price, False) == math.floor(exact)


@many
@given(st.lists(st.tuples(PRICES, st.integers(1, SIZE_MAX // 8)), min_size=1, max_size=8))
def test_an_average_lies_within_its_levels_and_is_exact(levels: list[tuple[int, int]]) -> None:
    size = sum(s for _, s in levels)
    total = sum(p * s for p, s in levels)
    exact = Fraction(total * NANO, size * PRICE_UNIT)
    low, high = money.average_nano(total, size), money.average_nano_up(total, size)
    assert (low, high) == (math.floor(exact), math.ceil(exact))
    prices = [p * money.NANO_PER_PRICE for p, _ in levels]
    assert min(prices) <= low <= high <= max(prices)


def test_the_average_of_the_specifications_ladder() -> None:
    total = 6_400 * 1_500 * SIZE_UNIT + 6_500 * 500 * SIZE_UNIT
    assert money.average_nano_up(total, 2_000 * SIZE_UNIT) == 642_500_000
    assert money.average_nano(0, 0) == money.average_nano_up(0, 0) == 0


@many
@given(st.integers(0, NANO), RATES, BPS)
def test_the_fee_per_share_is_the_exact_one_rounded_up(q: int, rate: int, bps: int) -> None:
    p = Fraction(q, NANO)
    exact = (Fraction(rate, 10**6) * p * (1 - p) + p * Fraction(bps, 10_000)) * NANO
    assert money.fee_per_share(q, rate, 1_000, bps) == up(exact)


@many
@given(st.integers(0, NANO), RATES, BPS, st.integers(1, 4))
def test_a_float_power_is_at_most_one_unit_above_the_exact_fee(q: int, rate: int, bps: int, power: int) -> None:
    p = Fraction(q, NANO)
    exact = (Fraction(rate, 10**6) * (p * (1 - p)) ** power + p * Fraction(bps, 10_000)) * NANO
    if power == 1:
        return
    got = money.fee_per_share(q, rate, power * 1_000, bps)
    assert exact - Fraction(1, 1_000) <= got <= up(exact) + 1


@many
@given(SIZES, PRICES, RATES, BPS)
def test_a_fills_fee_is_the_venues_rounding_of_the_exact_fee(size: int, price: int, rate: int, bps: int) -> None:
    p = Fraction(price, PRICE_UNIT)
    steps = Fraction(rate, 10**6) * Fraction(size, SIZE_UNIT) * p * (1 - p) * 100_000
    curve = 0 if steps < 1 else math.floor(steps + Fraction(1, 2)) * 10
    flat = up(Fraction(size * price * bps, PRICE_UNIT * 10_000))
    assert money.fee_micros(size, price, rate, 1_000, bps) == curve + flat


def test_the_largest_arguments_do_not_overflow() -> None:
    rate, half = money.RATE_MAX, PRICE_UNIT // 2
    assert money.notional(SIZE_MAX, PRICE_UNIT, True) == SIZE_MAX
    assert money.fee_micros(SIZE_MAX, half, rate, 1_000, 10_000) == SIZE_MAX * 9 // 40 + SIZE_MAX // 2
    assert money.fee_per_share(NANO // 2, rate, 1_000, 10_000) == 225_000_000 + NANO // 2
    assert money.average_nano_up(PRICE_UNIT * SIZE_MAX, SIZE_MAX) == NANO


@pytest.mark.parametrize(
    ("price", "tick", "valid"),
    [
        (6_400, 100, True),
        (6_450, 100, False),
        (6_450, 10, True),
        (100, 100, True),
        (9_900, 100, True),
        (0, 100, False),
        (10_000, 100, False),
        (10_100, 100, False),
        (-100, 100, False),
        (6_400, 0, False),
        (6_400, -100, False),
    ],
)
def test_a_price_is_valid_on_the_grid_inside_of_certainty(price: int, tick: int, valid: bool) -> None:
    assert money.on_grid(price, tick) is valid


@pytest.mark.parametrize(
    ("size", "min_size", "valid"),
    [(5, 5, True), (4, 5, False), (0, 0, False), (-5, 0, False), (SIZE_MAX, 5, True), (SIZE_MAX + 1, 5, False)],
)
def test_a_size_reaches_the_minimum_and_stays_below_the_maximum(size: int, min_size: int, valid: bool) -> None:
    assert money.size_in_range(size, min_size) is valid


@pytest.mark.parametrize(
    ("x", "units"), [(0.0, 0), (0.67, 670_000_000), (1.0, NANO), (0.526, 526_000_000), (-0.5, -500_000_000)]
)
def test_nano_takes_the_nearest_unit(x: float, units: int) -> None:
    assert money.nano(x) == units


@many
@given(st.integers(0, NANO), RATES, st.integers(0, 4_000), SIZES, PRICES)
def test_compiled_and_plain_fees_agree_for_any_exponent(
    q: int, rate: int, exponent: int, size: int, price: int
) -> None:
    per_share = getattr(money.fee_per_share, "py_func", money.fee_per_share)
    micros = getattr(money.fee_micros, "py_func", money.fee_micros)
    assert money.fee_per_share(q, rate, exponent, 0) == per_share(q, rate, exponent, 0)
    assert money.fee_micros(size, price, rate, exponent, 0) == micros(size, price, rate, exponent, 0)
