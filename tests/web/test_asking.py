"""`polytraders status`, `why` and `rebuild` over a database, and what they say when there is none."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from polytraders import asking, cli
from tests import servers
from tests.web.conftest import Says
from tests.written import Written

ROOT = Path(__file__).resolve().parents[2]


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = asking.ask(cli.parser().parse_args(arguments))
    said = capsys.readouterr()
    return code, said.out, said.err


def test_status_tells_a_healthy_system(log: Written, says: Says, capsys: pytest.CaptureFixture[str]) -> None:
    says()
    code, out, _ = run(capsys, "status")
    assert code == 0
    assert out.startswith("PAPER  TRADING  loop running")
    assert "Decision, risk, and sizing" in out
    assert max(map(len, out.splitlines())) <= 100
    assert "\u202e" not in out
    assert "\x07" not in out


def test_status_for_programs_is_one_object(log: Written, says: Says, capsys: pytest.CaptureFixture[str]) -> None:
    says(is_killed=True)
    code, out, _ = run(capsys, "status", "--json")
    found: dict[str, Any] = json.loads(out)
    assert (code, found["kill"], found["loop"], found["in_seq"]) == (0, "KILLED", "running", 1_234_567)
    assert found["stages"]["risk"]["packets"] > 0


def test_status_of_a_system_without_a_loop_is_not_healthy(
    empty: servers.Database, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capsys, "status")
    assert code == 1
    assert "No loop has run" in out


def test_why_explains_a_decision_and_a_markets_latest_one(log: Written, capsys: pytest.CaptureFixture[str]) -> None:
    code, by_slug, _ = run(capsys, "why", "market-1")
    assert code == 0
    assert "VOTES  39 checks" in by_slug
    assert "Will it rain tomorrow?" in by_slug
    assert run(capsys, "why", "1")[1] == by_slug
    assert run(capsys, "why", f"0x{1:064x}")[1] == by_slug
    packet = json.loads(run(capsys, "why", "--json", "1")[1])
    assert run(capsys, "why", packet["decision_id"])[1] == by_slug


@pytest.mark.parametrize("which", ["999999:0", "nowhere", "77"])
def test_why_says_what_is_not_there(log: Written, capsys: pytest.CaptureFixture[str], which: str) -> None:
    code, out, err = run(capsys, "why", which)
    assert (code, out) == (2, "")
    assert "GOV_NOT_FOUND" in err
    assert which in err


def test_rebuild_compares_and_mends(log: Written, capsys: pytest.CaptureFixture[str]) -> None:
    from apps.risk.models import DecisionRecord

    assert run(capsys, "rebuild", "--check")[0] == 0
    DecisionRecord.objects.order_by("id").first().delete()  # type: ignore[union-attr]
    code, out, _ = run(capsys, "rebuild", "--check")
    assert code == 4
    assert "1 missing, 0 surplus" in out
    assert run(capsys, "rebuild")[0] == 0
    assert run(capsys, "rebuild", "--check")[0] == 0


def test_a_log_that_is_not_there_cannot_be_rebuilt(empty: servers.Database, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "rebuild")
    assert code == 2
    assert "shard 0 has no log" in err


@pytest.mark.parametrize("verb", [["status"], ["why", "0"], ["rebuild"]])
def test_where_nothing_runs_it_says_how_to_start(verb: list[str], tmp_path: Path) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("DATABASE", "REDIS"))}
    command = [sys.executable, "-m", "polytraders.cli", *verb]
    environ |= {"POLYTRADERS_HOME": str(tmp_path), "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert "GOV_DB_UNAVAILABLE" in done.stderr
    assert "make run" in done.stderr
    assert "Traceback" not in done.stderr


def test_status_tells_the_last_replay() -> None:
    from apps.replay.models import ReplayRecord

    found = ReplayRecord(
        shard=0, verdict_code="GOV_REPLAY_REGRESSION", to_seq=1_234, parity=0.75, seconds=1.0,
        first_difference="input 7, output 0: price was 1 and is 2", made_at=datetime(2026, 5, 4, 3, 31, tzinfo=UTC),
    )  # fmt: skip
    told = asking._replay_told(found)
    assert told.startswith(
        "replayed 2026-05-04 03:31 UTC to input 1,234: GOV_REPLAY_REGRESSION, parity 0.750000: input 7"
    )
    assert "not been replayed" in asking._replay_told(None)
    as_json = asking._replay_as_json(found)
    assert as_json is not None and as_json["parity"] == 0.75
