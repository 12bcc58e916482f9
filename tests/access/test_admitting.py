"""`polytraders user`: what one does on the machine when nobody can log in who could help."""

from typing import Any

import pytest
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

from polytraders import cli
from polytraders.access import stepup
from polytraders.access.models import AuditRow
from polytraders.access.permissions import Role, roles_of
from tests.access.people import PASSWORD, app, person

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def named(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the settings named the test's database, which Django is pointed at."""
    monkeypatch.setattr(settings, "DATABASE_URL", "postgresql://x")


def ran(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = cli.main(["user", *arguments])
    out = capsys.readouterr()
    return code, out.out, out.err


def rows() -> list[tuple[str, str, str]]:
    found = AuditRow.objects.order_by("id").values_list("actor", "act", "target")
    return [(actor.partition(":")[0], act, target) for actor, act, target in found]


def test_everybody_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    app(person("ada", Role.ADMIN, Role.REVIEWER))
    bob = person("bob")
    bob.is_active = False
    bob.save()
    assert ran(capsys, "list") == (
        0, "ada  Admin, Reviewer  second factor: yes\nbob  no role  second factor: no  (no longer comes in)\n", "",
    )  # fmt: skip


def test_a_link_lets_an_admin_in(capsys: pytest.CaptureFixture[str], client: Client) -> None:
    code, out, _ = ran(capsys, "link")
    place = out.strip()
    assert code == 0
    assert client.post(place, {"username": "eve", "password1": PASSWORD, "password2": PASSWORD}).status_code == 302
    assert roles_of(User.objects.get(username="eve")) == {Role.ADMIN}
    assert rows()[0] == ("terminal", "user.invite", "one-time link")


def test_a_link_gives_the_roles_that_were_named(capsys: pytest.CaptureFixture[str], client: Client) -> None:
    _, out, _ = ran(capsys, "link", "--role", "Reviewer", "--role", "ReadOnly")
    client.post(out.strip(), {"username": "eve", "password1": PASSWORD, "password2": PASSWORD})
    assert roles_of(User.objects.get(username="eve")) == {Role.REVIEWER, Role.READ_ONLY}


def test_a_password_is_chosen_anew_by_a_link(capsys: pytest.CaptureFixture[str], client: Client) -> None:
    person("ada", Role.ADMIN)
    code, out, _ = ran(capsys, "password", "ada", "--reason", "forgotten")
    assert code == 0
    new = "another-long-password"
    assert client.post(out.strip(), {"new_password1": new, "new_password2": new}).status_code == 302
    assert Client().post("/login", {"username": "ada", "password": new}).status_code == 302
    assert rows()[0] == ("terminal", "user.reset", "ada")


def test_a_second_factor_is_forgotten(capsys: pytest.CaptureFixture[str]) -> None:
    user = person("ada", Role.ADMIN)
    app(user)
    assert ran(capsys, "factor", "ada", "--reason", "phone lost")[0] == 0
    assert not stepup.has_factor(user)
    assert rows() == [("terminal", "factor.remove", "ada")]


def test_a_lock_is_ended(capsys: pytest.CaptureFixture[str], client: Client) -> None:
    person("ada", Role.ADMIN)
    for _ in range(5):
        client.post("/login", {"username": "ada", "password": "wrong"})
    assert ran(capsys, "unlock", "ada")[0] == 0
    assert not AccessAttempt.objects.exists()


def test_the_last_admin_is_not_shut_out(capsys: pytest.CaptureFixture[str]) -> None:
    person("ada", Role.ADMIN)
    code, _, err = ran(capsys, "disable", "ada")
    assert (code, "somebody has to stay Admin" in err) == (1, True)
    assert User.objects.get().is_active


@pytest.mark.parametrize("act", ["password", "factor", "unlock", "disable"])
def test_a_name_that_nobody_has_is_refused(capsys: pytest.CaptureFixture[str], act: str) -> None:
    code, out, err = ran(capsys, act, "nobody\x1b[2J")
    assert (code, out) == (1, "")
    assert "\x1b" not in err
    assert not AuditRow.objects.exists()


def test_without_a_database_it_says_so(capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    monkeypatch.setattr(settings, "DATABASE_URL", None)
    code, _, err = ran(capsys, "list")
    assert (code, "GOV_CONFIG_INVALID" in err) == (2, True)
