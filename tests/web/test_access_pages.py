"""The page Access and audit, one's own account, and what is pressed there; over HTTP, as the app role."""

import csv
import io
import json
import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import User
from django.db import connection, connections, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from kombu.exceptions import OperationalError

import polytraders.celery  # noqa: F401 - tasks are sent where its settings say
from polytraders.access import audit, keys
from polytraders.access.models import ApiKey, AuditRow, ChainCheck
from polytraders.access.permissions import Permission, Role, roles_of
from polytraders.access.tasks import verify_audit
from polytraders.console import trail
from tests import servers
from tests.access.people import app, code, person, stepped_up
from tests.web.conftest import entered

QUERIES_MOST = 15


@pytest.fixture
def kept(database: servers.Database, django_db_blocker: Any) -> Iterator[servers.Database]:
    """A database of its own, committed to as the app role."""
    with django_db_blocker.unblock():
        before = dict(connections["default"].settings_dict)
        servers.point_django_at(database.app_dsn, "default")
        try:
            yield database
        finally:
            connections.close_all()
            connections["default"].settings_dict.update(before)


@pytest.fixture
def admin(kept: servers.Database) -> Client:
    """An Admin who has just given a code."""
    return stepped_up(entered("ada", Role.ADMIN))


def page(client: Client, address: str = "/access/") -> str:
    answer = client.get(address)
    assert answer.status_code == 200, answer.status_code
    return answer.content.decode()


def done(rows: int, actor: str = "ada", act: str = "limit.propose") -> None:
    with transaction.atomic():
        for number in range(rows):
            audit.write(
                actor, act, f"limit {number}", reason="because", before={"usd": number}, after={"usd": number + 1}
            )


def test_it_asks_the_same_few_questions_however_much_there_is(admin: Client) -> None:
    def questions(address: str) -> int:
        with CaptureQueriesContext(
            connection,
        ) as asked:
            page(admin, address)
        return len(asked)

    done(1)
    few = {
        address: questions(address)
        for address in ("/access/", "/access/audit", "/account/", "/access/audit?family=limit")
    }
    done(300)
    for number in range(40):
        user = person(f"p{number}", Role.REVIEWER, Role.READ_ONLY)
        app(user)
        keys.make("bot", user, ["read"], 9)
    assert {address: questions(address) for address in few} == few
    assert max(few.values()) <= QUERIES_MOST, few


def test_an_empty_system_says_so(admin: Client) -> None:
    text = page(admin)
    assert "Nobody has done anything yet" in text
    assert "No program has a key" in text
    assert "No such rows" in page(admin, "/access/audit")


def test_the_matrix_is_the_one_that_is_asked(admin: Client) -> None:
    text = page(admin).split('class="matrix"')[1].split("</table>")[0]
    for permission in Permission:
        assert f"<code>{permission}</code>" in text
    rows = re.findall(r"<th><code>(\w+)</code></th>.*?</tr>", text, re.S)
    assert rows == [permission.value for permission in Permission]
    kill = text.split("<code>kill</code>")[1].split("</tr>")[0]
    assert re.findall(r'<td class="(yes|no)">', kill) == ["yes", "yes", "no", "no"]


def test_a_reviewer_reads_and_has_nothing_to_press(kept: servers.Database) -> None:
    done(3)
    text = page(entered("rita", Role.REVIEWER))
    assert "limit 2" in text
    for button in ("Give these roles", "Make a one-time link", "Make the key", "Let in no longer"):
        assert button not in text
    assert "Check every row" in text


def test_without_a_code_nothing_changes_and_the_page_says_so(kept: servers.Database) -> None:
    device = app(person("ada", Role.ADMIN))
    client = entered("ada", Role.ADMIN)
    bob = person("bob", Role.READ_ONLY)
    assert "give a code of your app" in page(client)
    for address in (
        "people/invite",
        f"people/{bob.pk}/roles",
        f"people/{bob.pk}/password",
        f"people/{bob.pk}/factor",
        "keys/make",
    ):
        answer = client.post(f"/access/{address}", {"role": "Admin", "name": "x", "scope": "read", "days": "9"})
        assert answer.headers["Location"].startswith("/step-up?"), address
    assert roles_of(User.objects.get(username="bob")) == {Role.READ_ONLY}
    assert not AuditRow.objects.exists()
    answer = client.post("/access/people/invite", {"role": "Reviewer", "otp": code(device)})
    assert answer.status_code == 201
    assert "give a code of your app" not in page(client)


