"""The byte block: laid out by Python, opened inside the kernel.

A NamedTuple of arrays as a call argument costs microseconds; one uint8 array does not. The head of the block holds the
sizes and the offset of each array, so the kernel needs nothing else. With the JIT off `open_state` gives the same views
in Python.
"""

import math
from functools import cache, partial
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np

from polytraders.contracts import state as s
from polytraders.contracts.inputs import INPUT
from polytraders.kernel.jit import JIT_OFF, kernel
from polytraders.kernel.opening import Placed, opener, viewer

HEAD_WORDS = 64
ALIGN = 64
OFFSETS = 8
PARAMS_ARRAY = s.State._fields.index("params")
PAIRS = ("markets", "strategies")

ARRAYS = (
    Placed("portfolio", s.PORTFOLIO, (1,)),
    Placed("limits", s.LIMITS, (1,)),
    Placed("markets", s.MARKET, ("markets",)),
    Placed("pairs", s.PAIR, ("markets", "strategies")),
    Placed("strategies", s.STRATEGY, ("strategies",)),
    Placed("clusters", s.CLUSTER, ("clusters",)),
    Placed("venues", s.VENUE, ("venues",)),
    Placed("connections", s.CONNECTION, ("connections",)),
    Placed("references", s.REFERENCE_PRICE, ("references",)),
    Placed("levels", np.int64, ("markets", 2, s.SLOTS)),
    Placed("taken", np.int64, ("markets", 2, s.SLOTS)),
    Placed("overflow", np.int64, ("markets", 2, s.OVERFLOW, 2)),
    Placed("ring", np.int64, ("markets", s.RING, 8)),
    Placed("reference_ring", np.int64, ("references", s.REFERENCE_RING, 2)),
    Placed("staged", np.int64, (s.STAGED, 3)),
    Placed("features", np.float64, ("markets", s.N_FEATURES)),
    Placed("params", np.float64, ("strategies", s.PARAMS)),
    Placed("ranked", np.float64, (PAIRS, 2)),
    Placed("deadlines", np.int64, ("markets",)),
    Placed("candidates", np.int64, (PAIRS,)),
    Placed("param_bits", np.int64, ("strategies", s.PARAMS)),
)
"""What the block holds, in the order of `State`."""


def _shape(array: Placed, sizes: s.Sizes) -> tuple[int, ...]:
    told = sizes._asdict()
    shape = []
    for size in array.shape:
        factors = (size,) if isinstance(size, int | str) else size
        shape.append(math.prod(told[factor] if isinstance(factor, str) else factor for factor in factors))
    return tuple(shape)


def _bytes(array: Placed, sizes: s.Sizes) -> int:
    itemsize: int = np.dtype(array.layout).itemsize
    return math.prod(_shape(array, sizes)) * itemsize


def new_block(sizes: s.Sizes) -> np.ndarray:
    """A zeroed block for these sizes, with the few fields set whose "nothing" is not 0.

    The memory of arrays that are never touched is never used: capacity for markets that do not come costs nothing.
    """
    if min(sizes) < 0 or sizes.markets < 1 or sizes.strategies < 1:
        raise ValueError(f"a block needs at least one market and one strategy, not {sizes}")
    at = HEAD_WORDS * 8
    offsets: list[int] = []
    for array in ARRAYS:
        if array.name == "param_bits":
            offsets.append(offsets[PARAMS_ARRAY])
            continue
        offsets.append(at)
        at += -(-_bytes(array, sizes) // ALIGN) * ALIGN
    block = np.zeros(at, np.uint8)
    head = block[: HEAD_WORDS * 8].view(np.int64)
    head[: len(sizes)] = sizes
    head[OFFSETS : OFFSETS + len(offsets)] = offsets
    state = views(block)
    state.markets["reference"] = s.NONE
    for field in ("best_bid", "bid_px", "ask_px", "head", "bid_depth_end", "snap_token", "votes"):
        state.markets[field] = s.NONE
    state.markets["state"] = s.BOOK_NONE
    state.pairs["votes"] = s.NONE
    state.pairs["first"] = s.NONE
    state.portfolio["first_mismatch_frame"] = s.NONE
    return block


def views(block: np.ndarray) -> s.State:
    """The block's arrays as plain numpy views, for Python."""
    head = block[: HEAD_WORDS * 8].view(np.int64)
    sizes = s.Sizes(*(int(value) for value in head[:6]))
    made = []
    for array, at in zip(ARRAYS, head[OFFSETS:].tolist(), strict=False):
        made.append(block[at : at + _bytes(array, sizes)].view(array.layout).reshape(_shape(array, sizes)))
    return s.State(*made)


@cache
def _plain(layout: np.dtype[Any]) -> np.dtype[Any]:
    # A recarray would not do: there `size` and `flags` are the array's own attributes, not the fields of these names.
    fields = {name: property(itemgetter(name), partial(_set, name)) for name in layout.names or ()}
    return np.dtype((type("Plain", (np.void,), fields), layout))


def _set(name: str, record: Any, value: Any) -> None:
    record[name] = value


def records(array: np.ndarray) -> np.ndarray:
    """The same array with fields as attributes of its records, as compiled code has them; others stay as they are."""
    return array.view(_plain(array.dtype)) if array.dtype.names else array


class Rows(NamedTuple):
    """What one call works on."""

    inputs: np.ndarray  # INPUT
    outs: np.ndarray  # OUT
    details: np.ndarray  # DETAIL


_as_inputs, _as_outs, _as_details = viewer(INPUT), viewer(s.OUT), viewer(s.DETAIL)


@kernel
def _rows_compiled(inputs, outs, details):  # type: ignore[no-untyped-def]
    return Rows(_as_inputs(inputs), _as_outs(outs), _as_details(details))


def _open_plain(block: np.ndarray) -> s.State:
    return s.State(*(records(array) for array in views(block)))


def _rows_plain(inputs: np.ndarray, outs: np.ndarray, details: np.ndarray) -> Rows:
    return Rows(records(inputs.view(INPUT)), records(outs.view(s.OUT)), records(details.view(s.DETAIL)))


open_state = _open_plain if JIT_OFF else opener(ARRAYS, s.Sizes._fields, OFFSETS)
"""State of a block; callable inside a kernel, and in Python when the JIT is off."""

open_rows = _rows_plain if JIT_OFF else _rows_compiled
"""Rows of three byte arrays."""
