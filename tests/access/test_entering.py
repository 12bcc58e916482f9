"""Coming in: password, code, lock-out, sessions; and the code that an act asks for again."""

import datetime as dt
import time
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.utils import timezone
from django_otp.plugins.otp_static.models import StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from polytraders.access import audit, entering, factor, people, stepup
from polytraders.access.models import AuditRow, SetupLink, Visit
from polytraders.access.permissions import MARK, Role, roles_of
from tests.access.people import PASSWORD, app, code, person, stepped_up

pytestmark = pytest.mark.django_db


def log_in(client: Client, name: str = "ada", password: str = PASSWORD, **more: Any) -> HttpResponse:
    return client.post("/login", {"username": name, "password": password, **more})  # type: ignore[return-value]


def acts() -> list[str]:
    return list(AuditRow.objects.order_by("id").values_list("act", flat=True))


def test_the_four_roles_are_there_from_the_start() -> None:
    from django.contrib.auth.models import Group

    assert {role.value for role in Role} <= set(Group.objects.values_list("name", flat=True))


def test_a_log_in_gives_the_session_a_new_key_is_noted_and_lasts_twelve_hours(client: Client) -> None:
    person("ada", Role.ADMIN)
    client.get("/login")
    session = client.session
    session["here"] = 1
    session.save()
    client.cookies["sessionid"] = before = str(session.session_key)
    log_in(client)
    assert client.session.session_key != before
    assert client.session.get_expiry_age() == 12 * 3600
    visit = Visit.objects.get()
    assert (visit.session_key, visit.user.username, visit.ip) == (client.session.session_key, "ada", "127.0.0.1")
    assert acts() == ["session.begin"]
    cookie = client.cookies["sessionid"]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")


def test_five_wrong_passwords_lock_the_name_from_that_address_and_the_page_says_until_when(client: Client) -> None:
    person("ada", Role.ADMIN)
    answers = [log_in(client, password="wrong").status_code for _ in range(5)]
    assert answers == [200, 200, 200, 200, 429]
    right = log_in(client)
    assert (right.status_code, "_auth_user_id" in client.session) == (429, False)
    page = right.content.decode()
    assert "GOV_LOCKED_OUT" in page
    assert "Locked for 15 minutes" in page
    assert 890 <= int(right.headers["Retry-After"]) <= 900
    assert acts() == ["session.lock"], "who tries on while it lasts adds no row"
    assert (
        client.post("/login", {"username": "ada", "password": PASSWORD}, headers={"Accept": "application/json"}).json()[
            "reason_code"
        ]
        == "GOV_LOCKED_OUT"
    )
    # Nobody locks somebody else out from afar.
    assert Client(REMOTE_ADDR="10.9.9.9").post("/login", {"username": "ada", "password": PASSWORD}).status_code == 302


def test_a_lock_ends_by_itself_and_trying_on_does_not_make_it_longer(client: Client) -> None:
    person("ada", Role.ADMIN)
    for _ in range(7):
        log_in(client, password="wrong")
    AccessAttempt.objects.update(attempt_time=timezone.now() - dt.timedelta(minutes=15, seconds=1))
    assert log_in(client).status_code == 302
    assert not AccessAttempt.objects.exists()


def test_a_lock_can_be_ended_from_the_terminal(client: Client) -> None:
    user = person("ada", Role.ADMIN)
    for _ in range(5):
        log_in(client, password="wrong")
    assert people.unlock(user, "terminal:root", "it was me") == 1
    assert log_in(client).status_code == 302
    assert acts() == ["session.lock", "session.unlock", "session.begin"]


def test_no_password_or_code_is_kept_with_a_failed_attempt(client: Client) -> None:
    person("ada", Role.ADMIN)
    log_in(client, password="my-other-password", otp="123456")
    kept = str(AccessAttempt.objects.values().get())
    assert "my-other-password" not in kept
    assert "123456" not in kept


@pytest.mark.parametrize(
    "name",
    ["<script>alert(1)</script>", "a" * 10_000, "a\0b", "\u202eada", "' OR 1=1 --", "../../etc"],
    ids=["script", "10 kB", "NUL", "RTL", "SQL", "path"],
)
def test_a_hostile_name_is_only_a_wrong_one(client: Client, name: str) -> None:
    person("ada", Role.ADMIN)
    answer = log_in(client, name=name)
    assert answer.status_code == 200
    assert "<script>alert(1)" not in answer.content.decode()


@pytest.mark.parametrize(
    "name",
    ["<script>", "a" * 151, "a\0b", "\u202eada", "a b", "Ada\nEve", ""],
    ids=["script", "151", "NUL", "RTL", "two words", "two lines", "none"],
)
def test_nobody_takes_a_name_that_could_pass_for_something_else(client: Client, name: str) -> None:
    address = f"/setup/{SetupLink.make()}"
    made = client.post(address, {"username": name, "password1": PASSWORD, "password2": PASSWORD})
    assert made.status_code == 200
    assert not User.objects.exists()


