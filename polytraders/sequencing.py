"""Rows become inputs: every row gets its number and its loop time, and TICKs stand before what is at or past them.

One piece of code for a capture, whose times are the venue's, and for the loop process, whose times are its clock's.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np

from polytraders.config import Row
from polytraders.contracts.inputs import INPUT, TICK_NS, Kind

BLOCK_ROWS: Final = 65_536
CLOCK_GAP_NS: Final = 600_000_000_000
"""Above this the clock jumps: one CLOCK input instead of thousands of TICKs about which there is nothing to say."""


class Sequencer:
    """Numbers rows, gives them loop time and puts the TICKs between them.

    Attributes:
        in_seq: Number of the last row.
        now: Loop time of the last row, ns.
        synthetic: Written into the CLOCK row of a jump: 1 where times are not those of receipt.
        rate_ppm: Likewise: how fast loop time runs against the clock on the wall; 0 = not at all, times are recorded.
    """

    def __init__(
        self, block_rows: int = BLOCK_ROWS, *, in_seq: int = 0, now: int = 0, synthetic: int = 1, rate_ppm: int = 0
    ) -> None:
        """Collect rows into blocks of exactly `block_rows`, the last one shorter; go on after `in_seq` and `now`."""
        self.in_seq = in_seq
        self.now = now
        self.synthetic = synthetic
        self.rate_ppm = rate_ppm
        self._block_rows = block_rows
        self._rows: list[tuple[int, ...]] = []
        self._next_tick = now // TICK_NS * TICK_NS + TICK_NS

    def start(self, now: int, rows: Sequence[Row]) -> None:
        """The set-up rows, at the time of the first frame."""
        self.now = now
        for row in rows:
            self._append(now, 0, row, -1, 0)
        self._next_tick = now // TICK_NS * TICK_NS + TICK_NS

    def advance(self, now: int, proc_ts: int = 0) -> None:
        """Let loop time go on to `now`, or stand where it is ahead: the TICKs up to it, or one CLOCK for a long gap."""
        now = max(self.now, now)
        if now - self.now > CLOCK_GAP_NS:
            jump = now // TICK_NS * TICK_NS
            row = (Kind.CLOCK, 0, 0, -1, 0, self.rate_ppm, self.synthetic, jump)
            self._append(jump, 0, row, -1, proc_ts)
            self._next_tick = jump
        while self._next_tick <= now:
            self._append(self._next_tick, 0, (Kind.TICK, 0, 0, -1, 0, 0, 0, 0), -1, proc_ts)
            self._next_tick += TICK_NS
        self.now = now

    def frame(self, number: int, at: int, rows: Sequence[Any], proc_ts: int = 0) -> None:
        """The rows of one frame or command, after the TICKs that are due before it.

        Args:
            number: Of the raw frame, -1 for what is not of one.
            at: Its time, ns: of receipt, or the venue's own where nothing else is known.
            rows: `(kind, side, flags, market, price, size, a, b[, source_ts])` each.
            proc_ts: When the rows are sealed, ns; 0 = at their own time.
        """
        self.advance(at, proc_ts)
        for row in rows:
            self._append(self.now, row[8] if len(row) > 8 else 0, row, number, proc_ts)

    def _append(self, now: int, source_ts: int, row: Any, number: int, proc_ts: int) -> None:
        self.in_seq += 1
        kind, side, flags, market, price, size, a, b = row[:8]
        self._rows.append(
            (self.in_seq, now, source_ts, max(proc_ts, now), kind, side, flags, market, price, size, a, b, number)
        )

    @property
    def waiting(self) -> int:
        """Rows that nobody has taken yet."""
        return len(self._rows)

    def full(self) -> Iterator[np.ndarray]:
        """Blocks that are complete."""
        while len(self._rows) >= self._block_rows:
            block, self._rows = self._rows[: self._block_rows], self._rows[self._block_rows :]
            yield np.array(block, INPUT)

    def rest(self) -> Iterator[np.ndarray]:
        """What is left at the end, or for now."""
        yield from self.full()
        if self._rows:
            yield np.array(self._rows, INPUT)
            self._rows = []
