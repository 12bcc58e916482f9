"""The loop is compiled as one piece: one library is made, functions are compiled once, and the block is one address."""

import gc
import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numba.core.compiler import Flags

from polytraders import loop
from polytraders.contracts import state as s
from polytraders.contracts.inputs import INPUT
from polytraders.kernel.block import ARRAYS, new_block, open_rows, open_state, views
from polytraders.kernel.jit import JIT_OFF, cold, entry, kernel
from polytraders.kernel.merging import Said, uncollected

pytestmark = pytest.mark.skipif(JIT_OFF, reason="nothing is compiled")

SIZES = s.Sizes(markets=3, strategies=2, clusters=4, venues=2, connections=5, references=7)


@kernel
def twice(x: int) -> int:
    return 2 * x


@cold
def thrice(x: int) -> int:
    return 3 * x


@kernel
def both(x: int) -> int:
    return twice(x) + thrice(x) + twice(5) + thrice(7)


@entry
def asked(x: int) -> int:
    return both(x)


@entry
def lengths(block: Any) -> Any:
    """Lengths of every axis whose length a block decides, and what the rows look like."""
    state = open_state(block)
    state.portfolio[0].cash = 42
    state.pairs[2, 1].qty_yes = 43
    state.candidates[5] = 44
    state.param_bits[1, 3] = 45
    return (
        len(state.markets), state.pairs.shape[0], state.pairs.shape[1], len(state.strategies), len(state.clusters),
        len(state.venues), len(state.connections), len(state.references), state.ranked.shape[0], len(state.candidates),
        state.levels.strides[0], state.overflow.strides[1], state.pairs.strides[0],
    )  # fmt: skip


@entry
def rows(inputs: Any, outs: Any, details: Any) -> Any:
    events, out, detail = open_rows(inputs, outs, details)
    return len(events), len(out), len(detail), events[1].in_seq


def compile_anew() -> None:
    """Machine code on disk would leave nothing to compile."""
    asked(1)
    asked.recompile()  # type: ignore[attr-defined]


def test_functions_call_each_other_and_python_calls_each_of_them() -> None:
    assert (twice(4), thrice(4), both(1), asked(1)) == (8, 12, 36, 36)


def test_a_function_is_compiled_once_for_constants_and_narrow_integers() -> None:
    compile_anew()
    assert len(twice._linked.overloads) == len(thrice._linked.overloads) == 1  # type: ignore[attr-defined]


def test_flags_are_equal_when_the_same_was_said() -> None:
    plain: Any = Flags()
    other: Any = Flags()
    other.forceinline = True
    assert Said(plain) == Said(plain).copy() and hash(Said(plain)) == hash(Said(plain).copy())
    assert Said(plain) != Said(other) and Said(other) == Said(other).copy()
    assert Said(other) == other and Said(other) != plain


@pytest.mark.parametrize("wanted", [True, False])
def test_compiling_leaves_the_search_for_cycles_as_it_was(wanted: bool) -> None:
    was = gc.isenabled()
    try:
        (gc.enable if wanted else gc.disable)()
        with uncollected():
            assert not gc.isenabled()
        assert gc.isenabled() is wanted
    finally:
        (gc.enable if was else gc.disable)()


def test_what_is_merged_has_no_machine_code_of_its_own() -> None:
    compile_anew()
    (merged,) = twice._linked.overloads.values()  # type: ignore[attr-defined]
    assert not merged.library._finalized
    (whole,) = asked.overloads.values()  # type: ignore[attr-defined]
    assert whole.library._finalized


def test_the_loop_is_one_library() -> None:
    empty = [np.zeros(dtype.itemsize, np.uint8) for dtype in (INPUT, s.OUT, s.DETAIL)]
    loop.run(new_block(s.Sizes(markets=1, strategies=1)), empty[0], 0, 0, empty[1], empty[2])
    assert len(loop.run.overloads) == 1  # type: ignore[attr-defined]


def test_compiled_code_sees_the_arrays_that_python_sees() -> None:
    block = new_block(SIZES)
    state = views(block)
    seen = lengths(block)
    m, n, c, v, l, r = SIZES  # noqa: E741
    assert seen[:10] == (m, m, n, n, c, v, l, r, m * n, m * n)
    assert seen[10:] == (state.levels.strides[0], state.overflow.strides[1], state.pairs.strides[0])
    assert (state.portfolio["cash"][0], state.pairs["qty_yes"][2, 1], state.candidates[5]) == (42, 43, 44)
    assert state.params.view(np.int64)[1, 3] == state.param_bits[1, 3] == 45


def test_the_arrays_are_the_fields_of_the_state_and_do_not_overlap() -> None:
    assert tuple(array.name for array in ARRAYS) == s.State._fields
    block = new_block(SIZES)
    state = views(block)
    spans = sorted(
        (array.__array_interface__["data"][0], array.nbytes)
        for name, array in zip(s.State._fields, state, strict=True)
        if name != "param_bits"
    )
    assert all(start + size <= after for (start, size), (after, _) in pairwise(spans))
    assert math.prod(state.ranked.shape) == 2 * SIZES.markets * SIZES.strategies


def test_bytes_are_rows_and_a_part_of_a_row_is_left_out() -> None:
    inputs = np.zeros(3, INPUT)
    inputs["in_seq"] = (7, 8, 9)
    inside = inputs.view(np.uint8)
    outs = np.zeros(2 * s.OUT.itemsize + 5, np.uint8)
    details = np.zeros(s.DETAIL.itemsize - 1, np.uint8)
    assert rows(inside, outs, details) == (3, 2, 0, 8)
