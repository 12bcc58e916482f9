"""Positions, capital and exposure as the loop works with them. The ledger is the record; this is the working copy.

Sizes in 1e-6 shares, money in micro-pUSD. A purchase holds its price at the limit and the largest fee the schedule can
charge; a sale holds the shares. Exposure = cost of what is held plus what is held for open purchases: all that can be
lost. The worst case of a market counts a YES and a NO share held together as the one pUSD they always pay.
"""

from polytraders.contracts.inputs import NO, PRICE_UNIT, SIZE_UNIT, YES
from polytraders.contracts.state import BUY, NONE, Record
from polytraders.kernel import money
from polytraders.kernel.jit import cold, kernel

PPM = 1_000_000
DAY_NS = 86_400_000_000_000
WEEK_NS = 7 * DAY_NS
# 1 January 1970 was a Thursday; weeks roll on Monday.
MONDAY_NS = 4 * DAY_NS


@kernel
def own_price(outcome: int, price: int) -> int:
    """A YES price in the terms of the traded outcome."""
    return price if outcome == YES else PRICE_UNIT - price


@kernel
def fee_most(mk: Record, size: int) -> int:
    """The most that `size` shares can be charged: the curve's top at p = 0.5, and the flat part of a whole pUSD."""
    top = money.fee_micros(size, PRICE_UNIT // 2, mk.fee_rate, mk.fee_exponent, 0)
    return top + money.ceil_div(size * mk.fee_bps, 10_000)


@kernel
def hold_for(mk: Record, outcome: int, price: int, size: int) -> int:
    """Micro-pUSD that a purchase of `size` at the YES price `price` may need at most."""
    return money.notional(size, own_price(outcome, price), True) + fee_most(mk, size)


@kernel
def unit_hold(mk: Record, outcome: int, price: int) -> int:
    """What one share at the YES price `price` is held at, 1e-9: `hold_for` a share, but for its rounding."""
    # The curve's top is rate / 4 for the exponent 1 and less above it; below 1 it stays under the rate.
    top = mk.fee_rate * (250 if mk.fee_exponent >= 1_000 else 1_000)
    answer: int = own_price(outcome, price) * 100_000 + top + mk.fee_bps * 100_000
    return answer


@kernel
def expose(pf: Record, mk: Record, cluster: Record, strat: Record, pair: Record, amount: int) -> None:
    """Add `amount` (of either sign) to every exposure that the pair's money counts in."""
    pair.exposure += amount
    strat.exposure += amount
    mk.exposure += amount
    cluster.exposure += amount
    pf.exposure += amount


@kernel
def reassess(mk: Record, cluster: Record) -> None:
    """Worst case of the market, and its part in the cluster's: every market of it goes wrong at once."""
    worst = mk.cost + mk.reserved - min(mk.qty_yes, mk.qty_no)
    cluster.worst += worst - mk.worst
    mk.worst = worst


@kernel
def reserve(pf: Record, mk: Record, cluster: Record, strat: Record, pair: Record, amount: int) -> None:
    """Hold `amount` micro-pUSD for an open purchase (negative: let go)."""
    pf.reserved += amount
    mk.reserved += amount
    expose(pf, mk, cluster, strat, pair, amount)
    reassess(mk, cluster)


@kernel
def follow(pf: Record) -> None:
    """Equity against the day's and the week's high."""
    pf.equity = pf.cash + pf.mark
    pf.high_day = max(pf.high_day, pf.equity)
    pf.high_week = max(pf.high_week, pf.equity)
    pf.drawdown_day = drawdown(pf.high_day, pf.equity)
    pf.drawdown_week = drawdown(pf.high_week, pf.equity)


@kernel
def drawdown(high: int, equity: int) -> int:
    """Fall from the high in ppm of it; without capital there is nothing to fall from."""
    return (high - equity) * PPM // high if high > 0 else 0


@kernel
def mark(pf: Record, mk: Record) -> None:
    """Value what is held in the market at its mid; a market that never had one is valued at nothing."""
    value = (mk.qty_yes * mk.mid2 + mk.qty_no * (2 * PRICE_UNIT - mk.mid2)) // (2 * PRICE_UNIT) if mk.mid2 > 0 else 0
    if value != mk.mark:
        pf.mark += value - mk.mark
        mk.mark = value
        follow(pf)


@cold
def roll_day(pf: Record, now: int) -> None:
    """A new day or week begins: its high starts at what there is."""
    day = now // DAY_NS
    week = (now + DAY_NS * 3) // WEEK_NS
    if day != pf.day:
        pf.day = day
        pf.high_day = pf.equity
    if week != pf.week:
        pf.week = week
        pf.high_week = pf.equity
    follow(pf)


@kernel
def held(pair: Record, outcome: int) -> int:
    """Shares of an outcome that the pair holds."""
    answer: int = pair.qty_yes if outcome == YES else pair.qty_no
    return answer


@kernel
def bought(
    pf: Record, mk: Record, cluster: Record, strat: Record, pair: Record, outcome: int, size: int, spent: int, fee: int
) -> None:
    """A purchase has filled: shares come in at their price, the fee is an expense."""
    if outcome == YES:
        pair.qty_yes += size
        pair.cost_yes += spent
        mk.qty_yes += size
    else:
        pair.qty_no += size
        pair.cost_no += spent
        mk.qty_no += size
    mk.cost += spent
    expose(pf, mk, cluster, strat, pair, spent)
    pf.cash -= spent + fee
    charge(pf, pair, fee)


@kernel
def charge(pf: Record, pair: Record, fee: int) -> None:
    """A fee, paid and realised at once."""
    pair.fees += fee
    pair.realised -= fee
    pf.fees += fee
    pf.realised -= fee


@kernel
def cost_of(pair: Record, outcome: int, size: int) -> int:
    """Cost of `size` of the shares held, at their average.

    The last share takes what is left, so a closed position starts again from nothing.
    """
    quantity = held(pair, outcome)
    cost = pair.cost_yes if outcome == YES else pair.cost_no
    return cost if size >= quantity else money.mul_div(cost, size, quantity)


@kernel
def sold(
    pf: Record,
    mk: Record,
    cluster: Record,
    strat: Record,
    pair: Record,
    outcome: int,
    size: int,
    received: int,
    fee: int,
) -> None:
    """A sale has filled, or a market has paid out: shares and their cost go out, the difference is realised."""
    cost = cost_of(pair, outcome, size)
    if outcome == YES:
        pair.qty_yes -= size
        pair.cost_yes -= cost
        mk.qty_yes -= size
    else:
        pair.qty_no -= size
        pair.cost_no -= cost
        mk.qty_no -= size
    mk.cost -= cost
    expose(pf, mk, cluster, strat, pair, -cost)
    pf.cash += received - fee
    pair.realised += received - cost
    pf.realised += received - cost
    charge(pf, pair, fee)


@kernel
def release(pf: Record, mk: Record, cluster: Record, strat: Record, pair: Record, left: int) -> int:
    """Let go of what an order no longer needs, now that `left` of it is open. Returns what is still held."""
    if pair.order_action == BUY:
        needed = hold_for(mk, pair.order_outcome, pair.order_price, left) if left > 0 else 0
        reserve(pf, mk, cluster, strat, pair, needed - pair.order_held)
        pair.order_held = needed
    else:
        pair.order_held = left
    answer: int = pair.order_held
    return answer


@kernel
def average_cost(cost: int, quantity: int) -> int:
    """Volume-weighted average cost, 1e-9 pUSD per share; 0 for no position."""
    return money.mul_div(cost, 1_000 * SIZE_UNIT, quantity) if quantity > 0 else 0


@kernel
def unrealised(quantity: int, cost: int, price: int) -> int:
    """(price - average cost) * quantity in micro-pUSD; `price` in price units, NONE = no price, then minus the cost."""
    return (quantity * price // PRICE_UNIT if price != NONE else 0) - cost


@kernel
def free(total: int, reserved: int) -> int:
    """free = total - reserved; a reservation never outlives its order."""
    return total - reserved


@kernel
def opposite(outcome: int) -> int:
    """The other outcome."""
    return NO if outcome == YES else YES
