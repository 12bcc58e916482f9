"""Inside a frame the book is half told: nothing is measured and nothing decided until its last row."""

from polytraders.contracts.inputs import ASK, BID, SIZE_UNIT, Flag, Kind
from tests.scenario import World, says


def quoted() -> World:
    w = World(says(0.63))
    w.snapshot({6_200: 500, 6_100: 500}, {6_400: 500, 6_500: 500})
    w.run()
    return w


def moves(w: World) -> int:
    return int(w.state.markets["moves"][0])


def test_a_mid_that_exists_only_between_two_rows_of_a_frame_is_no_move() -> None:
    w = quoted()
    evaluations = w.portfolio("evaluations")
    w.row(Kind.LEVEL, 0, side=BID, price=6_300, size=100 * SIZE_UNIT)
    w.run()
    assert (moves(w), w.portfolio("evaluations")) == (0, evaluations)
    w.row(Kind.LEVEL, 0, side=BID, price=6_300, size=0, flags=Flag.LAST)
    w.run()
    assert (moves(w), w.portfolio("evaluations")) == (0, evaluations + 1)


def test_the_mid_after_the_last_row_is_one_move() -> None:
    w = quoted()
    w.row(Kind.LEVEL, 0, side=ASK, price=6_400, size=0)
    w.row(Kind.LEVEL, 0, side=BID, price=6_300, size=100 * SIZE_UNIT, flags=Flag.LAST)
    w.run()
    assert moves(w) == 1
    assert int(w.state.markets["mid2"][0]) == 6_300 + 6_500
