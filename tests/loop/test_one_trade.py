"""One trade through all stages, with the numbers of the specification's single trade wherever our fee model has them.

Bid 0.62, ask 0.64, spread 0.02. The forecast's score is 0.71, so p_hat is 0.6704; the band is 0.64 to 0.71. The ladder
is 0.64: 1,500 and 0.65: 600, so 2,000 YES are expected at 0.6425 (the specification's other number for it, 0.645,
belongs to no ladder that it shows). The flat fee of 50 basis points of that is 0.0032125 a share. With kappa 0.365 the
buffer is 0.012775, as its numbers imply. What is left is 0.6704 - 0.6425 - 0.0032 - 0.0128 = +0.0119 a share.
"""

import math

from polytraders.contracts import checks as c
from polytraders.contracts import state as s
from polytraders.contracts.inputs import NANO, PRICE_UNIT, SIZE_UNIT, YES, Fact
from polytraders.strategies import logit
from tests.scenario import Said, World, bits, says, settings, shares

SCORE = 0.71
P_HAT = 1 / (1 + math.exp(-SCORE))
BAND = (0.64, 0.71)
SIZE = shares(2_000)


def traded() -> tuple[World, Said]:
    """The world at the approval."""
    strategy = says(0.5, kappa=0.365)._replace(settings=settings(size=SIZE, edge_min=NANO // 200))
    w = World(strategy, facts={Fact.FEE_BPS: 50}, limits={"liquidity_take_ppm_max": 1_000_000})
    w.row(17, 0, price=logit.BIAS, size=bits(SCORE))
    for place, value in enumerate((0.0, 1.0, 0.0, 1.0, BAND[0], BAND[0], BAND[1], BAND[1])):
        w.row(17, 0, price=logit.TABLE + place, size=bits(value))
    w.snapshot({6_200: 2_000, 6_100: 3_000}, {6_400: 1_500, 6_500: 600})
    return w, w.verdict()


def test_the_trade_is_approved_with_its_terms() -> None:
    w, approval = traded()
    detail = w.detail(approval)
    assert (approval.kind, approval.code, approval.votes) == (s.APPROVAL, "STRAT_EDGE_DETECTED", 0)
    assert (approval.action, approval.outcome, approval.size) == (s.BUY, YES, SIZE)
    assert approval.price == 6_500, "the worst price of the walk is the order's limit"
    assert (detail["best_bid"], detail["best_ask"]) == (6_200, 6_400)
    assert detail["values"][c.MARKET_QUALITY] == 200
    assert detail["features"][s.MID] == 0.63
    assert detail["p_hat"] == P_HAT
    assert (detail["lower"], detail["upper"]) == BAND
    assert detail["q_exec"] == 642_500_000
    assert detail["fee"] == 3_212_500
    assert detail["buffer"] == 12_775_000
    assert detail["net_edge"] == 670_401_159 - 642_500_000 - 3_212_500 - 12_775_000 == 11_913_659
    assert detail["slippage"] == 12_500_000
    assert (detail["filled"], detail["strategy_cap"], detail["liquidity_cap"]) == (SIZE, SIZE, SIZE)


def test_with_the_specifications_own_price_the_edge_is_the_specifications() -> None:
    # 2,000 YES at one level of 0.645 cost a fee of 6.45: 0.67 - 0.645 - 0.003225 - 0.012775 = +0.009.
    w = World(says(0.67, half=0.035, kappa=0.365, size=SIZE), facts={Fact.FEE_BPS: 50})
    w.snapshot({6_200: 2_000}, {6_450: 2_100}, tick=50)
    approval = w.verdict()
    detail = w.detail(approval)
    assert (approval.kind, approval.size) == (s.APPROVAL, SIZE)
    assert (detail["q_exec"], detail["fee"], detail["buffer"]) == (645_000_000, 3_225_000, 12_775_000)
    assert detail["net_edge"] == 9_000_000
    w.wait(0.1)
    w.touch()
    w.run()
    (fill,) = w.of_kind(s.FILL)
    assert (fill.size, fill.money, fill.fee) == (SIZE, 1_290 * SIZE_UNIT, 6_450_000)


def test_its_capital_is_held_by_the_same_input() -> None:
    w, approval = traded()
    held = SIZE // SIZE_UNIT * (650_000 + 5_000)  # at the limit, with the fee on a whole pUSD
    assert approval.money == held == w.portfolio("reserved") == w.portfolio("exposure")
    assert w.portfolio("cash") == 10_000 * SIZE_UNIT
    assert approval.order_seq == approval.in_seq == len(w.rows)


def test_its_fills_become_the_position_and_what_was_held_is_free() -> None:
    w, approval = traded()
    w.wait(0.1)
    w.touch()
    w.run()
    fills = w.of_kind(s.FILL)
    assert [(fill.price, fill.size) for fill in fills] == [(6_400, shares(1_500)), (6_500, shares(500))]
    assert [fill.money for fill in fills] == [960 * SIZE_UNIT, 325 * SIZE_UNIT]
    assert [fill.fee for fill in fills] == [4_800_000, 1_625_000]
    assert {fill.order_seq for fill in fills} == {approval.in_seq}
    pair = w.pair()
    assert (pair["qty_yes"], pair["cost_yes"], pair["fees"]) == (SIZE, 1_285 * SIZE_UNIT, 6_425_000)
    assert w.portfolio("cash") == (10_000 - 1_285) * SIZE_UNIT - 6_425_000
    assert w.portfolio("mark") == 1_260 * SIZE_UNIT
    assert w.portfolio("reserved") == 0


def test_it_is_paid_when_the_market_is_decided() -> None:
    w, _ = traded()
    w.wait(0.1)
    w.touch()
    w.fact(Fact.STATUS, 4)
    w.resolve(PRICE_UNIT)
    w.run()
    (settled,) = w.of_kind(s.SETTLED)
    assert (settled.outcome, settled.size, settled.money) == (YES, SIZE, 2_000 * SIZE_UNIT)
    assert w.portfolio("realised") == (2_000 - 1_285) * SIZE_UNIT - 6_425_000
    assert w.portfolio("equity") == w.portfolio("cash") == 10_000 * SIZE_UNIT + w.portfolio("realised")
