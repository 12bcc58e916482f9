"""What has been stepped and waits for its commit: the parts of one block, in order."""

from typing import NamedTuple

import numpy as np

from apps.eventlog.segments import Received
from apps.eventlog.store import Control, Record
from polytraders.contracts import state as s
from polytraders.shard.stepping import Stepped


class Ready(NamedTuple):
    """A block for the committer."""

    inputs: np.ndarray
    controls: list[Control]
    outs: np.ndarray
    details: np.ndarray
    records: list[Record]
    raws: list[Received]
    inbox_ids: list[int]
    moved: bool
    approved: bool
    stepped_ns: int


class Pending:
    """Collects stepped rows until they are handed over.

    Attributes:
        rows: Inputs so far.
        raws: Frames they came from.
        raw_bytes: Bytes of these.
        approved: An approval waits: the block is to be closed at once.
        since_ns: Monotonic time of the first input, 0 = empty.
    """

    def __init__(self) -> None:
        """Start empty."""
        self._clear()

    def _clear(self) -> None:
        self.rows = 0
        self.raw_bytes = 0
        self.raws: list[Received] = []
        self.approved = False
        self.since_ns = 0
        self._moved = False
        self._inputs: list[np.ndarray] = []
        self._controls: list[Control] = []
        self._outs: list[np.ndarray] = []
        self._details: list[np.ndarray] = []
        self._details_count = 0
        self._records: list[Record] = []
        self._inbox_ids: list[int] = []

    def add(
        self,
        inputs: np.ndarray,
        controls: list[Control],
        stepped: Stepped,
        raws: list[Received],
        inbox_ids: list[int],
        now_ns: int,
    ) -> None:
        """Add rows that follow the last ones, with what they came to and what they came from."""
        if not self.rows:
            self.since_ns = now_ns
        self.rows += len(inputs)
        self.approved |= stepped.approved
        self._moved |= stepped.moved
        self._inputs.append(inputs)
        self._controls += controls
        if len(stepped.outs):
            outs = stepped.outs
            outs["detail"] = np.where(outs["detail"] >= 0, outs["detail"] + self._details_count, outs["detail"])
            self._outs.append(outs)
            self._details.append(stepped.details)
            self._details_count += len(stepped.details)
        self._records += stepped.records
        self.raws += raws
        self.raw_bytes += sum(len(each.raw) for each in raws)
        self._inbox_ids += inbox_ids

    def take(self, now_ns: int) -> Ready:
        """The block, leaving nothing."""
        made = Ready(
            inputs=np.concatenate(self._inputs),
            controls=self._controls,
            outs=np.concatenate(self._outs) if self._outs else np.zeros(0, s.OUT),
            details=np.concatenate(self._details) if self._details else np.zeros(0, s.DETAIL),
            records=self._records,
            raws=self.raws,
            inbox_ids=self._inbox_ids,
            moved=self._moved,
            approved=self.approved,
            stepped_ns=now_ns,
        )
        self._clear()
        return made
