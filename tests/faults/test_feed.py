"""Every fault that the simulated exchange knows, during a run of the loop: its code, no approval on a book that does
not count, and recovery without a person.

One loop lives through all of them, as it would have to. FAULTS_SLOW=1 tries every kind of spoilt frame.
"""

import json
import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import psycopg
import pytest

from polytraders.contracts.inputs import ASK, BID, Kind
from polytraders.contracts.state import BOOK_OK
from polytraders.shard.care import book_of
from polytraders.supervisor.postgres import Postgres
from polytraders.venues.simulator.floor import BACK_MS_MAX
from tests import servers
from tests.faults import observed
from tests.faults.crashes import SEED, Line
from tests.faults.proof import head
from tests.faults.shardprocess import LoopProcess, command
from tests.supervisor.processes import until

TOLD_S_MAX = 30.0
"""From a fault's end to its code in the log."""
RECOVERED_S_MAX = 30.0
"""From the code on until every book counts again; the venue is asked for a book once in 5 s at most."""
COMPARED_S_MAX = 120.0
"""Until every book has been compared with the exchange's own: a few dozen, four a second, a moving one again later."""
RATE = 0.4
"""Few enough messages for the exchange to keep up with its own time: one that catches up skips through a silence."""
BEHIND_NS_MAX = 500_000_000
MS_NS = 1_000_000
UNTOLD_NS = 300 * MS_NS
"""Of the exchange's time, until the whole book has followed a trade."""
LATE_INPUTS = 20_000
QUIET_INPUTS = 500
"""Inputs during which a fault that must leave no trace is given time to leave one."""
LIMITS = {
    "market_exposure_max": 10**12, "portfolio_exposure_max": 10**12, "cluster_exposure_max": 10**12,
    "drawdown_day_ppm_max": 10**6, "drawdown_week_ppm_max": 10**6, "concentration_ppm_max": 10**6,
    "orders_per_minute_max": 10**4,
}  # fmt: skip
"""Wide, so that approvals do not run dry while the faults last."""

Fault = dict[str, Any]


class Case(NamedTuple):
    """One fault.

    Attributes:
        faults: For the exchange; "?" stands for the market that the case is about.
        where: Where its code is told: refused, gap, book or packet; "" = it must leave no trace.
        code: Which.
        check: The check that votes against until it is over, where that is more than the book's own.
        lasts_s: Wall time after which the fault is over.
    """

    faults: list[Fault]
    where: str = ""
    code: str = ""
    check: str = "book_valid"
    lasts_s: float = 0.0


def fault(action: str, **args: Any) -> list[Fault]:
    return [{"action": action, "args": args}]


CORRUPT = {
    "json": "INTEL_FRAME_NOT_JSON",
    "utf8": "INTEL_FRAME_NOT_UTF8",
    "number": "INTEL_NUMBER_INVALID",
    "price": "INTEL_PRICE_OUT_OF_RANGE",
    "grid": "INTEL_NUMBER_INVALID",
    "negative": "INTEL_SIZE_OUT_OF_RANGE",
    "type": "INTEL_FIELD_TYPE",
    "field": "INTEL_FIELD_MISSING",
    "repeated": "INTEL_FRAME_REPEATED_KEY",
    "deep": "INTEL_FRAME_TOO_DEEP",
}
# Times of the exchange are ten times those of the wall.
CASES: dict[str, Case] = {
    # First those that leave no trace: a frame that was lost may show only much later.
    "frames duplicated": Case(fault("duplicate", market="?", count=30)),
    "a match then a rest": Case(fault("match_then_rest", market="?", levels=3)),
    "a tick changed": Case(fault("tick_change", market="?", tick="0.001", told=True)),
    "silence of all, with PONGs": Case(
        fault("silence", duration_ms=60_000), "packet", "RISK_STALE_BOOK", "book_stale", 6.0
    ),
    # While books can be asked for over HTTP, one that has moved in silence is asked for anew and is not stale.
    "silence of one market": Case(
        [*fault("rest_down", duration_ms=120_000, status=503), *fault("silence", market="?", duration_ms=90_000)],
        "packet",
        "RISK_STALE_BOOK",
        "book_stale",
        12.0,
    ),
    "frames dropped": Case(fault("drop", count=1_500), "book", "INTEL_BEST_MISMATCH"),
    "frames swapped": Case(fault("swap", count=100), "book", "INTEL_BEST_MISMATCH"),
    "a crossed book": Case(fault("crossed", market="?"), "packet", "INTEL_BOOK_CROSSED", "book_crossed"),
    "a tick changed and not told": Case(
        fault("tick_change", market="?", tick="0.001", told=False), "refused", "INTEL_PRICE_OFF_GRID"
    ),
    "delay": Case(fault("delay", duration_ms=20_000, ms=5_000), "book", "INTEL_BEST_MISMATCH", lasts_s=2.5),
    "a long delay": Case(
        fault("delay", duration_ms=40_000, ms=30_000), "book", "INTEL_BEST_MISMATCH", "book_stale", 7.0
    ),
    "disconnected": Case(fault("disconnect"), "gap", "INTEL_FEED_CLOSED"),
    "flapping": Case(
        fault("flapping", times=3, up_ms=3_000, down_ms=3_000), "gap", "INTEL_FEED_CLOSED", "book_stale", 2.0
    ),
    "disconnected, and no books": Case(
        [*fault("no_snapshot", count=1), *fault("disconnect")], "gap", "INTEL_FEED_CLOSED"
    ),
    **{
        f"corrupt, {how}": Case(fault("corrupt", market="?", count=1, how=how), "refused", code)
        for how, code in CORRUPT.items()
    },
}
CORRUPT_TRIED = 3
"""Kinds of spoilt frames that a usual run tries; the door has tests of its own for all of them."""


