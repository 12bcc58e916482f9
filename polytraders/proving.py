"""One replay of the stored log: its inputs through the loop, every output compared with the one that was recorded.

Parity is claimed for the epochs that this build recorded: there a single differing byte is a fault. What another build
recorded is compared too, but a difference there is drift: the code was changed, and this is what the change changes.
"""

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import psycopg

from apps.eventlog import checkpoints, reading
from apps.eventlog.core.chain import InputChain, InputState, OutputChain, OutputState
from apps.eventlog.faults import Corrupt
from apps.replay.core import compare
from apps.replay.core.compare import Outputs
from apps.replay.runner import Drive, Gathered, Kernel, Runner
from polytraders import loop, reporting
from polytraders.contracts import state as s
from polytraders.contracts.decision import DecisionPacket
from polytraders.contracts.inputs import Kind
from polytraders.contracts.reasons import by_number
from polytraders.contracts.replay import EpochParity, LogParity, ReplayReport
from polytraders.kernel import block as blocks
from polytraders.kernel.jit import build_hash
from polytraders.sequencing import BLOCK_ROWS
from polytraders.shard import snapshots
from polytraders.sources import Epoch, Log

AGES: Final = "as recorded: frames, PONGs and witnesses are inputs of the log"
KERNEL: Final = Kernel(loop.run, blocks.views)
MATCH, REGRESSION, DRIFT = "GOV_REPLAY_MATCH", "GOV_REPLAY_REGRESSION", "GOV_REPLAY_DRIFT"


class _Tally:
    """What comparing one epoch has found so far."""

    def __init__(self, epoch: Epoch, is_claimed: bool, state_equal: bool | None) -> None:
        self.epoch = epoch
        self.is_claimed = is_claimed
        self.state_equal = state_equal
        self.last_seq = epoch.seq
        self.recorded = self.replayed = self.equal = 0
        self.first = None if state_equal is not False else f"input {epoch.seq}: the state handed over differs"

    def add(self, recorded: Outputs, replayed: Outputs) -> None:
        found = compare.first_difference(recorded, replayed)
        self.recorded += len(recorded.out)
        self.replayed += len(replayed.out)
        self.equal += len(recorded.out) if found is None else compare.equal_rows(recorded, replayed)
        if found is not None and self.first is None:
            self.first = found.in_words()

    def result(self) -> EpochParity:
        return EpochParity(
            epoch_seq=self.epoch.seq, last_seq=self.last_seq, build=self.epoch.build, claimed=self.is_claimed,
            state_equal=self.state_equal, recorded=self.recorded, replayed=self.replayed, equal=self.equal,
            first_difference=self.first,
        )  # fmt: skip


