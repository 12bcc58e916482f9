"""The plan and the histograms as numbers: no box on another, no arrow into nothing, every count told once."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polytraders.console.pictures import plan
from polytraders.console.pictures.histogram import FLOOR, histogram, seconds
from polytraders.console.pictures.scale import WIDTH


def test_no_box_lies_on_another_and_all_are_in_the_picture() -> None:
    boxes = plan.boxes()
    assert [box.stage.number for box in boxes] == list(range(1, 12))
    for box in boxes:
        assert 0 <= box.x <= plan.WIDTH - plan.BOX_W
        assert 0 <= box.y <= plan.HEIGHT - plan.BOX_H
    for one, two in itertools.combinations(boxes, 2):
        assert abs(one.x - two.x) >= plan.BOX_W or abs(one.y - two.y) >= plan.BOX_H


def test_one_input_goes_through_all_nine_in_order() -> None:
    assert tuple((number, number + 1) for number in range(1, 9)) == plan.FLOWS
    assert {name for name, _, _ in plan.TERMS} == {"p_hat", "q_exec", "fees", "uncertainty_buffer", "net_edge"}


@pytest.mark.parametrize(("start", "end"), [*plan.FLOWS, *plan.BACK])
def test_an_arrow_begins_and_ends_on_the_edge_of_its_boxes(start: int, end: int) -> None:
    parts = plan.between(start, end).split()
    x, y = float(parts[0][1:]), float(parts[1])
    ends = [(x, y)]
    for part in parts[2:]:
        x, y = (float(part[1:]), y) if part[0] == "H" else (x, float(part[1:]))
        ends.append((x, y))
    for (px, py), number in ((ends[0], start), (ends[-1], end)):
        left, top = plan.corner(number)
        on_side = px in (left, left + plan.BOX_W) and top <= py <= top + plan.BOX_H
        on_top = py in (top, top + plan.BOX_H) and left <= px <= left + plan.BOX_W
        assert on_side or on_top


def test_titles_are_cut_to_two_lines() -> None:
    assert plan.wrapped("Signal engine") == ("Signal engine",)
    assert plan.wrapped("Ingestion and order-book reconstruction") == ("Ingestion and order-book", "reconstruction")
    assert plan.wrapped("aaaa bbbb cccc dddd", 5) == ("aaaa", "bbbb …")


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=14))
def test_every_count_is_in_its_column_and_none_is_lost(counts: list[int]) -> None:
    ends = [0.001 * 2**place for place in range(len(counts) - 1)] + [float("inf")]
    sums = list(itertools.accumulate(counts))
    found = histogram(list(zip(ends, map(float, sums), strict=True)))
    assert [column.count for column in found.columns] == counts
    assert found.total == sum(counts)
    assert all(0 <= column.x <= WIDTH and column.y + column.height == pytest.approx(FLOOR) for column in found.columns)
    assert all((column.height > 0) == (column.count > 0) for column in found.columns)
    far = [column.count for column in found.columns if column.is_far]
    assert sum(far) <= 0.01 * found.total


def test_quantiles_are_the_ends_of_their_buckets() -> None:
    found = histogram([(0.001, 50.0), (0.01, 98.0), (0.1, 99.0), (float("inf"), 100.0)])
    assert (found.p50, found.p99) == ("≤ 1 ms", "≤ 100 ms")
    assert [column.is_far for column in found.columns] == [False, False, False, True]
    assert histogram([]).p50 == "\N{EN DASH}"
    assert [seconds(end) for end in (1e-5, 0.05, 5.0, float("inf"))] == ["≤ 10 µs", "≤ 50 ms", "≤ 5 s", "more"]
