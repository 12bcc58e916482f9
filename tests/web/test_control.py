"""Kill and rollout through the web: who may, what is written first, what takes two people, what is never undone."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.oms.models import OrderRecord
from apps.risk.models import ControlRecord, Proposal, ProposalStep
from polytraders import fence
from polytraders.access.models import AuditRow
from polytraders.access.permissions import MARK, Permission, Role, may
from polytraders.console import asked, kills, scopes, tasks
from polytraders.contracts.control import Killed
from polytraders.contracts.inputs import Scope
from polytraders.killing import spool, stopping, tokens
from tests.web.conftest import Says, entered
from tests.written import Written

QUERIES_MOST = 15


@pytest.fixture(autouse=True)
def home(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation's folder; nobody answers commands here, so nobody is waited for."""
    settings.HOME = tmp_path
    fence.create(tmp_path / fence.FILE)
    monkeypatch.setattr(asked, "WAIT_S", 0.0)
    return tmp_path


@pytest.fixture(autouse=True)
def trading(log: Written) -> Iterator[None]:
    """After a test nothing is killed in the control table any more."""
    yield
    for scope, name in asked.raw().execute("SELECT DISTINCT scope, name FROM risk_control").fetchall():
        asked.raw().execute(
            "INSERT INTO risk_control (shard, scope, name, act, actor, reason, key) VALUES (0, %s, %s, 'release',"
            " 'test', 'over', %s)",
            (scope, name, f"release:{time.time_ns()}"),
        )
    asked.raw().execute("DELETE FROM inbox")


def stepped(client: Client) -> Client:
    """A code has been given just now."""
    session = client.session
    session[MARK] = time.time()
    session.save()
    return client


def fenced(home: Path) -> frozenset[Killed]:
    return fence.killed(home / fence.FILE)


def commands() -> list[tuple[Any, ...]]:
    return asked.raw().execute("SELECT kind, actor, permission, payload FROM inbox ORDER BY id").fetchall()


def acts(since: int) -> list[str]:
    return list(AuditRow.objects.filter(id__gt=since).order_by("id").values_list("act", flat=True))


def last() -> int:
    return AuditRow.objects.order_by("-id").values_list("id", flat=True).first() or 0


POSTS = [
    ("/control/kill", {"scope": "strategy", "name": "makes"}, Permission.KILL),
    ("/control/reason", {"key": "kill:none", "reason": "x"}, Permission.KILL),
    ("/control/release", {"scope": "strategy", "name": "makes", "reason": "x", "epoch": "1"}, Permission.RELEASE),
    ("/control/stage", {"strategy": "makes", "stage": "shadow"}, Permission.PROMOTE),
    ("/control/drill", {"scope": "strategy", "name": "nobody"}, Permission.RELEASE),
    ("/control/release/999999", {"answer": "yes"}, Permission.RELEASE),
    ("/control/stage/999999", {"answer": "yes"}, Permission.PROMOTE),
    ("/risk/limits", {"name": "spread_max", "value": "1"}, Permission.LIMIT),
    ("/risk/limits/999999", {"answer": "yes"}, Permission.LIMIT),
    ("/strategies/settings/999999", {"answer": "yes"}, Permission.STRATEGY),
    ("/strategies/makes/settings", {"setting": "size", "value": "1"}, Permission.STRATEGY),
]


@pytest.mark.parametrize(("address", "told", "permission"), POSTS, ids=[post[0] for post in POSTS])
@pytest.mark.parametrize("role", [*Role, None], ids=str)
def test_an_act_is_for_who_may_and_for_nobody_else(
    log: Written, says: Says, role: Role | None, address: str, told: dict[str, str], permission: Permission
) -> None:
    says()
    client = stepped(entered(f"some {role}", *([role] if role else [])))
    answer = client.post(address, told)
    user: Any = answer.wsgi_request.user
    assert answer.status_code == (302 if may(user, permission) else 403)
    assert client.get(address).status_code == 405
    assert Client().post(address, told).headers["Location"].startswith("/login"), "nobody in particular"


@pytest.mark.parametrize(("address", "told", "permission"), POSTS, ids=[post[0] for post in POSTS])
def test_no_act_comes_from_another_page(
    address: str, told: dict[str, str], permission: Permission, ada: Client
) -> None:
    careful = Client(enforce_csrf_checks=True)
    careful.cookies = ada.cookies
    assert careful.post(address, told).status_code == 403