@pytest.mark.parametrize(
    "then", ["https://elsewhere.invalid/", "//elsewhere.invalid", "javascript:alert(1)", "http:///x", "\\\\x"]
)
def test_no_address_leads_through_us_to_elsewhere(client: Client, then: str) -> None:
    user = person("ada", Role.ADMIN)
    assert log_in(client, next=then).headers["Location"] == "/"
    device = app(user)
    assert client.post("/step-up", {"otp": code(device), "next": then}).headers["Location"] == "/"
    other = Client()
    log_in(other, next=then)
    assert other.post("/login/code", {"otp": code(device, 1)}).headers["Location"] == "/"


# --- the second factor ----------------------------------------------------------------------------------------------


def test_who_has_an_app_is_asked_for_its_code_and_is_nobody_until_then(client: Client) -> None:
    device = app(person("ada", Role.ADMIN))
    first = log_in(client, next="/reasons/")
    assert (first.status_code, first.headers["Location"]) == (302, "/login/code")
    assert client.get("/reasons/").headers["Location"].startswith("/login?")
    wrong = client.post("/login/code", {"otp": "000000"})
    assert (wrong.status_code, "This is not the code" in wrong.content.decode()) == (200, True)
    assert "_auth_user_id" not in client.session
    TOTPDevice.objects.update(throttling_failure_timestamp=None, throttling_failure_count=0)
    right = client.post("/login/code", {"otp": code(device)})
    assert (right.status_code, right.headers["Location"]) == (302, "/reasons/")
    assert client.session["_auth_user_id"] == str(device.user.pk)
    assert entering.PENDING not in client.session


def test_a_code_is_good_once(client: Client) -> None:
    device = app(person("ada", Role.ADMIN))
    used = code(device)
    log_in(client)
    assert client.post("/login/code", {"otp": used}).status_code == 302
    other = Client()
    log_in(other)
    assert other.post("/login/code", {"otp": used}).status_code == 200


def test_wrong_codes_lock_like_wrong_passwords(client: Client) -> None:
    device = app(person("ada", Role.ADMIN))
    log_in(client)
    answers = [client.post("/login/code", {"otp": "000000"}).status_code for _ in range(5)]
    assert answers == [200, 200, 200, 200, 429]
    TOTPDevice.objects.update(throttling_failure_timestamp=None, throttling_failure_count=0)
    assert client.post("/login/code", {"otp": code(device)}).status_code == 429
    assert "_auth_user_id" not in client.session


def test_the_second_page_is_only_for_who_gave_the_password_just_now(client: Client) -> None:
    device = app(person("ada", Role.ADMIN))
    assert client.get("/login/code").headers["Location"] == "/login"
    assert client.post("/login/code", {"otp": code(device)}).headers["Location"] == "/login"
    log_in(client)
    session = client.session
    kept = session[entering.PENDING]
    session[entering.PENDING] = [*kept[:2], time.time() - entering.PENDING_S - 1, kept[3]]
    session.save()
    assert client.post("/login/code", {"otp": code(device)}).headers["Location"] == "/login"
    log_in(client)
    device.user.set_password("another-long-password")
    device.user.save()
    assert client.post("/login/code", {"otp": code(device)}).headers["Location"] == "/login"


def test_a_recovery_code_is_good_once_however_it_is_typed_and_is_not_kept(client: Client) -> None:
    user = person("ada", Role.ADMIN)
    app(user)
    codes = factor.renew_codes(user)
    assert (len(codes), len(codes[0])) == (10, 19)
    kept = set(StaticToken.objects.values_list("token", flat=True))
    assert not kept & {one.replace("-", "") for one in codes}
    assert stepup.check(user, codes[0].upper().replace("-", " "))
    assert not stepup.check(user, codes[0])
    assert factor.codes_left(user) == 9


@pytest.mark.parametrize(
    "given",
    ["", " ", "12345", "a" * 5_000, "\u0661\u0662\u0663\u0664\u0665\u0666", "000000\0", "-1"],
    ids=["none", "space", "five", "5 kB", "other digits", "NUL", "negative"],
)
def test_what_is_no_code_is_refused(given: str) -> None:
    user = person("ada", Role.ADMIN)
    app(user)
    factor.renew_codes(user)
    assert not stepup.check(user, given)


def test_a_code_of_somebody_else_is_not_mine() -> None:
    ada, bob = person("ada", Role.ADMIN), person("bob", Role.ADMIN)
    device = app(bob)
    app(ada)
    assert not stepup.check(ada, code(device))
    codes = factor.renew_codes(bob)
    assert not stepup.check(ada, codes[0])
    assert stepup.check(bob, codes[0])


