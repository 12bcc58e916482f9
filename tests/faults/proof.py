"""What must hold of a log whatever was killed: each thing is checked by another way than the one it was made by."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psycopg

from apps.eventlog import reading, store
from apps.eventlog.core.chain import InputChain, OutputChain
from apps.eventlog.verify import verify
from apps.replay.runner import Drive, Kernel
from polytraders import journal
from polytraders import loop as kernel_loop
from polytraders.contracts import state as s
from polytraders.contracts.inputs import INPUT, Kind
from polytraders.kernel import block as blocks
from polytraders.kernel.jit import build_hash
from polytraders.shard import restoring, snapshots

SHARD = 0
HEAD = "SELECT seq, input_head, output_link, fence FROM log_head WHERE shard = %s"
TOLD = "SELECT in_seq, payload FROM log_control WHERE shard = %s AND kind = %s AND payload IS NOT NULL ORDER BY in_seq"
BUSY = "SELECT count(*) FROM log_control WHERE shard = %s AND kind = ANY(%s) AND in_seq > %s"


class Seen(NamedTuple):
    """A head that somebody has seen committed."""

    seq: int
    input_head: bytes
    output_link: bytes
    fence: int


def head(dsn: str) -> Seen:
    """Where the log ends now; zeros before its first writer."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        found = conn.execute(HEAD, (SHARD,)).fetchone()
    return Seen(found[0], bytes(found[1]), bytes(found[2]), found[3]) if found else Seen(0, b"", b"", 0)


def loop_over(sizes: s.Sizes) -> Drive:
    """The loop in this process, over an empty state."""
    return Drive(Kernel(kernel_loop.run, blocks.views), blocks.new_block(sizes))


