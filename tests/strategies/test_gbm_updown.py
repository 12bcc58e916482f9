"""The up-or-down model on a reference price."""

import math
from pathlib import Path

import numpy as np
import pytest

from polytraders import config
from polytraders.contracts import state as s
from polytraders.contracts.inputs import NANO, Fact, Kind
from polytraders.strategies import gbm_updown, parameters
from polytraders.strategies.proposal import Proposal
from tests.builders import World, fact

UNIT = 100_000_000
YEAR_S = 365.25 * 86_400
USUAL = dict(zip(parameters.GBM_UPDOWN, (1.0, 0.0, 0.0, 0.0, 1.0, 10, 900, 30), strict=True))


class Market:
    """A market that ends Up when the reference is at or above the strike."""

    def __init__(self, *, strike: float = 95_000.0, closes_in_s: float = 816.0, mid: float = 0.60) -> None:
        self.world = World()
        self.world.feed(
            fact(Fact.REFERENCE, 0),
            fact(Fact.STRIKE, round(strike * UNIT)),
            fact(Fact.CLOSE_TS, self.world.now + round(closes_in_s * NANO)),
        )
        self.x = np.zeros(s.N_FEATURES)
        self.x[s.MID] = mid

    def prices(self, *told: float, every: float = 1.0) -> None:
        """Reference prices, one after the other; the clock of the market's end stands still meanwhile."""
        for price in told:
            self.world.feed({"kind": Kind.REFERENCE, "market": 0, "price": round(price * UNIT)}, after=every)
            self.world.mk["close_ts"] += round(every * NANO)

    def propose(self, after: float = 0.0, **given: float) -> Proposal:
        """The forecast `after` seconds later."""
        params = np.zeros(s.PARAMS)
        values = parameters.layout("gbm_updown", USUAL | given)
        params[: len(values)] = values
        world = self.world
        now = world.now + round(after * NANO)
        return gbm_updown.propose(self.x, params, world.mk, world.state.references, now)


def moving(count: int, size: float, last: float) -> list[float]:
    """`count` prices that go up and down by a log return of `size` and end at `last`."""
    return [last * math.exp(size * ((count - 1 - number) % 2)) for number in range(count)]


def test_worked_example() -> None:
    """95,800 against 95,000 with 13.6 minutes left at 45 % a year is 0.99988, and nothing like 0.72."""
    market = Market()
    market.prices(*moving(61, 0.45 / math.sqrt(YEAR_S), 95_800.0))
    found = market.propose()
    assert found.p_hat == pytest.approx(0.99988, abs=1e-5)
    assert (found.opinion, found.reference_age_ms) == (1, 0)


def test_the_forecast_is_blended_with_the_markets_mid() -> None:
    market = Market(mid=0.60)
    market.prices(*moving(61, 1e-9, 95_800.0))
    assert market.propose(weight=0.25).p_hat == pytest.approx(0.25 * 1.0 + 0.75 * 0.60, abs=1e-6)


def test_the_band_is_what_another_volatility_would_say_and_a_margin() -> None:
    market = Market()
    market.prices(*moving(61, 1e-4, 95_100.0))
    plain, wide = market.propose(), market.propose(sigma_band=0.25, half_band=0.01)
    assert wide.p_hat == plain.p_hat
    assert plain.lower == plain.p_hat == plain.upper
    assert wide.lower < wide.p_hat - 0.01 and wide.upper > wide.p_hat + 0.01
    assert wide.buffer == pytest.approx((wide.upper - wide.lower) / 2 * NANO, abs=2)


def test_a_calm_reference_is_not_taken_for_a_certain_one() -> None:
    market = Market()
    market.prices(*[95_010.0] * 61)
    assert market.propose().p_hat == 1.0
    assert market.propose(sigma_least=0.0001).p_hat < 0.6


def refused(change: str) -> Proposal:
    """The forecast in a world that differs from one with an opinion in one thing."""
    market = Market()
    market.prices(*moving(61, 1e-4, 95_100.0))
    assert market.propose().opinion == 1
    fields = {"no strike": ("strike", 0), "no reference": ("reference", s.NONE), "another reference": ("reference", 1)}
    if change in fields:
        name, value = fields[change]
        market.world.mk[name] = value
    after = {"too close to the end": 806.5, "after the end": 1_000.0}.get(change, 0.0)
    given = {"too far from the end": {"seconds_most": 800.0}, "not observed for long": {"observed_least": 60.5}}
    return market.propose(after, **given.get(change, {}))


@pytest.mark.parametrize(
    "change",
    [
        "no strike", "no reference", "another reference", "too close to the end", "after the end",
        "too far from the end", "not observed for long",
    ],
)  # fmt: skip
def test_without_what_it_needs_it_has_no_opinion(change: str) -> None:
    found = refused(change)
    assert (found.opinion, found.lower, found.upper) == (0, 0.0, 1.0)


def test_the_age_of_the_reference_is_told_with_the_forecast() -> None:
    market = Market()
    market.prices(*moving(61, 1e-4, 95_100.0))
    assert market.propose(after=7.25).reference_age_ms == 7_250
    assert refused("another reference").reference_age_ms == NANO


def test_the_shipped_template_knows_its_horizon() -> None:
    shipped = config.load_strategy(Path("gbm_updown"))
    assert shipped.params[gbm_updown.SECONDS_LEAST] == 40
    assert shipped.params[gbm_updown.SECONDS_MOST] == 900
    assert len(shipped.params) == len(parameters.GBM_UPDOWN)
