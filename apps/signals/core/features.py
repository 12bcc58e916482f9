"""The feature vector of one market: observation, not opinion.

Order and names are `FEATURES` in contracts/state.py. Prices and the mid are 0..1, sizes and flows in shares, imbalances
-1..1, volatility the standard deviation of one-move log returns, completeness 0..1.
"""

from apps.signals.core import windows
from polytraders.contracts import state as s
from polytraders.contracts.inputs import ASK, BID
from polytraders.contracts.state import Array, Record
from polytraders.kernel.jit import kernel

TICK = 1e-4
SHARE = 1e-6


@kernel
def imbalance(bid_size: float, ask_size: float) -> float:
    """(bid - ask) / (bid + ask), 0 for an empty book."""
    both = bid_size + ask_size
    return (bid_size - ask_size) / both if both > 0 else 0.0


@kernel
def micro(bid: float, ask: float, bid_size: float, ask_size: float) -> float:
    """The mid weighted by the opposite sizes: where the next trade pulls the price."""
    both = bid_size + ask_size
    return (bid * ask_size + ask * bid_size) / both if both > 0 else 0.5 * (bid + ask)


@kernel
def write(mk: Record, levels: Array, x: Array, now: int) -> None:
    """Fill `x` with the features of the market's valid, two-sided book at `now`."""
    bid = mk.bid_px * TICK
    ask = mk.ask_px * TICK
    bid_size = levels[BID, mk.best_bid] * SHARE
    ask_size = levels[ASK, mk.best_ask] * SHARE
    x[s.SPREAD] = ask - bid
    x[s.MID] = 0.5 * (bid + ask)
    x[s.IMBALANCE] = imbalance(bid_size, ask_size)
    x[s.MICRO] = micro(bid, ask, bid_size, ask_size)
    x[s.BID_SIZE] = bid_size
    x[s.ASK_SIZE] = ask_size
    x[s.BID_DEPTH] = mk.bid_depth * SHARE
    x[s.ASK_DEPTH] = mk.ask_depth * SHARE
    x[s.DEPTH_IMBALANCE] = imbalance(x[s.BID_DEPTH], x[s.ASK_DEPTH])
    x[s.LAST_PRICE] = mk.last_price * TICK
    x[s.LOG_ODDS] = mk.log_odds * 1e-9
    if mk.dirty != 0:
        write_windows(mk, x, now)


@kernel
def write_windows(mk: Record, x: Array, now: int) -> None:
    """The features of the windows: written anew with a trade, a move of the mid, or a new second."""
    mk.dirty = 0
    for window in range(s.WINDOWS):
        x[s.BUY_60S + 2 * window] = (mk.buy - mk.buy_base[window]) * SHARE
        x[s.SELL_60S + 2 * window] = (mk.sell - mk.sell_base[window]) * SHARE
        x[s.VOLATILITY_60S + window] = windows.volatility(
            mk.moves - mk.moves_base[window],
            mk.move_sum - mk.sum_base[window],
            mk.move_squares - mk.squares_base[window],
        )
        x[s.COMPLETE_60S + window] = windows.completeness(mk, window, now)


@kernel
def blank(mk: Record, x: Array) -> None:
    """No book, no features."""
    mk.dirty = 1
    for feature in range(s.N_FEATURES):
        x[feature] = 0.0
