"""Checkpoints of the loop process: each hour of loop time and each so many inputs, written by a thread of their own."""

import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import numpy as np
import psycopg

from apps.eventlog import checkpoints
from polytraders.contracts.inputs import NANO
from polytraders.crashpoints import reach

log = logging.getLogger(__name__)

INPUTS: Final = 1_000_000
SPAN_NS: Final = 3_600 * NANO


class Keeper:
    """Writes checkpoints of one shard."""

    def __init__(
        self, dsn: str, home: Path, shard: int, build: bytes, *, in_seq: int, now: int, inputs: int = INPUTS
    ) -> None:
        """The first one is due an hour or `inputs` inputs behind `in_seq` and `now`."""
        self._dsn = dsn
        self._home = home
        self._shard = shard
        self._build = build
        self._inputs = inputs
        self._last_seq = in_seq
        self._last_ts = now
        self._pool = ThreadPoolExecutor(1, "checkpoint")

    def due(self, in_seq: int, now: int) -> bool:
        """Whether one is due behind this input; saying yes begins the next span."""
        if in_seq - self._last_seq < self._inputs and now - self._last_ts < SPAN_NS:
            return False
        self._last_seq, self._last_ts = in_seq, now
        return True

    def save(self, in_seq: int, packed: np.ndarray) -> None:
        """Write a state; a failure is said in the log and costs only time at the next start."""
        self._pool.submit(self._write, in_seq, packed)

    def _write(self, in_seq: int, packed: np.ndarray) -> None:
        try:
            with psycopg.connect(self._dsn, autocommit=True) as conn:
                checkpoints.save(self._home, conn, self._shard, in_seq, packed, self._build, reached=reach)
        except (OSError, psycopg.Error) as error:
            log.error("no checkpoint behind input %d: %s", in_seq, error)

    def close(self, last: tuple[int, np.ndarray] | None) -> None:
        """Write the state of an orderly end, if there is one, and wait for it."""
        if last is not None:
            # Behind one that may still be written: each write clears away what earlier ones have left unfinished.
            self.save(*last)
        self._pool.shutdown(wait=True)
