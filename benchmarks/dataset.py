"""The two event sets of the benchmarks, `one` and `many`, and their form as the loop's inputs.

python -m benchmarks.dataset            writes .cache/bench/one.npy and many.npy, a few seconds
"""

import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.synthetic import CLEAR, LEVEL, SNAPSHOT, START_NS, TRADE, Market, Shape
from polytraders.contracts.inputs import SIZE_UNIT, TICK_NS, YES, Fact, Flag, Kind, empty

FOLDER = Path(__file__).resolve().parent.parent / ".cache" / "bench"

CLOCK_GAP_NS = 600_000_000_000
"""A longer silence is bridged by one CLOCK row instead of TICK rows."""

SETS = {
    "one": (1, Shape(2_000_000, 20_000, 48_000_000)),
    "many": (200, Shape(10_000, 5_000, 5_000_000_000)),
}
"""Markets of each set and the shape of every one of them."""

SetupRow = tuple[int, int, int, int, int, int, int, int, int]
"""kind, side, flags, market, price, size, a, b, source_ts: the form in which a decoder hands over its rows."""

KINDS = np.array([Kind.SNAP_OPEN, Kind.LEVEL, Kind.TRADE, Kind.SNAP_LEVEL], np.uint8)
"""Input kind by event kind."""


def make(name: str, seed: int = 7) -> np.ndarray:
    """A whole set, markets interleaved by receipt time: EVENT rows."""
    markets, shape = SETS[name]
    parts = [Market(seed, m, shape).more(shape.events) for m in range(markets)]
    if len(parts) == 1:
        return parts[0]
    joined = np.concatenate(parts)
    return joined[np.argsort(joined["ts_local"], kind="stable")]


def path(name: str) -> Path:
    """Where a set lies once it was made."""
    return FOLDER / f"{name}.npy"


def load(name: str, events: int = 0) -> np.ndarray:
    """The set from .cache/bench, made on first use; `events` > 0 keeps its first so many rows."""
    made = path(name)
    if not made.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        part = made.with_suffix(".part.npy")
        np.save(part, make(name))
        part.replace(made)
    if events:
        return np.array(np.load(made, mmap_mode="r")[:events])
    found: np.ndarray = np.load(made)
    return found


def counted(ev: np.ndarray) -> int:
    """What a benchmark calls events: level updates and trades."""
    return int(np.count_nonzero((ev["kind"] == LEVEL) | (ev["kind"] == TRADE)))


def facts(markets: int, tick: int = 100, clusters: int = 8) -> list[SetupRow]:
    """Registry rows that make `markets` synthetic markets tradable: every required fact and the tick.

    Args:
        markets: How many, indices from 0.
        tick: Tick in price units.
        clusters: Markets are dealt over so many correlation clusters.
    """
    known = {
        Fact.VENUE: 0,
        Fact.MIN_SIZE: 5 * SIZE_UNIT,
        Fact.FEE_RATE: 50_000,
        Fact.FEE_EXPONENT: 1_000,
        Fact.FEE_TAKER_ONLY: 1,
        Fact.TAKER_DELAY_MS: 0,
        Fact.CLOSE_TS: START_NS + 10 * 365 * 86_400 * 1_000_000_000,
        Fact.ALLOWED: 1,
        Fact.GAP_P999_MS: 60_000,
        Fact.SYNCED_TS: START_NS,
    }
    rows: list[SetupRow] = []
    for m in range(markets):
        told = known | {Fact.CLUSTER: m % clusters}
        rows += [(Kind.FACT, 0, Flag.ASSUMED, m, fact, value, 0, 0, 0) for fact, value in sorted(told.items())]
        rows.append((Kind.TICK_SIZE, 0, Flag.LAST, m, tick, 0, 0, 0, 0))
    return rows


