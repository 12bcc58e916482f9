"""What is shown and what is written: prefixed, as JSON, without secrets."""

import io
import json
from pathlib import Path

import pytest

from polytraders.supervisor.output import Output, for_people, without_secrets


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ("postgresql://app:pw@127.0.0.1:5/polytraders", "postgresql://***@127.0.0.1:5/polytraders"),
        ("unix://:pw@/run/socket and redis://:pw@h", "unix://***@/run/socket and redis://***@h"),
        ("GET /setup/AbCdEfGhIjKlMnOpQrStUv 200", "GET /setup/*** 200"),
        ("http://127.0.0.1:8000/login", "http://127.0.0.1:8000/login"),
        ("a@b.c is no address of a server", "a@b.c is no address of a server"),
    ],
)
def test_credentials_and_links_are_taken_out(told: str, shown: str) -> None:
    assert without_secrets(told) == shown


def test_a_json_line_is_kept_as_it_is_and_shown_as_a_sentence(tmp_path: Path) -> None:
    terminal = io.StringIO()
    output = Output(tmp_path / "log", terminal)
    output.line("loop", '{"event": "committed", "level": "info", "in_seq": 7, "process": "?"}\n')
    output.close()
    kept = json.loads((tmp_path / "log" / "loop.jsonl").read_text())
    assert (kept["event"], kept["in_seq"], kept["process"]) == ("committed", 7, "loop")
    assert terminal.getvalue() == "loop        | INFO committed in_seq=7\n"


@pytest.mark.parametrize("line", ["{", "{broken}", "plain", "", '{"a"'])
def test_a_line_that_only_looks_like_json_is_a_line(line: str, tmp_path: Path) -> None:
    assert for_people(line) == line
    output = Output(tmp_path / "log", io.StringIO())
    output.line("web", line)
    output.close()
    assert json.loads((tmp_path / "log" / "web.jsonl").read_text())["line"] == line


def test_a_quiet_speaker_is_shown_only_in_trouble(tmp_path: Path) -> None:
    terminal = io.StringIO()
    output = Output(tmp_path / "log", terminal)
    output.line("postgres", "LOG:  ready", quiet=True)
    output.line("postgres", "FATAL:  no space", quiet=True)
    output.line("worker", json.dumps({"level": "info", "event": "task succeeded"}), quiet=True)
    output.line("worker", json.dumps({"level": "error", "event": "task failed"}), quiet=True)
    output.close()
    assert terminal.getvalue() == "postgres    | FATAL:  no space\nworker      | ERROR task failed\n"
    assert len((tmp_path / "log" / "postgres.jsonl").read_text().splitlines()) == 2


def test_a_secret_is_shown_and_never_written(tmp_path: Path) -> None:
    terminal = io.StringIO()
    output = Output(tmp_path / "log", terminal)
    output.secret("http://127.0.0.1/setup/AbCdEfGhIjKlMnOpQrStUv")
    output.say("done")
    output.close()
    assert "/setup/AbCdEfGhIjKlMnOpQrStUv" in terminal.getvalue()
    assert "setup" not in "".join(path.read_text() for path in (tmp_path / "log").iterdir())


def test_a_terminal_that_has_gone_stops_nothing(tmp_path: Path) -> None:
    terminal = io.StringIO()
    output = Output(tmp_path / "log", terminal)
    terminal.close()
    output.say("one")
    output.say("two")
    output.close()
    assert len((tmp_path / "log" / "polytraders.jsonl").read_text().splitlines()) == 2
