"""The kill fence as the loop sees it: a KILL input for what is killed, whatever was read before."""

from pathlib import Path

import numpy as np

from apps.eventlog import reading
from polytraders import fence
from polytraders.contracts.inputs import Kind, Scope
from tests.shard.rig import Rig, frames

FRAMES = 400


def controls(rig: Rig, *kinds: Kind) -> list[int]:
    rows = np.concatenate(list(reading.inputs(rig.dsn, rig.home, 0)))
    return [int(kind) for kind in rows["kind"] if kind in kinds]


def test_a_kill_is_an_input_before_the_next_frame_and_comes_once(app_dsn: str, tmp_path: Path) -> None:
    with Rig(app_dsn, tmp_path) as rig:
        fence.kill(tmp_path / fence.FILE, Scope.GLOBAL)
        rig.play(frames(FRAMES))
        assert controls(rig, Kind.KILL) == [Kind.KILL]
        assert rig.loop.state.portfolio["killed"][0]


def test_a_scope_released_and_killed_again_between_two_looks_is_killed(app_dsn: str, tmp_path: Path) -> None:
    path = tmp_path / fence.FILE
    with Rig(app_dsn, tmp_path) as rig:
        fence.kill(path, Scope.GLOBAL)
        rig.loop._look_for_kills(set())
        fence.release(path, Scope.GLOBAL)
        rig.ask("release", "release", {"scope": "global", "reason": "tested"})
        answered = rig.loop._arrivals.pop()

        def kill_behind(intake: object, now: int) -> None:
            answered(intake, now)  # type: ignore[arg-type]
            fence.kill(path, Scope.GLOBAL)

        rig.loop.arrive(kill_behind)
        rig.play(frames(FRAMES))
        assert controls(rig, Kind.KILL, Kind.RELEASE) == [Kind.KILL, Kind.RELEASE, Kind.KILL]
        assert rig.loop.state.portfolio["killed"][0]


def test_a_market_that_nobody_knows_yet_is_killed_as_soon_as_it_is_told(app_dsn: str, tmp_path: Path) -> None:
    with Rig(app_dsn, tmp_path) as rig:
        fence.kill(tmp_path / fence.FILE, Scope.MARKET, "market-1")
        rig.list_markets()
        rig.play(frames(FRAMES))
        assert controls(rig, Kind.KILL) == [Kind.KILL]
        assert rig.loop.state.markets["killed"][:3].tolist() == [0, 1, 0]
