"""How much: the smallest of the strategy's, the liquidity's and the portfolio's cap, rounded down to 0.01 share.

Kelly: a share bought at q that pays 1 with probability p has the growth-optimal fraction (p - q) / (1 - q) of capital;
the strategy's `kelly_ppm` takes a part of it (a quarter by custom), measured with the edge after all costs.
Volatility: size shrinks with target / sigma where sigma is the 5-minute volatility, and never grows.
"""

from polytraders.contracts.inputs import NANO, SIZE_UNIT
from polytraders.kernel.jit import kernel

LOT = 10_000
"""0.01 share, the venue's size step."""
PPM = 1_000_000
ROUNDING = 10
"""Micro-pUSD that an order can be held at beyond its size times the unit cost.

Its price and a flat fee are rounded up to a micro, the fee's curve to the nearest ten.
"""


@kernel
def kelly_size(edge: int, price: int, kelly_ppm: int, capital: int) -> int:
    """1e-6 shares. `edge` and `price` 1e-9 of the bought outcome, `capital` micro-pUSD; 0 without an edge."""
    if edge <= 0 or price <= 0 or price >= NANO or capital <= 0:
        return 0
    # fraction * capital / price as one division, the fraction at most 1.
    share = min(kelly_ppm * 1e-6 * edge, float(NANO - price))
    return int(share * capital * NANO / ((NANO - price) * price))


@kernel
def volatility_size(size: int, target_ppm: int, sigma: float) -> int:
    """Size scaled down to the target volatility. `target_ppm` 1e-6 of log return, `sigma` the same as a number."""
    if sigma <= 0.0:
        return size
    return int(size * min(1.0, target_ppm / PPM / sigma))


@kernel
def strategy_cap(
    size: int, edge: int, price: int, kelly_ppm: int, volatility_target_ppm: int, sigma: float, capital: int
) -> int:
    """What the strategy may take, 1e-6 shares."""
    cap = size
    if kelly_ppm > 0:
        cap = min(cap, kelly_size(edge, price, kelly_ppm, capital))
    if volatility_target_ppm > 0:
        cap = volatility_size(cap, volatility_target_ppm, sigma)
    return cap


@kernel
def liquidity_cap(filled: int, take_ppm: int) -> int:
    """What the displayed book may give, 1e-6 shares."""
    return filled // 100 * take_ppm // (PPM // 100)


@kernel
def affordable(room: int, unit_cost: int) -> int:
    """1e-6 shares that `room` micro-pUSD buys at `unit_cost` (1e-9 per share, price and fee); 0 for no room."""
    if room <= 0 or unit_cost <= 0:
        return 0
    whole = room // unit_cost
    return whole * NANO + (room - whole * unit_cost) * NANO // unit_cost


@kernel
def floor_lot(size: int) -> int:
    """Rounded down to the venue's step."""
    return size // LOT * LOT


@kernel
def smallest_cost(min_size: int, unit_cost: int) -> int:
    """Micro-pUSD that the smallest allowed order is held at, at most."""
    return -(-(min_size * (unit_cost // 1_000)) // SIZE_UNIT) + ROUNDING