def test_roles_are_changed_with_a_reason(admin: Client) -> None:
    bob = person("bob", Role.READ_ONLY)
    answer = admin.post(
        f"/access/people/{bob.pk}/roles", {"role": ["Operator", "Root"], "reason": "on duty"}, follow=True
    )
    assert "bob is now Operator" in answer.content.decode()
    assert roles_of(User.objects.get(username="bob")) == {Role.OPERATOR}
    row = AuditRow.objects.get(act="user.roles")
    assert (row.actor, row.target, row.reason, row.changes) == (
        "ada",
        "bob",
        "on duty",
        [("roles", "ReadOnly", "Operator")],
    )
    assert "on duty" in page(admin)


def test_the_last_admin_is_told_why_not(admin: Client) -> None:
    ada = User.objects.get(username="ada")
    for address, given in ((f"{ada.pk}/roles", {"role": "ReadOnly"}), (f"{ada.pk}/disable", {})):
        answer = admin.post(f"/access/people/{address}", given, follow=True)
        assert "somebody has to stay Admin" in answer.content.decode()
    assert not AuditRow.objects.exists()


def test_a_link_and_a_key_are_shown_once_and_kept_nowhere(admin: Client) -> None:
    answer = admin.post("/access/people/invite", {"role": ["Reviewer"]})
    link = re.search(r"/setup/([\w-]{22})", answer.content.decode())
    assert link is not None
    assert "no-store" in answer.headers["Cache-Control"]
    assert Client().get(f"/setup/{link[1]}").status_code == 200
    answer = admin.post("/access/keys/make", {"name": "bot", "scope": ["read", "trade"], "days": "30"})
    text = re.search(r"ptk_[a-z0-9]{8}_[\w-]{43}", answer.content.decode())
    assert text is not None
    found = keys.principal(f"Bearer {text[0]}")
    assert found is not None
    assert (found.owner.username, found.may(Permission.TRADE)) == ("ada", True)
    after = (
        page(admin) + page(admin, "/access/audit") + json.dumps(list(AuditRow.objects.values_list("after", flat=True)))
    )
    assert link[1] not in after
    assert text[0] not in after
    assert text[0][:12] in after, "its beginning is how one knows it again"


@pytest.mark.parametrize(
    "given",
    [
        {"name": "", "scope": "read", "days": "9"},
        {"name": "x" * 61, "scope": "read", "days": "9"},
        {"name": "a\u202eb", "scope": "read", "days": "9"},
        {"name": "x", "days": "9"},
        {"name": "x", "scope": "all", "days": "9"},
        {"name": "x", "scope": "read", "days": "0"},
        {"name": "x", "scope": "read", "days": "\u0669"},
        {"name": "x", "scope": "read", "days": "367"},
        {"name": "x", "scope": "read", "days": "9" * 5_000},
        {"name": "x", "scope": "read"},
    ],
    ids=lambda given: "-".join(str(value)[:6] for value in given.values()),
)
def test_a_key_that_cannot_be_meant_is_refused_in_words(admin: Client, given: dict[str, str]) -> None:
    answer = admin.post("/access/keys/make", given, follow=True)
    assert 'class="error"' in answer.content.decode()
    assert not ApiKey.objects.exists()
    assert not AuditRow.objects.exists()


def test_a_key_is_taken_back_at_once(kept: servers.Database) -> None:
    client = entered("ada", Role.ADMIN)
    row, text = keys.make("bot", User.objects.get(username="ada"), ["read"], 9)
    client.post(f"/access/keys/{row.pk}/revoke", {"reason": "leaked"})
    with pytest.raises(keys.KeyRefused):
        keys.principal(f"Bearer {text}")
    assert AuditRow.objects.get().reason == "leaked"


def test_rows_are_chosen_by_family_and_by_actor_and_paged_by_cursor(admin: Client) -> None:
    done(60)
    done(2, "key:ab12cd34", "order.pull")
    whole = page(admin, "/access/audit")
    assert whole.count("<time") == 50
    assert "rows 13 to 62 follow from each other" in whole
    older = re.search(r'href="(\?before=\d+)" rel="next"', whole)
    assert older is not None
    assert "rows 1 to 12 follow from each other" in page(admin, f"/access/audit{older[1]}")
    assert page(admin, "/access/audit?family=order").count("<time") == 2
    assert page(admin, "/access/audit?actor=key:ab12cd34").count("<time") == 2
    assert page(admin, "/access/audit?actor=ab12&family=limit").count("<time") == 0
    assert page(admin, "/access/audit?actor=%00&family=%00&before=x").count("<time") == 0


