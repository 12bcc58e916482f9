"""Two people are two persons: a page, a key and another key of one person never confirm what that person proposed."""

import importlib
import json
import secrets
import time
from typing import Any

import psycopg
import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.urls import reverse

from apps.eventlog.models import Command
from apps.risk.models import Proposal, ProposalStep
from polytraders.access import keys
from polytraders.access.models import AuditRow
from polytraders.access.permissions import MARK, Role
from polytraders.access.stepup import recovery_digest
from polytraders.console import asked
from tests import servers
from tests.api.conftest import Program
from tests.api.test_reading import problem
from tests.web.conftest import Says, entered
from tests.written import Written

VALUES = iter(range(401, 10_000))
SAME = "GOV_FOUR_EYES_REQUIRED"


@pytest.fixture(autouse=True)
def nothing_waits(log: Written, says: Says, home: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A loop that says that it lives, and answers nobody."""
    says()
    monkeypatch.setattr(asked, "WAIT_S", 0.0)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM inbox")


class Person:
    """An Admin with a browser, two keys, and as many codes as it takes."""

    def __init__(self, name: str) -> None:
        from django.contrib.auth import get_user_model

        self.name = name
        self.browser = entered(name, Role.ADMIN)
        session = self.browser.session
        session[MARK] = time.time()
        session.save()
        self.user = get_user_model().objects.get(username=name)
        made = [keys.make(f"key {number}", self.user, ("risk",), 1) for number in range(2)]
        self.actors = [f"key:{row.prefix}" for row, _ in made]
        self.programs = [Program(text) for _, text in made]

    def code(self) -> str:
        """A recovery code that has not been used."""
        from django_otp.plugins.otp_static.models import StaticDevice

        made = secrets.token_hex(10)
        device = StaticDevice.objects.get_or_create(user=self.user, name="recovery", confirmed=True)[0]
        device.token_set.create(token=recovery_digest(made))
        # Digits alone would be an app's code.
        return made if not made.isdigit() else self.code()

    def sends(self, through: str, address: str, body: dict[str, Any]) -> Any:
        """By the interface, with the login or with one of the keys."""
        if through == "login":
            headers = {"Idempotency-Key": secrets.token_hex()}
            return self.browser.post(address, body, "application/json", headers=headers)
        return self.programs[int(through[-1])].post(address, body, **{"Polytraders-OTP": self.code()})

    def proposes(self, through: str) -> Proposal:
        value = next(VALUES)
        if through == "page":
            self.browser.post(
                "/risk/limits", {"name": "spread_max", "value": f"{value / 10_000:.4f}", "reason": "narrower"}
            )
        else:
            body = {"name": "spread_max", "value": value, "reason": "narrower"}
            answer = self.sends(through, "/api/v1/controls/limits", body)
            assert answer.status_code == 200, answer.content
        found = Proposal.objects.order_by("-id").first()
        assert found is not None
        assert json.loads(found.payload)["value"] == value
        return found

    def confirms(self, through: str, proposal: Proposal) -> bool:
        """Whether it is taken; if not, then because it is the same person."""
        if through == "page":
            answer = self.browser.post(reverse("answer-limit", args=[proposal.id]), {"answer": "yes"}, follow=True)
            return SAME not in answer.content.decode()
        answer = self.sends(through, f"/api/v1/proposals/limit/{proposal.id}/answer", {"answer": "confirm"})
        if answer.status_code != 200:
            problem(answer, 403, SAME)
            return False
        assert answer.json() == {
            "id": proposal.id, "state": "confirmed", "reason_code": "", "words": "", "in_seq": None,
        }  # fmt: skip
        return True


WAYS = ("page", "login", "key0", "key1")


@pytest.mark.parametrize("confirms", WAYS)
@pytest.mark.parametrize("proposes", WAYS)
def test_one_person_is_one_whatever_the_way_and_two_are_two(log: Written, proposes: str, confirms: str) -> None:
    ada, bob = Person("ada"), Person("bob")
    proposal = ada.proposes(proposes)
    assert proposal.person == "ada"
    assert proposal.actor == (ada.actors[int(proposes[-1])] if proposes.startswith("key") else "ada")
    assert ada.confirms(confirms, proposal) is False
    assert not Command.objects.exists()
    assert bob.confirms(confirms, proposal) is True
    command = Command.objects.get()
    actor = bob.actors[int(confirms[-1])] if confirms.startswith("key") else "bob"
    assert (command.kind, command.actor) == ("limit", actor)
    last = AuditRow.objects.order_by("-id").first()
    assert last is not None
    assert (last.act, last.actor) == ("limit.confirm", actor)


DATABASE = [
    ("ada", "ada", "risk_four_eyes"),
    ("ada", "key:ada-0", "risk_four_eyes"),
    ("key:ada-0", "ada", "risk_four_eyes"),
    ("key:ada-0", "key:ada-1", "risk_four_eyes"),
    ("key:ada-0", "key:ada-0", "risk_four_eyes"),
    ("web:ada", "cli:ada", "risk_four_eyes"),
    ("cli:ada", "key:ada-1", "risk_four_eyes"),
    ("ada", "key:nobody00", "nobody answers for"),
    ("ada", "bob", ""),
    ("key:ada-0", "bob", ""),
    ("ada", "key:bob-0", ""),
    ("key:ada-0", "key:bob-1", ""),
]


@pytest.mark.parametrize(("proposes", "confirms", "refusal"), DATABASE)
def test_the_database_compares_persons_and_believes_nobody(
    log: Written, proposes: str, confirms: str, refusal: str
) -> None:
    known = {f"key:{who.name}-{number}": who.actors[number] for who in map(Person, ("ada", "bob")) for number in (0, 1)}
    proposal = Proposal.objects.create(
        shard=0, kind="limit", target="spread_max", payload="{}", before="1", after="2",
        actor=known.get(proposes, proposes), person="somebody else", reason="x", expires_at="2099-01-01T00:00Z",
    )  # fmt: skip
    assert Proposal.objects.get(id=proposal.id).person == "ada"

    def confirm() -> None:
        with transaction.atomic():
            ProposalStep.objects.create(
                proposal=proposal, proposer=proposal.actor, state="confirmed", actor=known.get(confirms, confirms),
                words="", after_seq=0,
            )  # fmt: skip

    if not refusal:
        confirm()
        return
    with pytest.raises(IntegrityError, match=refusal):
        confirm()
    assert not proposal.steps.exists()


def test_a_proposal_is_taken_back_by_another_key_of_who_made_it_and_refused_by_others(log: Written) -> None:
    ada, bob = Person("ada"), Person("bob")
    for who, state in ((ada, "withdrawn"), (bob, "refused")):
        proposal = ada.proposes("key0")
        address = f"/api/v1/proposals/limit/{proposal.id}/answer"
        answer = who.sends("key1", address, {"answer": "refuse", "reason": "not today"})
        assert (answer.status_code, answer.json()["state"]) == (200, state)
        (item,) = [one for one in ada.browser.get("/api/v1/proposals").json()["items"] if one["id"] == proposal.id]
        assert (item["state"], item["person"], item["href"]) == (state, "ada", address)
        problem(bob.sends("key0", address, {"answer": "confirm"}), 409, "GOV_PROPOSAL_CLOSED")
    assert not Command.objects.exists()


def test_a_proposal_is_answered_where_its_kind_is_and_with_a_code(log: Written) -> None:
    ada, bob = Person("ada"), Person("bob")
    proposal = ada.proposes("key0")
    for kind in ("release", "rollout", "parameter"):
        answer = bob.sends("login", f"/api/v1/proposals/{kind}/{proposal.id}/answer", {"answer": "confirm"})
        problem(answer, 404, "GOV_NOT_FOUND")
    address = f"/api/v1/proposals/limit/{proposal.id}/answer"
    problem(bob.programs[0].post(address, {"answer": "confirm"}), 403, "GOV_STEP_UP_REQUIRED")
    reader = entered("rita", Role.OPERATOR)
    answer = reader.post(address, {"answer": "confirm"}, "application/json", headers={"Idempotency-Key": "x"})
    problem(answer, 403, "GOV_PERMISSION_MISSING")
    assert not proposal.steps.exists()
    assert Client().post(address).status_code == 401


def test_proposals_from_before_have_their_person(database: servers.Database) -> None:
    changed = importlib.import_module("apps.risk.migrations.0005_persons")
    with psycopg.connect(database.owner_dsn) as conn:
        conn.execute(changed.BACK)
        conn.execute(
            "INSERT INTO risk_proposal (shard, kind, target, payload, before, after, actor, reason, expires_at)"
            " VALUES (0, 'limit', 'x', '{}', '1', '2', 'ada', 'x', now())"
        )
        conn.execute(
            "INSERT INTO risk_proposal_step (proposal_id, proposer, state, actor, words)"
            " SELECT id, actor, 'confirmed', 'bob', '' FROM risk_proposal"
        )
        conn.execute(changed.PERSONS)
        row = conn.execute(
            "SELECT p.person, s.person, s.proposed_by FROM risk_proposal p JOIN risk_proposal_step s"
            " ON s.proposal_id = p.id"
        ).fetchone()
        assert row == ("ada", "bob", "ada")
        conn.rollback()
