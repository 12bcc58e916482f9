"""The same inputs give the same bytes: in any blocks, in any process, compiled or not."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from polytraders import replaying
from polytraders.contracts.replay import ReplayReport
from tests import sessions
from tests.recorded import needs_capture

ROOT = Path(__file__).resolve().parents[2]
FRAMES = 3_000
FRAMES_SLOW = 12_000
REPAIRS_LEAST = 4
SAME = (
    "input_head", "output_head", "chain_head", "events", "evaluations", "packets", "approved", "fills", "expired",
    "counts_by_code", "equity", "realised", "fees", "repairs",
)  # fmt: skip


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> sessions.Session:
    return sessions.made_up(tmp_path_factory.mktemp("session"), FRAMES)


def facts(report: ReplayReport | dict[str, Any]) -> dict[str, Any]:
    """What has to be the same."""
    values = report if isinstance(report, dict) else json.loads(replaying.to_json(report))
    return {name: values[name] for name in SAME}


def elsewhere(session: sessions.Session, frames: int, cache: Path, **environment: str) -> dict[str, Any]:
    """The same replay by the command line, in a process of its own."""
    strategies = [part for path in session.strategies for part in ("--strategy", str(path))]
    command = [
        sys.executable, "-m", "polytraders.cli", "replay", str(session.source), "--registry", str(session.registry),
        *strategies, "--frames", str(frames), "--json",
    ]  # fmt: skip
    # What the other process keeps is kept apart; the compiled code is the one that everybody uses.
    compiled = {"NUMBA_CACHE_DIR": os.environ.get("NUMBA_CACHE_DIR", ""), "POLYTRADERS_CACHE": str(cache)}
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | compiled | environment, capture_output=True, text=True, timeout=110
    )
    assert done.returncode == 0, done.stderr
    return facts(json.loads(done.stdout))


def is_not_empty(report: dict[str, Any]) -> bool:
    """A comparison of sessions in which nothing happens compares nothing."""
    return bool(report["approved"] > 50 and report["fills"] > 20 and report["repairs"] > 0 and report["expired"] > 0)


@pytest.mark.parametrize("block_rows", [1, 1_000])
def test_any_size_of_blocks_gives_the_same_heads(session: sessions.Session, block_rows: int) -> None:
    whole = facts(session.replay(block_rows=65_536).run())
    assert is_not_empty(whole)
    assert facts(session.replay(block_rows=block_rows).run()) == whole


def test_another_order_of_hashes_gives_the_same_heads(session: sessions.Session, tmp_path: Path) -> None:
    reports = [elsewhere(session, FRAMES, tmp_path, PYTHONHASHSEED=seed) for seed in ("1", "4711")]
    assert is_not_empty(reports[0])
    assert reports[0] == reports[1] == facts(session.replay().run())


def compiled_is_plain(session: sessions.Session, folder: Path) -> None:
    """The compiled loop and the plain sources agree over FRAMES_SLOW frames in which something happens."""
    plain, compiled = (elsewhere(session, FRAMES_SLOW, folder / off, NUMBA_DISABLE_JIT=off) for off in ("1", "0"))
    assert is_not_empty(plain) and plain["repairs"] >= REPAIRS_LEAST
    assert compiled == plain


def test_the_compiled_loop_says_what_the_plain_sources_say(tmp_path: Path) -> None:
    compiled_is_plain(sessions.made_up(tmp_path, FRAMES_SLOW), tmp_path)


@needs_capture
def test_the_compiled_loop_says_what_the_plain_sources_say_of_the_recorded_session(tmp_path: Path) -> None:
    compiled_is_plain(sessions.recorded(tmp_path), tmp_path)


def test_another_session_gives_other_heads(session: sessions.Session) -> None:
    whole, part = facts(session.replay().run()), facts(session.replay(frames=FRAMES - 1).run())
    assert whole["input_head"] != part["input_head"]
    assert whole["chain_head"] != part["chain_head"]