class Log:
    """The log of shard 0 as a reader sees it, folded from its first input on and never from a checkpoint.

    Attributes:
        outs: Every output that the fold made, in order.
        state: Behind the last input folded.
        epochs: Inputs that opened an epoch.
    """

    def __init__(self, dsn: str, home: Path) -> None:
        self.dsn = dsn
        self.home = home
        self.outs: list[np.ndarray] = []
        self.epochs: list[int] = []
        self._seen: dict[int, Seen] = {}
        self._drive: Drive | None = None
        self._inputs, self._outputs = InputChain(), OutputChain()
        self._seq = 0

    @property
    def state(self) -> s.State:
        assert self._drive is not None, "nothing has been folded"
        return self._drive.state

    def see(self) -> Seen:
        """Note the head as committed: from now on it must be there."""
        seen = head(self.dsn)
        if seen.seq:
            self._seen[seen.seq] = seen
        return seen

    def prove(self) -> Seen:
        """The log is whole, what was seen committed is in it once, and a restart begins with what the log gives.

        Raises:
            AssertionError: It is not; the text says what was found.
        """
        found = verify(self.dsn, self.home, deep=True, checks=(journal.verify,))
        assert found is None, found.in_words()
        before = max(self._seen, default=0)
        now = self.see()
        assert now.seq >= before, f"input {before} was committed, the log ends at {now.seq}"
        if not now.seq:
            # It died before its first commit: there is nothing, and the next one begins a new log.
            return now
        with psycopg.connect(self.dsn, autocommit=True) as conn:
            self._fold(conn, now)
            self._outputs_are_once(conn)
            self._restart_begins_there(conn)
            self._gaps_follow(conn)
        return now

    def _fold(self, conn: psycopg.Connection[Any], until: Seen) -> None:
        epochs = {seq: json.loads(bytes(payload)) for seq, payload in conn.execute(TOLD, (SHARD, int(Kind.EPOCH)))}
        # The state before an epoch, and the heads at what was seen, are looked at on the way.
        stops = {seq - 1 for seq in epochs if seq > 1} | set(self._seen)
        for rows in reading.inputs(conn, self.home, SHARD, after=self._seq, until=until.seq):
            first = int(rows["in_seq"][0])
            cuts = sorted(seq - first + 1 for seq in stops if first <= seq < first + len(rows))
            for part in np.split(rows, cuts):
                if len(part):
                    self._step(part, epochs)
                    self._look(conn, epochs)
        assert self._seq == until.seq
        self.epochs = sorted(epochs)

    def _step(self, rows: np.ndarray, epochs: dict[int, Any]) -> None:
        first = int(rows["in_seq"][0])
        assert first == self._seq + 1
        if self._drive is None:
            self._drive = loop_over(s.Sizes(*epochs[1]["sizes"]))
        self._inputs.update(rows)
        for out, details in self._drive.outputs(rows):
            self._outputs.update(out, details)
            self.outs.append(out.copy())
        self._seq = first + len(rows) - 1

    def _look(self, conn: psycopg.Connection[Any], epochs: dict[int, Any]) -> None:
        seen = self._seen.get(self._seq)
        if seen is not None:
            assert self._inputs.head() == seen.input_head, f"the inputs up to {self._seq} are not those committed"
            assert self._outputs.head() == seen.output_link, f"the outputs up to {self._seq} are not those committed"
        told = epochs.get(self._seq + 1)
        if told is not None and told["state_hash"]:
            assert self._hash(conn, self._seq) == told["state_hash"], (
                f"the run that opened at {self._seq + 1} began else"
            )

    def _markets(self, conn: psycopg.Connection[Any], until: int) -> int:
        told = (json.loads(bytes(row)) for seq, row in conn.execute(TOLD, (SHARD, int(Kind.FACT))) if seq <= until)
        return 1 + max((int(one["market"]) for one in told), default=-1)

    def _hash(self, conn: psycopg.Connection[Any], seq: int) -> str:
        assert self._drive is not None
        return hashlib.sha256(snapshots.pack(self._drive.block, self._markets(conn, seq)).tobytes()).hexdigest()

    def _outputs_are_once(self, conn: psycopg.Connection[Any]) -> None:
        made = sum(len(part) for part in self.outs)
        stored = conn.execute(
            "SELECT count(*), count(DISTINCT (in_seq, ordinal)) FROM log_output WHERE shard = %s", (SHARD,)
        ).fetchone()
        assert stored == (made, made), f"{stored} outputs are stored, the fold makes {made}"

    def _restart_begins_there(self, conn: psycopg.Connection[Any]) -> None:
        assert self._drive is not None
        where = store.read_head(conn, self.home, SHARD)
        assert where is not None and where.seq == self._seq
        epoch = json.loads(bytes(conn.execute(TOLD, (SHARD, int(Kind.EPOCH))).fetchall()[-1][1]))
        sizes = s.Sizes(*epoch["sizes"])
        kernel = Kernel(kernel_loop.run, blocks.views)
        restored = restoring.restore(conn, self.home, where, kernel, sizes, build_hash())
        markets = self._markets(conn, self._seq)
        ours, theirs = (snapshots.pack(each.block, markets) for each in (self._drive, restored.drive))
        if ours.tobytes() != theirs.tobytes():
            where_not = differing(self._drive.state, restored.drive.state)
            raise AssertionError(f"from checkpoint {restored.from_seq} another state is restored: {where_not}")

    def _gaps_follow(self, conn: psycopg.Connection[Any]) -> None:
        for epoch in self.epochs[1:]:
            rows = conn.execute(
                "SELECT kind FROM log_control WHERE shard = %s AND in_seq BETWEEN %s AND %s ORDER BY in_seq",
                (SHARD, epoch, epoch + 2),
            ).fetchall()
            assert [kind for (kind,) in rows] == [Kind.EPOCH, Kind.CLOCK, Kind.GAP], f"epoch {epoch}: {rows}"

    def outputs(self) -> np.ndarray:
        """Every OUT row folded so far."""
        return np.concatenate(self.outs) if self.outs else np.zeros(0, s.OUT)

    def inputs(self, kinds: Iterable[int] | None = None, after: int = 0) -> np.ndarray:
        """Every INPUT row behind `after`, or those of some kinds."""
        with psycopg.connect(self.dsn, autocommit=True) as conn:
            parts = list(reading.inputs(conn, self.home, SHARD, after=after))
        rows = np.concatenate(parts) if parts else np.zeros(0, INPUT)
        return rows if kinds is None else rows[np.isin(rows["kind"], list(kinds))]


def differing(ours: s.State, theirs: s.State) -> list[str]:
    """Where two states differ: array, row and field of the first row of each array."""
    found = []
    for name, mine in ours._asdict().items():
        other = getattr(theirs, name)
        if mine.tobytes() == other.tobytes():
            continue
        fields = mine.dtype.names or ("",)
        for field in fields:
            left, right = (each[field] if field else each for each in (mine, other))
            places = np.argwhere(left.view(np.uint8) != right.view(np.uint8)) if left.dtype.kind == "f" else None
            places = np.argwhere(left != right) if places is None else places
            if len(places):
                at = tuple(places[0].tolist())
                found.append(f"{name}{list(at)}.{field} in {len(places)} places")
    return found
