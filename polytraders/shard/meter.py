"""What the loop process measures of itself: delays and queues. Nothing of it ever reaches a decision."""

import resource
from collections import Counter, deque
from pathlib import Path
from typing import Final

import numpy as np

from polytraders.metrics import LoopMetrics
from polytraders.shard.committing import Committed

KEPT: Final = 4_096
STATM: Final = Path("/proc/self/statm")


class Meter:
    """The newest delays as they are, and all of them in the histograms of `metrics`.

    Attributes:
        waiting: Arrivals found waiting by the last round.
        waiting_max: Most of them so far.
        lag_ms: Loop time of the newest frame minus the venue's own time, ms; None = none told yet.
        decided_s: Newest times from an arrival to the verdicts about it, seconds.
        commit_s: Newest times of a commit.
        recorded_s: Newest times from an approval's verdict to its commit.
        blocks: Blocks committed.
        seq: Last committed input.
        differing: How often a market's book was another than the venue's own when it was asked, by market.
        through_s: From the newest arrival that a committed block began with to its commit.
    """

    def __init__(self, metrics: LoopMetrics) -> None:
        """Start at nothing."""
        self.metrics = metrics
        self.waiting = 0
        self.waiting_max = 0
        self.lag_ms: int | None = None
        self.decided_s: deque[float] = deque(maxlen=KEPT)
        self.commit_s: deque[float] = deque(maxlen=KEPT)
        self.recorded_s: deque[float] = deque(maxlen=KEPT)
        self.blocks = 0
        self.seq = 0
        self.differing: Counter[int] = Counter()
        self.through_s = 0.0

    def stepped(self, inputs: np.ndarray, waiting: int, decided_s: float | None) -> None:
        """A round has stepped rows, `decided_s` after the first of what arrived; None when nothing had."""
        self.waiting = waiting
        self.waiting_max = max(self.waiting_max, waiting)
        told = np.flatnonzero(inputs["source_ts"])
        if len(told):
            newest = inputs[told[-1]]
            self.lag_ms = (int(newest["recv_ts"]) - int(newest["source_ts"])) // 1_000_000
        if decided_s is not None:
            self.decided_s.append(decided_s)
            self.metrics.decision.observe(decided_s)
        self.metrics.saw(inputs)

    def committed(self, committed: Committed) -> None:
        """A block has been committed."""
        self.blocks += 1
        self.seq = committed.head.seq
        self.commit_s.append(committed.seconds)
        self.metrics.commit.observe(committed.waited_s)
        self.through_s = committed.waited_s + (self.decided_s[-1] if self.decided_s else 0.0)
        self.metrics.log_seq.set(self.seq)
        if committed.approved:
            self.recorded_s.append(committed.waited_s)

    @staticmethod
    def rss_bytes() -> int:
        """Resident memory of this process."""
        return int(STATM.read_text(encoding="ascii").split()[1]) * resource.getpagesize()


def quantile(values: "deque[float]", part: float) -> float | None:
    """The value below which `part` of the newest ones lie; None without any."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]
