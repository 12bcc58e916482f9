"""The two hash chains of the log: what went in, and what the loop made of it.

Inputs are hashed in groups of exactly `GROUP` rows, each group linked to the one before; the rows of the last, open
group are part of the head, so any cutting into batches gives the same one. Outputs are one link per input that had any.
Both begin with a label of their own, so that a head of one is never a head of the other.
"""

import hashlib
from typing import Any, Final, NamedTuple

import numpy as np

from apps.eventlog.core.lag import EVENT_ORDER
from polytraders.contracts.inputs import GROUP, INPUT, INPUT_VERSION
from polytraders.contracts.state import DETAIL, OUT

Rows = np.ndarray[Any, Any]

INPUT_GENESIS: Final = hashlib.sha256(f"polytraders inputs {INPUT_VERSION}, groups of {GROUP}\n".encode()).digest()
OUTPUT_GENESIS: Final = hashlib.sha256(b"polytraders outputs 1\n").digest()

HEAD: Final = 16
"""Bytes of the two numbers in front of a link's rows."""
BATCH: Final = 4_096
"""Links made at once, so that the working copies stay small."""

_SHA256: Final = hashlib.sha256()
"""Copied for every link: cheaper than asking OpenSSL for the algorithm each time."""


class InputState(NamedTuple):
    """Where an input chain stands.

    Attributes:
        link: 32 bytes over all closed groups.
        rows: Inputs seen.
        rest: Bytes of the rows of the open group, fewer than GROUP of them.
    """

    link: bytes
    rows: int
    rest: bytes


class OutputState(NamedTuple):
    """Where an output chain stands: its head, the links made, and the last input that had outputs."""

    link: bytes
    links: int
    last_seq: int


