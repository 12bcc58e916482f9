"""A kill under load, by the fence file alone: what it stops, what it survives, and what ends it."""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psycopg
import pytest

from polytraders import fence
from polytraders.contracts import state as s
from polytraders.contracts.inputs import Kind, Scope
from tests import servers
from tests.faults.crashes import SEED, Line
from tests.faults.proof import head
from tests.faults.shardprocess import LoopProcess, answer_to, command
from tests.supervisor.processes import until

APPROVALS_S_MAX = 30.0
LATENCY_S_MAX = 5.0
"""From the fence to the committed KILL input; `benchmarks.killing` measures it, a machine full of tests gets more."""
AFTER_INPUTS = 1_500


@pytest.fixture
def line(database: servers.Database, tmp_path: Path) -> Iterator[Line]:
    made = Line(database.app_dsn, tmp_path / "home", seed=SEED)
    try:
        yield made
    finally:
        made.end()


def stored(line: Line, kind: int, after: int = 0) -> list[int]:
    """Inputs of the outputs of a kind."""
    with psycopg.connect(line.dsn, autocommit=True) as conn:
        query = "SELECT in_seq FROM log_output WHERE kind = %s AND in_seq > %s ORDER BY in_seq"
        return [row[0] for row in conn.execute(query, (kind, after))]


def controls(line: Line, kind: Kind) -> list[tuple[int, str, float]]:
    """(input, actor, wall clock of its commit) of the control rows of a kind."""
    with psycopg.connect(line.dsn, autocommit=True) as conn:
        query = """SELECT c.in_seq, c.actor, extract(epoch FROM b.committed_at)::float8 FROM log_control c
            JOIN log_block b ON c.in_seq BETWEEN b.first_seq AND b.last_seq WHERE c.kind = %s ORDER BY c.in_seq"""
        return conn.execute(query, (int(kind),)).fetchall()


def approves(line: Line, loop: LoopProcess, more: int = 5) -> None:
    """Wait until there are more approvals than now."""
    after = head(line.dsn).seq
    until(lambda: len(stored(line, s.APPROVAL, after)) >= more, "approvals come", APPROVALS_S_MAX, loop.said)


def goes_on(line: Line, loop: LoopProcess, inputs: int = AFTER_INPUTS) -> None:
    before = head(line.dsn).seq
    until(lambda: line.log.see().seq > before + inputs, f"{inputs} inputs more", 30.0, loop.said)


def answered(line: Line, loop: LoopProcess, kind: str, permission: str, **payload: object) -> dict[str, object]:
    key = command(line.dsn, kind, permission, payload)
    until(lambda: answer_to(line.dsn, key), "the command is answered", 10.0, loop.said)
    told = answer_to(line.dsn, key)
    assert told is not None
    return told


def no_order_after(line: Line, kill: int) -> None:
    """No approval behind the input `kill`, and every order that was open then has ended by now."""
    assert not [seq for seq in stored(line, s.APPROVAL) if seq >= kill]
    assert (line.log.state.pairs["order"] == s.NO_ORDER).all()


def open_orders(outs: np.ndarray, at: int) -> int:
    """Orders that stand behind the input `at`: approved by then, and neither ended nor wholly filled."""
    until_then = outs[outs["in_seq"] <= at]
    approved = set(until_then["order_seq"][until_then["kind"] == s.APPROVAL].tolist())
    ended = set(until_then["order_seq"][until_then["kind"] == s.DONE].tolist())
    fills = until_then[until_then["kind"] == s.FILL]
    ended |= set(fills["order_seq"][fills["held"] == 0].tolist())
    return len(approved - ended)


def test_a_kill_under_load_stops_all_orders_and_only_a_release_with_a_reason_ends_it(line: Line) -> None:
    path = line.home / fence.FILE
    loop = line.start()
    loop.wait_ready()
    approves(line, loop)

    asked = time.time()
    fence.kill(path, Scope.GLOBAL)
    until(lambda: controls(line, Kind.KILL), "the kill is an input", 10.0, loop.said)
    ((kill, actor, committed),) = controls(line, Kind.KILL)
    assert actor == "fence"
    print(f"from the fence's file to the committed input: {1_000 * (committed - asked):.0f} ms")
    assert committed - asked <= LATENCY_S_MAX
    goes_on(line, loop)
    assert loop.stop() == 0, loop.said()
    line.log.prove()
    assert open_orders(line.log.outputs(), kill - 1) > 0, "no order was open: nothing was tried"
    no_order_after(line, kill)

    loop = line.start()
    loop.wait_ready()
    goes_on(line, loop)
    refused = answered(line, loop, "release", "release", scope="global")
    assert refused["code"] == "GOV_RELEASE_PRECONDITION"
    refused = answered(line, loop, "release", "release", scope="global", reason="the fence still stands")
    assert refused["code"] == "GOV_RELEASE_PRECONDITION"
    fence.release(path, Scope.GLOBAL)
    refused = answered(line, loop, "release", "release", scope="global", reason=" ")
    assert refused["code"] == "GOV_RELEASE_PRECONDITION"
    assert not stored(line, s.APPROVAL, kill)
    told = answered(line, loop, "release", "release", scope="global", reason="looked into")
    assert told["code"] == ""
    approves(line, loop)
    assert loop.stop() == 0, loop.said()
    line.log.prove()
    (release, _, _) = controls(line, Kind.RELEASE)[0]
    assert min(stored(line, s.APPROVAL, kill)) > release


def test_a_fence_that_is_missing_at_a_restart_means_killed(line: Line) -> None:
    loop = line.start()
    loop.wait_ready()
    approves(line, loop)
    assert loop.stop() == 0, loop.said()
    before = head(line.dsn).seq
    (line.home / fence.FILE).unlink()
    loop = line.start()
    loop.wait_ready()
    goes_on(line, loop)
    assert loop.stop() == 0, loop.said()
    line.log.prove()
    ((kill, actor, _),) = controls(line, Kind.KILL)
    assert actor == "fence"
    assert kill > before
    assert not stored(line, s.APPROVAL, before)
    no_order_after(line, kill)
