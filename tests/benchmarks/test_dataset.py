"""The benchmarks' event sets: the same for a seed, whole in chunks, and valid inputs."""

import hashlib

import numpy as np
import pytest

from benchmarks import dataset
from benchmarks.synthetic import CLEAR, EVENT, LEVEL, SNAPSHOT, TRADE, Market, Shape
from polytraders.contracts.inputs import TICK_NS, Flag, Kind
from polytraders.contracts.state import BOOK_OK
from tests.oracle import Oracle

SHAPE = Shape(events=6_000, snapshot_every=2_000, gap_ns=48_000_000)


@pytest.fixture(scope="module")
def events() -> np.ndarray:
    return Market(7, 0, SHAPE).more(SHAPE.events)


def test_worked_example() -> None:
    """Two levels, a pause of 0.6 s, a trade: three TICKs stand before the trade, at whole quarters of a second."""
    ev = np.zeros(3, EVENT)
    at = dataset.START_NS + 100_000_000
    ev["ts_local"] = at, at + 1_000, at + 700_000_000
    ev["ts_exch"] = ev["ts_local"] - 5_000_000
    ev["kind"] = LEVEL, LEVEL, TRADE
    ev["px"] = 46, 47, 47
    rows = dataset.rows(ev)
    assert rows["kind"].tolist() == [Kind.LEVEL, Kind.LEVEL, Kind.TICK, Kind.TICK, Kind.TICK, Kind.TRADE]
    assert ((rows["recv_ts"][2:5] - dataset.START_NS) // 1_000_000).tolist() == [250, 500, 750]
    assert rows["price"].tolist() == [4_600, 4_700, 0, 0, 0, 4_700]
    assert rows["market"].tolist() == [0, 0, -1, -1, -1, 0]


def test_a_tick_at_the_very_time_of_a_row_stands_before_it() -> None:
    ev = np.zeros(2, EVENT)
    ev["ts_local"] = dataset.START_NS, dataset.START_NS + TICK_NS
    ev["kind"] = LEVEL
    rows = dataset.rows(ev)
    assert rows["kind"].tolist() == [Kind.LEVEL, Kind.TICK, Kind.LEVEL]
    assert rows["recv_ts"][1] == rows["recv_ts"][2]


def test_a_long_silence_is_one_clock_row_and_ticks_go_on_after_it() -> None:
    ev = np.zeros(3, EVENT)
    woken = dataset.START_NS + 700 * 10**9
    ev["ts_local"] = dataset.START_NS, woken, woken + TICK_NS
    ev["kind"] = LEVEL
    rows = dataset.rows(ev)
    assert rows["kind"].tolist() == [Kind.LEVEL, Kind.CLOCK, Kind.LEVEL, Kind.TICK, Kind.LEVEL]
    assert (rows["b"][1], rows["recv_ts"][1]) == (woken, woken)
    assert rows["recv_ts"][3] == woken + TICK_NS


def test_a_seed_always_gives_the_same_bytes(events: np.ndarray) -> None:
    again = Market(7, 0, SHAPE).more(SHAPE.events)
    assert hashlib.sha256(events.tobytes()).digest() == hashlib.sha256(again.tobytes()).digest()
    assert events.tobytes() != Market(8, 0, SHAPE).more(SHAPE.events).tobytes()


def test_the_set_has_the_promised_shape(events: np.ndarray) -> None:
    counts = np.bincount(events["kind"])
    assert dataset.counted(events) == SHAPE.events
    assert counts[CLEAR] == 3
    assert 0.03 < counts[TRADE] / SHAPE.events < 0.05
    assert 0.09 < np.count_nonzero(events["qty"][events["kind"] == LEVEL] == 0) / counts[LEVEL] < 0.17
    assert (np.diff(events["ts_local"]) >= 0).all()


def test_chunks_give_the_rows_of_the_whole(events: np.ndarray) -> None:
    setup = dataset.facts(1)
    cuts = [at for at in range(500, len(events), 500) if events["kind"][at] != SNAPSHOT]
    inputs = dataset.Inputs(setup=setup)
    parts = [inputs.take(part) for part in np.split(events, cuts)]
    assert np.array_equal(np.concatenate(parts), dataset.rows(events, setup=setup))


def test_rows_are_numbered_without_gap_and_never_go_back(events: np.ndarray) -> None:
    rows = dataset.rows(events, setup=dataset.facts(1))
    assert np.array_equal(rows["in_seq"], np.arange(1, len(rows) + 1))
    assert (np.diff(rows["recv_ts"]) >= 0).all()
    ticks = rows["recv_ts"][rows["kind"] == Kind.TICK]
    assert (np.diff(ticks) == TICK_NS).all()


def test_later_snapshots_equal_the_book_that_the_levels_made(events: np.ndarray) -> None:
    oracle = Oracle().feed(dataset.rows(events, setup=dataset.facts(1)))
    assert (oracle.snapshots, oracle.compared, oracle.snapshot_differences) == (3, 2, 0)
    book = oracle.books[0]
    bid, ask = book.best()
    assert book.state == BOOK_OK
    assert 0 < bid < ask


def test_every_level_and_trade_is_a_whole_message(events: np.ndarray) -> None:
    rows = dataset.rows(events)
    moving = np.isin(rows["kind"], (Kind.LEVEL, Kind.TRADE, Kind.SNAP_CLOSE))
    assert (rows["flags"][moving] == Flag.LAST).all()
    assert len(np.unique(rows["frame"][moving])) == np.count_nonzero(moving)