class InputChain:
    """SHA-256 chain over all inputs of a log, from in_seq 1."""

    def __init__(self, state: InputState | None = None) -> None:
        """Begin at the genesis, or go on from a state."""
        self._link, self._rows, rest = state or InputState(INPUT_GENESIS, 0, b"")
        self._rest = bytearray(rest)

    @classmethod
    def from_state(cls, state: InputState) -> "InputChain":
        """Go on where `state` was taken."""
        return cls(state)

    def state(self) -> InputState:
        """What `from_state` needs to go on; at most 80 KB."""
        return InputState(self._link, self._rows, bytes(self._rest))

    def update(self, rows: Rows) -> None:
        """Add rows in log order.

        Args:
            rows: (n,) INPUT; `in_seq` goes on by one from the row before.

        Raises:
            ValueError: The first or last number is not the one due: with GOV_EVENT_ORDER. The rows between are not
                looked at here; `lag.first_gap` does that.
        """
        count = len(rows)
        if count == 0:
            return
        if rows.dtype != INPUT:
            raise ValueError(f"not input rows: {rows.dtype}")
        if int(rows["in_seq"][0]) != self._rows + 1 or int(rows["in_seq"][-1]) != self._rows + count:
            raise ValueError(f"{EVENT_ORDER}: expected inputs from {self._rows + 1}, got {int(rows['in_seq'][0])}")
        start = 0
        data = np.ascontiguousarray(rows).view(np.uint8).data
        size = INPUT.itemsize
        if self._rest:
            start = min(count, GROUP - len(self._rest) // size)
            self._rest += data[: start * size]
            if len(self._rest) == GROUP * size:
                self._close(memoryview(self._rest))
                self._rest = bytearray()
        while count - start >= GROUP:
            self._close(data[start * size : (start + GROUP) * size])
            start += GROUP
        self._rest += data[start * size :]
        self._rows += count

    def _close(self, group: memoryview) -> None:
        digest = hashlib.sha256(self._link)
        digest.update(group)
        self._link = digest.digest()

    def head(self) -> bytes:
        """32 bytes over everything so far; the chain goes on unchanged."""
        return hashlib.sha256(self._link + self._rest).digest() if self._rest else self._link

    @property
    def rows(self) -> int:
        """Inputs seen: the last one's in_seq."""
        return self._rows


class OutputChain:
    """SHA-256 chain over all outputs, one link for each input that had any.

    A link is SHA256(link before || in_seq || number of rows || OUT rows || DETAIL rows), the two numbers as
    little-endian int64, the details in the order of the rows that have one. `detail`, which only says where the detail
    happens to lie, enters as 0 for a row with a detail and stays -1 for one without.
    """

    def __init__(self, state: OutputState | None = None) -> None:
        """Begin at the genesis, or go on from a state."""
        self._link, self._links, self._last_seq = state or OutputState(OUTPUT_GENESIS, 0, 0)

    @classmethod
    def from_state(cls, state: OutputState) -> "OutputChain":
        """Go on where `state` was taken."""
        return cls(state)

    def state(self) -> OutputState:
        """What `from_state` needs to go on."""
        return OutputState(self._link, self._links, self._last_seq)

    def head(self) -> bytes:
        """32 bytes over everything so far."""
        return self._link

    @property
    def links(self) -> int:
        """Inputs that had outputs."""
        return self._links

    def update(self, out_rows: Rows, detail_rows: Rows) -> None:
        """Add the outputs of whole inputs.

        Args:
            out_rows: (n,) OUT in the order they were made; the rows of one input come in one call.
            detail_rows: (m,) DETAIL that the rows' `detail` points into.

        Raises:
            ValueError: An input is older than one already linked, or its rows came in two calls: with GOV_EVENT_ORDER.
        """
        if len(out_rows) == 0:
            return
        if out_rows.dtype != OUT or detail_rows.dtype != DETAIL:
            raise ValueError(f"not output rows: {out_rows.dtype}, {detail_rows.dtype}")
        out_rows = np.ascontiguousarray(out_rows)
        seqs = out_rows["in_seq"]
        steps = np.diff(seqs, prepend=self._last_seq)
        if steps[0] <= 0 or (steps < 0).any():
            raise ValueError(f"{EVENT_ORDER}: outputs do not follow input {self._last_seq}")
        first = np.flatnonzero(steps)
        starts = np.append(first, len(seqs))
        for link in range(0, len(first), BATCH):
            begins = starts[link : link + BATCH + 1]
            self._extend(out_rows[begins[0] : begins[-1]], detail_rows, begins - begins[0])
        self._links += len(first)
        self._last_seq = int(seqs[-1])

    def _extend(self, rows: Rows, detail_rows: Rows, begins: Rows) -> None:
        """Links over `rows`; link k has rows begins[k]..begins[k + 1]. The bytes are hashed where they lie."""
        where = rows["detail"]
        has = where >= 0
        heads = np.column_stack((rows["in_seq"][begins[:-1]], np.diff(begins))).astype("<i8").tobytes()
        plain = rows.copy()
        plain["detail"] = np.minimum(where, 0)
        out = plain.view(np.uint8).data
        details = _in_order(detail_rows, where[has]).view(np.uint8).data
        row_ends = (begins * OUT.itemsize).tolist()
        detail_ends = (np.concatenate(([0], np.cumsum(has)))[begins] * DETAIL.itemsize).tolist()
        link = self._link
        for k in range(len(row_ends) - 1):
            digest = _SHA256.copy()
            digest.update(link + heads[HEAD * k : HEAD * k + HEAD] + out[row_ends[k] : row_ends[k + 1]])
            if detail_ends[k] != detail_ends[k + 1]:
                digest.update(details[detail_ends[k] : detail_ends[k + 1]])
            link = digest.digest()
        self._link = link


def _in_order(details: Rows, where: Rows) -> Rows:
    """The details at `where`; without a copy where they lie one after the other, as the loop writes them."""
    if len(where) and int(where[-1]) - int(where[0]) == len(where) - 1 and (np.diff(where) == 1).all():
        return np.ascontiguousarray(details[int(where[0]) : int(where[-1]) + 1])
    return np.ascontiguousarray(details[where])


def chain_head(input_head: bytes, output_head: bytes) -> bytes:
    """SHA-256 over both heads: one number for a whole run."""
    return hashlib.sha256(input_head + output_head).digest()
