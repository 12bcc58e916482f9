"""The loop process of one shard: takes what has arrived, steps it, has it committed, and never waits for a broker.

One thread steps (the event loop's), one commits. While a block is being committed the next one is stepped; an approval
or a kill closes its block at once, everything else waits for at most `BLOCK_S`, so a quiet log is a small log.
"""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Protocol

import numpy as np

from apps.eventlog.inbox import InboxRow
from apps.eventlog.segments import BATCH_MAX, Received
from apps.replay.runner import Drive
from polytraders.contracts import state as s
from polytraders.contracts.control import Killed
from polytraders.contracts.inputs import TICK_NS, Kind, Scope
from polytraders.crashpoints import reach
from polytraders.journal import kernel_sums
from polytraders.shard import snapshots
from polytraders.shard.clock import Clock
from polytraders.shard.commands import Asked
from polytraders.shard.committing import Committed, Committer
from polytraders.shard.directory import Directory
from polytraders.shard.intake import Arrival, Intake
from polytraders.shard.kills import Kills
from polytraders.shard.meter import Meter
from polytraders.shard.pending import Pending, Ready
from polytraders.shard.quoting import Quoter
from polytraders.shard.stepping import step

log = logging.getLogger(__name__)

BLOCK_S: Final = 0.1
"""Longest time that inputs without an approval wait for their commit."""
BLOCK_ROWS: Final = 16_384
"""Inputs after which a block is closed whatever it holds."""
WAITING_MAX: Final = 200_000
"""Arrivals that may wait. Beyond it the machine cannot follow: better to end and fold than to decide on old prices."""
PENDING_MAX: Final = 1_000_000
RAW_BYTES_MAX: Final = BATCH_MAX * 3 // 4
"""Inputs, and bytes of frames, that may wait behind a commit that does not end."""


class Overrun(RuntimeError):  # noqa: N818  what it is
    """More arrives than can be stepped."""

    code = "INTEL_FEED_LAG"


class Checkpointer(Protocol):
    """Keeps a copy of the state now and then."""

    def due(self, in_seq: int, now: int) -> bool:
        """Whether one is due behind this input."""

    def save(self, in_seq: int, packed: np.ndarray) -> None:
        """Keep the state behind an input that is committed; does not wait for the disk."""


