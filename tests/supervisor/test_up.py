"""`polytraders up` with its real servers, web process and jobs; loop and exchange are left out here."""

import json
import os
import re
import signal
import socket
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest
import redis

from tests.supervisor.installation import Installation
from tests.supervisor.processes import until

PASSWORD = "correct-horse-battery"


def signal_and_wait(installation: Installation, number: signal.Signals) -> tuple[int, float]:
    assert installation.process is not None
    asked = time.monotonic()
    installation.process.send_signal(number)
    code = installation.process.wait(15)
    return code, time.monotonic() - asked


@pytest.fixture(scope="module")
def installation() -> Iterator[Installation]:
    # The folder's name is short, so that the socket's path is not too long.
    with tempfile.TemporaryDirectory(prefix="pt-") as folder:
        made = Installation(Path(folder) / "home")
        made.start()
        try:
            made.wait_ready()
            until(lambda: "/setup/" in made.said(), "the set-up link is shown")
            yield made
        finally:
            made.stop()


def test_the_servers_answer_with_their_passwords_and_not_without(installation: Installation) -> None:
    told = installation.told()
    with psycopg.connect(told["DATABASE_URL"]) as connection:
        assert connection.execute("SELECT current_user::text").fetchone() == ("polytraders_app",)
        assert connection.execute("SHOW fsync").fetchone() == ("on",)
        assert connection.execute("SHOW listen_addresses").fetchone() == ("127.0.0.1",)
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(re.sub(r":[^:@]+@", ":wrong@", told["DATABASE_URL"]))
    with redis.Redis.from_url(told["REDIS_URL"]) as client:
        assert client.ping()
    stranger = redis.Redis.from_url(re.sub(r"//:[^@]+@", "//", told["REDIS_URL"]))
    with stranger, pytest.raises(redis.exceptions.AuthenticationError):
        stranger.ping()


def test_nobody_else_can_read_anything_of_it(installation: Installation) -> None:
    open_to_others = [
        str(path)
        for path in [installation.home, *installation.home.rglob("*")]
        if not path.is_symlink() and stat.S_IMODE(path.lstat().st_mode) & 0o077
    ]
    assert open_to_others == []


def test_no_file_holds_the_link_and_no_log_a_secret(installation: Installation) -> None:
    token = installation.link().rpartition("/")[2]
    assert len(token) == 22  # 128 bits
    httpx.get(installation.link())
    secrets = [path.read_text() for path in (installation.home / "secrets").iterdir()]
    assert len(secrets) >= 5
    logs = {path: path.read_bytes() for path in (installation.home / "log").iterdir()}
    assert {path.name for path in logs} >= {"polytraders.jsonl", "postgres.jsonl", "web.jsonl", "worker.jsonl"}
    for path, data in logs.items():
        assert token.encode() not in data, path
        assert not [name for name in secrets if name.encode() in data], path
        for line in data.splitlines():
            assert {"at", "process"} <= set(json.loads(line)), path
    assert not [name for name in secrets if name in installation.said()]


def test_a_second_one_in_the_same_folder_refuses(installation: Installation) -> None:
    second = Installation(installation.home)
    second.said_path = installation.home.parent / "second.said"
    assert second.start().wait(30) == 2
    assert installation.process is not None
    assert f"process {installation.process.pid} already runs in" in second.said()
    assert httpx.get(f"{installation.web}/login").status_code == 200


def test_the_link_makes_the_first_account_once(installation: Installation) -> None:
    with httpx.Client(base_url=installation.web, headers={"Origin": installation.web}) as client:
        page = client.get(installation.link())
        assert page.status_code == 200
        assert "script-src" not in page.headers["Content-Security-Policy"]
        assert page.headers["Content-Security-Policy"].startswith("default-src 'self'")
        form = {"username": "ada", "csrfmiddlewaretoken": client.cookies["csrftoken"], "usable_password": "true"}
        weak = client.post(installation.link(), data={**form, "password1": "short", "password2": "short"})
        assert weak.status_code == 200
        assert "too short" in weak.text
        made = client.post(installation.link(), data={**form, "password1": PASSWORD, "password2": PASSWORD})
        assert (made.status_code, made.headers["Location"]) == (302, "/")
        assert "sessionid" in client.cookies
    over = httpx.get(installation.link())
    assert over.status_code == 404
    assert "used up" in over.text
    with psycopg.connect(installation.told()["DATABASE_OWNER_URL"]) as connection:
        found = connection.execute(
            "SELECT username, g.name, password FROM auth_user u JOIN auth_user_groups m ON m.user_id = u.id"
            " JOIN auth_group g ON g.id = m.group_id"
        ).fetchall()
    assert [(name, role) for name, role, _ in found] == [("ada", "Admin")]
    assert found[0][2].startswith("argon2$argon2id$")


