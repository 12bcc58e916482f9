"""The small parts of a loop process: clock, snapshots, stretches."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polytraders.contracts import state as s
from polytraders.contracts.inputs import INPUT, Kind
from polytraders.kernel.block import new_block, views
from polytraders.shard import snapshots
from polytraders.shard.clock import Clock
from polytraders.shard.stepping import FORCES, stretches


def test_the_clock_runs_at_its_rate_from_its_point() -> None:
    now = [50]
    clock = Clock(1_000, speed=10, monotonic=lambda: now[0])
    assert clock() == 1_000
    now[0] += 7
    assert clock() == 1_070
    assert clock.wall_s(10_000_000_000) == pytest.approx(1.0)


@pytest.mark.parametrize("speed", [0.0, 0.5, -1.0, 101.0, float("nan")])
def test_a_speed_that_cannot_be_meant_is_refused(speed: float) -> None:
    with pytest.raises(ValueError, match="speed"):
        Clock(0, speed=speed)


SIZES = s.Sizes(5, 2, 3, connections=3)


@given(st.integers(0, 5), st.integers(0, 2**32 - 1))
def test_a_packed_state_is_the_state(markets: int, seed: int) -> None:
    block = new_block(SIZES)
    state = views(block)
    rng = np.random.default_rng(seed)
    for name, array in state._asdict().items():
        if name == "param_bits":
            continue
        rows = array[:markets] if name in snapshots.PER_MARKET else array
        flat = rows.reshape(-1).view(np.uint8)
        flat[:] = rng.integers(0, 255, len(flat), np.uint8)
    for field in snapshots.OF_THE_CALL:
        state.portfolio[field] = 0
    assert (snapshots.unpack(snapshots.pack(block, markets), SIZES) == block).all()


def test_a_state_of_other_strategies_is_not_taken() -> None:
    packed = snapshots.pack(new_block(SIZES), 2)
    with pytest.raises(ValueError, match="does not fit"):
        snapshots.unpack(packed, SIZES._replace(strategies=3))
    with pytest.raises(ValueError, match="does not fit"):
        snapshots.unpack(packed, SIZES._replace(markets=1))


def test_a_state_of_another_layout_is_not_taken() -> None:
    packed = snapshots.pack(new_block(SIZES), 2)
    packed[(snapshots.HEAD - 1) * 8] ^= 1
    with pytest.raises(ValueError, match="layout"):
        snapshots.unpack(packed, SIZES)


def test_a_state_moves_into_a_block_with_more_room() -> None:
    block = new_block(SIZES)
    views(block).markets["qty_yes"][:2] = (7, 9)
    bigger = views(snapshots.unpack(snapshots.pack(block, 2), SIZES._replace(markets=9)))
    assert bigger.markets["qty_yes"].tolist() == [7, 9, 0, 0, 0, 0, 0, 0, 0]


@given(st.lists(st.sampled_from([int(kind) for kind in Kind]), max_size=40))
def test_stretches_are_the_rows_in_order_and_never_mix(kinds: list[int]) -> None:
    rows = np.zeros(len(kinds), INPUT)
    rows["kind"] = kinds
    parts = list(stretches(rows))
    assert [kind for part, _ in parts for kind in part["kind"].tolist()] == kinds
    for part, changes in parts:
        assert {Kind(kind) in FORCES for kind in part["kind"].tolist()} == {changes}
    assert all(one != other for (_, one), (_, other) in itertools.pairwise(parts))
