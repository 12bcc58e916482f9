"""The supervisor with stand-in children: real processes, real signals."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from polytraders.supervisor.output import Output
from polytraders.supervisor.process import Service
from polytraders.supervisor.run import Supervisor
from tests.supervisor.processes import marked, until

STANDINS = Path(__file__).with_name("standins.py")


class Event(NamedTuple):
    at: float
    name: str
    what: str
    process: int


class Scene:
    """A supervisor that runs, and what its children have told."""

    def __init__(self, folder: Path, children: list[dict[str, Any]]) -> None:
        self.folder = folder
        self.mark = f"STAND_IN={folder}"
        self.process = subprocess.Popen(
            [sys.executable, str(STANDINS), str(folder), json.dumps(children)],
            env={**os.environ, "STAND_IN": str(folder)}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def events(self, what: str = "", name: str = "") -> list[Event]:
        path = self.folder / "events"
        lines = path.read_text().splitlines() if path.exists() else []
        told = [line.split() for line in lines]
        found = [Event(float(at), who, said, int(process)) for at, who, said, process in told]
        return [event for event in found if what in ("", event.what) and name in ("", event.name)]

    def wait(self, what: str, name: str, times: int = 1, within_s: float = 20.0) -> Event:
        until(lambda: len(self.events(what, name)) >= times, f"{name} {what} {times} times", within_s)
        return self.events(what, name)[times - 1]

    def end(self, within_s: float = 15.0) -> tuple[int, str]:
        said, _ = self.process.communicate(timeout=within_s)
        return self.process.returncode, said

    def children(self) -> dict[int, str]:
        found = marked(self.mark)
        found.pop(self.process.pid, None)
        return found


Stage = Callable[..., Scene]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    scenes: list[Scene] = []

    def play(*children: dict[str, Any]) -> Scene:
        scenes.append(Scene(tmp_path, list(children)))
        return scenes[-1]

    yield play
    for scene in scenes:
        if scene.process.poll() is None:
            scene.process.kill()
        if scene.process.stdout is not None:
            scene.process.stdout.close()
        scene.process.wait()
        for process in scene.children():
            os.kill(process, signal.SIGKILL)


def test_children_start_in_the_order_of_their_needs(stage: Stage) -> None:
    scene = stage(
        {"name": "web", "does": "stay", "needs": ["step"]},
        {"name": "step", "does": "done", "once": True, "needs": ["server"]},
        {"name": "server", "does": "late", "server": True},
    )
    scene.wait("ready", "web")
    told = [(event.name, event.what) for event in scene.events()]
    assert told == [
        ("server", "start"), ("server", "ready"), ("step", "start"), ("step", "done"), ("web", "start"),
        ("web", "ready"),
    ]  # fmt: skip


def test_a_child_that_ends_comes_back_after_a_growing_pause(stage: Stage) -> None:
    scene = stage({"name": "loop", "does": "die:3"})
    scene.wait("ready", "loop")
    starts = [event.at for event in scene.events("start")]
    first, second, third = (later - earlier for earlier, later in itertools.pairwise(starts))
    assert first >= 0.2
    assert second >= 0.4
    assert third >= 0.8


def test_the_fifth_end_in_a_minute_ends_everything(stage: Stage) -> None:
    scene = stage({"name": "web", "does": "stay"}, {"name": "loop", "does": "die:99", "needs": ["web"]})
    code, said = scene.end()
    assert code == 1
    assert len(scene.events("start", "loop")) == 5
    assert scene.events("asked", "web")
    assert "loop ended 5 times in 60 s, at last with 3" in said
    assert scene.children() == {}


def test_a_step_that_fails_ends_everything(stage: Stage) -> None:
    scene = stage(
        {"name": "server", "does": "stay"}, {"name": "migrate", "does": "fail", "once": True, "needs": ["server"]}
    )
    code, said = scene.end()
    assert code == 2
    assert "migrate failed with exit code 5" in said
    assert scene.children() == {}


def test_a_child_that_never_becomes_ready_is_ended_and_started_again(stage: Stage) -> None:
    scene = stage(
        {"name": "web", "does": "mute", "ready_s_max": 0.5}, {"name": "late", "does": "stay", "needs": ["web"]}
    )
    scene.wait("start", "web", times=2)
    assert scene.events("asked", "web")
    assert not scene.events("start", "late")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_all_within_five_seconds_servers_last(stage: Stage, number: signal.Signals) -> None:
    scene = stage(
        {"name": "server", "does": "stay", "server": True},
        {"name": "deaf", "does": "deaf", "needs": ["server"]},
        {"name": "parent", "does": "parent", "needs": ["server"]},
        {"name": "web", "does": "stay", "needs": ["server"]},
    )
    for name in ("deaf", "parent", "web"):
        scene.wait("ready", name)
    asked = time.monotonic()
    scene.process.send_signal(number)
    code, said = scene.end()
    assert code == 0
    assert time.monotonic() - asked < 5.0
    assert "deaf did not end in 3.0 s: killed" in said
    assert scene.events("asked", "server")[0].at - scene.events("asked", "web")[0].at >= 2.9
    assert scene.children() == {}


def test_a_second_signal_ends_all_at_once(stage: Stage) -> None:
    scene = stage({"name": "deaf", "does": "deaf"})
    scene.wait("ready", "deaf")
    asked = time.monotonic()
    scene.process.send_signal(signal.SIGINT)
    time.sleep(0.1)
    scene.process.send_signal(signal.SIGINT)
    assert scene.end()[0] == 0
    assert time.monotonic() - asked < 2.0


def test_a_killed_supervisor_leaves_no_child(stage: Stage) -> None:
    scene = stage({"name": "web", "does": "stay"}, {"name": "deaf", "does": "deaf"})
    scene.wait("ready", "web")
    scene.wait("ready", "deaf")
    assert len(scene.children()) == 2
    scene.process.kill()
    until(lambda: scene.children() == {}, "no child is left", 5.0)
    assert scene.events("asked", "web")


def test_who_lost_its_base_stops_and_comes_back_after_it(stage: Stage) -> None:
    scene = stage(
        {"name": "postgres", "does": "late", "server": True},
        {"name": "loop", "does": "stay", "falls_with": ["postgres"]},
        {"name": "web", "does": "stay", "needs": ["postgres"]},
    )
    scene.wait("ready", "loop")
    scene.wait("ready", "web")
    for turn in range(1, 4):
        os.kill(scene.wait("ready", "postgres", turn).process, signal.SIGKILL)
        scene.wait("ready", "loop", turn + 1)
        assert scene.events("asked", "loop")[turn - 1].at > scene.events("ready", "postgres")[turn - 1].at
        assert scene.events("start", "loop")[turn].at > scene.events("ready", "postgres")[turn].at
    assert len(scene.events("start", "web")) == 1


def test_losing_a_base_is_not_held_against_a_child(stage: Stage) -> None:
    scene = stage(
        {"name": "postgres", "does": "stay", "server": True},
        {"name": "loop", "does": "stay", "falls_with": ["postgres"]},
    )
    for turn in range(1, 4):
        scene.wait("ready", "loop", turn)
        os.kill(scene.events("ready", "postgres")[-1].process, signal.SIGKILL)
    scene.wait("ready", "loop", 4)
    # Three losses, each of which also ended the loop; then two ends of its own. Together that would be five.
    for turn in range(4, 6):
        os.kill(scene.events("ready", "loop")[-1].process, signal.SIGKILL)
        scene.wait("ready", "loop", turn + 1)
    assert scene.process.poll() is None


def test_what_a_child_says_is_prefixed_and_kept_as_json(stage: Stage) -> None:
    scene = stage({"name": "web", "does": "stay"})
    path = scene.folder / "log" / "web.jsonl"
    until(lambda: path.exists() and "said by web" in path.read_text(), "the file has the line")
    assert json.loads(path.read_text().splitlines()[0])["line"] == "said by web"
    scene.process.send_signal(signal.SIGINT)
    assert "web         | said by web\n" in scene.end()[1]


def test_a_need_that_nobody_meets_is_refused(tmp_path: Path) -> None:
    def never(_: int) -> subprocess.Popen[bytes]:
        raise AssertionError

    with pytest.raises(ValueError, match=r"web: needs \{'postgres'\}"):
        Supervisor([Service("web", never, needs=("postgres",))], Output(tmp_path))
