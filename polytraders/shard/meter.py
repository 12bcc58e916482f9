"""What the loop process measures of itself: counts, delays, queues. Nothing of it ever reaches a decision."""

import resource
from collections import Counter, deque
from typing import Final

import numpy as np

from polytraders.contracts.inputs import Kind
from polytraders.shard.committing import Committed
from polytraders.shard.stepping import Stepped

KEPT: Final = 4_096


class Meter:
    """Running counts and the newest delays.

    Attributes:
        inputs: Inputs stepped, by kind.
        steps: Calls of the loop.
        waiting: Arrivals found waiting by the last round.
        lag_ms: Loop time of the newest frame minus the venue's own time, ms; None = none told yet.
        step_s: Newest times from the beginning of a round to its verdicts, seconds.
        commit_s: Newest times of a commit.
        decision_s: Newest times from an approval's step to its commit.
        blocks: Blocks committed.
    """

    def __init__(self) -> None:
        """Start at nothing."""
        self.inputs: Counter[int] = Counter()
        self.steps = 0
        self.waiting = 0
        self.waiting_max = 0
        self.lag_ms: int | None = None
        self.step_s: deque[float] = deque(maxlen=KEPT)
        self.commit_s: deque[float] = deque(maxlen=KEPT)
        self.decision_s: deque[float] = deque(maxlen=KEPT)
        self.blocks = 0
        self.seq = 0

    def stepped(self, inputs: np.ndarray, stepped: Stepped, seconds: float, waiting: int, now: int) -> None:
        """A round has stepped rows."""
        self.steps += 1
        self.waiting = waiting
        self.waiting_max = max(self.waiting_max, waiting)
        kinds = np.bincount(inputs["kind"], minlength=len(Kind) + 1)
        self.inputs.update({kind: int(kinds[kind]) for kind in np.flatnonzero(kinds).tolist()})
        told = inputs["source_ts"]
        if told.any():
            newest = int(np.flatnonzero(told)[-1])
            self.lag_ms = (int(inputs["recv_ts"][newest]) - int(told[newest])) // 1_000_000
        if waiting:
            self.step_s.append(seconds)

    def committed(self, committed: Committed) -> None:
        """A block has been committed."""
        self.blocks += 1
        self.seq = committed.head.seq
        self.commit_s.append(committed.seconds)
        if committed.approved:
            self.decision_s.append(committed.waited_s)

    @staticmethod
    def rss_bytes() -> int:
        """Largest memory of this process so far."""
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def quantile(values: "deque[float]", part: float) -> float | None:
    """The value below which `part` of the newest ones lie; None without any."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]
