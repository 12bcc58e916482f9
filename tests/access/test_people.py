"""People: invited, given roles, let in no longer; their sessions and passwords; and each act in the audit."""

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client

from polytraders.access import audit, people
from polytraders.access.models import AuditRow, Visit
from polytraders.access.permissions import Role, roles_of
from tests.access.people import PASSWORD, app, code, person
from tests.access.test_entering import acts, log_in

pytestmark = pytest.mark.django_db


def test_who_is_invited_comes_in_with_the_roles_of_the_link_and_no_others(client: Client) -> None:
    token = people.invite(frozenset({Role.REVIEWER}), "ada")
    page = client.get(f"/setup/{token}").content.decode()
    assert "ada has invited you as Reviewer" in page
    done = client.post(
        f"/setup/{token}",
        {"username": "bob", "password1": PASSWORD, "password2": PASSWORD, "roles": "Admin", "role": "Admin"},
    )
    assert done.status_code == 302
    bob = User.objects.get(username="bob")
    assert roles_of(bob) == {Role.REVIEWER}
    assert not (bob.is_superuser or bob.is_staff)
    assert acts() == ["user.invite", "user.create", "session.begin"]


def test_a_link_for_a_password_asks_for_the_second_factor_all_the_same(client: Client) -> None:
    user = person("ada", Role.ADMIN)
    device = app(user)
    other = Client()
    other.force_login(user)
    token = people.reset_password(user, "terminal:root", "forgotten")
    new = "another-long-password"
    done = client.post(f"/setup/{token}", {"new_password1": new, "new_password2": new})
    assert done.headers["Location"] == "/login/code"
    assert client.post("/login/code", {"otp": code(device)}).status_code == 302
    assert other.get("/account/").status_code == 302, "the sessions of the old password are over"
    assert Client().post("/login", {"username": "ada", "password": new}).status_code == 302
    assert client.get(f"/setup/{token}").status_code == 404


def test_the_last_admin_stays() -> None:
    ada, bob = person("ada", Role.ADMIN), person("bob", Role.OPERATOR)
    with pytest.raises(people.Kept):
        people.set_roles(ada, frozenset({Role.REVIEWER}), "ada")
    with pytest.raises(people.Kept):
        people.let_in(ada, False, "ada")
    people.set_roles(bob, frozenset({Role.ADMIN}), "ada")
    people.set_roles(ada, frozenset({Role.REVIEWER}), "bob")
    assert roles_of(User.objects.get(username="ada")) == {Role.REVIEWER}
    assert acts() == ["user.roles", "user.roles"]


def test_a_superuser_of_before_loses_that_with_the_role() -> None:
    person("bob", Role.ADMIN)
    root = User.objects.create_superuser("root", password=PASSWORD)
    people.set_roles(root, frozenset({Role.READ_ONLY}), "bob")
    assert roles_of(User.objects.get(username="root")) == {Role.READ_ONLY}


def test_who_is_let_in_no_longer_is_out_at_once(client: Client) -> None:
    from polytraders.access import keys

    person("ada", Role.ADMIN)
    bob = person("bob", Role.OPERATOR)
    log_in(client, "bob")
    _, text = keys.make("bot", bob, ["read"], 9)
    people.let_in(bob, False, "ada", "left")
    assert client.get("/account/").status_code == 302
    assert not Session.objects.filter(session_key=client.session.session_key).exists()
    assert log_in(client, "bob").status_code == 200
    with pytest.raises(keys.KeyRefused):
        keys.principal(f"Bearer {text}")
    row = AuditRow.objects.latest("id")
    assert {name: after for name, _, after in row.changes} == {
        "active": "false", "keys_revoked": "1", "sessions_ended": "1",
    }  # fmt: skip


def test_other_sessions_end_and_this_one_stays(client: Client) -> None:
    person("ada", Role.ADMIN)
    other = Client()
    log_in(other)
    log_in(client)
    client.post("/account/sessions/end")
    assert (client.get("/account/").status_code, other.get("/account/").status_code) == (200, 302)


def test_a_new_password_ends_the_other_sessions(client: Client) -> None:
    person("ada", Role.ADMIN)
    other = Client()
    log_in(other)
    log_in(client)
    new = "another-long-password"
    wrong = client.post("/account/password", {"old_password": "x", "new_password1": new, "new_password2": new})
    assert wrong.status_code == 200
    done = client.post("/account/password", {"old_password": PASSWORD, "new_password1": new, "new_password2": new})
    assert done.status_code == 302
    assert (client.get("/account/").status_code, other.get("/account/").status_code) == (200, 302)
    assert Visit.objects.get().session_key == client.session.session_key


def test_every_act_left_a_chain_that_is_whole(client: Client) -> None:
    person("ada", Role.ADMIN)
    log_in(client)
    people.invite(frozenset({Role.REVIEWER}), "ada")
    assert audit.verify().wrong is None
