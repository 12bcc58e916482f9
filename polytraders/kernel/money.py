"""Integer arithmetic of prices, sizes and money; every rounding in the system is one of these functions.

Units (contracts/inputs.py): price 1e-4 pUSD, size 1e-6 shares, money 1e-6 pUSD ("micros"), averages, fees per share and
probabilities 1e-9 ("nano"). An amount rounds once, up when we pay and down when we receive. Every product stays below
2**63 for prices up to 1 pUSD, sizes up to SIZE_MAX and fee rates up to RATE_MAX; the tests stand on those edges.
"""

import math
from typing import Final

from polytraders.contracts.inputs import NANO, PRICE_UNIT, SIZE_MAX
from polytraders.kernel.jit import cold, kernel

RATE_UNIT: Final = 1_000_000
"""Units of a fee rate: 1e-6."""

RATE_MAX: Final = 900_000
"""Largest fee rate that fits beside SIZE_MAX; the highest schedule seen is 250,000."""

EXPONENT_UNIT: Final = 1_000
BPS_UNIT: Final = 10_000
NANO_PER_PRICE: Final = NANO // PRICE_UNIT

DIRECT: Final = 9e18
"""Products surely below this, judged in floating point, fit into 63 bits."""

FEE_STEP: Final = 10
"""The venue rounds a fee to five decimals of a pUSD: ten micros."""


@kernel
def floor_div(a: int, b: int) -> int:
    """The greatest integer not above a / b; b > 0, a of either sign."""
    return a // b


