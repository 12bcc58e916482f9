"""Settings come from the environment and are loud when one of them cannot be meant."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from polytraders.settings import env_bool, env_list, env_secret

ROOT = Path(__file__).resolve().parents[1]


def test_a_switch_is_0_or_1_and_nothing_else() -> None:
    assert env_bool("X", True, {}) is True
    assert env_bool("X", True, {"X": "0"}) is False
    assert env_bool("X", False, {"X": "1"}) is True


@pytest.mark.parametrize("value", ["", "yes", "true", "01", " 1"])
def test_a_switch_that_cannot_be_meant_is_refused(value: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="X is"):
        env_bool("X", False, {"X": value})


def test_words_are_separated_by_commas() -> None:
    assert env_list("X", ("a",), {}) == ["a"]
    assert env_list("X", (), {"X": "a, b"}) == ["a", "b"]
    with pytest.raises(ImproperlyConfigured, match="separated by commas"):
        env_list("X", (), {"X": "a,,b"})


def test_a_secret_is_made_up_when_absent_and_refused_when_short() -> None:
    assert env_secret("X", 32, {}) != env_secret("X", 32, {})
    assert env_secret("X", 3, {"X": "abc"}) == "abc"
    with pytest.raises(ImproperlyConfigured, match="shorter than 32") as refusal:
        env_secret("X", 32, {"X": "hunter2"})
    assert "hunter2" not in str(refusal.value)


def check(**changes: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "manage.py", "check"]
    environ = {**os.environ, **changes}
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60, check=False)


def test_django_checks_the_project() -> None:
    done = check()
    assert (done.returncode, done.stderr) == (0, "")
    assert "no issues" in done.stdout


def test_a_wrong_setting_stops_the_start() -> None:
    done = check(POLYTRADERS_DEBUG="maybe")
    assert done.returncode != 0
    assert "POLYTRADERS_DEBUG is 'maybe'" in done.stderr
