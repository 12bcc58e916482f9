"""Who comes in: through the one-time link, or with a password; and what every page says about itself."""

import datetime as dt
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from polytraders import settings as as_written
from polytraders.access.models import LIFE, SetupLink
from polytraders.access.tasks import forget_expired

PASSWORD = "correct-horse-battery"
FORM = {"username": "ada", "password1": PASSWORD, "password2": PASSWORD}

pytestmark = pytest.mark.django_db


def test_a_link_holds_128_bits_and_is_kept_as_a_digest_only() -> None:
    token = SetupLink.make()
    assert len(token) == 22
    kept = SetupLink.objects.get()
    assert token.encode() not in bytes(kept.digest)
    assert len(bytes(kept.digest)) == 32
    assert kept.expires_at - timezone.now() <= dt.timedelta(minutes=15)


def test_a_link_is_spent_once() -> None:
    token = SetupLink.make()
    assert SetupLink.is_good(token)
    assert [SetupLink.spend(token), SetupLink.spend(token)] == [True, False]
    assert not SetupLink.is_good(token)


def test_a_link_is_over_after_a_quarter_of_an_hour() -> None:
    token = SetupLink.make()
    SetupLink.objects.update(expires_at=timezone.now())
    assert not SetupLink.is_good(token)
    assert not SetupLink.spend(token)
    assert dt.timedelta(minutes=15) == LIFE


def test_a_new_link_ends_the_old_one() -> None:
    old, new = SetupLink.make(), SetupLink.make()
    assert (SetupLink.is_good(old), SetupLink.is_good(new)) == (False, True)


def test_the_holder_of_the_link_becomes_the_first_admin_and_is_logged_in(client: Client) -> None:
    address = f"/setup/{SetupLink.make()}"
    assert client.get(address).status_code == 200
    made = client.post(address, FORM)
    assert (made.status_code, made.headers["Location"]) == (302, "/")
    user = User.objects.get()
    assert (user.username, user.is_superuser) == ("ada", False)
    assert [group.name for group in user.groups.all()] == ["Admin"]
    assert client.session["_auth_user_id"] == str(user.pk)
    assert Client().post(address, {**FORM, "username": "eve"}).status_code == 404
    assert User.objects.count() == 1


def test_a_mistake_in_the_form_leaves_the_link_good(client: Client) -> None:
    address = f"/setup/{SetupLink.make()}"
    for wrong in ({**FORM, "password2": "other"}, {**FORM, "password1": "short", "password2": "short"}, {}):
        assert client.post(address, wrong).status_code == 200
    assert not User.objects.exists()
    assert client.post(address, FORM).status_code == 302


@pytest.mark.parametrize("token", ["x", "A" * 22, "A" * 4000])
def test_an_unknown_link_does_nothing(client: Client, token: str) -> None:
    assert client.post(f"/setup/{token}", FORM).status_code == 404
    assert not User.objects.exists()


def test_no_link_is_made_once_somebody_can_log_in(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("setup_link")
    assert capsys.readouterr().out.startswith("/setup/")
    User.objects.create_user("ada", password=PASSWORD)
    call_command("setup_link")
    assert capsys.readouterr().out == ""


def test_log_in_needs_the_password_and_goes_where_one_wanted(client: Client) -> None:
    User.objects.create_user("ada", password=PASSWORD)
    assert (
        "correct username and password" in client.post("/login", {"username": "ada", "password": "x"}).content.decode()
    )
    done = client.post("/login", {"username": "ada", "password": PASSWORD, "next": "/setup/later"})
    assert (done.status_code, done.headers["Location"]) == (302, "/setup/later")
    elsewhere = Client().post("/login", {"username": "ada", "password": PASSWORD, "next": "https://elsewhere.invalid/"})
    assert elsewhere.headers["Location"] == "/"


def test_passwords_are_hashed_with_argon2(settings: Any) -> None:
    settings.PASSWORD_HASHERS = as_written.PASSWORD_HASHERS
    assert User.objects.create_user("ada", password=PASSWORD).password.startswith("argon2$argon2id$")


def test_every_page_forbids_what_comes_from_elsewhere(client: Client) -> None:
    for address in ("/login", "/setup/x", "/nothing-here"):
        headers = client.get(address).headers
        assert headers["Content-Security-Policy"].startswith("default-src 'self'; "), address
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["X-Content-Type-Options"] == "nosniff"


def test_a_form_from_elsewhere_is_refused() -> None:
    strict = Client(enforce_csrf_checks=True)
    assert strict.post("/login", {"username": "ada", "password": PASSWORD}).status_code == 403


def test_what_is_expired_is_forgotten_once_or_twice() -> None:
    SetupLink.make()
    forget_expired()
    assert SetupLink.objects.count() == 1
    SetupLink.objects.update(expires_at=timezone.now() - dt.timedelta(seconds=1))
    forget_expired()
    forget_expired()
    assert SetupLink.objects.count() == 0
