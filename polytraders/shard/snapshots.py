"""The loop's state without the room that nobody uses: what a checkpoint holds.

A block has room for markets that have not come yet, and that room is zero. Of each array only the rows of markets that
have come are kept, in the order of `State`; the sizes come first. How much the last call of the loop had to say depends
on how its inputs were cut into calls: that is no part of the state and is kept as nothing.
"""

import hashlib

import numpy as np

from polytraders.contracts import state as s
from polytraders.kernel.block import new_block, views

PER_MARKET = ("markets", "pairs", "levels", "taken", "overflow", "ring", "features", "deadlines")
SAME_BYTES = ("param_bits",)
HEAD = len(s.Sizes._fields) + 2
OF_THE_CALL = ("count", "details")
"""Fields of `portfolio` that say how many outputs the last call made."""


def layout() -> int:
    """63 bits of a hash over every record's fields: a state is only read as what it was written as."""
    told = repr(
        [s.PORTFOLIO, s.LIMITS, s.MARKET, s.PAIR, s.STRATEGY, s.CLUSTER, s.VENUE, s.CONNECTION, s.REFERENCE_PRICE]
    )
    shape = repr((s.State._fields, s.SLOTS, s.OVERFLOW, s.RING, s.REFERENCE_RING, s.STAGED, s.N_FEATURES, s.PARAMS))
    return int.from_bytes(hashlib.sha256(f"{told}{shape}".encode()).digest()[:8], "little") >> 1


def pack(block: np.ndarray, markets: int) -> np.ndarray:
    """The state's bytes, uint8; `markets` of them have come."""
    state = views(block)
    sizes = (len(state.markets), len(state.strategies), len(state.clusters), len(state.venues))
    head = np.array([*sizes, len(state.connections), len(state.references), markets, layout()], "<i8")
    parts = [head.view(np.uint8)]
    for name, array in state._asdict().items():
        if name not in SAME_BYTES:
            kept = array[:markets] if name in PER_MARKET else array
            if name == "portfolio":
                kept = kept.copy()
                for field in OF_THE_CALL:
                    kept[field] = 0
            parts.append(np.ascontiguousarray(kept).reshape(-1).view(np.uint8))
    return np.concatenate(parts)


def unpack(packed: np.ndarray, sizes: s.Sizes) -> np.ndarray:
    """A block of `sizes` with the packed state in it.

    Raises:
        ValueError: It is of other strategies, of another layout, or of more than there is room for.
    """
    head = packed[: HEAD * 8].view("<i8").tolist()
    was, markets, laid_out = s.Sizes(*head[:-2]), head[-2], head[-1]
    if laid_out != layout():
        raise ValueError("a state of another layout")
    if was._replace(markets=0) != sizes._replace(markets=0) or markets > sizes.markets:
        raise ValueError(f"a state of {was} does not fit into {sizes}")
    block = new_block(sizes)
    at = HEAD * 8
    for name, array in views(block)._asdict().items():
        if name in SAME_BYTES:
            continue
        kept = array[:markets] if name in PER_MARKET else _of(array, name, was, sizes)
        kept[...] = packed[at : at + kept.nbytes].view(array.dtype).reshape(kept.shape)
        at += kept.nbytes
    if at != len(packed):
        raise ValueError(f"a state of {len(packed)} bytes, where {at} were expected")
    return block


def _of(array: np.ndarray, name: str, was: s.Sizes, sizes: s.Sizes) -> np.ndarray:
    """The part of an array that the packed state has: `ranked` and `candidates` have room for every pair."""
    if name in ("ranked", "candidates"):
        return array[: was.markets * was.strategies]
    return array
