"""What must hold of the loop's memory after every input, whatever has happened."""

import numpy as np

from polytraders.contracts import state as s


def audit(state: s.State) -> None:
    """What must hold after every input: sums agree, nothing is negative, equity is cash and holdings."""
    portfolio, pairs, markets = state.portfolio[0], state.pairs, state.markets
    buying = (pairs["order"] != s.NO_ORDER) & (pairs["order_action"] == s.BUY)
    held = np.where(buying, pairs["order_held"], 0)
    assert held.sum() == portfolio["reserved"]
    assert (held.sum(axis=1) == markets["reserved"]).all()
    exposure = pairs["cost_yes"] + pairs["cost_no"] + held
    assert (exposure == pairs["exposure"]).all()
    assert (exposure.sum(axis=1) == markets["exposure"]).all()
    assert (exposure.sum(axis=0) == state.strategies["exposure"]).all()
    assert exposure.sum() == portfolio["exposure"] == state.clusters["exposure"].sum()
    for cluster in range(len(state.clusters)):
        inside = markets["cluster"] == cluster
        assert markets["exposure"][inside].sum() == state.clusters["exposure"][cluster]
        assert markets["worst"][inside].sum() == state.clusters["worst"][cluster]
    for name in ("qty_yes", "qty_no", "cost_yes", "cost_no", "order_left", "order_held", "order_front"):
        assert (pairs[name] >= 0).all(), name
    assert portfolio["cash"] - portfolio["reserved"] >= 0
    assert portfolio["equity"] == portfolio["cash"] + portfolio["mark"]
    assert portfolio["mark"] == markets["mark"].sum()
    assert portfolio["cash"] == portfolio["deposited"] + portfolio["realised"] - (exposure - held).sum()
    assert portfolio["realised"] == pairs["realised"].sum()
    assert (state.levels >= state.taken).all()