def test_an_app_is_enrolled_with_the_password_and_a_first_code_and_the_codes_are_shown_once(client: Client) -> None:
    user = person("ada", Role.ADMIN)
    log_in(client)
    page = client.get("/account/factor?next=/reasons/").content.decode()
    device = TOTPDevice.objects.get(user=user, confirmed=False)
    assert factor.secret(device) in page
    assert "<svg" in page
    assert 'style="' not in page
    for wrong in ({"password": "x", "otp": code(device)}, {"password": PASSWORD, "otp": "000000"}, {}):
        TOTPDevice.objects.update(throttling_failure_timestamp=None, throttling_failure_count=0)
        assert "Nothing was changed" in client.post("/account/factor", wrong).content.decode()
    assert not stepup.has_factor(user)
    TOTPDevice.objects.update(throttling_failure_timestamp=None, throttling_failure_count=0)
    done = client.post("/account/factor", {"password": PASSWORD, "otp": code(device), "next": "/reasons/"})
    shown = done.content.decode()
    assert shown.count("<li>") >= 10
    assert 'href="/reasons/"' in shown
    assert stepup.has_factor(user)
    assert MARK in client.session
    assert "factor.enrol" in acts()


def test_an_app_is_not_replaced_without_a_code_of_the_old_one(client: Client) -> None:
    user = person("ada", Role.ADMIN)
    client.force_login(user)
    app(user)
    assert client.get("/account/factor").headers["Location"].startswith("/step-up?")
    assert (
        client.post("/account/factor", {"password": PASSWORD, "otp": "1"}).headers["Location"].startswith("/step-up?")
    )
    assert stepped_up(client).get("/account/factor").status_code == 200
    assert TOTPDevice.objects.filter(user=user, confirmed=True).count() == 1


# --- stepping up ----------------------------------------------------------------------------------------------------


@stepup.needs_step_up
def release(request: HttpRequest) -> HttpResponse:
    return HttpResponse("released")


def asked(client: Client, method: str = "post", **more: Any) -> HttpResponse:
    """`release`, called with the session of this browser."""
    request = getattr(RequestFactory(), method)("/controls/release", **more)
    request.session = client.session
    request.user = User.objects.get()
    answer = release(request)
    request.session.save()
    return answer  # type: ignore[return-value]


def test_an_act_asks_for_a_code_and_then_not_again_for_five_minutes(client: Client) -> None:
    device = app(person("ada", Role.OPERATOR))
    client.force_login(device.user)
    led = asked(client, "get")
    assert led.headers["Location"] == "/step-up?next=%2Fcontrols%2Frelease"
    assert "Nothing has been done" in client.get(led.headers["Location"]).content.decode()
    given = client.post("/step-up", {"otp": code(device), "next": "/controls/release"})
    assert (given.status_code, given.headers["Location"]) == (302, "/controls/release")
    assert asked(client).content == b"released"
    session = client.session
    session[MARK] = time.time() - 301
    session.save()
    assert asked(client).status_code == 302
    assert acts() == ["session.step-up"]


def test_a_code_may_come_with_the_act_itself(client: Client) -> None:
    device = app(person("ada", Role.OPERATOR))
    client.force_login(device.user)
    assert asked(client, data={"otp": "000000"}).status_code == 302
    TOTPDevice.objects.update(throttling_failure_timestamp=None, throttling_failure_count=0)
    assert asked(client, data={"otp": code(device)}).content == b"released"
    assert asked(client).content == b"released"


def test_who_is_led_away_from_a_form_comes_back_to_its_page(client: Client) -> None:
    app(person("ada", Role.OPERATOR))
    client.force_login(User.objects.get())
    for came, back in (
        ("http://testserver/controls/?a=1", "%2Fcontrols%2F%3Fa%3D1"),
        ("https://elsewhere.invalid/x", "%2F"),
        ("", "%2F"),
    ):
        assert asked(client, headers={"Referer": came}).headers["Location"] == f"/step-up?next={back}"
    live = asked(client, headers={"HX-Request": "true"})
    assert (live.status_code, live.headers["HX-Redirect"]) == (204, "/step-up?next=%2F")


def test_a_program_gets_a_problem(client: Client) -> None:
    app(person("ada", Role.OPERATOR))
    client.force_login(User.objects.get())
    answer = asked(client, headers={"Accept": "application/json"})
    assert (answer.status_code, b"GOV_STEP_UP_REQUIRED" in answer.content) == (403, True)


def test_who_has_no_app_is_led_to_enrol_one_first(client: Client) -> None:
    client.force_login(person("ada", Role.OPERATOR))
    page = client.get(asked(client).headers["Location"]).content.decode()
    assert "Enrol an app first" in page
    assert "/account/factor?next=/" in page
    assert asked(client, data={"otp": "123456"}).status_code == 302


@pytest.mark.parametrize("mark", [None, "now", 2e10, True, -1.0, [1.0]])
def test_only_a_time_of_the_last_minutes_counts(client: Client, mark: Any) -> None:
    client.force_login(person("ada", Role.OPERATOR))
    session = client.session
    session[MARK] = mark
    session.save()
    assert asked(client).status_code == 302


def test_a_new_log_in_begins_without(client: Client) -> None:
    person("ada", Role.OPERATOR)
    log_in(client)
    stepped_up(client)
    client.post("/logout")
    log_in(client)
    assert MARK not in client.session


# --- people ---------------------------------------------------------------------------------------------------------


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
    assert (roles_of(bob), bob.is_superuser, bob.is_staff) == ({Role.REVIEWER}, False, False)
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
    assert (roles_of(User.objects.get(username="ada")), acts()) == ({Role.REVIEWER}, ["user.roles", "user.roles"])


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
