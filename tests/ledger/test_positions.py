"""Stage 9: positions, average cost, reservations, exposure and equity."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.ledger.core import positions
from polytraders.contracts import state as s
from polytraders.contracts.inputs import ASK, BID, NANO, NO, PRICE_UNIT, SIZE_UNIT, YES, Fact, Kind, Setting
from polytraders.kernel import money
from tests.scenario import START, World, makes, record, says, shares

FEE = {"fee_rate": 50_000, "fee_exponent": 1_000, "fee_taker_only": 1}


class Books:
    """The five records that money moves through, with 10,000 pUSD."""

    def __init__(self, **market: int) -> None:
        cash = 10_000 * SIZE_UNIT
        self.pf = record(s.PORTFOLIO, cash=cash, deposited=cash, equity=cash, high_day=cash, high_week=cash)
        self.mk = record(s.MARKET, mid2=12_600, **market)
        self.cluster, self.strat, self.pair = record(s.CLUSTER), record(s.STRATEGY), record(s.PAIR)

    @property
    def all(self) -> tuple[Any, Any, Any, Any, Any]:
        return self.pf, self.mk, self.cluster, self.strat, self.pair

    def buys(self, outcome: int, count: float, price: int, fee: int = 0) -> None:
        size = shares(count)
        positions.bought(*self.all, outcome, size, money.notional(size, price, True), fee)
        self.settles()

    def sells(self, outcome: int, count: float, price: int, fee: int = 0) -> None:
        size = shares(count)
        positions.sold(*self.all, outcome, size, money.notional(size, price, False), fee)
        self.settles()

    def settles(self) -> None:
        positions.reassess(self.mk, self.cluster)
        positions.mark(self.pf, self.mk)
        positions.follow(self.pf)


def test_worked_example() -> None:
    """Buys of 2,000 and no sales are a position of +2,000 YES, whatever parts it filled in."""
    books = Books()
    books.buys(YES, 1_500, 6_400)
    books.buys(YES, 500, 6_500)
    pair = books.pair
    assert positions.held(pair, YES) == shares(2_000)
    assert positions.held(pair, NO) == 0
    assert positions.average_cost(pair["cost_yes"], pair["qty_yes"]) == 642_500_000
    assert pair["cost_yes"] == 1_285 * SIZE_UNIT
    assert books.pf["cash"] == (10_000 - 1_285) * SIZE_UNIT


def test_average_cost_is_weighted_by_volume_and_a_sale_does_not_move_it() -> None:
    books = Books()
    books.buys(YES, 100, 6_000)
    books.buys(YES, 300, 6_400)
    assert positions.average_cost(books.pair["cost_yes"], books.pair["qty_yes"]) == 630_000_000
    books.sells(YES, 250, 6_500)
    assert positions.average_cost(books.pair["cost_yes"], books.pair["qty_yes"]) == 630_000_000
    assert books.pair["realised"] == 5 * SIZE_UNIT


def test_a_round_trip_resets_the_average_cost() -> None:
    books = Books()
    books.buys(YES, 3.01, 3_333)
    books.sells(YES, 1, 3_000)
    books.sells(YES, 2.01, 5_000)
    assert (books.pair["qty_yes"], books.pair["cost_yes"], books.mk["cost"], books.pair["exposure"]) == (0, 0, 0, 0)
    # 0.3 + 1.005 received for 1.003233 paid: nothing of the old cost is left behind.
    assert books.pair["realised"] == 301_767
    books.buys(YES, 10, 5_000)
    assert positions.average_cost(books.pair["cost_yes"], books.pair["qty_yes"]) == 500_000_000


def test_a_position_that_does_not_exist_has_no_average_cost() -> None:
    assert positions.average_cost(0, 0) == 0


def test_free_is_total_less_reserved() -> None:
    assert positions.free(shares(2_000), shares(800)) == shares(1_200)


def test_unrealised_is_the_distance_from_the_cost() -> None:
    # (0.63 - 0.6425) * 2,000 = -25.
    assert positions.unrealised(shares(2_000), 1_285 * SIZE_UNIT, 6_300) == -25 * SIZE_UNIT
    assert positions.unrealised(shares(2_000), 1_285 * SIZE_UNIT, s.NONE) == -1_285 * SIZE_UNIT


def test_a_purchase_fee_is_realised_at_once_and_is_no_part_of_the_cost() -> None:
    books = Books()
    books.buys(YES, 100, 6_400, fee=1_152_000)
    assert books.pair["cost_yes"] == 64 * SIZE_UNIT
    assert (books.pair["realised"], books.pair["fees"]) == (-1_152_000, 1_152_000)
    assert books.pf["cash"] == 10_000 * SIZE_UNIT - 64 * SIZE_UNIT - 1_152_000
    # Bought at the ask, valued at the mid of 0.63.
    assert books.pf["equity"] == 10_000 * SIZE_UNIT - SIZE_UNIT - 1_152_000
    assert books.pf["drawdown_day"] == 215


def test_both_outcomes_held_together_are_worth_their_payout_and_can_lose_no_more_than_their_price() -> None:
    books = Books()
    books.buys(YES, 100, 6_400)
    books.buys(NO, 60, 3_800)
    assert books.mk["cost"] == 86_800_000
    assert books.mk["worst"] == 26_800_000
    assert books.cluster["worst"] == 26_800_000
    assert books.pf["mark"] == 63 * SIZE_UNIT + 60 * 370_000


def test_a_purchase_holds_its_limit_and_the_largest_fee() -> None:
    books = Books(**FEE, fee_bps=10)
    # 100 * 0.64, the curve's top 100 * 0.05 / 4, and 10 basis points of a whole pUSD a share.
    assert positions.hold_for(books.mk, YES, 6_400, shares(100)) == 64_000_000 + 1_250_000 + 100_000
    assert positions.hold_for(books.mk, NO, 6_400, shares(100)) == 36_000_000 + 1_250_000 + 100_000


def test_a_reservation_is_an_exposure_everywhere_until_it_is_let_go() -> None:
    books = Books()
    books.pair["order_action"], books.pair["order_price"] = s.BUY, 6_400
    positions.reserve(*books.all, 64 * SIZE_UNIT)
    books.pair["order_held"] = 64 * SIZE_UNIT
    for holder in (books.pair, books.strat, books.mk, books.cluster, books.pf):
        assert holder["exposure"] == 64 * SIZE_UNIT
    assert (books.mk["worst"], books.cluster["worst"], books.pf["reserved"]) == (64 * SIZE_UNIT,) * 3
    assert positions.release(*books.all, shares(25)) == 16 * SIZE_UNIT
    assert books.pf["reserved"] == books.mk["reserved"] == books.pf["exposure"] == 16 * SIZE_UNIT
    assert positions.release(*books.all, 0) == 0
    for holder in (books.pair, books.strat, books.mk, books.cluster, books.pf):
        assert holder["exposure"] == 0
    assert books.mk["worst"] == 0


def test_a_sale_reserves_shares_and_no_money() -> None:
    books = Books()
    books.buys(YES, 100, 6_400)
    books.pair["order_action"] = s.SELL
    before = int(books.pf["exposure"])
    assert positions.release(*books.all, shares(40)) == shares(40)
    assert (books.pf["reserved"], books.pf["exposure"]) == (0, before)


def test_a_market_without_a_price_is_worth_nothing() -> None:
    books = Books()
    books.buys(YES, 100, 6_400)
    books.mk["mid2"] = 0
    books.settles()
    assert books.pf["equity"] == books.pf["cash"]


def test_drawdown_is_the_fall_from_the_high_in_ppm() -> None:
    assert positions.drawdown(10_000 * SIZE_UNIT, 9_600 * SIZE_UNIT) == 40_000
    assert positions.drawdown(0, 0) == 0


def test_drawdown_is_measured_from_the_highest_equity_there_was() -> None:
    books = Books()
    books.buys(YES, 1_000, 6_300)
    for mid2, fall in ((12_600, 0), (14_600, 0), (13_600, 4_950), (14_600, 0), (14_800, 0), (12_600, 10_880)):
        books.mk["mid2"] = mid2
        books.settles()
        assert (books.pf["drawdown_day"], books.pf["drawdown_week"]) == (fall, fall)
    assert books.pf["high_day"] == books.pf["high_week"] == 10_110 * SIZE_UNIT


def test_the_day_rolls_at_midnight_and_the_week_on_monday() -> None:
    books = Books()
    books.pf["high_day"] = books.pf["high_week"] = 12_000 * SIZE_UNIT
    books.pf["day"], books.pf["week"] = START // positions.DAY_NS, (START + 3 * positions.DAY_NS) // positions.WEEK_NS
    positions.roll_day(books.pf, START)
    assert books.pf["drawdown_day"] == books.pf["drawdown_week"] == 166_666
    for days in range(1, 7):  # START is a Monday
        positions.roll_day(books.pf, START + days * positions.DAY_NS)
        assert (books.pf["drawdown_day"], books.pf["drawdown_week"]) == (0, 166_666)
    positions.roll_day(books.pf, START + 7 * positions.DAY_NS)
    assert books.pf["drawdown_week"] == 0


@pytest.mark.parametrize(("outcome", "price", "own"), [(YES, 6_400, 6_400), (NO, 6_400, 3_600)])
def test_a_price_is_told_in_the_outcomes_own_terms(outcome: int, price: int, own: int) -> None:
    assert positions.own_price(outcome, price) == own
    assert positions.opposite(outcome) == 1 - outcome


def test_rounding_never_lets_a_hold_exceed_what_is_free() -> None:
    # 1,001 times what 0.01 share costs with the largest fee; an odd number of them has a fee rounded up by 5 micros.
    w = World(says(0.67), capital=6.531525, facts={Fact.FEE_RATE: 50_000})
    w.snapshot()
    approval = w.verdict()  # which compares holds with free cash
    assert (approval.kind, approval.size) == (s.APPROVAL, shares(10))


SIZES = st.integers(1, 50_000)
MOVES = st.lists(st.tuples(st.booleans(), st.sampled_from((YES, NO)), SIZES, st.integers(1, 9_999)), max_size=30)


@given(MOVES)
def test_cash_is_what_was_deposited_and_realised_less_what_the_holdings_cost(
    moves: list[tuple[bool, int, int, int]],
) -> None:
    books = Books()
    for buying, outcome, lots, price in moves:
        count = lots / 100
        if buying:
            books.buys(outcome, count, price, fee=lots)
        elif positions.held(books.pair, outcome) >= shares(count):
            books.sells(outcome, count, price, fee=lots)
        pf, pair, mk = books.pf, books.pair, books.mk
        assert pf["cash"] == pf["deposited"] + pf["realised"] - pair["cost_yes"] - pair["cost_no"]
        assert pf["equity"] == pf["cash"] + pf["mark"]
        assert pair["exposure"] == pair["cost_yes"] + pair["cost_no"] == mk["cost"] == books.cluster["exposure"]
        assert min(pair["cost_yes"], pair["cost_no"], pair["qty_yes"], pair["qty_no"]) >= 0
        assert (pair["qty_yes"] == 0) <= (pair["cost_yes"] == 0)
        assert mk["worst"] == mk["cost"] - min(pair["qty_yes"], pair["qty_no"]) == books.cluster["worst"]


ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("opine"), st.sampled_from((0.35, 0.5, 0.6, 0.625, 0.67, 0.8))),
        st.tuples(st.just("bid"), st.integers(58, 63), st.integers(0, 400)),
        st.tuples(st.just("ask"), st.integers(63, 68), st.integers(0, 400)),
        st.tuples(st.just("print"), st.sampled_from((BID, ASK)), st.integers(60, 66), st.integers(1, 3_000)),
        st.tuples(st.just("tick")),
        st.tuples(st.just("snapshot")),
        st.tuples(st.just("capital"), st.integers(1, 50)),
        st.tuples(st.just("immediate"), st.integers(0, 1)),
    ),
    max_size=60,
)


@settings(max_examples=60, deadline=None)
@given(ACTS, st.sampled_from((0.0, 0.05, 0.25)))
def test_every_sum_agrees_after_every_input_of_a_trading_loop(acts: list[tuple[Any, ...]], rate: float) -> None:
    taker, maker = says(0.67, size=shares(130)), makes(edge_min=-NANO // 50, size=shares(70))
    facts = {Fact.FEE_RATE: round(rate * 1e6), Fact.FEE_TAKER_ONLY: 0, Fact.FEE_BPS: 7}
    w = World(taker, maker, markets=2, capital=300.0, facts=facts, clusters=(0, 1))
    for market in range(2):
        w.snapshot({6_200: 150, 6_100: 90}, {6_400: 120, 6_500: 80}, market=market)
    for number, act in enumerate(acts):
        market = number % 2
        w.wait(0.07)
        match act:
            case ("opine", p):
                w.opine(p)
            case ("bid", cents, size):
                w.level(BID, cents * 100, size, market=market)
            case ("ask", cents, size):
                w.level(ASK, cents * 100, size, market=market)
            case ("print", side, cents, size):
                w.trade(side, cents * 100, size / 10, market=market)
            case ("tick",):
                w.tick()
            case ("snapshot",):
                w.snapshot({6_200: 150, 6_100: 90}, {6_400: 120, 6_500: 80}, market=market)
            case ("capital", amount):
                w.capital(amount)
            case ("immediate", value):
                w.setting(Setting.IMMEDIATE, value)
    w.run(block=1)  # `run` compares the sums after each block
    assert w.portfolio("in_seq") == len(w.rows)
    w.row(Kind.RESOLVED, 0, size=PRICE_UNIT)
    w.row(Kind.RESOLVED, 1, size=0)
    w.run(block=1)
    assert w.portfolio("exposure") == w.portfolio("mark") == 0