class Inputs:
    """Turns events into INPUT rows, chunk by chunk: numbers them, opens and closes snapshots, puts TICKs between.

    Loop time is the running maximum of `ts_local`. A TICK stands at every multiple of 250 ms, before the first row at
    or past it. A silence of more than 600 s becomes one CLOCK row with the new time; times are synthetic (a = 1).

    Args:
        tick: Tick of all markets in price units.
        setup: Rows that come first, at the time of the first event.
    """

    def __init__(self, tick: int = 100, setup: Sequence[SetupRow] = ()) -> None:
        self.tick = tick
        self.setup = setup
        self.in_seq = 0
        self.frame = 0
        self.now = 0

    def take(self, ev: np.ndarray) -> np.ndarray:
        """Rows for the next events; a snapshot must not be cut in two by the end of a chunk."""
        begun = self.in_seq > 0
        first = [] if begun else [self._numbered(self._setup_rows(int(ev["ts_local"][0])))]
        now = np.maximum(np.maximum.accumulate(ev["ts_local"]), self.now)
        before = np.concatenate(([self.now if begun else now[0]], now[:-1]))
        jump = now - before > CLOCK_GAP_NS
        ticks = np.where(jump, 0, now // TICK_NS - before // TICK_NS)
        whole = (ev["kind"] == CLEAR) | (ev["kind"] == SNAPSHOT)
        closes = whole & np.append(ev["kind"][1:] != SNAPSHOT, True)
        at = np.cumsum(ticks + jump + closes) - closes + np.arange(len(ev))
        made = empty(int(at[-1]) + 1 + int(closes[-1]))
        self._fill(made, at, ev, now)
        self._close(made, at[closes] + 1, at[ev["kind"] == CLEAR])
        self._time(made, at - ticks - jump, ticks, before, now)
        self.now = int(now[-1])
        return np.concatenate([*first, self._numbered(made)])

    def _setup_rows(self, now: int) -> np.ndarray:
        made = empty(len(self.setup))
        names = ("kind", "side", "flags", "market", "price", "size", "a", "b", "source_ts")
        for name, column in zip(names, zip(*self.setup, strict=True), strict=False):
            made[name] = column
        made["recv_ts"] = now
        return made

    def _numbered(self, made: np.ndarray) -> np.ndarray:
        made["in_seq"] = np.arange(self.in_seq + 1, self.in_seq + 1 + len(made))
        made["proc_ts"] = made["recv_ts"]
        self.in_seq += len(made)
        return made

    def _fill(self, made: np.ndarray, at: np.ndarray, ev: np.ndarray, now: np.ndarray) -> None:
        """The rows that stand for an event each."""
        frames = self.frame - 1 + np.cumsum(ev["kind"] != SNAPSHOT)
        self.frame = int(frames[-1]) + 1
        moving = (ev["kind"] == LEVEL) | (ev["kind"] == TRADE)
        for name, column in (
            ("recv_ts", now),
            ("source_ts", ev["ts_exch"]),
            ("kind", KINDS[ev["kind"]]),
            ("side", ev["side"]),
            ("flags", np.where(moving, int(Flag.LAST), 0)),
            ("market", ev["market"]),
            ("price", ev["px"].astype(np.int64) * self.tick),
            ("size", ev["qty"]),
            ("frame", frames),
        ):
            made[name][at] = column
        made["a"][at] = YES

    @staticmethod
    def _close(made: np.ndarray, at: np.ndarray, opens: np.ndarray) -> None:
        """A SNAP_CLOSE after each snapshot, and the number of its levels in its SNAP_OPEN."""
        made[at] = made[at - 1]
        made["size"][opens] = at - opens - 1
        for name, value in (("kind", Kind.SNAP_CLOSE), ("side", 0), ("flags", Flag.LAST), ("price", 0), ("size", 0)):
            made[name][at] = value

    @staticmethod
    def _time(made: np.ndarray, at: np.ndarray, ticks: np.ndarray, before: np.ndarray, now: np.ndarray) -> None:
        """TICK rows from `at` on, and a CLOCK row where time jumped."""
        which = np.repeat(np.arange(len(at)), ticks)
        nth = np.arange(len(which)) - np.repeat(np.cumsum(ticks) - ticks, ticks)
        made["kind"][at[which] + nth] = Kind.TICK
        made["recv_ts"][at[which] + nth] = (before[which] // TICK_NS + 1 + nth) * TICK_NS
        jump = now - before > CLOCK_GAP_NS
        made["kind"][at[jump]] = Kind.CLOCK
        made["recv_ts"][at[jump]] = now[jump]
        made["a"][at[jump]] = 1
        made["b"][at[jump]] = now[jump]


def chunks(ev: np.ndarray, size: int = 65_536) -> Iterator[np.ndarray]:
    """Stretches of about `size` events that cut no snapshot."""
    at = 0
    while at < len(ev):
        end = min(at + size, len(ev))
        while end < len(ev) and ev["kind"][end] == SNAPSHOT:
            end += 1
        yield ev[at:end]
        at = end


def rows(ev: np.ndarray, tick: int = 100, setup: Sequence[SetupRow] = ()) -> np.ndarray:
    """A whole set as INPUT rows; see `Inputs`.

    Args:
        ev: EVENT rows in order of receipt.
        tick: Tick of all markets in price units.
        setup: Rows that come first; `facts` makes the usual ones.
    """
    inputs = Inputs(tick, setup)
    return np.concatenate([inputs.take(chunk) for chunk in chunks(ev)])


if __name__ == "__main__":
    for set_name in sys.argv[1:] or SETS:
        began = time.process_time()
        found = load(set_name)
        print(f"{set_name}: {counted(found):,} events in {len(found):,} rows, {time.process_time() - began:.1f} CPU s")
