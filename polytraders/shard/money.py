"""The loop's money and shares as sums by account, for the comparison with the ledger."""

import numpy as np

from apps.ledger.comparison import Sums
from polytraders.contracts import state as s
from polytraders.contracts.inputs import NO, YES
from polytraders.journal import position_account, token
from polytraders.naming import Names


def sums(state: s.State, names: Names) -> Sums:
    """Cash, holds, fees, capital and positions as the loop has them now."""
    portfolio = state.portfolio[0]
    pairs = state.pairs[: len(names.markets)]
    positions: dict[tuple[str, str], tuple[int, int]] = {}
    held = np.argwhere((pairs["qty_yes"] != 0) | (pairs["qty_no"] != 0)).tolist()
    for market, strategy in held:
        pair = pairs[market, strategy]
        selling = pair["order"] != s.NO_ORDER and pair["order_action"] == s.SELL
        for outcome, quantity in ((YES, "qty_yes"), (NO, "qty_no")):
            total = int(pair[quantity])
            if total:
                reserved = int(pair["order_held"]) if selling and pair["order_outcome"] == outcome else 0
                key = position_account(names, strategy), token(names, market, outcome)
                positions[key] = (total, reserved)
    return Sums(
        cash=int(portfolio["cash"]),
        reserved=int(portfolio["reserved"]),
        fees=int(portfolio["fees"]),
        deposited=int(portfolio["deposited"]),
        positions=positions,
    )
