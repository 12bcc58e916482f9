"""A stretch of the log as its projections take it: what one block brought, or a part of the log that is read again.

Rows of projections are told apart by one number that is made of shard, input and ordinal, so that it orders them,
serves as a cursor, and is the same whenever they are made.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple, TypeAlias

import numpy as np

from polytraders.contracts.inputs import INPUT

SEQ_BITS: Final = 40
"""Numbers of inputs that a place can tell: eight years at 4,000 a second."""
ORDINAL_BITS: Final = 18
SHARDS_MOST: Final = 1 << 63 - SEQ_BITS - ORDINAL_BITS

Control: TypeAlias = tuple[bytes, str, str, bytes | None]
"""One control row (80 bytes, INPUT) with its actor, idempotency key and payload."""


class Stretch(NamedTuple):
    """Consecutive inputs of a shard and what they caused.

    Attributes:
        shard: Which log.
        last_seq: Number of the last input.
        inputs: How many inputs, control rows included.
        controls: The control rows among them, in order.
        outs: OUT rows in order; `detail` points into `details`.
        details: DETAIL rows.
    """

    shard: int
    last_seq: int
    inputs: int
    controls: Sequence[Control]
    outs: np.ndarray
    details: np.ndarray


def row_id(shard: int, in_seq: int, ordinal: int) -> int:
    """The number of an output row, unique over all shards and rising within one; below 2**63.

    Raises:
        ValueError: One of the three is out of range.
    """
    if not (0 <= shard < SHARDS_MOST and 0 <= in_seq < 1 << SEQ_BITS and 0 <= ordinal < 1 << ORDINAL_BITS):
        raise ValueError(f"shard {shard}, input {in_seq}, ordinal {ordinal} has no place")
    return shard << SEQ_BITS + ORDINAL_BITS | in_seq << ORDINAL_BITS | ordinal


def of_row_id(number: int) -> tuple[int, int, int]:
    """Shard, input and ordinal of a place."""
    in_seq = number >> ORDINAL_BITS & (1 << SEQ_BITS) - 1
    return number >> SEQ_BITS + ORDINAL_BITS, in_seq, number & (1 << ORDINAL_BITS) - 1


def control_rows(controls: Sequence[Control]) -> np.ndarray:
    """The rows of the controls, one INPUT record each."""
    return np.frombuffer(b"".join(control[0] for control in controls), INPUT)
