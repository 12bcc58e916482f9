"""Drives input rows through the loop and gathers what comes out: heads, counts and, if wanted, the outputs themselves.

The loop is handed in by whoever wires a replay, so this module needs no compiled code of its own.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
import zstandard

from apps.eventlog.core.chain import InputChain, OutputChain, chain_head
from polytraders.contracts import state as s
from polytraders.contracts.checks import code_of
from polytraders.contracts.inputs import INPUT

FAULTS: Final = {
    1: "one input had more outputs than the block of outputs holds",
    2: "a window's ring could not hold its seconds",
}


class KernelFault(RuntimeError):  # noqa: N818  the loop's own word for it
    """The loop stopped itself; nothing after that input was computed."""


class Kernel(NamedTuple):
    """What a runner needs of the loop."""

    run: Callable[..., int]
    views: Callable[[np.ndarray], s.State]


class Drive:
    """The loop over one block of state: rows go in, output rows come out.

    Attributes:
        block: The state's bytes.
        state: Its views.
        loop_seconds: Wall time inside the loop.
    """

    def __init__(self, kernel: Kernel, block: np.ndarray, *, out_rows: int = 65_536) -> None:
        """Drive `block`, with room for `out_rows` outputs a call, or as many as one input can need."""
        self.block = block
        self.state = kernel.views(block)
        self.loop_seconds = 0.0
        self._run = kernel.run
        margin = 64 + 4 * self.state.pairs.size
        rows = max(out_rows, 2 * margin)
        self._out = np.zeros(rows * s.OUT.itemsize, np.uint8)
        self._details = np.zeros(max(rows // 4, 2 * margin) * s.DETAIL.itemsize, np.uint8)
        # Loads, or compiles, the loop before any clock is looked at.
        self._run(block, np.zeros(INPUT.itemsize, np.uint8), 0, 0, self._out, self._details)

    def outputs(self, rows: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """(OUT rows, DETAIL rows) of each call, in log order; valid until the next one.

        Raises:
            KernelFault: The loop refused to go on.
        """
        data = rows.view(np.uint8)
        at = 0
        while at < len(rows):
            began = time.perf_counter()
            at = self._run(self.block, data, at, len(rows), self._out, self._details)
            self.loop_seconds += time.perf_counter() - began
            fault = int(self.state.portfolio[0]["fault"])
            if fault:
                raise KernelFault(f"input {int(self.state.portfolio[0]['in_seq'])}: {FAULTS.get(fault, fault)}")
            yield self.outs(), self.details()

    def outs(self) -> np.ndarray:
        """Output rows of the last call."""
        return self._out.view(s.OUT)[: int(self.state.portfolio["count"][0])]

    def details(self) -> np.ndarray:
        """Detail rows of the last call."""
        return self._details.view(s.DETAIL)[: int(self.state.portfolio["details"][0])]


class Runner:
    """One run of the loop over blocks of inputs.

    Attributes:
        drive: The loop and its state.
        evaluations_by_bit: Evaluations counted off in output rows, by verdict bit.
        kinds: Output rows by kind.
        last_approval: Input of the last approval, 0 = none yet.
    """

    def __init__(
        self, kernel: Kernel, block: np.ndarray, *, out_rows: int = 65_536, sink: "Taker | None" = None
    ) -> None:
        """Run on `block`; with a sink, every output row goes there too."""
        self._kernel = kernel
        self._out_rows = out_rows
        self._seconds = 0.0
        self.drive = Drive(kernel, block, out_rows=out_rows)
        self.block = block
        self.state = self.drive.state
        self.evaluations_by_bit: Counter[int] = Counter()
        self.kinds: Counter[int] = Counter()
        self.last_approval = 0
        self.inputs = InputChain()
        self.outputs = OutputChain()
        self._sink = sink

    def go_on(self, block: np.ndarray) -> None:
        """Run on `block` from now on: the same state, where another run had room for other numbers of things."""
        self._seconds += self.drive.loop_seconds
        self.drive = Drive(self._kernel, block, out_rows=self._out_rows)
        self.block = block
        self.state = self.drive.state

    @property
    def loop_seconds(self) -> float:
        """Wall time inside the loop."""
        return self._seconds + self.drive.loop_seconds

    def feed(self, rows: np.ndarray) -> None:
        """Drive rows, in log order, through the loop.

        Raises:
            KernelFault: The loop refused to go on.
        """
        self.inputs.update(rows)
        for out, details in self.drive.outputs(rows):
            if len(out):
                self._gather(out, details)

    def _gather(self, out: np.ndarray, details: np.ndarray) -> None:
        self.outputs.update(out, details)
        self.kinds.update(dict(enumerate(np.bincount(out["kind"], minlength=len(KINDS)).tolist())))
        counted = out[out["counted"] > 0]
        for bit in np.unique(counted["counted_first"]).tolist():
            self.evaluations_by_bit[bit] += int(counted["counted"][counted["counted_first"] == bit].sum())
        approvals = out["in_seq"][out["kind"] == s.APPROVAL]
        if len(approvals):
            self.last_approval = int(approvals[-1])
        if self._sink is not None:
            self._sink.add(out, details)

    def outs(self) -> np.ndarray:
        """Output rows of the last call."""
        return self.drive.outs()

    def details(self) -> np.ndarray:
        """Detail rows of the last call."""
        return self.drive.details()

    def counts_by_code(self) -> dict[str, int]:
        """Evaluations by reason code, those since the last output row included: their sum is all evaluations."""
        total = Counter(self.evaluations_by_bit)
        pairs = self.state.pairs
        open_runs = pairs["repeats"] > 0
        for bit, repeats in zip(pairs["first"][open_runs].tolist(), pairs["repeats"][open_runs].tolist(), strict=True):
            total[bit] += repeats
        codes: Counter[str] = Counter()
        for bit, count in total.items():
            codes[code_of(bit)] += count
        return dict(sorted(codes.items()))

    def heads(self) -> tuple[str, str, str]:
        """Input, output and chain head, hex."""
        input_head, output_head = self.inputs.head(), self.outputs.head()
        return input_head.hex(), output_head.hex(), chain_head(input_head, output_head).hex()


KINDS: Final = ("packet", "approval", "counts", "fill", "done", "book", "settled")


class Taker(Protocol):
    """Whoever wants the output rows of a run."""

    def add(self, out: np.ndarray, details: np.ndarray) -> None:
        """OUT rows and the DETAIL rows that they point into; valid until the next call."""


class Gathered:
    """Output rows in memory, until they are taken."""

    def __init__(self) -> None:
        """Begin with none."""
        self._outs: list[np.ndarray] = []
        self._details: list[np.ndarray] = []
        self._offset = 0

    def add(self, out: np.ndarray, details: np.ndarray) -> None:
        """Append copies; `detail` becomes an index into all that is gathered."""
        rows = out.copy()
        rows["detail"] = np.where(rows["detail"] >= 0, rows["detail"] + self._offset, rows["detail"])
        self._offset += len(details)
        self._outs.append(rows)
        self._details.append(details.copy())

    def take(self) -> tuple[np.ndarray, np.ndarray]:
        """(OUT rows, DETAIL rows) since the last time."""
        outs = np.concatenate([np.zeros(0, s.OUT), *self._outs])
        details = np.concatenate([np.zeros(0, s.DETAIL), *self._details])
        self._outs, self._details, self._offset = [], [], 0
        return outs, details


class Sink:
    """Output rows in two compressed files, so that a later replay can name the first difference."""

    def __init__(self, folder: Path) -> None:
        """Write to `folder`, made if need be."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._offset = 0
        self._files = [(folder / name).open("wb") for name in ("out.zst", "detail.zst")]
        self._writers: list[Any] = [zstandard.ZstdCompressor(level=3).stream_writer(file) for file in self._files]

    def add(self, out: np.ndarray, details: np.ndarray) -> None:
        """Append rows; `detail` becomes an index into the whole file."""
        rows = out.copy()
        rows["detail"] = np.where(rows["detail"] >= 0, rows["detail"] + self._offset, rows["detail"])
        self._offset += len(details)
        self._writers[0].write(rows.view(np.uint8).data)
        self._writers[1].write(details.view(np.uint8).data)

    def close(self) -> None:
        """Finish both files."""
        for writer, file in zip(self._writers, self._files, strict=True):
            writer.close()
            file.close()


def read_outputs(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """(OUT rows, DETAIL rows) that a sink wrote.

    Raises:
        OSError: There is no such folder.
    """
    made: list[Any] = []
    for name, dtype in (("out.zst", s.OUT), ("detail.zst", s.DETAIL)):
        with (folder / name).open("rb") as file:
            data = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True).read()
        made.append(np.frombuffer(data, dtype))
    return made[0], made[1]
