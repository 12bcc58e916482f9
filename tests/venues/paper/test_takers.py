"""The paper venue's takers have what is displayed when they arrive, at their limit or better, and no level twice."""

import pytest

from polytraders.contracts.inputs import ASK, BID, Fact, Kind, Setting
from tests.scenario import World, says, shares
from tests.venues.paper.lives import ONCE, ended, fills, taking


def test_a_taker_waits_for_its_latency_and_the_venues_delay() -> None:
    for delay_ms in (0, 250):
        w = taking(facts={Fact.TAKER_DELAY_MS: delay_ms})
        w.wait((60 + delay_ms) / 1_000 - 1e-9)
        w.touch()
        assert fills(w) == []
        w.wait(1e-9)
        w.touch()
        assert fills(w) == [(6_400, 100)]


def test_a_taker_arrives_at_a_tick_where_nothing_else_happens() -> None:
    w = taking()
    w.wait(0.25)
    w.tick()
    assert fills(w) == [(6_400, 100)]


def test_a_taker_gets_what_is_displayed_when_it_arrives() -> None:
    w = taking(asks={6_400: 60, 6_500: 60})
    w.wait(0.03)
    w.level(ASK, 6_400, 20)
    w.wait(0.1)
    w.touch()
    assert fills(w) == [(6_400, 20), (6_500, 60)]
    assert ended(w) == [("EXEC_NO_MATCH", 20)]


def test_the_row_at_which_a_taker_arrives_comes_too_late_for_it() -> None:
    w = taking(asks={6_400: 60, 6_500: 60})
    w.wait(0.1)
    w.level(ASK, 6_400, 1_000)
    assert fills(w) == [(6_400, 60), (6_500, 40)]


def test_a_taker_never_pays_more_than_its_limit() -> None:
    w = taking(asks={6_400: 500, 6_500: 500})
    w.wait(0.03)
    w.level(ASK, 6_400, 0)
    w.wait(0.1)
    w.touch()
    assert fills(w) == []
    assert ended(w) == [("EXEC_NO_MATCH", 100)]


def test_a_taker_pays_less_when_it_can() -> None:
    w = taking(asks={6_400: 500})
    w.wait(0.03)
    w.level(ASK, 6_300, 30)
    w.wait(0.1)
    w.touch()
    assert fills(w) == [(6_300, 30), (6_400, 70)]


def test_a_taker_finds_nothing_in_a_book_that_is_not_valid() -> None:
    w = taking()
    w.wait(0.03)
    w.row(Kind.GAP, 0)
    w.wait(0.1)
    w.touch()
    assert fills(w) == []
    assert ended(w) == [("EXEC_NO_MATCH", 100)]


def test_a_seller_takes_the_bids_downwards() -> None:
    w = World(says(0.67), limits={"orders_per_minute_max": 1})
    w.snapshot({6_200: 40, 6_100: 1_000}, {6_400: 1_000})
    w.wait(0.1)
    w.touch()
    w.opine(0.4)
    w.wait(0.1)
    w.touch()
    w.wait(0.1)
    w.touch()
    assert fills(w) == [(6_400, 100), (6_200, 40), (6_100, 60)]


def test_a_buyer_of_no_takes_the_bids_and_is_told_its_own_price() -> None:
    w = World(says(0.5), limits=ONCE)
    w.snapshot({6_200: 40, 6_100: 1_000}, {6_400: 1_000})
    w.wait(0.1)
    w.touch()
    assert fills(w) == [(3_800, 40), (3_900, 60)]
    assert w.pair()["qty_no"] == shares(100)


def test_what_a_taker_has_had_is_not_there_for_the_next_until_it_is_shown_anew() -> None:
    w = World(says(0.67), says(0.67), limits=ONCE)
    w.rollout(1, 1)
    w.snapshot(asks={6_400: 120, 6_500: 500})
    w.wait(0.1)
    w.touch()
    assert fills(w) == [(6_400, 100)]
    w.rollout(2, 1)
    w.wait(0.1)
    w.level(ASK, 6_400, 110)  # ten fewer displayed, of which we have had a hundred
    w.wait(0.1)
    w.touch()
    assert fills(w)[1:] == [(6_400, 10), (6_500, 90)]