def test_postgres_killed_comes_back_where_it_was_and_the_page_with_it(installation: Installation) -> None:
    before = installation.told()["DATABASE_URL"]
    postmaster = int((next(installation.home.glob("pgdata-*")) / "postmaster.pid").read_text().split()[0])
    os.kill(postmaster, signal.SIGKILL)
    until(lambda: installation.said().count("postgres ready") == 2, "PostgreSQL is ready again")
    with psycopg.connect(before) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    until(lambda: httpx.get(f"{installation.web}/setup/nothing").status_code == 404, "the page asks the database again")


def test_a_killed_job_worker_and_valkey_come_back(installation: Installation) -> None:
    valkey = next(iter(installation.processes("valkey-server")))
    os.kill(valkey, signal.SIGKILL)
    until(lambda: installation.said().count("valkey ready") == 2, "Valkey is ready again")
    worker = min(installation.processes("polytraders worker"))
    os.kill(worker, signal.SIGKILL)
    until(lambda: installation.said().count("worker ready") == 2, "the worker is ready again")
    assert worker not in installation.processes("polytraders worker")


def test_ctrl_c_ends_all_within_five_seconds_and_the_next_start_is_quick(installation: Installation) -> None:
    assert len(installation.processes()) >= 6
    code, seconds = signal_and_wait(installation, signal.SIGINT)
    assert code == 0, installation.said()
    assert seconds < 5.0
    assert installation.processes() == {}
    assert not (installation.home / "run.json").exists()
    began = time.monotonic()
    installation.start()
    installation.wait_ready()
    assert time.monotonic() - began < 15.0
    assert "nothing has changed" in installation.said()
    until(lambda: installation.said().count("log in yet") == 0, "no link is offered any more")


def test_a_killed_supervisor_leaves_no_process(installation: Installation) -> None:
    assert len(installation.processes()) >= 6
    code, _ = signal_and_wait(installation, signal.SIGKILL)
    assert code == -signal.SIGKILL
    until(lambda: installation.processes() == {}, "no process is left", 5.0, installation.processes)


def test_a_database_without_its_owner_is_refused(tmp_path: Path) -> None:
    half = Installation(tmp_path / "home")
    assert half.start(DATABASE_URL="postgresql://a:b@127.0.0.1:1/polytraders").wait(30) == 2
    assert "DATABASE_URL and DATABASE_OWNER_URL are set together or not at all" in half.said()


def test_servers_of_the_environment_are_used_and_none_is_started(tmp_path: Path) -> None:
    from polytraders.supervisor.plan import Options, Plan

    given = {"DATABASE_URL": "postgresql://a", "DATABASE_OWNER_URL": "postgresql://b", "REDIS_URL": "redis://c"}
    plan = Plan(Options(tmp_path, given))
    names = [service.name for service in plan.services()]
    assert names == ["compile", "migrate", "simulator", "loop", "kill", "web", "worker", "beat"]
    assert plan.environ("web")["DATABASE_URL"] == "postgresql://a"
    assert "DATABASE_OWNER_URL" not in plan.environ("web")
    assert plan.environ("migrate")["DATABASE_OWNER_URL"] == "postgresql://b"
    assert plan.environ("loop")["REDIS_URL"] == "redis://c"


def test_an_installation_keeps_its_ports_unless_somebody_else_has_them(tmp_path: Path) -> None:
    from polytraders.supervisor.place import kept_port

    first = kept_port(tmp_path, "web")
    assert kept_port(tmp_path, "web") == first != kept_port(tmp_path, "kill")
    with socket.create_server(("127.0.0.1", first)):
        other = kept_port(tmp_path, "web")
    assert other != first
    assert kept_port(tmp_path, "web") == other
    for broken in ("", "x", "0", "70000", "-1"):
        (tmp_path / "ports" / "web").write_text(broken)
        assert 1024 <= kept_port(tmp_path, "web") <= 65_535


@pytest.mark.parametrize(
    ("words", "environ", "said"),
    [
        (("nonsense",), {}, "--without is one of postgres, valkey"),
        ((), {"PORT": "eighty"}, "PORT is 'eighty'"),
        ((), {"POLYTRADERS_VENUE": "kalshi"}, "POLYTRADERS_VENUE is 'kalshi'"),
        ((), {"PG_BIN": "/nonexistent"}, "set PG_BIN"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_starts(
    words: tuple[str, ...], environ: dict[str, str], said: str, tmp_path: Path
) -> None:
    wrong = Installation(tmp_path / "home", without=words)
    assert wrong.start(**environ).wait(30) == 2
    assert said in wrong.said()
    assert wrong.processes() == {}
    assert not list((tmp_path / "home").glob("pgdata*"))