def cases() -> dict[str, Case]:
    """Those of this run."""
    if os.environ.get("FAULTS_SLOW"):
        return CASES
    tried = {f"corrupt, {how}" for how in random.Random(SEED).sample(sorted(CORRUPT), CORRUPT_TRIED)}
    return {name: case for name, case in CASES.items() if not name.startswith("corrupt") or name in tried}


class Run:
    """A line whose loop is up and trading, and the names of its markets."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.loop: LoopProcess = line.start()
        self.loop.wait_ready()
        for name, value in LIMITS.items():
            command(line.dsn, "limit", "limits", {"name": name, "value": value})
        command(line.dsn, "capital", "capital", {"micros": 10**12})
        self.first = head(line.dsn).seq
        self._had: set[int] = set()
        until(lambda: self.slow and not self.broken(), "all books count", 20.0, self.loop.said)

    @property
    def slow(self) -> dict[int, str]:
        """Markets that live longer than a test, by index."""
        with psycopg.connect(self.line.dsn, autocommit=True) as conn:
            rows = conn.execute("SELECT payload FROM log_control WHERE kind = %s", (int(Kind.FACT),)).fetchall()
        told = (json.loads(bytes(row)) for (row,) in rows if row)
        return {one["market"]: one["id"] for one in told if "updown" not in one.get("slug", "updown")}

    def next_market(self) -> tuple[int, str]:
        """The busiest of late that no case has had, as long as there are any: one that says little shows little."""
        slow = self.slow
        late = max(0, head(self.line.dsn).seq - LATE_INPUTS)
        busy = Counter(self.line.log.inputs([Kind.LEVEL], late)["market"].tolist())
        if not set(slow) - self._had:
            self._had.clear()
        chosen = max(set(slow) - self._had, key=lambda index: (busy[index], index))
        self._had.add(chosen)
        return chosen, slow[chosen]

    def not_compared(self, after: int) -> set[int]:
        """Markets whose book has neither been found to be the exchange's own nor been told whole behind an input."""
        told = self.line.log.inputs([Kind.WITNESS, Kind.SNAP_CLOSE], after)
        return set(self.slow) - set(told["market"].tolist())

    def broken(self) -> list[int]:
        return observed.broken_books(self.line.dsn, list(self.slow))


