"""PostgreSQL killed under load: the loop ends and says why, and comes back after it."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from polytraders.supervisor.postgres import Postgres
from tests import servers
from tests.faults.crashes import SEED, Line
from tests.faults.proof import head
from tests.faults.shardprocess import LoopProcess
from tests.supervisor.processes import until

END_S_MAX = 10.0
LOAD_INPUTS = 1_000


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Postgres]:
    """A server whose commits are durable, with a migrated database of its own."""
    with Postgres(tmp_path / "postgres", durable=True) as made:
        servers.migrate(made.owner_url, made.app_url)
        yield made


def kill_server_under_load(line: Line, server: Postgres) -> str:
    """Kill the server while the loop commits; what the loop said when it ended."""
    before = head(line.dsn).seq
    loop = line.start()
    loop.wait_ready()
    until(lambda: line.log.see().seq > before + LOAD_INPUTS, "there is load", 20.0, loop.said)
    server.kill()
    assert loop.wait_end(END_S_MAX) == 1, loop.said()
    server.start()
    line.log.prove()
    return loop.said()


def test_the_loop_ends_with_a_reason_and_comes_back_after_the_server(server: Postgres, tmp_path: Path) -> None:
    line = Line(server.app_url, tmp_path / "home", seed=SEED)
    try:
        assert "GOV_DB_UNAVAILABLE" in kill_server_under_load(line, server)
        print("ready and going after", line.comes_back())
        line.end()
        line.log.prove()
    finally:
        line.end()


def test_a_loop_that_finds_no_server_says_so(server: Postgres, tmp_path: Path) -> None:
    line = Line(server.app_url, tmp_path / "home", seed=SEED)
    try:
        server.stop()
        loop = LoopProcess(server.app_url, tmp_path / "home", line.exchange)
        assert loop.wait_end(END_S_MAX) == 1
        assert "GOV_DB_UNAVAILABLE" in loop.said()
        assert loop.code != -signal.SIGKILL
    finally:
        line.end()
