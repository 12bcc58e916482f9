"""A purchase sized once more: the same caps as the loop's own functions, whatever the portfolio; no edge, no size."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from django.template.loader import render_to_string
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.ledger.core import positions
from apps.risk.core import checks, sizing
from apps.risk.models import DecisionRecord
from polytraders import deciding
from polytraders.console import decisions
from polytraders.console.caps import Terms, terms
from polytraders.console.what_if import what_if
from polytraders.contracts import checks as c
from polytraders.contracts import state as s
from polytraders.contracts.decision import DecisionPacket
from polytraders.contracts.inputs import NANO, NO, SIZE_UNIT, UP, YES
from polytraders.contracts.market import Action
from polytraders.packets import risk_votes
from tests.packets.made import Made, example
from tests.packets.test_packets import told
from tests.scenario import record, shares
from tests.written import Written

WORST = 6_500
CAPITAL = 10_000 * SIZE_UNIT
KELLY = 250_000
FREE = 245 * SIZE_UNIT
"""What the market's cap leaves while nothing of it is used, micro-pUSD."""


def without_edge(p_hat: float = 0.64) -> Made:
    """The specification's trade with the forecast below its price: -0.021 a share, so Kelly takes nothing."""
    made = example()
    net = round(p_hat * NANO) - 645_000_000 - 16_000_000
    values = {"p_hat": p_hat, "p_own": round(p_hat * NANO), "net_edge": net, "strategy_cap": 0, "portfolio_cap": 0}
    for name, value in values.items():
        made.detail[name] = value
    for bit, value in ((c.NET_EDGE, net), (c.HOLD, net), (c.SIZE, 0)):
        made.detail["values"][bit] = value
    made.detail["limits"][c.MARKET_EXPOSURE] = FREE
    bits = (c.NET_EDGE, c.SIZE)
    made.out["kind"], made.out["votes"], made.out["first"] = s.PACKET, sum(1 << bit for bit in bits), bits[0]
    made.at.strategy["kelly_ppm"], made.at.strategy["size"] = KELLY, made.detail["wish"]
    return made


def known(made: Made) -> tuple[DecisionPacket, Terms]:
    packet = told(made)
    found = terms(packet, made.at, WORST)
    assert found is not None
    return packet, found


def test_a_purchase_without_an_edge_gets_its_size_with_one() -> None:
    # 0.25 * 0.009 / 0.355 of 10,000 pUSD at 0.645 are 98.26 shares, as tests/risk/test_sizing.py has it by hand.
    packet, found = known(without_edge())
    now = what_if(packet, {"p_hat": "0.67"}, found)
    assert (now.net_edge, now.code, now.size, now.blocking) == (9_000_000, "STRAT_EDGE_DETECTED", shares(98.26), ())
    assert [vote.check for vote in now.cleared] == ["net_edge", "size"]
    assert now.strategy_cap == now.portfolio_cap == sizing.kelly_size(9_000_000, 645_000_000, KELLY, CAPITAL)


def test_the_room_that_the_votes_leave_caps_a_larger_edge() -> None:
    # A share is held at 0.65 and a flat fee of 0.005: (245 - 0.00001) pUSD buy 374.04 shares, Kelly would take 644.17.
    packet, found = known(without_edge())
    now = what_if(packet, {"p_hat": "0.72"}, found)
    assert (now.net_edge, now.size) == (59_000_000, shares(374.04))
    assert sizing.floor_lot(now.strategy_cap) == shares(644.17)
    wider = what_if(packet, {"p_hat": "0.72", "limit.market_exposure": "5000"}, found)
    assert wider.size == shares(644.17)


def test_as_recorded_the_way_out_is_an_edge_and_no_limit_of_nothing() -> None:
    packet, found = known(without_edge())
    now = what_if(packet, {}, found)
    assert (now.code, now.size, now.is_changed, now.is_sized) == ("STRAT_NO_EDGE", 0, False, True)
    assert {line.vote.check: line.needed for line in now.blocking} == {
        "net_edge": "p_hat of YES at least 0.662000",
        "size": "a positive net edge",
    }


def test_where_the_terms_are_not_known_nothing_is_said_about_a_size() -> None:
    packet = told(without_edge())
    now = what_if(packet, {"p_hat": "0.67"})
    assert (now.is_sized, now.size, now.blocking) == (False, 0, ())
    assert [vote.check for vote in now.cleared] == ["net_edge"]
    text = render_to_string("console/_what_if.html", {"what_if": now, "packet": packet})
    assert "Every check but that of the size would pass" in text
    assert "this form cannot show what size it would have had" in text
    assert "Would be" not in text and "RISK_SIZE_BELOW_MIN" not in text and "at most 0.00" not in text
    worse = what_if(packet, {"p_hat": "0.66"})
    assert (worse.is_sized, worse.code) == (False, "STRAT_NO_EDGE")


