"""The loop process killed at every crash point, under load, one after the other on one log.

Each start is at once the restart after the kill before it; the last test restarts after the last kill.
"""

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from polytraders import crashpoints
from polytraders.supervisor.postgres import Postgres
from tests import servers
from tests.faults.crashes import SEED, Line, all_points
from tests.faults.exchange import ROOT
from tests.shard.rig import Rig, frames


@pytest.fixture(scope="module")
def line(postgres_server: "Postgres | servers.Outside", tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    with servers.copied(postgres_server) as database:
        made = Line(database.app_dsn, tmp_path_factory.mktemp("crashes"), seed=SEED)
        try:
            yield made
        finally:
            made.end()


@pytest.mark.parametrize("point", all_points(random.Random(SEED)))
def test_a_loop_killed_at_a_point_leaves_a_whole_log(line: Line, point: str) -> None:
    print(f"FAULTS_SEED={SEED}")
    crash = line.crash(point)
    print(f"{crash.at}: ready after {crash.ready_s}, {crash.gained} inputs more, {crash.seq} in all")


def test_after_all_kills_the_loop_comes_back(line: Line) -> None:
    print(f"FAULTS_SEED={SEED}")
    ready_s, going_s = line.comes_back()
    print(f"ready after {ready_s:.1f} s, the log goes on after {going_s:.1f} s")
    line.end()
    line.log.prove()


def test_every_point_is_passed_in_a_run(app_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crashpoints, "_wanted", crashpoints.Wanted("frame read", 10**9))
    crashpoints.passed.clear()
    with Rig(app_dsn, tmp_path, checkpoint_inputs=1_000) as rig:
        rig.list_markets()
        rig.play(frames(2_000))
    assert set(crashpoints.passed) == set(crashpoints.POINTS)


def test_nothing_happens_without_the_variable(app_dsn: str, tmp_path: Path) -> None:
    crashpoints.passed.clear()
    with Rig(app_dsn, tmp_path, checkpoint_inputs=1_000) as rig:
        rig.list_markets()
        rig.play(frames(500))
    assert not crashpoints.passed


@pytest.mark.parametrize("text", ["", "nowhere:1", "stepped", "stepped:0", "stepped:-1", "stepped:x", ":1"])
def test_a_point_that_does_not_exist_is_refused_at_once(text: str) -> None:
    environ = {**os.environ, crashpoints.VARIABLE: text}
    done = subprocess.run(
        [sys.executable, "-c", "import polytraders.crashpoints"], cwd=ROOT, env=environ, capture_output=True, text=True
    )
    assert done.returncode != 0
    assert crashpoints.VARIABLE in done.stderr
