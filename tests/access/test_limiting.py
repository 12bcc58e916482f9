"""How often one may ask: with Valkey, without it, and never for a kill."""

from pathlib import Path

import pytest
import redis
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory

from polytraders.access import limiting
from polytraders.access.limiting import CHANGE, LOGIN, Counter, Limit, Limits
from polytraders.access.permissions import Role
from polytraders.supervisor.valkey import Valkey
from tests.access.people import person

THREE = Limit("test", 3, 60)


class Clock:
    """A time that is set by hand."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def test_so_many_in_a_window_and_then_the_wait_until_the_next() -> None:
    clock = Clock(60 * 1_000 + 12.0)
    counter = Counter(None, clock)
    assert [counter.take(THREE, "ada") for _ in range(4)] == [0, 0, 0, 48.0]
    assert counter.take(THREE, "bob") == 0
    assert counter.take(Limit("other", 3, 60), "ada") == 0
    clock.now += 48
    assert counter.take(THREE, "ada") == 0


def test_what_is_over_is_not_kept() -> None:
    clock = Clock()
    counter = Counter(None, clock)
    for number in range(150):
        counter.take(THREE, str(number))
    clock.now += 60
    counter.take(THREE, "a")
    counter.take(THREE, "b")
    assert set(counter._counts) == {("test", "a", int(clock.now // 60)), ("test", "b", int(clock.now // 60))}


def test_very_many_names_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limiting, "NAMES_MAX", 10)
    counter = Counter(None, Clock())
    for number in range(100):
        counter.take(THREE, str(number))
        assert len(counter._counts) <= 10


def test_processes_count_together_in_valkey_and_each_for_itself_while_it_is_away(tmp_path: Path) -> None:
    clock = Clock()
    with Valkey(tmp_path) as server:
        one, two = Counter(server.url, clock), Counter(server.url, clock)
        assert [one.take(THREE, "ada"), two.take(THREE, "ada"), one.take(THREE, "ada")] == [0, 0, 0]
        assert two.take(THREE, "ada") > 0
        client = redis.Redis.from_url(server.url)
        names = list(client.scan_iter("limit:test:*"))
        assert len(names) == 1
        assert 0 < client.ttl(names[0]) <= 61
        client.close()
    assert [one.take(THREE, "bob") for _ in range(4)][:3] == [0, 0, 0]
    assert one.take(THREE, "bob") > 0, "it still counts, in memory"


def test_valkey_is_not_asked_again_for_a_while_after_it_was_away(tmp_path: Path) -> None:
    clock = Clock()
    counter = Counter(f"unix://{tmp_path}/nobody.sock", clock)
    counter.take(THREE, "ada")
    assert counter._asked_again_at == clock.now + limiting.AWAY_S
    clock.now += 1
    counter.take(THREE, "ada")
    assert counter._asked_again_at == clock.now - 1 + limiting.AWAY_S


@pytest.mark.django_db
def test_passwords_are_limited_by_address_whatever_the_name(client: Client) -> None:
    answers = [client.post("/login", {"username": f"n{n}", "password": "x"}) for n in range(LOGIN.most + 1)]
    assert {answer.status_code for answer in answers[:-1]} == {200}
    last = answers[-1]
    assert last.status_code == 429
    assert last.headers["Retry-After"] == "45"
    assert b"GOV_RATE_LIMITED" in last.content
    assert client.get("/login").status_code == 200, "looking is free"
    problem = client.post("/login", {}, headers={"Accept": "application/json"})
    assert (problem.status_code, problem.json()["reason_code"]) == (429, "GOV_RATE_LIMITED")
    assert Client(REMOTE_ADDR="10.0.0.9").post("/login", {}).status_code == 200


@pytest.mark.django_db
def test_changes_are_limited_by_person_not_by_address(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limiting, "CHANGE", CHANGE._replace(most=2))
    client.force_login(person("ada", Role.ADMIN))
    other = Client()
    other.force_login(person("bob", Role.ADMIN))
    answers = [client.post("/account/sessions/end").status_code for _ in range(3)]
    assert answers == [302, 302, 429]
    assert other.post("/account/sessions/end").status_code == 302


def test_a_view_that_stops_trading_is_never_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limiting, "CHANGE", CHANGE._replace(most=0))

    @limiting.unlimited
    def kill(_request: HttpRequest) -> HttpResponse:
        return HttpResponse()

    def other(_request: HttpRequest) -> HttpResponse:
        return HttpResponse()

    request = RequestFactory().post("/kill")
    request.user = type("Nobody", (), {"is_authenticated": False})()
    middleware = Limits(lambda _request: HttpResponse())
    assert middleware.process_view(request, kill, (), {}) is None
    refused = middleware.process_view(request, other, (), {})
    assert refused is not None
    assert refused.status_code == 429
