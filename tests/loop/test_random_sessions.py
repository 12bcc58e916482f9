"""Anything in any order: after every input the sums agree and no cap is exceeded, and every fill was possible."""

from random import Random

import numpy as np
import pytest

from polytraders.contracts import state as s
from polytraders.contracts.inputs import ASK, BID, INPUT, NANO, PRICE_UNIT, Fact, Kind, Scope, Setting
from tests.judge import Judge
from tests.scenario import LIMITS, OPEN, World, makes, says, shares

MARKETS, STEPS = 3, 250
CAPS = {"market_exposure_max": 90_000_000, "cluster_exposure_max": 120_000_000, "portfolio_exposure_max": 200_000_000}


class Session:
    """A world in which chance decides what happens next."""

    def __init__(self, seed: int) -> None:
        """Facts, caps and books."""
        self.rng = rng = Random(seed)
        strategies = (
            says(0.67, size=shares(rng.choice((7, 130, 400))), immediate=rng.randint(0, 1)),
            makes(edge_min=-NANO // 50, size=shares(70), rest_ms=rng.choice((500, 15_000))),
            says(0.6, size=shares(33.33), kelly_ppm=rng.choice((0, 250_000)), immediate=0),
        )
        facts = {
            Fact.FEE_RATE: rng.choice((0, 50_000, 72_000, 250_000)),
            Fact.FEE_EXPONENT: rng.choice((500, 1_000, 2_000)),
            Fact.FEE_TAKER_ONLY: rng.randint(0, 1),
            Fact.FEE_BPS: rng.choice((0, 7, 100)),
        }
        self.caps = {name: rng.choice((OPEN, cap)) for name, cap in CAPS.items()}
        limits = self.caps | {"depth_min": 0, "concentration_ppm_max": rng.choice((10_000_000, 300_000))}
        capital = rng.choice((60.0, 300.0, 3_000.123456))
        self.world = World(
            *strategies, markets=MARKETS, capital=capital, facts=facts, limits=limits, clusters=(0, 1, 1)
        )
        self.tick = rng.choice((100, 10, 1))
        self.mids = [6_300, 6_300, 5_000]
        for market in range(MARKETS):
            self.book(market)
        for _ in range(STEPS):
            self.world.wait(rng.choice((0, 0.001, 0.03, 0.07, 0.3)) if rng.random() > 0.01 else rng.choice((5, 11, 70)))
            self.act(rng.randrange(MARKETS))

    def near(self, market: int, ticks: int) -> int:
        """A price so many ticks from the middle."""
        return max(self.tick, min(PRICE_UNIT - self.tick, self.mids[market] + ticks * self.tick))

    def book(self, market: int) -> None:
        """A whole book around a middle that wanders."""
        rng, edge = self.rng, 30 * self.tick
        self.mids[market] = max(edge, min(PRICE_UNIT - edge, self.mids[market] + rng.randint(-2, 2) * self.tick))
        bids, asks = (
            {
                self.near(market, sign * (1 + depth * rng.randint(1, 2))): 0.01 + rng.randint(0, 20_000) / 100
                for depth in range(4)
            }
            for sign in (-1, 1)
        )
        self.world.snapshot(bids, asks, market=market, tick=self.tick)

    def act(self, market: int) -> None:
        """One thing happens."""
        rng, w = self.rng, self.world
        chance = rng.random()
        if chance < 0.45:
            side = rng.choice((BID, ASK))
            ticks = rng.randint(-3, 3) if rng.random() < 0.15 else rng.randint(1, 4) * (-1 if side == BID else 1)
            w.level(side, self.near(market, ticks), rng.choice((0, 0, rng.randint(0, 15_000) / 100)), market=market)
        elif chance < 0.65:
            price = self.near(market, rng.randint(-4, 4))
            w.trade(rng.choice((BID, ASK)), price, rng.randint(1, 9_000) / 100, market=market)
        elif chance < 0.75:
            w.tick()
        elif chance < 0.83:
            self.book(market)
        elif chance < 0.88:
            w.opine(rng.choice((0.3, 0.5, 0.62, 0.63, 0.67, 0.8)), strategy=rng.choice((0, 2)))
        else:
            self.command(market)

    def command(self, market: int) -> None:
        """Something that no market says."""
        rng, w = self.rng, self.world
        match rng.randrange(9):
            case 0:
                w.kill(rng.choice(list(Scope)))
            case 1 | 2:
                for scope in Scope:
                    w.release(scope)
            case 3 | 4:
                w.flatten(Scope.GLOBAL, on=rng.random() < 0.3)
            case 5:
                w.row(Kind.REFUSED, market)
            case 6:
                w.setting(Setting.IMMEDIATE, rng.randint(0, 1), rng.choice((0, 2)))
            case 7:
                w.fact(Fact.CLUSTER, rng.randrange(3), market)
            case _:
                w.resolve(rng.choice((0, PRICE_UNIT, 5_000, -4)), market)


@pytest.mark.parametrize("seed", range(10))
def test_every_sum_agrees_no_cap_is_exceeded_and_every_fill_was_possible(seed: int) -> None:
    session = Session(seed)
    w = session.world
    w.run(block=1)  # which compares all sums after each block
    assert (w.state.markets["exposure"] <= session.caps["market_exposure_max"]).all()
    assert w.portfolio("exposure") <= session.caps["portfolio_exposure_max"]
    judge = Judge(LIMITS["order_latency_ms"], (False, True, False))
    judge.take(np.array(w.rows, INPUT), [said.row for said in w.said])
    assert judge.impossible == []
    assert judge.takers_filled + judge.makers_filled == len(w.of_kind(s.FILL))


def test_the_sessions_are_not_empty() -> None:
    kinds = dict.fromkeys(range(7), 0)
    for seed in range(10):
        w = Session(seed).world
        w.run()
        for said in w.said:
            kinds[said.kind] += 1
    assert min(kinds.values()) > 0
    assert kinds[s.APPROVAL] > 100
    assert kinds[s.FILL] > 60
