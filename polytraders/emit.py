"""Output rows: what the loop says about itself. Written here only, so that every row is whole and in order."""

from polytraders.contracts.checks import APPROVED
from polytraders.contracts.state import BOOK, BUY, COUNTS, DONE, FILL, NONE, SETTLED, Array, Record
from polytraders.kernel.jit import cold, kernel

OUT_FULL = 1
"""`pf.fault`: one input had more to say than the block of outputs holds."""


@kernel
def row(pf: Record, out: Array, kind: int, market: int, strategy: int) -> int:
    """Index of the next output row, empty but for where it belongs.

    (A compiled function cannot return a record, so rows are told by their index.)
    """
    at = pf.count
    if at >= len(out):
        pf.fault = OUT_FULL
        at = len(out) - 1
    pf.count = at + 1
    o = out[at]
    o.in_seq = pf.in_seq
    o.ordinal = pf.ordinal
    pf.ordinal += 1
    o.ts = pf.now
    o.kind = kind
    o.market = market
    o.strategy = strategy
    o.first = NONE
    o.votes = 0
    o.action = BUY
    o.outcome = 0
    o.price = 0
    o.size = 0
    o.money = 0
    o.fee = 0
    o.held = 0
    o.counted = 0
    o.counted_first = NONE
    o.order_seq = 0
    o.detail = NONE
    answer: int = at
    return answer


@kernel
def first_bit(counted: int) -> int:
    """Bit of the first rejection, APPROVED when there is none."""
    if counted == 0:
        return APPROVED
    bit = 0
    while counted >> bit & 1 == 0:
        bit += 1
    return bit


@kernel
def count_off(o: Record, pair: Record) -> None:
    """Close the run of the verdict that stood until now: its code and how often it was given."""
    o.counted = pair.repeats
    o.counted_first = pair.first
    pair.repeats = 0


@kernel
def counts(pf: Record, out: Array, pair: Record, market: int, strategy: int) -> None:
    """How often one verdict has been given."""
    o = out[row(pf, out, COUNTS, market, strategy)]
    o.first = pair.first
    o.votes = pair.votes
    o.action = pair.action
    o.outcome = pair.outcome
    count_off(o, pair)


@cold
def minute(pf: Record, out: Array, pairs: Array, market: int) -> None:
    """Once a minute: how often each strategy's verdict has been given since it was last told."""
    for strategy in range(len(pairs)):
        if pairs[strategy].repeats > 0:
            counts(pf, out, pairs[strategy], market, strategy)


@kernel
def verdict(
    pf: Record, out: Array, kind: int, pair: Record, market: int, strategy: int, counted: int, action: int, outcome: int
) -> int:
    """Index of the row of a new verdict, counted once so far."""
    at = row(pf, out, kind, market, strategy)
    o = out[at]
    count_off(o, pair)
    pair.votes = counted
    pair.first = first_bit(counted)
    pair.action = action
    pair.outcome = outcome
    pair.repeats = 1
    pair.packets += 1
    pf.packets += 1
    o.first = pair.first
    o.votes = counted
    o.action = action
    o.outcome = outcome
    o.detail = pf.details
    return at


@kernel
def detail_row(pf: Record, details: Array) -> int:
    """Index of the packet's row of numbers; every field is set by the caller."""
    at = pf.details
    if at >= len(details):
        pf.fault = OUT_FULL
        at = len(details) - 1
    pf.details = at + 1
    answer: int = at
    return answer


@kernel
def approval(o: Record, pair: Record, price: int) -> None:
    """The order that an approval makes."""
    o.price = price
    o.size = pair.order_size
    o.money = pair.order_held
    o.held = pair.order_held
    o.order_seq = pair.order_seq


@kernel
def fill(
    pf: Record, out: Array, pair: Record, market: int, strategy: int, price: int, size: int, money: int, fee: int
) -> None:
    """A part of an order has filled; `price` in the outcome's own terms, money > 0 spent, < 0 received."""
    o = out[row(pf, out, FILL, market, strategy)]
    o.action = pair.order_action
    o.outcome = pair.order_outcome
    o.price = price
    o.size = size
    o.money = money
    o.fee = fee
    o.held = pair.order_held
    o.votes = pair.order_maker
    o.order_seq = pair.order_seq


@kernel
def done(
    pf: Record, out: Array, pair: Record, market: int, strategy: int, reason: int, price: int, released: int
) -> None:
    """The rest of an order has ended; `released` is what it still held."""
    o = out[row(pf, out, DONE, market, strategy)]
    o.first = reason
    o.action = pair.order_action
    o.outcome = pair.order_outcome
    o.price = price
    o.size = pair.order_left
    o.money = released
    o.order_seq = pair.order_seq


@kernel
def book(pf: Record, out: Array, mk: Record, market: int) -> None:
    """A book became valid or invalid."""
    o = out[row(pf, out, BOOK, market, NONE)]
    o.first = mk.why
    o.votes = mk.state


@kernel
def settled(
    pf: Record, out: Array, market: int, strategy: int, outcome: int, size: int, money: int, reason: int
) -> None:
    """A resolved market paid out a position; with a `reason` it did not, and nothing was booked."""
    o = out[row(pf, out, SETTLED, market, strategy)]
    o.first = reason
    o.outcome = outcome
    o.size = size
    o.money = money