@pytest.fixture(scope="module")
def run(postgres_server: "Postgres | servers.Outside", tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    with servers.copied(postgres_server) as database:
        line = Line(database.app_dsn, tmp_path_factory.mktemp("feed"), seed=SEED, rate=RATE)
        try:
            yield Run(line)
        finally:
            line.end()


@pytest.mark.parametrize("name", cases())
def test_a_fault_is_told_and_overcome(run: Run, name: str) -> None:
    print(f"FAULTS_SEED={SEED}")
    case, dsn = cases()[name], run.line.dsn
    index, market = run.next_market()
    about = index if "?" in json.dumps(case.faults) else None
    until(lambda: run.line.exchange.ask("/state")["behind_ns"] < BEHIND_NS_MAX, "the exchange keeps up", TOLD_S_MAX)
    before = head(dsn).seq
    counts = run.line.exchange.ask("/faults")["counts"]
    run.line.exchange.inject(*json.loads(json.dumps(case.faults).replace('"?"', json.dumps(market))))
    began = time.monotonic()
    action = case.faults[-1]["action"]
    wanted = case.faults[-1]["args"].get("count", 1)

    def is_done() -> bool:
        done = run.line.exchange.ask("/faults")["counts"]
        return bool(done.get(action, 0) >= counts.get(action, 0) + wanted)

    until(is_done, "the fault has been done", TOLD_S_MAX, run.loop.said)
    if case.code:
        until(
            lambda: observed.said(dsn, before, about)[case.where, case.code],
            f"{case.where} {case.code} is told", TOLD_S_MAX, lambda: observed.said(dsn, before, about),
        )  # fmt: skip
    told_s = time.monotonic() - began
    time.sleep(max(0.0, case.lasts_s - told_s))
    over = time.monotonic()
    until(
        lambda: not run.broken() and not observed.stands(dsn, case.check, list(run.slow)),
        "all books count", RECOVERED_S_MAX, lambda: (run.broken(), observed.said(dsn, before)),
    )  # fmt: skip
    print(f"{name}: told after {told_s:.1f} s, over {time.monotonic() - over:.1f} s after its end")
    if not case.code:
        seq = head(dsn).seq
        until(lambda: head(dsn).seq > seq + QUIET_INPUTS, "the run goes on", TOLD_S_MAX, run.loop.said)
        said = observed.said(dsn, before, about)
        assert not [where for where, _ in said if where != "packet"], said
    looked_at, found = observed.approvals_on_broken_books(dsn, run.line.home, before)
    print(f"{looked_at} approvals meanwhile")
    assert not found


def compared(line: Line, index: int, market: str, last_ns: int) -> list[str]:
    """What differs between our book and the exchange's at the moment of our last row, [] when nothing does.

    Two habits of the channel blur the moment. A frame may carry a time of a while ago, so ours has to be the exchange's
    book at some instant of that while; and of an order that trades and then rests the rest alone is told, and the whole
    book a little later, so a level that has just been traded at need not agree.
    """
    at, until_ns = last_ns + MS_NS - 1, last_ns + BACK_MS_MAX * MS_NS
    told = line.exchange.ask(f"/book_at?market={market}&ts_ns={at}")
    theirs = {(side, price): size for side, name in ((BID, "bids"), (ASK, "asks")) for price, size in told[name]}
    if not theirs:
        return ["the exchange has no book"]
    trades = line.exchange.ask(f"/trades?market={market}&from_ns={last_ns - UNTOLD_NS}&to_ns={until_ns}")["trades"]
    untold = {(1 - one["side"], one["price"]) for one in trades}
    later = line.exchange.ask(f"/changes?market={market}&from_ns={at}&to_ns={until_ns}")["rows"]
    ours = book_of(line.log.state, index)
    found: list[str] = []
    for change in (None, *later):
        if change is not None:
            _, side, price, size = change
            theirs[side, price] = size
        differing = {level for level in {*ours, *theirs} - untold if ours.get(level, 0) != theirs.get(level, 0)}
        if not differing:
            return []
        found = found or [f"{level}: {ours.get(level)} here, {theirs.get(level)} there" for level in sorted(differing)]
    return found


def test_after_all_faults_the_books_are_the_exchange_s_and_the_log_is_whole(run: Run) -> None:
    """Compared level for level with what the exchange says it had at the moment of our last row.

    What a fault has lost without a trace is found when the book's turn comes to be compared, so each is given its turn.
    """
    print(f"FAULTS_SEED={SEED}")
    line = run.line
    before = head(line.dsn).seq
    until(lambda: head(line.dsn).seq > before + 3_000, "the run goes on", 20.0, run.loop.said)
    until(lambda: not run.not_compared(before), "all books agree", COMPARED_S_MAX, lambda: run.not_compared(before))
    assert run.loop.stop() == 0, run.loop.said()
    line.log.prove()
    looked_at, found = observed.approvals_on_broken_books(line.dsn, line.home, run.first)
    print(f"{looked_at} approvals in all")
    assert looked_at > 50 and not found
    rows = line.log.inputs([Kind.LEVEL, Kind.SNAP_CLOSE])
    changed = line.log.inputs([Kind.TICK_SIZE])
    assert len(set(changed["market"][changed["price"] == 10].tolist())) >= 2, "no tick has changed"
    wrong = {}
    markets = line.log.state.markets
    # The loop may have stopped while it waited for a whole book; it claims nothing of that one.
    believed = {index: market for index, market in run.slow.items() if markets["state"][index] == BOOK_OK}
    assert len(believed) >= len(run.slow) - 2
    for index, market in believed.items():
        last = int(rows["source_ts"][rows["market"] == index].max())
        if found_there := compared(line, index, market, last):
            wrong[index] = found_there[:6]
    assert not wrong