def test_hostile_text_neither_runs_nor_breaks_the_page_nor_a_spreadsheet(admin: Client) -> None:
    hostile = "<script>alert(1)</script>\u202e" + "very " * 300
    with transaction.atomic():
        audit.write(hostile, "user.add", "=cmd|' /C calc'!A0", reason=hostile, after={hostile: hostile, "b": ["@x"]})
    for address in ("/access/", "/access/audit"):
        text = page(admin, address)
        assert "<script>alert" not in text
        assert "\u202e" not in text
    rows = list(csv.reader(io.StringIO(page(admin, "/access/audit.csv"))))
    assert rows[1][4] == "'=cmd|' /C calc'!A0"
    assert tuple(rows[0]) == trail.HEADER


def test_the_file_has_the_rows_that_are_shown_and_their_hashes(admin: Client) -> None:
    done(3)
    done(1, "bob", "order.pull")
    rows = list(csv.reader(io.StringIO(page(admin, "/access/audit.csv?family=limit"))))
    assert [row[0] for row in rows[1:]] == ["3", "2", "1"]
    assert rows[1][-1] == bytes(AuditRow.objects.get(id=3).hash).hex()


def test_a_changed_row_is_found_on_the_page_that_shows_it(admin: Client, kept: servers.Database) -> None:
    done(5)
    with psycopg.connect(kept.superuser_dsn, autocommit=True) as owner:
        owner.execute("SET session_replication_role = replica")
        owner.execute("UPDATE access_audit SET actor = 'eve' WHERE id = 3")
    text = page(admin, "/access/audit")
    assert "BROKEN" in text
    assert "GOV_AUDIT_BROKEN: access_audit, row 3, hash" in text


def test_a_worker_walks_the_whole_chain_and_the_page_says_what_it_found(admin: Client, kept: servers.Database) -> None:
    done(70)
    answer = admin.post("/access/audit/check", follow=True)
    row = ChainCheck.objects.get()
    assert (row.asked_by, row.ended_at) == ("ada", None)
    assert "a check is under way" in answer.content.decode()
    admin.post("/access/audit/check")
    assert ChainCheck.objects.count() == 1, "one at a time"
    verify_audit(row.pk)
    verify_audit(row.pk)
    row.refresh_from_db()
    assert (row.last_id, row.wrong_id) == (71, None), "that it was asked for is the last row"
    assert "All 71 rows whole" in page(admin, "/access/audit")
    with psycopg.connect(kept.superuser_dsn, autocommit=True) as owner:
        owner.execute("SET session_replication_role = replica")
        owner.execute("DELETE FROM access_audit WHERE id = 2")
    verify_audit()
    assert ChainCheck.objects.latest("id").wrong_id == 2
    assert "row 2, id: the row is gone" in page(admin)


def test_a_queue_that_is_away_is_told_and_leaves_nothing_behind(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_args: Any, **_more: Any) -> None:
        raise OperationalError("no queue")

    monkeypatch.setattr(verify_audit, "apply_async", away)
    answer = admin.post("/access/audit/check", follow=True)
    assert "polytraders verify" in answer.content.decode()
    assert not ChainCheck.objects.exists()


def test_ones_own_account_says_how_one_proves_who_one_is(kept: servers.Database) -> None:
    client = entered("olga", Role.OPERATOR)
    text = page(client, "/account/")
    assert "Enrol an app" in text
    assert "You are Operator" in text
    user = User.objects.get(username="olga")
    app(user)
    text = page(client, "/account/")
    assert "ENROLLED" in text
    assert "0 recovery codes left" in text
    assert client.post("/account/factor/codes").headers["Location"].startswith("/step-up")
    stepped_up(client)
    assert client.post("/account/factor/codes").content.decode().count("<li>") >= 10
    client.post("/account/factor/remove")
    assert "Enrol an app" in page(client, "/account/")
    assert list(AuditRow.objects.order_by("id").values_list("act", flat=True)) == ["factor.codes", "factor.remove"]