class ShardLoop:
    """The loop of a shard, once everything it needs has been opened.

    Attributes:
        meter: What it has measured of itself.
        quoter: What tells pages of books.
    """

    def __init__(
        self,
        drive: Drive,
        intake: Intake,
        directory: Directory,
        committer: Committer,
        clock: Clock,
        kills: Kills,
        checkpointer: Checkpointer,
        meter: Meter,
        committed: Callable[[list[int]], None],
        told: Callable[[Ready], None],
        quoter: Quoter,
    ) -> None:
        """Put the parts together.

        Args:
            drive: The compiled loop and its state.
            intake: Numbers what arrives.
            directory: Names of its indices.
            committer: Makes it the record.
            clock: Receive time.
            kills: What fence and control table say.
            checkpointer: Keeps copies of the state.
            meter: Told how long things take.
            committed: Told the inbox rows of each block once they are committed.
            told: Told of each block before it is handed over, in this thread, where the state may be looked at.
            quoter: Tells pages of books, beside the record.
        """
        self.quoter = quoter
        self._hint: Callable[[str], None] | None = None
        self._has_news = False
        self.meter = meter
        self._drive = drive
        self._intake = intake
        self._directory = directory
        self._committer = committer
        self._clock = clock
        self._kills = kills
        self._checkpointer = checkpointer
        self._committed = committed
        self._told = told
        self._arrivals: deque[Arrival] = deque()
        self._arrived = asyncio.Event()
        self._arrived_ns = 0
        self._pending = Pending()
        self._pool = ThreadPoolExecutor(1, "committer")
        self._commit: asyncio.Future[Committed] | None = None
        self._stopping = self._urgent = False
        self._packed: tuple[int, np.ndarray] | None = None

    # --- arrivals: called in the event loop's thread ------------------------------------------------------------------

    def arrive(self, arrival: Arrival) -> None:
        """Something has arrived; it is numbered in the order of these calls."""
        if not self._arrivals:
            self._arrived_ns = time.monotonic_ns()
        self._arrivals.append(arrival)
        self._arrived.set()

    def frame(self, connection: int, recv_ts: int, raw: bytes) -> None:
        """A message of the market channel."""
        reach("frame read")
        received = Received(connection, recv_ts, raw)
        self.arrive(lambda intake, proc_ts: intake.frame(received, proc_ts))

    def reference(self, connection: int, recv_ts: int, raw: bytes) -> None:
        """A message of the reference feed."""
        received = Received(connection, recv_ts, raw)
        self.arrive(lambda intake, proc_ts: intake.reference(received, proc_ts))

    def command(self, row: InboxRow) -> None:
        """A row of the inbox."""
        asked = Asked(row.kind, row.actor, row.permission, row.payload, row.code)
        self.arrive(lambda intake, proc_ts: intake.command(row.id, row.key, asked, proc_ts))

    def hint_with(self, hint: Callable[[str], None]) -> None:
        """Have this told of news, "log" behind a commit that others can see and "quotes" behind told quotes."""
        self._hint = self.quoter.telling.hint = hint

    def wake(self) -> None:
        """Look now."""
        self._arrived.set()

    def stop(self) -> None:
        """Step what has arrived, commit it, and end."""
        self._stopping = True
        self._arrived.set()

    # --- the loop -----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until `stop`.

        Raises:
            Overrun: It cannot follow.
            KernelFault: The loop refused to go on.
            Exception: What the commit of a block raised.
        """
        try:
            while not self._stopping:
                await self._wait()
                self._turn()
            self._turn()
            while self._commit is not None or self._pending.rows:
                if self._commit is not None:
                    await asyncio.wait([self._commit])
                self._settle()
                self._hand_over()
        except Exception:
            # What brought it down is evidence: the bytes that came and will not be committed are kept as an orphan.
            self._pool.submit(self._committer.set_aside, [*self._pending.raws, *self._intake.raws])
            raise
        finally:
            self.quoter.close()
            self._pool.shutdown(wait=True)

    async def _wait(self) -> None:
        """Until something arrives, the next TICK is due, or a block has waited long enough."""
        now = self._clock()
        span = self._clock.wall_s(TICK_NS - now % TICK_NS)
        if self._pending.rows and self._commit is None:
            span = min(span, max(0.0, BLOCK_S - self._age_s()))
        span = min(span, self.quoter.due_s())
        if not self._arrivals:
            self._arrived.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._arrived.wait(), max(span, 0.0005))
        # Frames that come one by one are cheaper together, and the sockets get their turn.
        await asyncio.sleep(0)

    def _age_s(self) -> float:
        return (time.monotonic_ns() - self._pending.since_ns) / 1e9

    def _turn(self) -> None:
        """One round: the fence, what has arrived, time itself; then step and hand over."""
        now = self._clock()
        waiting, arrived_ns = len(self._arrivals), self._arrived_ns
        if waiting > WAITING_MAX:
            raise Overrun(f"{waiting} arrivals wait")
        if self._pending.rows > PENDING_MAX or self._pending.raw_bytes > RAW_BYTES_MAX:
            raise Overrun(f"{self._pending.rows} inputs wait for a commit")
        sent: set[Killed] = set()
        self._look_for_kills(sent)
        while self._arrivals:
            named = self._directory.count
            self._arrivals.popleft()(self._intake, now)
            if self._directory.count != named:
                # Whoever has just got a name may have been killed by it long ago.
                self._look_for_kills(sent)
        self._intake.tick(now, now)
        reach("rows sequenced")
        taken = self._intake.take()
        if taken is not None:
            stepped = step(self._drive, taken.inputs)
            reach("stepped")
            self.quoter.saw(taken.inputs, stepped.outs, stepped.details)
            # Whoever has stopped trading wants to know that it stands in the record.
            self._urgent |= bool(taken.controls) and bool((taken.inputs["kind"] == Kind.KILL).any())
            self._pending.add(taken.inputs, taken.controls, stepped, taken.raws, taken.inbox_ids, time.monotonic_ns())
            decided_s = (time.monotonic_ns() - arrived_ns) / 1e9 if waiting else None
            self.meter.stepped(taken.inputs, waiting, decided_s)
        self._settle()
        self._hand_over()
        self.quoter.look()

    def _look_for_kills(self, sent: set[Killed]) -> None:
        """Give the loop a KILL for every scope that fence or table say is killed and the loop does not.

        What is compared is the loop's own flag, not what was read before: between two looks a scope may have been
        released and killed again. A name that nobody has yet is looked up again until somebody has it.
        """
        for each in sorted(self._kills.now() - sent):
            index = 0 if each.scope is Scope.GLOBAL else self._directory.scope_index(each.scope, each.name)
            if index is not None and not is_killed(self._drive.state, each.scope, index):
                sent.add(each)
                self._intake.kill(each, index)
                log.warning("killed: %s %s", each.scope.name.lower(), each.name)

    def _settle(self) -> None:
        """Take note of a commit that has ended."""
        if self._commit is None or not self._commit.done():
            return
        committed = self._commit.result()
        self._commit = None
        self.meter.committed(committed)
        if self._has_news and self._hint is not None:
            self._hint("log")
        if self._packed is not None and self._packed[0] <= committed.head.seq:
            # Only a state whose inputs are committed may be begun with again.
            packed, self._packed = self._packed, None
            self._checkpointer.save(*packed)
        reach("committed noted")

    def _hand_over(self) -> None:
        """Give the committer what has been stepped, if it is free and the block is ripe."""
        pending = self._pending
        if self._commit is not None or not pending.rows:
            return
        at_once = pending.approved or self._urgent or self._stopping
        if not (at_once or pending.rows >= BLOCK_ROWS or self._age_s() >= BLOCK_S):
            return
        self._urgent = False
        ready = pending.take(time.monotonic_ns())
        money = kernel_sums(self._drive.state, self._directory.names) if ready.moved else None
        self._told(ready)
        reach("handed over")
        inbox_ids = ready.inbox_ids
        self._has_news = bool(len(ready.outs) or ready.controls)
        in_seq, now = int(ready.inputs["in_seq"][-1]), int(ready.inputs["recv_ts"][-1])
        self._commit = asyncio.wrap_future(self._pool.submit(self._committer.commit, ready, money))
        self._commit.add_done_callback(lambda done: self._arrived.set())
        if inbox_ids:
            self._commit.add_done_callback(
                lambda done: None if done.cancelled() or done.exception() else self._committed(inbox_ids)
            )
        if self._checkpointer.due(in_seq, now):
            self._packed = in_seq, snapshots.pack(self._drive.block, len(self._directory.names.markets))

    def last_state(self) -> tuple[int, np.ndarray] | None:
        """The last input and the state behind it, when all that was stepped is committed; None when it is not."""
        in_seq = int(self._drive.state.portfolio["in_seq"][0])
        if in_seq != self.meter.seq or self._pending.rows:
            return None
        return in_seq, snapshots.pack(self._drive.block, len(self._directory.names.markets))

    @property
    def state(self) -> s.State:
        """The loop's state, to be looked at between two rounds."""
        return self._drive.state


def is_killed(state: s.State, scope: Scope, index: int) -> bool:
    """Whether the loop holds a scope for killed."""
    tables = {
        Scope.GLOBAL: state.portfolio,
        Scope.VENUE: state.venues,
        Scope.CLUSTER: state.clusters,
        Scope.MARKET: state.markets,
        Scope.STRATEGY: state.strategies,
    }
    return bool(tables[scope]["killed"][index])
