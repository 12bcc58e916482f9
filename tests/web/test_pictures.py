"""Pictures of markets and feeds: what is drawn where, in every shape that the numbers can have."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.signals.definitions import DEFINITIONS
from polytraders.console.pictures import bands, prices
from polytraders.console.pictures.depth import FLOOR, LEFT, RIGHT, depth
from polytraders.console.pictures.spark import spark
from polytraders.contracts.state import FEATURES

SECOND = 1_000_000_000
BIDS = [(6_200, 3_000_000), (6_100, 1_000_000)]
ASKS = [(6_400, 2_000_000), (6_500, 5_000_000)]


def numbers(path: str) -> list[float]:
    return [float(text) for text in re.findall(r"-?\d+(?:\.\d+)?", path)]


def point(at: int, bid: int | None = 6_200, ask: int | None = 6_400, *, valid: bool = True) -> prices.Point:
    return prices.Point(at * 5 * SECOND, valid, bid, ask, (0.63, 0.62, 0.64))


def test_depth_adds_up_away_from_the_best_price() -> None:
    drawn = depth(BIDS, ASKS)
    assert drawn is not None
    bid, ask = numbers(drawn.bids), numbers(drawn.asks)
    assert bid[0] < ask[0], "bids lie on the left"
    assert bid[1] == ask[1] == FLOOR
    assert min(ask[1:]) < FLOOR
    assert LEFT in bid and RIGHT in ask


@pytest.mark.parametrize(("bids", "asks"), [(BIDS, []), ([], ASKS), ([(5_000, 1)], [(5_000, 1)]), (BIDS, [(6_000, 9)])])
def test_depth_of_one_side_one_price_or_a_crossed_book_is_drawn(
    bids: list[tuple[int, int]], asks: list[tuple[int, int]]
) -> None:
    drawn = depth(bids, asks, [(6_200, 5)], (0.63, 0.60, 0.66))
    assert drawn is not None and drawn.fair is not None and drawn.band is not None
    assert bool(drawn.bids) == bool(bids) and bool(drawn.asks) == bool(asks)
    assert len(drawn.orders) == 1


def test_an_empty_book_has_no_depth() -> None:
    assert depth([], []) is None


@given(st.lists(st.tuples(st.integers(1, 9_999), st.integers(0, 10**13)), max_size=20), st.floats(0, 1))
def test_depth_never_leaves_its_box(levels: list[tuple[int, int]], p_hat: float) -> None:
    drawn = depth(sorted(levels, reverse=True), [], (), (p_hat, max(0.0, p_hat - 0.1), min(1.0, p_hat + 0.1)))
    if drawn is not None:
        assert all(0 <= value <= 1_000 and math.isfinite(value) for value in numbers(drawn.bids))


def test_a_price_line_has_a_step_for_each_side_and_the_forecast() -> None:
    drawn = prices.prices([point(at, 6_200 + at, 6_400 + at) for at in range(20)])
    assert drawn is not None
    assert len(drawn.bids) == len(drawn.asks) == len(drawn.fairs) == len(drawn.bands) == 1
    assert drawn.bids[0].count("H") == 19
    assert drawn.xs and drawn.ys


def test_no_line_is_drawn_over_what_was_not_seen() -> None:
    seen = [point(at) for at in range(10)] + [point(10, None, None, valid=False)] + [point(at) for at in range(11, 20)]
    late = [*seen, *(point(at) for at in range(100, 110))]
    drawn = prices.prices(late, lost=[(10 * 5 * SECOND, 11 * 5 * SECOND)])
    assert drawn is not None
    assert len(drawn.bids) == 3, "a lost book and a silence of minutes both break it"
    assert len(drawn.lost) == 1 and drawn.lost[0][1] >= 1.0


def test_fills_have_a_shape_for_their_role_and_a_side_for_their_direction() -> None:
    at = 5 * 5 * SECOND
    fills = [
        prices.Fill(at, 6_300, True, False, "bought as taker"),
        prices.Fill(at, 6_300, False, False, "sold as taker"),
        prices.Fill(at, 6_300, True, True, "bought as maker"),
        prices.Fill(10**18, 6_300, True, True, "from outside"),
    ]
    drawn = prices.prices([point(number) for number in range(20)], fills)
    assert drawn is not None
    assert [shape.path.count("L") for shape in drawn.fills] == [2, 2, 3], "triangles and a diamond"
    assert drawn.fills[0].path != drawn.fills[1].path


@pytest.mark.parametrize("count", [0, 1])
def test_a_line_needs_two_samples(count: int) -> None:
    assert prices.prices([point(at) for at in range(count)]) is None


def test_samples_without_any_price_are_an_empty_line() -> None:
    drawn = prices.prices([prices.Point(at * SECOND, False, None, None, None) for at in range(5)])
    assert drawn is not None and drawn.bids == []


def test_a_lane_shows_each_state_for_as_long_as_it_lasted() -> None:
    changes = [bands.Change(-5, 0, 0), bands.Change(40, 2, 218), bands.Change(60, 0, 0)]
    lane = bands.bands(changes, 0, 100)
    assert [(band.state, band.start, band.end, band.why) for band in lane] == [
        (0, 0, 40, 0), (2, 40, 60, 218), (0, 60, 100, 0),
    ]  # fmt: skip
    assert sum(band.width for band in lane) == pytest.approx(1_000)
    assert bands.lost(changes, 0, 100) == [(40, 60)]


def test_a_lane_without_a_change_is_in_the_state_of_before() -> None:
    (band,) = bands.bands([], 0, 100, 1)
    assert (band.state, band.x, band.width) == (1, 0.0, 1_000.0)


def test_a_blink_can_still_be_seen() -> None:
    lane = bands.bands([bands.Change(50, 2, 1), bands.Change(51, 0, 0)], 0, 10**9, 0)
    assert all(band.width >= 1.0 for band in lane)


def test_a_histogram_counts_everything_once() -> None:
    bars = bands.histogram([1, 0, 98, 1], [1, 10, 1_000])
    assert [bar.words for bar in bars] == ["≤ 1", "≤ 10", "≤ 1k", "> 1k"]
    assert sum(bar.part for bar in bars) == pytest.approx(1.0)
    assert bars[1].height == 0.0 and bars[0].height >= 1.0
    assert bands.quantile([1, 0, 98, 1], [1, 10, 1_000], 0.5) == 1_000
    assert bands.quantile([1, 0, 0, 98], [1, 10, 1_000], 0.99) is None
    assert bands.histogram([0, 0], [1]) == []
    assert bands.quantile([], [1], 0.5) is None


def test_a_spark_keeps_gaps_and_ends() -> None:
    drawn = spark([1.0, 2.0, None, 4.0, 3.0])
    assert drawn is not None and len(drawn.paths) == 2
    assert (drawn.low, drawn.high) == (1.0, 4.0)
    assert spark([1.0]) is None and spark([None, None]) is None
    flat = spark([5.0] * 10_000)
    assert flat is not None and len(flat.paths[0]) < 5_000


def test_every_feature_is_explained_in_its_place() -> None:
    assert tuple(each.name for each in DEFINITIONS) == FEATURES
    assert all(each.meaning.endswith(".") and "{" not in each.meaning for each in DEFINITIONS)


def test_a_lane_full_of_blinks_is_drawn_with_few_shapes_and_hides_no_loss() -> None:
    changes = [bands.Change(at * 10, 2 * (at % 2), 218) for at in range(10_000)]
    lane = bands.drawn(bands.bands(changes, 0, 100_000))
    assert len(lane) <= 260
    assert any(band.state == 2 for band in lane)
    quiet = bands.bands([bands.Change(400, 2, 1), bands.Change(401, 0, 0)], 0, 1_000, 0)
    assert [band.state for band in bands.drawn(quiet)] == [0, 2], "a blink takes what follows it with it"
