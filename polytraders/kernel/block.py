"""The byte block: laid out by Python, opened inside the kernel.

A NamedTuple of arrays as a call argument costs microseconds; one uint8 array does not. The head of the block holds the
sizes and the offset of each array, so the kernel needs nothing else, and `open_state` gives the same views in Python.
"""

from functools import cache, partial
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np

from polytraders.contracts import state as s
from polytraders.contracts.inputs import INPUT
from polytraders.kernel.jit import JIT_OFF, kernel

HEAD_WORDS = 64
ALIGN = 64
MARKETS, STRATEGIES, CLUSTERS, VENUES, CONNECTIONS, REFERENCES = range(6)
OFFSETS = 8
PARAMS_ARRAY = s.State._fields.index("params")

_MARKET, _PAIR, _STRATEGY, _PORTFOLIO = (d.itemsize for d in (s.MARKET, s.PAIR, s.STRATEGY, s.PORTFOLIO))
_CLUSTER, _VENUE, _CONNECTION = (d.itemsize for d in (s.CLUSTER, s.VENUE, s.CONNECTION))
_REFERENCE, _LIMITS = (d.itemsize for d in (s.REFERENCE_PRICE, s.LIMITS))

Shape = tuple[int, ...]


def _plan(sizes: s.Sizes) -> list[tuple[str, Any, Shape]]:
    m, n = sizes.markets, sizes.strategies
    return [
        ("portfolio", s.PORTFOLIO, (1,)),
        ("limits", s.LIMITS, (1,)),
        ("markets", s.MARKET, (m,)),
        ("pairs", s.PAIR, (m, n)),
        ("strategies", s.STRATEGY, (n,)),
        ("clusters", s.CLUSTER, (sizes.clusters,)),
        ("venues", s.VENUE, (sizes.venues,)),
        ("connections", s.CONNECTION, (sizes.connections,)),
        ("references", s.REFERENCE_PRICE, (sizes.references,)),
        ("levels", np.int64, (m, 2, s.SLOTS)),
        ("taken", np.int64, (m, 2, s.SLOTS)),
        ("overflow", np.int64, (m, 2, s.OVERFLOW, 2)),
        ("ring", np.int64, (m, s.RING, 8)),
        ("reference_ring", np.int64, (sizes.references, s.REFERENCE_RING, 2)),
        ("staged", np.int64, (s.STAGED, 3)),
        ("features", np.float64, (m, s.N_FEATURES)),
        ("params", np.float64, (n, s.PARAMS)),
        ("ranked", np.float64, (m * n, 2)),
        ("deadlines", np.int64, (m,)),
        ("candidates", np.int64, (m * n,)),
        ("param_bits", np.int64, (n, s.PARAMS)),
    ]


def new_block(sizes: s.Sizes) -> np.ndarray:
    """A zeroed block for these sizes, with the few fields set whose "nothing" is not 0.

    The memory of arrays that are never touched is never used: capacity for markets that do not come costs nothing.
    """
    if min(sizes) < 0 or sizes.markets < 1 or sizes.strategies < 1:
        raise ValueError(f"a block needs at least one market and one strategy, not {sizes}")
    at = HEAD_WORDS * 8
    offsets: list[int] = []
    for name, dtype, shape in _plan(sizes):
        if name == "param_bits":
            offsets.append(offsets[PARAMS_ARRAY])
            continue
        offsets.append(at)
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        at += -(-size // ALIGN) * ALIGN
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
    for (_, dtype, shape), at in zip(_plan(sizes), head[OFFSETS:].tolist(), strict=False):
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        made.append(block[at : at + size].view(dtype).reshape(shape))
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


@kernel
def _open_compiled(block):  # type: ignore[no-untyped-def]
    head = block[: HEAD_WORDS * 8].view(np.int64)
    m, n = head[MARKETS], head[STRATEGIES]
    c, v, l, r = head[CLUSTERS], head[VENUES], head[CONNECTIONS], head[REFERENCES]  # noqa: E741
    o = head[OFFSETS:]
    return s.State(
        block[o[0] : o[0] + _PORTFOLIO].view(s.PORTFOLIO),
        block[o[1] : o[1] + _LIMITS].view(s.LIMITS),
        block[o[2] : o[2] + m * _MARKET].view(s.MARKET),
        block[o[3] : o[3] + m * n * _PAIR].view(s.PAIR).reshape((m, n)),
        block[o[4] : o[4] + n * _STRATEGY].view(s.STRATEGY),
        block[o[5] : o[5] + c * _CLUSTER].view(s.CLUSTER),
        block[o[6] : o[6] + v * _VENUE].view(s.VENUE),
        block[o[7] : o[7] + l * _CONNECTION].view(s.CONNECTION),
        block[o[8] : o[8] + r * _REFERENCE].view(s.REFERENCE_PRICE),
        block[o[9] : o[9] + m * 2 * s.SLOTS * 8].view(np.int64).reshape((m, 2, s.SLOTS)),
        block[o[10] : o[10] + m * 2 * s.SLOTS * 8].view(np.int64).reshape((m, 2, s.SLOTS)),
        block[o[11] : o[11] + m * 4 * s.OVERFLOW * 8].view(np.int64).reshape((m, 2, s.OVERFLOW, 2)),
        block[o[12] : o[12] + m * s.RING * 64].view(np.int64).reshape((m, s.RING, 8)),
        block[o[13] : o[13] + r * s.REFERENCE_RING * 16].view(np.int64).reshape((r, s.REFERENCE_RING, 2)),
        block[o[14] : o[14] + s.STAGED * 24].view(np.int64).reshape((s.STAGED, 3)),
        block[o[15] : o[15] + m * s.N_FEATURES * 8].view(np.float64).reshape((m, s.N_FEATURES)),
        block[o[16] : o[16] + n * s.PARAMS * 8].view(np.float64).reshape((n, s.PARAMS)),
        block[o[17] : o[17] + m * n * 16].view(np.float64).reshape((m * n, 2)),
        block[o[18] : o[18] + m * 8].view(np.int64),
        block[o[19] : o[19] + m * n * 8].view(np.int64),
        block[o[20] : o[20] + n * s.PARAMS * 8].view(np.int64).reshape((n, s.PARAMS)),
    )


class Rows(NamedTuple):
    """What one call works on."""

    inputs: np.ndarray  # INPUT
    outs: np.ndarray  # OUT
    details: np.ndarray  # DETAIL


@kernel
def _rows_compiled(inputs, outs, details):  # type: ignore[no-untyped-def]
    return Rows(inputs.view(INPUT), outs.view(s.OUT), details.view(s.DETAIL))


def _open_plain(block: np.ndarray) -> s.State:
    return s.State(*(records(array) for array in views(block)))


def _rows_plain(inputs: np.ndarray, outs: np.ndarray, details: np.ndarray) -> Rows:
    return Rows(records(inputs.view(INPUT)), records(outs.view(s.OUT)), records(details.view(s.DETAIL)))


open_state = _open_plain if JIT_OFF else _open_compiled
"""State of a block; callable inside a kernel, and in Python when the JIT is off."""

open_rows = _rows_plain if JIT_OFF else _rows_compiled
"""Rows of three byte arrays."""