class LogReplay:
    """A replay of a stored log that is ready to run.

    Attributes:
        runner: The run; its state can be looked at between blocks.
        log: The source.
        names: What the indices in its rows are called.
    """

    def __init__(
        self,
        connection: "psycopg.Connection[Any]",
        home: Path,
        shard: int = 0,
        *,
        until: int | None = None,
        block_rows: int = BLOCK_ROWS,
        explain: int | None = None,
    ) -> None:
        """Open the log.

        Args:
            connection: Of any role that may read, in autocommit.
            home: Folder of the segments.
            shard: Which log.
            until: Last input to replay; None = all that is committed by now.
            block_rows: Inputs handed to the loop at once; changes nothing but time.
            explain: The input that is to be explained: then the replay may begin at a checkpoint of this build, and
                ends there.

        Raises:
            LogMissing: There is no such log, or no such input in it.
            Corrupt: An epoch cannot be read.
        """
        self._connection = connection
        self._home = home
        self._block_rows = block_rows
        self._build = build_hash()
        near = None
        if explain is not None:
            until = explain
            near = checkpoints.latest(connection, home, shard, self._build, until=explain - 1)
        after = near.in_seq if near else 0
        self.log = Log(connection, home, shard, after=after, until=until, block_rows=block_rows)
        sizes = self.log.epochs[0].sizes
        self.names = reading.names(connection, shard)
        self._gathered = Gathered()
        self._markets = 0
        self._frames = 0
        self._frame = -1
        self._refused: Counter[str] = Counter()
        self._recorded = OutputChain()
        self._tallies: list[_Tally] = []
        self._seconds = 0.0
        state = snapshots.unpack(near.block, sizes) if near else blocks.new_block(sizes)
        self.runner = Runner(KERNEL, state, sink=self._gathered)
        if near:
            # Chains over a part of a log are nobody's heads; they only have to go on.
            self.runner.inputs = InputChain(InputState(b"", after, b""))
            self.runner.outputs = OutputChain(OutputState(b"", 0, after))

    def __iter__(self) -> Iterator[np.ndarray]:
        """Blocks of input rows; the state has the room that an epoch wants before its first block is given out."""
        for rows in self.log:
            first = int(rows["in_seq"][0])
            epoch = self.log.epoch_of(first)
            if not self._tallies or self._tallies[-1].epoch.seq != epoch.seq:
                self._begin(epoch, first)
            facts = rows["market"][rows["kind"] == Kind.FACT]
            self._markets = max(self._markets, int(facts.max(initial=-1)) + 1)
            yield rows

    def _begin(self, epoch: Epoch, first: int) -> None:
        equal = None
        if epoch.seq == first and first > 1:
            if epoch.sizes != self._sizes():
                self._make_room(epoch)
            if epoch.state_hash:
                equal = self.state_hash() == epoch.state_hash
        self._tallies.append(_Tally(epoch, epoch.build == self._build.hex(), equal))

    def _sizes(self) -> s.Sizes:
        state = self.runner.state
        return s.Sizes(
            len(state.markets), len(state.strategies), len(state.clusters), len(state.venues), len(state.connections),
            len(state.references),
        )  # fmt: skip

    def _make_room(self, epoch: Epoch) -> None:
        """What the loop process does: the state moves where it fits, else everything is folded with the new room."""
        try:
            block = snapshots.unpack(snapshots.pack(self.runner.block, self._markets), epoch.sizes)
        except ValueError:
            drive = Drive(KERNEL, blocks.new_block(epoch.sizes))
            for rows in reading.inputs(self._connection, self._home, self.log.shard, until=epoch.seq - 1):
                for _ in drive.outputs(rows):
                    pass
            block = drive.block
        self.runner.go_on(block)

    def state_hash(self) -> str:
        """SHA-256 of the state behind the last input, hex: what an EPOCH input would name."""
        return hashlib.sha256(snapshots.pack(self.runner.block, self._markets).tobytes()).hexdigest()

    def run(self, progress: "Callable[[LogReplay], None] | None" = None) -> ReplayReport:
        """Replay and compare all of it.

        Args:
            progress: Called after each block.

        Raises:
            Corrupt: The log is not what was committed.
            Dropped: Its first inputs are no longer kept.
            KernelFault: The loop refused to go on.
        """
        began = time.perf_counter()
        for rows in self:
            self.runner.feed(rows)
            self._compare(rows)
            self._count_frames(rows)
            if progress is not None:
                progress(self)
        self._seconds = time.perf_counter() - began
        return self.report()

    def _compare(self, rows: np.ndarray) -> None:
        first, last = int(rows["in_seq"][0]), int(rows["in_seq"][-1])
        gathered = Gathered()
        for outs, details in reading.outputs(self._connection, self.log.shard, after=first - 1, until=last):
            try:
                self._recorded.update(outs, details)
            except ValueError as error:
                raise Corrupt(f"log_output of shard {self.log.shard}, inputs {first} to {last}: {error}") from error
            gathered.add(outs, details)
        tally = self._tallies[-1]
        tally.last_seq = last
        tally.add(Outputs(*gathered.take()), Outputs(*self._gathered.take()))

    def _count_frames(self, rows: np.ndarray) -> None:
        frames = rows["frame"][rows["frame"] >= 0]
        if len(frames):
            self._frames += int(np.count_nonzero(np.diff(frames, prepend=self._frame)))
            self._frame = int(frames[-1])
        refused = rows[rows["kind"] == Kind.REFUSED]
        for number in refused["a"].tolist():
            self._refused[by_number(number).code] += 1

    def report(self) -> ReplayReport:
        """What the run found, so far.

        Raises:
            Corrupt: The inputs or the recorded outputs do not give the heads of the log.
        """
        log, runner = self.log, self.runner
        is_whole = log.until == log.head.seq and runner.inputs.rows == log.until
        epochs = tuple(tally.result() for tally in self._tallies)
        code, first = verdict(epochs)
        if is_whole and runner.inputs.head() != log.head.input_head:
            raise Corrupt(f"log_head of shard {log.shard}: the inputs do not give its head")
        if is_whole and self._recorded.head() != log.head.output_link:
            raise Corrupt(f"log_output of shard {log.shard}: not what was committed" + (f": {first}" if first else ""))
        limits = runner.state.limits[0]
        return ReplayReport(
            **reporting.found(runner, self.names),
            source=f"log of shard {log.shard}",
            clock="recorded",
            ages=AGES,
            frames=self._frames,
            frames_rejected=self._refused.total(),
            refused_by_code=dict(self._refused),
            door={},
            limits={name: int(limits[name]) for name in s.LIMITS.names or ()},
            verdict_code=code,
            first_difference=first,
            log=LogParity(
                shard=log.shard,
                from_seq=log.after + 1,
                to_seq=runner.inputs.rows,
                parity=_share([epoch for epoch in epochs if epoch.claimed]),
                drift=None if (same := _share([epoch for epoch in epochs if not epoch.claimed])) is None else 1 - same,
                input_head_recorded=log.head.input_head.hex() if is_whole else None,
                output_head_recorded=log.head.output_link.hex() if is_whole else None,
                state_hash=self.state_hash(),
                seconds=round(self._seconds, 3),
                epochs=epochs,
            ),
        )

    def packet(self, out: np.void, detail: np.void) -> DecisionPacket:
        """One decision of the last row fed, in full: a PACKET or APPROVAL row and its DETAIL row."""
        return reporting.packet(self.runner.state, self.names, out, detail)


def _share(epochs: list[EpochParity]) -> float | None:
    """Equal rows by rows of either side; two empty sides are equal, no epoch is nothing to say."""
    if not epochs:
        return None
    equal = sum(epoch.equal for epoch in epochs)
    total = sum(epoch.recorded + epoch.replayed for epoch in epochs) - equal
    return equal / total if total else 1.0


def verdict(epochs: tuple[EpochParity, ...]) -> tuple[str, str | None]:
    """(code, first difference in words): of this build's epochs if one of them differs, else of the others'."""
    for claimed, code in ((True, REGRESSION), (False, DRIFT)):
        for epoch in epochs:
            if epoch.claimed is claimed and epoch.first_difference is not None:
                return code, epoch.first_difference
    return MATCH, None