@pytest.mark.parametrize(("name", "value"), [("strategy_cap", 1), ("portfolio_cap", 1)])
def test_terms_that_do_not_give_the_recorded_caps_are_not_used(name: str, value: int) -> None:
    made = without_edge()
    made.detail[name] = value
    assert terms(told(made), made.at, WORST) is None


def test_a_sale_has_no_terms() -> None:
    made = without_edge()
    assert terms(replace(told(made), action=Action.SELL), made.at, WORST) is None


MONEY = st.integers(-2_000 * SIZE_UNIT, 20_000 * SIZE_UNIT)


@settings(max_examples=300)
@given(
    edge=st.integers(-NANO // 10, NANO // 5), worst=st.integers(1, 9_999), price=st.integers(1, NANO - 1),
    outcome=st.sampled_from((YES, NO)), kelly=st.sampled_from((0, 1, KELLY, 1_000_000)),
    target=st.sampled_from((0, 500, 2_000)), sigma=st.sampled_from((0.0, 0.0007, 0.01)),
    wish=st.integers(10_000, shares(50_000)), money=st.lists(MONEY, min_size=11, max_size=11),
    fee=st.tuples(st.integers(0, 1_000_000), st.integers(0, 2_000), st.integers(0, 500)),
)  # fmt: skip
def test_the_caps_are_the_loops_own(
    edge: int, worst: int, price: int, outcome: int, kelly: int, target: int, sigma: float, wish: int,
    money: list[int], fee: tuple[int, int, int],
) -> None:  # fmt: skip
    cash, held, *rest = money
    pf = record(s.PORTFOLIO, cash=abs(cash), reserved=abs(held) // 4, exposure=abs(held))
    mk = record(
        s.MARKET, exposure=abs(rest[0]) // 8, fee_rate=fee[0], fee_exponent=fee[1], fee_bps=fee[2], min_size=shares(5)
    )
    cluster = record(s.CLUSTER, worst=abs(rest[1]) // 8)
    strat = record(
        s.STRATEGY, size=wish, kelly_ppm=kelly, volatility_target_ppm=target, exposure=abs(rest[2]) // 8,
        exposure_max=abs(rest[3]),
    )  # fmt: skip
    lim = record(
        s.LIMITS, market_exposure_max=abs(rest[4]), portfolio_exposure_max=2 * abs(rest[5]),
        cluster_exposure_max=abs(rest[6]), concentration_ppm_max=100_000 + abs(rest[7]) % 900_000,
        liquidity_take_ppm_max=500_000,
    )  # fmt: skip
    unit = positions.unit_hold(mk, outcome, worst)
    x = np.zeros(s.N_FEATURES)
    x[s.VOLATILITY_5M] = sigma
    here = deciding.Here(pf, lim, mk, cluster, record(s.VENUE), 0, 0, True)
    wanted = deciding.purchase_caps(here, strat, x, edge, price, unit, wish, 0)
    smallest = sizing.smallest_cost(shares(5), unit)
    trade = checks.Trade(
        UP, s.BUY, outcome, 0, 1, 0, 0, 0, price, 0, 0, edge, 0, wish, wish, worst, *wanted, 0, smallest, 0, 0
    )
    made = example()
    checks.exposures(made.detail, pf, mk, cluster, strat, lim, trade)
    votes = risk_votes(made.detail, Action.BUY)
    found = Terms(wish, price, kelly, target, sigma, unit).caps(edge, votes)
    assert found == (wanted[0], wanted[2])


def test_what_a_share_is_held_at_is_the_loops_own() -> None:
    made: Any = without_edge()
    for rate, exponent, flat in ((0, 1_000, 50), (70_000, 1_000, 0), (70_000, 500, 20)):
        made.at.market["fee_rate"], made.at.market["fee_exponent"], made.at.market["fee_bps"] = rate, exponent, flat
        mk = record(s.MARKET, fee_rate=rate, fee_exponent=exponent, fee_bps=flat)
        assert known(made)[1].unit_cost == positions.unit_hold(mk, YES, WORST)


def test_the_caps_of_every_recorded_purchase_are_found_again(log: Written) -> None:
    found = 0
    for row in DecisionRecord.objects.filter(action=0, q_exec__isnull=False).order_by("-id")[:100]:
        whole = decisions.told(row)
        packet = whole.packet
        if packet.execution is not None and packet.features is not None:
            assert terms(packet, whole.at, whole.worst_px) is not None, row.decision_id
            found += 1
    assert found
