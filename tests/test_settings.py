"""Settings come from the environment and are loud when one of them cannot be meant."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from polytraders.settings import (
    broker,
    channel_layer,
    database,
    env_bool,
    env_choice,
    env_list,
    env_number,
    env_secret,
    running,
)

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


def test_a_choice_is_one_of_those_given() -> None:
    assert env_choice("X", ("a", "b"), {}) == "a"
    assert env_choice("X", ("a", "b"), {"X": "b"}) == "b"
    with pytest.raises(ImproperlyConfigured, match="must be one of a, b"):
        env_choice("X", ("a", "b"), {"X": "B"})


@pytest.mark.parametrize("value", ["", "0", "101", "-1", "1.5", "ten", "\u0663", "1 "])
def test_a_number_outside_its_range_is_refused(value: str) -> None:
    assert env_number("X", 7, 1, 100, {}) == 7
    assert env_number("X", 7, 1, 100, {"X": "100"}) == 100
    with pytest.raises(ImproperlyConfigured, match="whole number from 1 to 100"):
        env_number("X", 7, 1, 100, {"X": value})


def test_a_database_url_is_taken_apart() -> None:
    found = database("X", "postgresql://us%40er:p%2Fw@db.example:6543/books?sslmode=require")
    assert {key: found[key] for key in ("NAME", "USER", "PASSWORD", "HOST", "PORT", "CONN_MAX_AGE", "OPTIONS")} == {
        "NAME": "books", "USER": "us@er", "PASSWORD": "p/w", "HOST": "db.example", "PORT": "6543", "CONN_MAX_AGE": 0,
        "OPTIONS": {"sslmode": "require"},
    }  # fmt: skip
    assert "pool" in database("X", "postgresql://u:p@h/d", pooled=True)["OPTIONS"]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "mysql://u:hunter2@h/d",
        "postgresql://u:hunter2@/d",
        "postgresql://u:hunter2@h",
        "postgresql://u:hunter2@h:x/d",
    ],
)
def test_a_database_url_that_cannot_be_meant_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="X must look like") as refusal:
        database("X", url)
    assert "hunter2" not in str(refusal.value)


def test_without_a_database_the_failure_names_the_setting() -> None:
    done = manage("showmigrations", "access")
    assert done.returncode != 0
    assert "DATABASE_URL-is-not-set" in done.stderr


def test_hints_never_time_out_on_a_quiet_socket() -> None:
    assert channel_layer(None) == {"BACKEND": "channels.layers.InMemoryChannelLayer"}
    layer = channel_layer("redis://h")
    assert layer["BACKEND"] == "channels_redis.pubsub.RedisPubSubChannelLayer"
    assert layer["CONFIG"]["hosts"] == [{"address": "redis://h", "socket_timeout": None}]


def test_the_broker_is_the_same_server_in_celerys_spelling() -> None:
    assert broker(None) == "memory://"
    assert broker("redis://:pw@h:1/0") == "redis://:pw@h:1/0"
    assert broker("unix://:pw@/run/socket") == "redis+socket://:pw@/run/socket"


def test_a_command_from_another_terminal_finds_the_servers_that_run(tmp_path: Path) -> None:
    assert running(tmp_path, {}) == {}
    (tmp_path / "run.json").write_text(json.dumps({"environ": {"DATABASE_URL": "a", "REDIS_URL": "b"}}))
    assert running(tmp_path, {"REDIS_URL": "mine"}) == {"DATABASE_URL": "a", "REDIS_URL": "mine"}
    assert running(tmp_path, {"DATABASE_URL": "mine"}) == {"DATABASE_URL": "mine"}, "never half of one, half of another"
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(ImproperlyConfigured, match=r"run\.json"):
        running(tmp_path, {})


def manage(*words: str, **changes: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "manage.py", *words]
    environ = {**os.environ, **changes}
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60, check=False)


def check(**changes: str) -> subprocess.CompletedProcess[str]:
    return manage("check", **changes)


def test_django_checks_the_project() -> None:
    done = check()
    assert (done.returncode, done.stderr) == (0, "")
    assert "no issues" in done.stdout


def test_a_wrong_setting_stops_the_start() -> None:
    done = check(POLYTRADERS_DEBUG="maybe")
    assert done.returncode != 0
    assert "POLYTRADERS_DEBUG is 'maybe'" in done.stderr


def test_a_real_venue_s_time_cannot_be_scaled() -> None:
    done = check(POLYTRADERS_VENUE="polymarket", POLYTRADERS_SPEED="10")
    assert done.returncode != 0
    assert "POLYTRADERS_SPEED is for the simulator" in done.stderr


def test_the_models_have_their_migrations(owner_dsn: str) -> None:
    owner = owner_dsn
    done = manage("makemigrations", "--check", "--dry-run", DATABASE_URL=owner, DATABASE_OWNER_URL=owner)
    assert done.returncode == 0, done.stdout + done.stderr