@kernel
def ceil_div(a: int, b: int) -> int:
    """The least integer not below a / b; b > 0, a of either sign."""
    return -(-a // b)


@cold
def _long_mul_div(rest: int, b: int, c: int) -> tuple[int, int]:
    # Schoolbook division with 15-bit digits of b; not inlined, because only thousands of shares at once get here.
    quotient = 0
    left = 0
    for shift in (30, 15, 0):
        part = rest * ((b >> shift) & 0x7FFF) + (left << 15)
        digit = part // c
        quotient = (quotient << 15) + digit
        left = part - digit * c
    return quotient, left


@kernel
def mul_div(a: int, b: int, c: int) -> int:
    """Compute a * b / c rounded down, exact although a * b may not fit into 64 bits.

    Args:
        a: Any int64.
        b: 0 <= b < 2**45, so any size fits.
        c: Divisor, 0 < c < 2**46.

    Returns:
        The floor, which itself must fit into 63 bits.
    """
    # a = whole * c + rest, so a b / c = whole * b + rest * b / c, and rest < c.
    whole = a // c
    rest = a - whole * c
    if float(rest) * b < DIRECT:
        return whole * b + (rest * b) // c
    quotient, _ = _long_mul_div(rest, b, c)
    return whole * b + quotient


@kernel
def mul_div_up(a: int, b: int, c: int) -> int:
    """Compute a * b / c rounded up, under the same bounds as `mul_div`."""
    whole = a // c
    rest = a - whole * c
    if float(rest) * b < DIRECT:
        return whole * b - (-(rest * b) // c)
    quotient, left = _long_mul_div(rest, b, c)
    return whole * b + quotient + (1 if left > 0 else 0)


@kernel
def nano(x: float) -> int:
    """A finite real as an integer of 1e-9, to the nearest, halves up; |x| < 9e9."""
    return int(math.floor(x * 1e9 + 0.5))


@kernel
def on_grid(price: int, tick: int) -> bool:
    """Whether a price is a multiple of the tick and lies strictly between 0 and 1 pUSD; a tick of 0 is unknown: no.

    Source: specification, stage 1, price_valid = (price mod tick_size = 0).
    """
    return tick > 0 and 0 < price < PRICE_UNIT and price % tick == 0


@kernel
def size_in_range(size: int, min_size: int) -> bool:
    """Whether an order's size (1e-6 shares) reaches the market's minimum and stays within SIZE_MAX; 0 never does."""
    return 0 < size <= SIZE_MAX and size >= min_size


@kernel
def notional(size: int, price: int, pays: bool) -> int:
    """Micros that change hands for `size` (1e-6 shares) at `price` (1e-4 pUSD).

    Args:
        size: 0 to SIZE_MAX.
        price: 0 to PRICE_UNIT.
        pays: True rounds up (we pay), False rounds down (we receive).
    """
    return ceil_div(size * price, PRICE_UNIT) if pays else (size * price) // PRICE_UNIT


@kernel
def average_nano(price_times_size: int, size: int) -> int:
    """Average price of a walk in 1e-9 pUSD, rounded down (what a seller receives).

    Args:
        price_times_size: Sum of price * size over the levels taken, at most PRICE_UNIT * SIZE_MAX.
        size: Sum of the sizes, 1e-6 shares. 0 means that nothing was taken; the average is then 0.
    """
    return 0 if size <= 0 else mul_div(price_times_size, NANO_PER_PRICE, size)


@kernel
def average_nano_up(price_times_size: int, size: int) -> int:
    """Average price of a walk in 1e-9 pUSD, rounded up (what a buyer pays); arguments as in `average_nano`."""
    return 0 if size <= 0 else mul_div_up(price_times_size, NANO_PER_PRICE, size)


@kernel
def fee_per_share(q_nano: int, fee_rate: int, fee_exponent: int, fee_bps: int) -> int:
    """Expected taker fee per share in 1e-9 pUSD, rounded up once.

    rate * (q (1 - q))^exponent + q * bps / 10,000, with q the average fill price. Exact for exponent 1, which every
    current schedule has; other exponents go through one float power, so the result may be one unit above the exact one.

    Args:
        q_nano: Average price, 1e-9 pUSD. The curve is 0 outside of 0..1.
        fee_rate: 1e-6, 0 to RATE_MAX.
        fee_exponent: 1e-3; 1000 is exponent 1.
        fee_bps: Flat part in basis points of the notional, 0 to 10,000.

    Source: docs.polymarket.com fees page, 2026-10; specification, stage 1, formula 3 for the flat part.
    """
    bell = q_nano * (NANO - q_nano)  # 1e-18, at most 2.5e17
    curve = 0  # in 1e-18 pUSD, to share one rounding with the flat part
    if bell > 0 and fee_rate > 0:
        if fee_exponent == EXPONENT_UNIT:
            # Rounding up to 1e-18 and then to 1e-9 is rounding up to 1e-9.
            curve = mul_div_up(bell, fee_rate, RATE_UNIT)
        else:
            curve = int(math.ceil(fee_rate * 1e12 * math.pow(bell / 1e18, fee_exponent / EXPONENT_UNIT)))
    return ceil_div(curve + q_nano * fee_bps * (NANO // BPS_UNIT), NANO)


@kernel
def fee_micros(size: int, price: int, fee_rate: int, fee_exponent: int, fee_bps: int) -> int:
    """Fee of one fill in micros, as the venue charges it.

    The curve part rate * size * (p (1 - p))^exponent is rounded to five decimals of a pUSD, halves up, and is nothing
    when it is below 0.00001 before rounding. The flat part is rounded up to a micro and added.

    Args:
        size: 1e-6 shares, 0 to SIZE_MAX.
        price: 1e-4 pUSD; the curve is 0 outside of 0..1.
        fee_rate: 1e-6, 0 to RATE_MAX.
        fee_exponent: 1e-3; 1000 is exponent 1.
        fee_bps: Basis points of the notional, 0 to 10,000.

    Source: as for `fee_per_share`. The sources do not say how halves round; up is against us.
    """
    flat = mul_div_up(size * price, fee_bps, PRICE_UNIT * BPS_UNIT)
    bell = price * (PRICE_UNIT - price)  # 1e-8, at most 2.5e7
    if bell <= 0 or fee_rate <= 0:
        return flat
    if fee_exponent == EXPONENT_UNIT:
        # rate * size * bell is in 1e-20 pUSD and a step in 1e-5: divide by 1e9 first, then by 1e6.
        parts = mul_div(fee_rate * size, bell, 1_000_000_000)
        steps = 0 if parts < 1_000_000 else (parts + 500_000) // 1_000_000
    else:
        # Divisions, not products with 1e-7: they are exact where the answer is.
        exact = fee_rate * size * math.pow(bell / 1e8, fee_exponent / EXPONENT_UNIT) / 1e7
        steps = 0 if exact < 1.0 else int(math.floor(exact + 0.5))
    return steps * FEE_STEP + flat
