"""The endpoint as a process: it stops trading with the database there or away, for who may, and does nothing else."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from polytraders import fence
from polytraders.contracts.control import Killed
from polytraders.contracts.inputs import Kind, Scope
from polytraders.killing import serve, spool, stopping, tokens
from polytraders.supervisor.postgres import free_port
from tests.killing.endpoint import KEY, ORIGIN, Endpoint
from tests.supervisor.processes import until

RSS_MIB_MAX = 60
READY_S_MAX = 5.0
"""Well under a second on a quiet machine; tests share theirs."""


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    """An endpoint whose database is away."""
    dsn = f"postgresql://nobody:x@127.0.0.1:{free_port()}/none"
    with Endpoint(tmp_path_factory.mktemp("alone"), dsn) as made:
        yield made


@pytest.fixture
def fenced(alone: Endpoint) -> Path:
    path = alone.home / fence.FILE
    path.unlink(missing_ok=True)
    fence.create(path)
    return path


def test_a_kill_with_the_database_away_writes_the_fence_and_keeps_its_record(alone: Endpoint, fenced: Path) -> None:
    told = alone.kill("strategy", "eager")
    assert fence.killed(fenced) == {Killed(Scope.STRATEGY, "eager")}
    assert (told["fence"], told["recorded"], told["reason_code"]) == ("", False, "GOV_KILL_SPOOLED")
    kept = {kill.key: kill for kill in spool.waiting(alone.home)}
    assert kept[told["key"]].actor == "ada"
    assert kept[told["key"]].fence_us == round(1_000 * told["fence_ms"])


def test_a_fence_that_is_missing_is_no_reason_to_refuse(alone: Endpoint, fenced: Path) -> None:
    fenced.unlink()
    alone.kill()
    assert fence.killed(fenced) == {Killed(Scope.GLOBAL)}


@pytest.mark.parametrize(
    ("token", "origin", "status", "code"),
    [
        ("", ORIGIN, 403, "GOV_KILL_TOKEN_INVALID"),
        ("k1.abc.def", ORIGIN, 403, "GOV_KILL_TOKEN_INVALID"),
        (tokens.make("another key of another house, also long", "eve", "s", time.time()), ORIGIN, 403,
         "GOV_KILL_TOKEN_INVALID"),
        (tokens.make(KEY, "ada", "s", time.time() - tokens.LIFE_S - 5), ORIGIN, 403, "GOV_KILL_TOKEN_INVALID"),
        (tokens.make(KEY, "ada", "s", time.time()), "http://evil.example", 403, "GOV_ORIGIN_REFUSED"),
        (tokens.make(KEY, "ada", "s", time.time()), "null", 403, "GOV_ORIGIN_REFUSED"),
        (tokens.make(KEY, "ada", "s", time.time()), "http://127.0.0.1:9", 403, "GOV_ORIGIN_REFUSED"),
    ],
)  # fmt: skip
def test_who_may_not_kill_does_not(
    alone: Endpoint, fenced: Path, token: str, origin: str, status: int, code: str
) -> None:
    answer = alone.ask({"token": token}, origin=origin)
    assert (answer.status_code, answer.json()["reason_code"]) == (status, code)
    assert fence.killed(fenced) == set()


def test_only_the_consoles_pages_may_read_the_answer(alone: Endpoint, fenced: Path) -> None:
    assert alone.ask({"token": "x"}).headers["Access-Control-Allow-Origin"] == ORIGIN
    refused = alone.ask({"token": "x"}, origin="http://evil.example")
    assert "Access-Control-Allow-Origin" not in refused.headers
    assert "Access-Control-Allow-Credentials" not in alone.ask({"token": "x"}).headers


@pytest.mark.parametrize("told", [{"act": "release"}, {"release": True}, {"scope": "release"}, {"on": False}])
def test_a_kill_token_cannot_release(alone: Endpoint, fenced: Path, told: dict[str, object]) -> None:
    fence.kill(fenced, Scope.GLOBAL)
    alone.ask({"token": alone.token(), **told})
    for path in ("/release", "/control/release", "/kill/release"):
        assert alone.ask({"token": alone.token(), **told}, path=path).status_code == 404
    assert Killed(Scope.GLOBAL) in fence.killed(fenced)


@pytest.mark.parametrize(
    ("told", "status"),
    [({"scope": "planet"}, 400), ({"scope": "strategy"}, 400), ({"scope": "strategy", "name": "x" * 100}, 400)],
)
def test_a_scope_that_cannot_be_meant_is_refused(
    alone: Endpoint, fenced: Path, told: dict[str, str], status: int
) -> None:
    answer = alone.ask({"token": alone.token(), **told})
    assert (answer.status_code, answer.json()["reason_code"]) == (status, "GOV_COMMAND_INVALID")
    assert fence.killed(fenced) == set()


@pytest.mark.parametrize(
    ("body", "status"), [(b"x" * 5_000, 413), (b"[" * 4_000, 400), (b"\xff\xfe", 400), (b"[]", 400), (b"", 400)]
)
def test_a_body_that_is_none_is_refused(alone: Endpoint, fenced: Path, body: bytes, status: int) -> None:
    answer = httpx.post(f"{alone.url}/kill", content=body, headers={"Origin": ORIGIN})
    assert (answer.status_code, answer.json()["reason_code"]) == (status, "GOV_REQUEST_INVALID")


def test_slow_ones_do_not_keep_a_kill_waiting(alone: Endpoint, fenced: Path) -> None:
    slow = [socket.create_connection(("127.0.0.1", alone.port)) for _ in range(20)]
    try:
        for each in slow:
            each.sendall(b"POST /kill HTTP/1.1\r\nContent-Length: 100\r\n\r\n{")
        alone.kill("strategy", "quick")
        assert Killed(Scope.STRATEGY, "quick") in fence.killed(fenced)
    finally:
        for each in slow:
            each.close()


def test_it_is_small_and_soon_there(alone: Endpoint) -> None:
    status = Path(f"/proc/{alone.process.pid}/status").read_text()
    rss = int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")))
    maps = Path(f"/proc/{alone.process.pid}/maps").read_text()
    print(f"ready after {alone.ready_s:.2f} s, {rss / 1_024:.0f} MiB")
    assert rss < RSS_MIB_MAX * 1_024
    assert alone.ready_s < READY_S_MAX
    assert "numpy" not in maps and "llvmlite" not in maps


def test_without_its_key_it_does_not_start(tmp_path: Path) -> None:
    assert serve.main(["--port", "1"], {"POLYTRADERS_HOME": str(tmp_path)}) == 2
    assert serve.main(["--port", "1"], {"POLYTRADERS_HOME": str(tmp_path), "POLYTRADERS_KILL_KEY": "short"}) == 2


def test_the_consoles_origins() -> None:
    assert serve.origins("a.example, b.example", "8000", True) == {"https://a.example", "https://b.example"}
    assert serve.origins("localhost,127.0.0.1", "8123", False) == {"http://localhost:8123", "http://127.0.0.1:8123"}


def test_it_knows_the_loops_number_of_a_kill() -> None:
    assert stopping.KILL_KIND == Kind.KILL


def rows(dsn: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(dsn) as conn:
        return conn.execute(query.encode()).fetchall()


def test_with_a_database_table_and_inbox_have_it_once(app_dsn: str, tmp_path: Path) -> None:
    with Endpoint(tmp_path, app_dsn) as endpoint:
        told = endpoint.kill("strategy", "eager")
        assert (told["recorded"], told["reason_code"]) == (True, "")
        assert rows(app_dsn, "SELECT scope, name, act, actor, key FROM risk_control") == [
            (4, "eager", "kill", "ada", told["key"])
        ]
        ((kind, permission, key),) = rows(app_dsn, "SELECT kind, permission, key FROM inbox")
        assert (kind, permission, key) == ("kill", "kill", told["key"])
        # The file waits for its audit row, and is not recorded a second time meanwhile, by whoever looks.
        assert [kill.key for kill in spool.waiting(tmp_path)] == [told["key"]]
        with psycopg.connect(app_dsn, autocommit=True) as conn:
            conn.execute("DELETE FROM inbox")
            assert stopping.record_all(conn, tmp_path) == 0
        assert rows(app_dsn, "SELECT count(*) FROM inbox") == [(0,)]


def test_what_was_kept_while_the_database_was_away_is_recorded_when_it_is_there(app_dsn: str, tmp_path: Path) -> None:
    with Endpoint(tmp_path) as endpoint:
        told = endpoint.kill()
    with Endpoint(tmp_path, app_dsn):
        until(lambda: rows(app_dsn, "SELECT key FROM risk_control") == [(told["key"],)], "the record follows", 10)
        assert rows(app_dsn, "SELECT key FROM inbox") == [(told["key"],)]