def test_a_level_that_went_and_came_back_is_new() -> None:
    w = World(says(0.67), says(0.67), limits=ONCE)
    w.rollout(1, 1)
    w.snapshot(asks={6_400: 120, 6_500: 500})
    w.wait(0.1)
    w.touch()
    w.level(ASK, 6_400, 0)
    w.level(ASK, 6_400, 70)
    w.rollout(2, 1)
    w.wait(0.1)
    w.touch()
    w.wait(0.1)
    w.touch()
    assert fills(w) == [(6_400, 100), (6_400, 70), (6_500, 30)]


def test_a_whole_new_book_does_not_give_back_what_was_taken() -> None:
    w = World(says(0.67), says(0.67), limits=ONCE)
    w.rollout(1, 1)
    w.snapshot(asks={6_400: 120, 6_500: 500})
    w.wait(0.1)
    w.touch()
    w.snapshot(asks={6_400: 130, 6_500: 500})
    w.rollout(2, 1)
    w.wait(0.1)
    w.touch()
    w.wait(0.1)
    w.touch()
    assert fills(w) == [(6_400, 100), (6_400, 30), (6_500, 70)]


@pytest.mark.parametrize(
    ("whole", "better", "then"),
    [
        (True, 6_000, [(6_000, 10), (6_302, 20), (6_400, 70)]),
        # A single level moves the window only to where the old levels are not in sight any more.
        (False, 5_700, [(5_700, 10)]),
    ],
)
def test_what_was_taken_stays_at_its_price_when_the_books_window_moves(
    whole: bool, better: int, then: list[tuple[int, float]]
) -> None:
    # On this tick a side is kept in a window around its best price.
    w = World(*[says(0.67, collar=5_000)] * 2, limits=ONCE | {"spread_max": 10_000, "depth_min": 0})
    w.rollout(1, 1)
    asks = {6_302: 120.0, 6_400: 500.0}
    w.snapshot({5_000: 3_000}, asks, tick=1)
    w.wait(0.1)
    w.touch()
    w.run()
    base = int(w.state.markets["ask_base"][0])
    if whole:
        w.snapshot({5_000: 3_000}, asks | {better: 10.0}, tick=1)
    else:
        w.level(ASK, better, 10)
    w.rollout(2, 1)
    w.wait(0.1)
    w.touch()
    w.wait(0.1)
    w.touch()
    assert fills(w) == [(6_302, 100), *then]
    assert w.state.markets["ask_base"][0] < base


def test_a_level_that_the_venues_best_price_removed_is_new_when_it_comes_back() -> None:
    w = World(says(0.67), says(0.67), limits=ONCE)
    w.rollout(1, 1)
    w.snapshot(asks={6_400: 120, 6_500: 500})
    w.wait(0.1)
    w.touch()
    w.level(BID, 6_300, 5, best=(6_300, 6_500))
    w.level(ASK, 6_400, 120)
    w.rollout(2, 1)
    w.wait(0.1)
    w.touch()
    w.wait(0.1)
    w.touch()
    assert fills(w) == [(6_400, 100), (6_400, 100)]


def test_another_tick_forgets_what_was_taken() -> None:
    w = World(says(0.67), says(0.67), limits=ONCE)
    w.rollout(1, 1)
    w.snapshot(asks={6_400: 120, 6_500: 500})
    w.wait(0.1)
    w.touch()
    w.row(Kind.TICK_SIZE, 0, price=10)
    w.rollout(2, 1)
    w.touch()
    w.wait(0.1)
    w.touch()
    assert fills(w) == [(6_400, 100), (6_400, 100)]
    assert w.state.markets["tick"][0] == 10


def test_two_takers_that_arrive_together_share_what_is_there() -> None:
    w = World(says(0.67), says(0.67), limits=ONCE)
    w.snapshot(asks={6_400: 150})
    w.wait(0.1)
    w.touch()
    assert fills(w) == [(6_400, 100), (6_400, 50)]
    assert ended(w) == [("EXEC_NO_MATCH", 50)]


def test_a_settings_change_does_not_touch_an_order_on_its_way() -> None:
    w = taking()
    w.setting(Setting.SIZE, shares(7))
    w.setting(Setting.MAKER, 1)
    w.wait(0.1)
    w.touch()
    assert fills(w) == [(6_400, 100)]