def test_a_kill_is_in_fence_table_inbox_and_audit(log: Written, ada: Client, says: Says, home: Path) -> None:
    says()
    before = last()
    answer = ada.post("/control/kill", {"scope": "strategy", "name": "makes"})
    assert "killed=kill%3A" in answer.headers["Location"] or "killed=kill:" in answer.headers["Location"]
    assert Killed(Scope.STRATEGY, "makes") in fenced(home)
    row = ControlRecord.objects.order_by("-id").first()
    assert row is not None and (row.act, row.name, row.actor) == ("kill", "makes", "ada")
    ((kind, actor, permission, _),) = commands()
    assert (kind, actor, permission) == ("kill", "ada", "kill")
    assert acts(before) == ["control.kill"]
    assert spool.waiting(home) == []
    page = ada.get(answer.headers["Location"]).content.decode()
    assert "Why was it killed?" in page and "the fence was written in" in page


def test_a_kill_needs_neither_code_nor_reason_nor_name_for_everything(log: Written, says: Says, home: Path) -> None:
    operator = entered("olga", Role.OPERATOR)
    told = operator.post("/control/kill", {}, headers={"Accept": "application/json"}).json()
    assert (told["fence"], told["recorded"]) == ("", True)
    assert Killed(Scope.GLOBAL) in fenced(home)


def test_with_the_database_away_the_fence_is_written_and_the_record_kept(
    log: Written, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.db import OperationalError

    def away(*_: Any) -> None:
        raise OperationalError("gone")

    with monkeypatch.context() as patched:
        patched.setattr(kills, "note", away)
        made = kills.kill(Scope.GLOBAL, "", "ada", through="console", request=None)
    assert made.fence == "GOV_KILL_SPOOLED"
    assert Killed(Scope.GLOBAL) in fenced(home)
    before = last()
    assert tasks.follow_up() == 1
    assert tasks.follow_up() == 0
    assert acts(before) == ["control.kill"]
    assert ControlRecord.objects.filter(key=made.key).count() == 1


def test_a_kept_kill_is_audited_once_whoever_finds_it(log: Written, home: Path) -> None:
    kill = stopping.stop(home, Scope.STRATEGY, "says", "ada", through="endpoint")
    stopping.record(asked.raw(), kill)
    before = last()
    assert kills.note(kill)
    spool.keep(home, kill)
    assert not kills.note(kill)
    assert acts(before) == ["control.kill"]
    assert len(commands()) == 1


def test_the_reason_is_asked_afterwards_and_the_first_counts(log: Written, ada: Client, says: Says) -> None:
    told = ada.post("/control/kill", {}, headers={"Accept": "application/json"}).json()
    ada.post("/control/reason", {"key": told["key"], "reason": "a feed went mad"})
    ada.post("/control/reason", {"key": told["key"], "reason": "something else"})
    says()
    page = ada.get("/control/history").content.decode()
    assert "a feed went mad" in page and "something else" not in page
    assert "said later by ada" in page


def release(client: Client, scope: str, name: str = "", **more: str) -> Any:
    page = client.get(f"/control/?release={scope}:{name}").content.decode()
    epoch = page.split('name="epoch" value="')[1].split('"')[0]
    return client.post(
        "/control/release", {"scope": scope, "name": name, "reason": "looked at", "epoch": epoch} | more, follow=True
    )


def killed_with_reason(client: Client, **told: str) -> None:
    key = client.post("/control/kill", told, headers={"Accept": "application/json"}).json()["key"]
    client.post("/control/reason", {"key": key, "reason": "tried"})


def test_a_release_needs_a_code(log: Written, ada: Client, says: Says, home: Path) -> None:
    says()
    killed_with_reason(ada, scope="strategy", name="makes")
    answer = ada.post(
        "/control/release", {"scope": "strategy", "name": "makes", "reason": "x", "epoch": str(epoch(home))}
    )
    assert answer.headers["Location"].startswith("/step-up")
    assert Killed(Scope.STRATEGY, "makes") in fenced(home)


def epoch(home: Path) -> int:
    return fence.epoch(home / fence.FILE)


def test_a_part_is_released_by_one_person_with_reason_and_code(log: Written, says: Says, home: Path) -> None:
    says()
    olga = stepped(entered("olga", Role.OPERATOR))
    killed_with_reason(olga, scope="strategy", name="makes")
    asked.raw().execute("DELETE FROM inbox")
    before = last()
    release(olga, "strategy", "makes")
    assert fenced(home) == frozenset()
    ((kind, actor, permission, payload),) = commands()
    assert (kind, actor, permission) == ("release", "olga", "release")
    assert json.loads(payload) == {"scope": "strategy", "name": "makes", "reason": "looked at"}
    assert acts(before) == ["control.release"]


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        ({"at_ns": time.time_ns() - 60_000_000_000}, "The loop answers"),
        ({"state": "starting"}, "The loop answers"),
        ({}, "The cause is named"),
    ],
)
def test_what_is_not_ticked_stands_in_the_way(
    log: Written, ada: Client, says: Says, home: Path, change: dict[str, Any], missing: str
) -> None:
    says(**change)
    stepped(ada)
    if change:
        killed_with_reason(ada, scope="strategy", name="makes")
    else:
        ada.post("/control/kill", {"scope": "strategy", "name": "makes"})
    page = release(ada, "strategy", "makes").content.decode()
    assert "GOV_RELEASE_PRECONDITION" in page and missing in page
    assert Killed(Scope.STRATEGY, "makes") in fenced(home)


