"""A purchase's caps worked out once more for another edge: the loop's arithmetic without the loop.

As `purchase_caps` in `polytraders/deciding.py` and `apps/risk/core/sizing.py` have it, which pages may not load.
Capital and room come from the votes' recorded values, the strategy's settings from what was in force, the worst price
from the decision's row. What does not give the recorded caps for the recorded edge is not used.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from polytraders.contracts import state as s
from polytraders.contracts.decision import DecisionPacket, RiskVote
from polytraders.contracts.inputs import NANO, PRICE_UNIT
from polytraders.contracts.market import Action, Outcome
from polytraders.naming import Moment

PPM: Final = 1_000_000
ROUNDING: Final = 10
"""Micro-pUSD that an order can be held at beyond its size times the unit cost."""
HEADROOM: Final = ("market_exposure", "strategy_exposure", "portfolio_exposure", "correlation", "concentration")
"""Checks whose value is what is used already and the smallest order, and whose limit is the cap."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a purchase is sized with, but for its edge and the room of the votes.

    Attributes:
        wish: 1e-6 shares.
        price: Of the bought outcome, 1e-9.
        kelly_ppm: Part of Kelly's fraction; 0 = the strategy does not size by it.
        volatility_target_ppm: 0 = likewise.
        sigma: The 5-minute volatility.
        unit_cost: What a share is held at, 1e-9.
    """

    wish: int
    price: int
    kelly_ppm: int
    volatility_target_ppm: int
    sigma: float
    unit_cost: int

    def caps(self, edge: int, votes: Sequence[RiskVote]) -> tuple[int, int]:
        """(strategy, portfolio) caps, 1e-6 shares, with this edge, 1e-9 a share, and these votes' limits."""
        by_name = {vote.check: vote for vote in votes}
        own = self._strategy_cap(edge, capital(by_name))
        left = room(by_name) - ROUNDING
        if left > 0 and own * 1e-9 * self.unit_cost < left:
            return own, own
        return own, _affordable(left, self.unit_cost)

    def _strategy_cap(self, edge: int, capital: int) -> int:
        cap = self.wish
        if self.kelly_ppm > 0:
            cap = min(cap, _kelly_size(edge, self.price, self.kelly_ppm, capital))
        if self.volatility_target_ppm > 0 and self.sigma > 0.0:
            cap = int(cap * min(1.0, self.volatility_target_ppm / PPM / self.sigma))
        return cap


def terms(packet: DecisionPacket, at: Moment, worst_px: int) -> Terms | None:
    """The terms of a recorded purchase; None where they are not known, or do not give the caps that were recorded.

    Args:
        packet: As recorded.
        at: What was in force.
        worst_px: Of its row, price units in terms of YES.
    """
    estimate, features = packet.execution, packet.features
    if packet.action is not Action.BUY or estimate is None or features is None:
        return None
    known = at.strategy
    own = worst_px if packet.outcome is Outcome.YES else PRICE_UNIT - worst_px
    found = Terms(
        packet.wish,
        estimate.q_exec,
        int(known["kelly_ppm"]),
        int(known["volatility_target_ppm"]),
        features.values[s.VOLATILITY_5M],
        _unit_hold(at, own),
    )
    recorded = (packet.strategy_cap, packet.portfolio_cap)
    return found if found.caps(packet.net_edge, packet.votes) == recorded else None


def capital(votes: dict[str, RiskVote]) -> int:
    """What is free and what is at risk, micro-pUSD: the smallest order stands in both values and falls out."""
    free, exposed = votes["capital"], votes["portfolio_exposure"]
    return free.limit + exposed.value - free.value


def room(votes: dict[str, RiskVote]) -> int:
    """Micro-pUSD that every cap leaves: what its limit is above what was used before the smallest order."""
    smallest = votes["capital"].value
    return min(votes["capital"].limit, *(votes[name].distance + smallest for name in HEADROOM))


def _kelly_size(edge: int, price: int, kelly_ppm: int, capital: int) -> int:
    if edge <= 0 or price <= 0 or price >= NANO or capital <= 0:
        return 0
    share = min(kelly_ppm * 1e-6 * edge, float(NANO - price))
    return int(share * capital * NANO / ((NANO - price) * price))


def _affordable(room: int, unit_cost: int) -> int:
    return room * NANO // unit_cost if room > 0 and unit_cost > 0 else 0


def _unit_hold(at: Moment, own: int) -> int:
    """As `unit_hold` in `apps/ledger/core/positions.py`; `own` is the price in terms of the outcome."""
    rate, exponent, flat = (int(at.market[name]) for name in ("fee_rate", "fee_exponent", "fee_bps"))
    return own * 100_000 + rate * (250 if exponent >= 1_000 else 1_000) + flat * 100_000
