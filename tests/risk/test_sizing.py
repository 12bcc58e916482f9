"""Stage 7: how much."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.ledger.core import positions
from apps.risk.core import sizing
from polytraders.contracts import state as s
from polytraders.contracts.inputs import NANO, SIZE_UNIT, YES
from tests.scenario import record, shares

CAPITAL = 10_000 * SIZE_UNIT


def test_worked_example() -> None:
    """Bought at 0.645 with an edge of 0.009: quarter Kelly of 10,000 pUSD is 63.38 pUSD, 98.26 shares."""
    size = sizing.kelly_size(9_000_000, 645_000_000, 250_000, CAPITAL)
    # 0.25 * 0.009 / 0.355 = 0.006338 of the capital.
    assert size == pytest.approx(0.25 * 0.009 / 0.355 * 10_000 / 0.645 * SIZE_UNIT, abs=1)
    assert sizing.floor_lot(size) == shares(98.26)


@pytest.mark.parametrize(
    ("edge", "price", "capital"),
    [(0, NANO // 2, CAPITAL), (-1, NANO // 2, CAPITAL), (1, 0, CAPITAL), (1, NANO, CAPITAL), (1, NANO // 2, 0)],
)
def test_without_edge_price_or_capital_kelly_takes_nothing(edge: int, price: int, capital: int) -> None:
    assert sizing.kelly_size(edge, price, 250_000, capital) == 0


def test_kelly_never_takes_more_than_the_capital_buys() -> None:
    assert sizing.kelly_size(NANO, 500_000_000, 1_000_000, CAPITAL) == 20_000 * SIZE_UNIT


def test_volatility_shrinks_a_size_and_never_grows_it() -> None:
    assert sizing.volatility_size(shares(100), 2_000, 0.004) == shares(50)
    assert sizing.volatility_size(shares(100), 2_000, 0.001) == shares(100)
    assert sizing.volatility_size(shares(100), 2_000, 0.0) == shares(100)


def test_options_that_are_off_leave_the_wish() -> None:
    assert sizing.strategy_cap(shares(100), 1, NANO // 2, 0, 0, 0.5, CAPITAL) == shares(100)
    assert sizing.strategy_cap(shares(100), 9_000_000, 645_000_000, 250_000, 0, 0.5, CAPITAL) < shares(100)
    assert sizing.strategy_cap(shares(100), 1, NANO // 2, 0, 2_000, 0.004, CAPITAL) == shares(50)


def test_a_part_of_the_displayed_size_is_taken() -> None:
    assert sizing.liquidity_cap(shares(2_100), 500_000) == shares(1_050)
    assert sizing.liquidity_cap(shares(2_100), 1_000_000) == shares(2_100)
    assert sizing.liquidity_cap(0, 500_000) == 0


def test_sizes_come_in_hundredths_of_a_share() -> None:
    assert sizing.floor_lot(shares(12.349999)) == shares(12.34)
    assert sizing.floor_lot(9_999) == 0


@pytest.mark.parametrize(("room", "unit"), [(0, 640_000_000), (-1, 640_000_000), (64, 0), (64, -1)])
def test_no_room_buys_nothing(room: int, unit: int) -> None:
    assert sizing.affordable(room, unit) == 0


@given(st.integers(1, 10**12), st.integers(100_000, 2 * NANO))
def test_what_is_affordable_fits_the_room_and_no_more_would(room: int, unit: int) -> None:
    size = sizing.affordable(room, unit)
    assert size * unit <= room * NANO
    assert (size + 1) * unit > room * NANO


FIELDS = {
    "fee_rate": st.integers(0, 250_000), "fee_exponent": st.sampled_from((500, 1_000, 1_500, 2_000)),
    "fee_bps": st.integers(0, 200),
}  # fmt: skip


@given(st.fixed_dictionaries(FIELDS), st.integers(1, 9_999), st.integers(0, 10**9))
def test_an_affordable_purchase_is_held_within_its_room(fields: dict[str, int], price: int, room: int) -> None:
    mk = record(s.MARKET, **fields)
    unit = positions.unit_hold(mk, YES, price)
    size = sizing.floor_lot(sizing.affordable(room - sizing.ROUNDING, unit))
    assert size == 0 or positions.hold_for(mk, YES, price, size) <= room


@given(st.fixed_dictionaries(FIELDS), st.integers(1, 9_999), st.integers(1, 2_000))
def test_the_smallest_order_is_counted_at_what_it_is_held_at(fields: dict[str, int], price: int, count: int) -> None:
    mk = record(s.MARKET, **fields)
    unit = positions.unit_hold(mk, YES, price)
    # Micro-pUSD a share are rounded down before they are multiplied: less than one micro for each share.
    assert positions.hold_for(mk, YES, price, shares(count)) <= sizing.smallest_cost(shares(count), unit) + count