def test_without_a_loop_nobody_knows_and_nothing_is_released(log: Written, ada: Client, home: Path) -> None:
    stepped(ada)
    killed_with_reason(ada, scope="strategy", name="makes")
    assert "GOV_RELEASE_PRECONDITION" in release(ada, "strategy", "makes").content.decode()
    assert Killed(Scope.STRATEGY, "makes") in fenced(home)


def test_a_kill_since_the_page_was_loaded_wins(log: Written, ada: Client, says: Says, home: Path) -> None:
    says()
    stepped(ada)
    killed_with_reason(ada, scope="strategy", name="makes")
    old = str(epoch(home))
    fence.kill(home / fence.FILE, Scope.STRATEGY, "says")
    page = release(ada, "strategy", "makes", epoch=old).content.decode()
    assert "GOV_RELEASE_PRECONDITION" in page
    assert {each.name for each in fenced(home)} == {"makes", "says"}


def test_everything_is_released_by_two_people_and_never_by_one(log: Written, says: Says, home: Path) -> None:
    says()
    OrderRecord.objects.filter(is_open=True).update(is_open=False)
    olga, boris = (stepped(entered(name, Role.OPERATOR)) for name in ("olga", "boris"))
    killed_with_reason(olga)
    release(olga, "global")
    assert Killed(Scope.GLOBAL) in fenced(home)
    proposal = Proposal.objects.order_by("-id").first()
    assert proposal is not None
    same = olga.post(f"/control/release/{proposal.id}", {"answer": "yes"}, follow=True)
    assert "GOV_FOUR_EYES_REQUIRED" in same.content.decode()
    assert Killed(Scope.GLOBAL) in fenced(home)
    hasty = entered("clara", Role.OPERATOR).post(f"/control/release/{proposal.id}", {"answer": "yes"})
    assert hasty.headers["Location"].startswith("/step-up")
    reader = stepped(entered("rita", Role.REVIEWER))
    assert reader.post(f"/control/release/{proposal.id}", {"answer": "yes"}).status_code == 403
    before = last()
    boris.post(f"/control/release/{proposal.id}", {"answer": "yes"})
    assert fenced(home) == frozenset()
    assert acts(before) == ["release.confirm", "control.release"]
    again = boris.post(f"/control/release/{proposal.id}", {"answer": "yes"}, follow=True)
    assert "GOV_PROPOSAL_CLOSED" in again.content.decode()


def test_the_database_itself_wants_a_second_person(log: Written, ada: Client, says: Says) -> None:
    from django.db import IntegrityError, transaction

    says()
    stepped(ada).post("/risk/limits", {"name": "spread_max", "value": "0.05", "reason": "narrower"})
    proposal = Proposal.objects.order_by("-id").first()
    assert proposal is not None
    with pytest.raises(IntegrityError, match="risk_four_eyes"), transaction.atomic():
        ProposalStep.objects.create(
            proposal=proposal, proposer="ada", state="confirmed", actor="ada", words="", after_seq=0
        )
    with pytest.raises(IntegrityError), transaction.atomic():
        ProposalStep.objects.create(
            proposal=proposal, proposer="bob", state="confirmed", actor="ada", words="", after_seq=0
        )


