"""The paper venue's makers: a place in the queue, and what moves it."""

from polytraders.contracts import state as s
from polytraders.contracts.inputs import ASK, BID, NANO, Fact, Kind, Scope
from tests.scenario import World, makes, shares
from tests.venues.paper.lives import ONCE, ended, fills, resting


def test_a_resting_order_waits_behind_what_was_displayed_when_it_arrived() -> None:
    w = resting(500)
    w.trade(ASK, 6_200, 499)
    assert fills(w) == []
    w.trade(ASK, 6_200, 31)
    assert fills(w) == [(6_200, 30)]
    w.trade(ASK, 6_200, 500)
    assert fills(w) == [(6_200, 30), (6_200, 70)]
    assert ended(w) == []
    assert w.pair()["order"] == s.NO_ORDER


def test_prints_elsewhere_or_by_our_own_side_do_not_move_the_queue() -> None:
    w = resting(10)
    w.trade(ASK, 6_300, 1_000)
    w.trade(BID, 6_200, 1_000)
    w.trade(BID, 6_400, 1_000)
    assert fills(w) == []
    assert w.pair()["order_front"] == shares(10)


def test_a_print_through_our_price_has_served_everybody_at_it() -> None:
    w = resting(500)
    w.trade(ASK, 6_100, 40)
    assert fills(w) == [(6_200, 40)]
    assert w.pair()["order_front"] == 0


def test_nobody_stands_before_us_who_is_no_longer_displayed() -> None:
    w = resting(500)
    w.level(BID, 6_200, 30)
    w.level(BID, 6_200, 900)  # who comes later stands behind us
    w.trade(ASK, 6_200, 35)
    assert fills(w) == [(6_200, 5)]


def test_a_print_fills_our_orders_once_all_told() -> None:
    w = resting(500, more=(makes(),))
    assert [w.pair(strategy)["order"] for strategy in range(2)] == [s.RESTING, s.RESTING]
    w.trade(ASK, 6_100, 130)
    assert fills(w) == [(6_200, 100), (6_200, 30)]


def test_a_maker_does_not_wait_for_the_venues_taker_delay() -> None:
    w = World(makes(), limits=ONCE, facts={Fact.TAKER_DELAY_MS: 3_000})
    w.snapshot({6_200: 500}, {6_400: 100})
    w.wait(0.06)
    w.touch()
    w.run()
    assert w.pair()["order"] == s.RESTING


def test_prints_before_an_order_arrives_do_not_fill_it() -> None:
    w = World(makes(), limits=ONCE)
    w.snapshot({6_200: 500}, {6_400: 100})
    w.wait(0.05)
    w.trade(ASK, 6_100, 1_000)
    w.wait(0.1)
    w.touch()
    assert fills(w) == []
    assert w.pair()["order_front"] == shares(500)


def test_a_resting_order_that_would_cross_on_arrival_is_refused() -> None:
    w = World(makes(), limits=ONCE)
    w.snapshot({6_200: 500}, {6_400: 100})
    w.wait(0.03)
    w.level(ASK, 6_200, 5)
    w.wait(0.1)
    w.touch()
    assert fills(w) == []
    assert ended(w) == [("EXEC_POST_ONLY_CROSSES", 100)]


def test_nothing_is_assumed_to_rest_on_a_book_that_is_not_valid() -> None:
    w = World(makes(), limits=ONCE)
    w.snapshot({6_200: 500}, {6_400: 100})
    w.row(Kind.REFUSED, 0)
    w.wait(0.1)
    w.tick()
    assert ended(w) == [("EXEC_POST_ONLY_CROSSES", 100)]


def test_an_order_expires_at_its_time() -> None:
    w = resting(rest_ms=2_000)
    w.wait(1.899_999_999)
    w.touch()
    assert ended(w) == []
    w.wait(1e-9)
    w.touch()
    assert ended(w) == [("EXEC_EXPIRED", 100)]
    assert w.portfolio("reserved") == 0


def test_an_order_expires_at_a_tick_where_nothing_else_happens() -> None:
    w = resting(rest_ms=2_000)
    w.wait(2)
    w.tick()
    assert ended(w) == [("EXEC_EXPIRED", 100)]


def test_a_partly_filled_order_gives_back_the_rest_when_it_expires() -> None:
    w = resting(10, rest_ms=2_000)
    w.trade(ASK, 6_200, 35)
    assert fills(w) == [(6_200, 25)]
    assert w.portfolio("reserved") == 75 * 620_000
    w.wait(2)
    w.tick()
    assert ended(w) == [("EXEC_EXPIRED", 75)]
    assert w.portfolio("reserved") == 0
    assert w.pair()["qty_yes"] == shares(25)


def test_a_cancel_takes_effect_after_our_latency_and_until_then_the_order_can_fill() -> None:
    w = resting(10)
    w.kill(Scope.STRATEGY)
    w.wait(0.059)
    w.trade(ASK, 6_200, 30)
    assert fills(w) == [(6_200, 20)]
    w.wait(0.001)
    w.trade(ASK, 6_200, 30)
    assert fills(w) == [(6_200, 20)]
    assert ended(w) == [("EXEC_CANCELLED", 80)]


def test_an_order_can_be_cancelled_before_it_has_arrived() -> None:
    w = World(makes(), limits=ONCE)
    w.snapshot({6_200: 500}, {6_400: 100})
    w.kill(Scope.STRATEGY)
    w.wait(0.2)
    w.trade(ASK, 6_100, 500)
    w.wait(0.2)
    w.tick()
    assert fills(w) == []
    assert ended(w) == [("EXEC_CANCELLED", 100)]


def test_a_lost_book_pulls_resting_orders() -> None:
    w = resting(10)
    w.row(Kind.REFUSED, 0)
    w.wait(0.1)
    w.tick()
    assert ended(w) == [("EXEC_CANCELLED", 100)]


def test_a_maker_pays_a_fee_only_where_makers_do() -> None:
    for taker_only, fee in ((1, 0), (0, 1_178_000)):
        facts = {Fact.FEE_RATE: 50_000, Fact.FEE_TAKER_ONLY: taker_only}
        w = World(makes(edge_min=-NANO // 10), limits=ONCE, facts=facts)
        w.snapshot({6_200: 10}, {6_400: 1})
        w.limit("depth_min", 0)
        w.touch()
        w.wait(0.1)
        w.touch()
        w.trade(ASK, 6_100, 500)
        assert fills(w) == [(6_200, 100)]
        # 100 * 0.05 * 0.62 * 0.38 = 1.178.
        assert w.of_kind(s.FILL)[0].fee == fee
