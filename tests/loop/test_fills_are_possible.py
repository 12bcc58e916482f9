"""Every paper fill could have happened: judged with the naive book, on a made-up and on the recorded session."""

from pathlib import Path

import numpy as np
import pytest

from polytraders.contracts import state as s
from polytraders.contracts.inputs import ASK, BID, INPUT, NANO, Kind
from polytraders.kernel.jit import JIT_OFF
from tests import sessions
from tests.judge import Judge
from tests.recorded import needs_capture
from tests.scenario import World, makes, says

LATENCY_MS = 60


def judged(session: sessions.Session, frames: int | None = None) -> Judge:
    """The judge, after the whole session."""
    run = session.replay(block_rows=4_096, frames=frames)
    judge = Judge(int(run.limits["order_latency_ms"].value), (False, True))
    for rows in run.capture:
        run.runner.feed(rows)
        judge.take(rows, run.runner.outs())
    portfolio = run.runner.state.portfolio[0]
    assert judge.takers_filled + judge.makers_filled == portfolio["fills"]
    return judge


def test_the_fills_of_a_made_up_session_were_possible(tmp_path: Path) -> None:
    judge = judged(sessions.made_up(tmp_path, 4_000))
    assert judge.impossible == []
    assert judge.takers_filled > 100
    assert judge.makers_filled > 0


@needs_capture
def test_the_fills_of_the_recorded_session_were_possible(tmp_path: Path) -> None:
    judge = judged(sessions.recorded(tmp_path), 5_000 if JIT_OFF else None)
    assert judge.impossible == []
    assert judge.takers_filled > 10
    assert JIT_OFF or judge.makers_filled > 10


def world() -> World:
    """A taker's fill and a maker's, both right."""
    w = World(says(0.67), makes(), limits={"orders_per_minute_max": 1})
    w.snapshot({6_200: 50, 6_100: 500}, {6_400: 1, 6_500: 500})
    w.wait(0.1)
    w.touch()
    w.trade(ASK, 6_200, 70)
    w.run()
    assert len(w.of_kind(s.FILL)) == 3
    return w


def verdict(w: World, change: dict[int, dict[str, int]]) -> list[str]:
    """What the judge objects to when fills (by their place) are changed."""
    judge = Judge(LATENCY_MS, (False, True))
    outs = np.array([said.row for said in w.said], s.OUT)
    for place, fields in change.items():
        at = np.flatnonzero(outs["kind"] == s.FILL)[place]
        for name, value in fields.items():
            outs[name][at] = value
    judge.take(np.array(w.rows, INPUT), outs)
    return judge.impossible


def test_the_judge_lets_possible_fills_pass() -> None:
    assert verdict(world(), {}) == []


@pytest.mark.parametrize(
    "change",
    [
        {0: {"size": 2_000_000}},  # more than displayed at 0.64
        {0: {"price": 6_500}},  # a better price was there
        {1: {"price": 6_600}},  # nothing displayed, beyond the limit
        {2: {"size": 21_000_000}},  # the queue of 50 comes first
        {2: {"price": 6_100}},  # not its price
    ],
)
def test_the_judge_objects_to_an_impossible_fill(change: dict[int, dict[str, int]]) -> None:
    w = world()
    assert [said.size for said in w.of_kind(s.FILL)] == [1_000_000, 99_000_000, 20_000_000]
    assert len(verdict(w, change)) >= 1


def test_the_judge_objects_to_a_fill_before_arrival() -> None:
    w = world()
    for row in range(len(w.rows)):
        if w.rows[row][4] == Kind.LEVEL:
            values = list(w.rows[row])
            values[1] -= round(0.05 * NANO)
            w.rows[row] = tuple(values)
    assert verdict(w, {}) != []


def test_the_judge_does_not_give_a_print_twice() -> None:
    w = World(makes(), makes(), limits={"orders_per_minute_max": 1})
    w.snapshot({6_200: 50, 6_100: 500}, {6_400: 1, 6_500: 500})
    w.wait(0.1)
    w.touch()
    w.trade(ASK, 6_100, 130)
    w.level(BID, 6_200, 70)
    w.run()
    judge = Judge(LATENCY_MS, (True, True))
    outs = np.array([said.row for said in w.said], s.OUT)
    fills = np.flatnonzero(outs["kind"] == s.FILL)
    assert outs["size"][fills].tolist() == [100_000_000, 30_000_000]
    outs["size"][fills[1]] = 40_000_000
    judge.take(np.array(w.rows, INPUT), outs)
    assert len(judge.impossible) == 1