def test_a_strategy_goes_down_at_once_and_up_only_with_evidence(log: Written, ada: Client, says: Says) -> None:
    says()
    before = last()
    ada.post("/control/stage", {"strategy": "makes", "stage": "shadow", "reason": "quiet"})
    ((kind, _, permission, payload),) = commands()
    assert (kind, permission, json.loads(payload)["stage"]) == ("rollout", "rollout", "shadow")
    assert acts(before) == ["rollout.down"]
    page = stepped(ada).post("/control/stage", {"strategy": "makes", "stage": "canary"}, follow=True).content.decode()
    assert "GOV_ROLLOUT_EVIDENCE_MISSING" in page
    page = ada.post("/control/stage", {"strategy": "makes", "stage": "live"}, follow=True).content.decode()
    assert "GOV_ROLLOUT_EVIDENCE_MISSING" in page
    assert len(commands()) == 1


def test_a_drill_without_an_answer_stays_killed_and_says_so(
    log: Written, ada: Client, says: Says, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from polytraders.console import drills

    says()
    monkeypatch.setattr(drills, "INPUT_S", 0.1)
    page = stepped(ada).post("/control/drill", {"scope": "strategy", "name": "says"}, follow=True).content.decode()
    assert "did not end well" in page and "GOV_LOOP_SILENT" in page
    assert Killed(Scope.STRATEGY, "says") in fenced(home)


@contextmanager
def plainly_asked() -> Iterator[list[int]]:
    """What is asked of the driver itself, which Django does not count."""
    counted: list[int] = []
    plain = asked.raw

    def raw() -> Any:
        counted.append(1)
        return plain()

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(asked, "raw", raw)
        yield counted


PAGES = (
    "/control/", "/control/?release=global:", "/control/history", "/risk/", "/risk/?limit=spread_max", "/strategies/",
    "/strategies/makes",
)  # fmt: skip


@pytest.mark.parametrize("address", PAGES)
def test_a_page_is_there_for_every_role_and_asks_few_questions(log: Written, says: Says, address: str) -> None:
    says()
    for role in Role:
        client = stepped(entered(f"reader {role}", role))
        with CaptureQueriesContext(connection) as queries, plainly_asked() as plain:
            answer = client.get(address)
        text = answer.content.decode()
        assert answer.status_code == 200
        assert len(queries) + len(plain) <= QUERIES_MOST, [len(plain)] + [query["sql"][:120] for query in queries]
        assert "<style" not in text and " style=" not in text and " onclick" not in text
        assert ('id="kill"' in text) == (role in (Role.ADMIN, Role.OPERATOR))


def test_the_token_in_a_page_is_the_persons_and_kills(log: Written, ada: Client, says: Says, settings: Any) -> None:
    says()
    text = ada.get("/").content.decode()
    token = text.split('data-token="')[1].split('"')[0]
    assert tokens.read(settings.KILL_KEY, token, time.time()).actor == "ada"
    assert 'data-token="' not in entered("rita", Role.READ_ONLY).get("/").content.decode()


def test_the_three_witnesses_are_shown_apart(log: Written, ada: Client, says: Says, home: Path) -> None:
    says()
    fence.kill(home / fence.FILE, Scope.STRATEGY, "makes")
    fence.kill(home / fence.FILE, Scope.MARKET, "0xnobody")
    tree = scopes.Tree()
    line = tree.find(Scope.STRATEGY, "makes")
    assert line is not None and (line.is_killed, line.fenced, line.table, line.agree) == (True, True, False, False)
    assert [one.name for one in tree.stopped if one.scope is Scope.MARKET] == ["0xnobody"]
    (home / fence.FILE).unlink()
    everything = scopes.Tree().find(Scope.GLOBAL, "")
    assert everything is not None and everything.is_killed
    assert "The fence is missing" in ada.get("/control/").content.decode()


def test_the_venues_are_the_loops() -> None:
    from polytraders.shard import directory

    assert scopes.VENUES == directory.VENUES
