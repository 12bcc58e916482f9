"""Tables at /admin/: for reading, by role, without a count over a large table, and without a script in the page."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.ledger.models import Movement
from apps.oms.models import FillRecord, OrderRecord
from apps.risk.models import DecisionRecord
from polytraders.access.permissions import MATRIX, Permission, Role
from polytraders.console.admin import site
from polytraders.console.models import MarketRow, ScopeRow
from polytraders.console.tables import Estimated, Reading
from polytraders.contracts.inputs import Scope
from tests.web.conftest import Says, entered
from tests.written import Written

QUERIES_MOST = 15
MODELS = sorted(site._registry, key=lambda model: model._meta.label)
NEEDED = {
    "risk.DecisionRecord", "oms.OrderRecord", "oms.FillRecord", "ledger.Account", "ledger.Movement",
    "replay.ReplayRecord", "console.MarketRow", "console.ScopeRow", "monitoring.LoopRecord", "access.AuditRow",
    "auth.User",
}  # fmt: skip


def at(model: Any, kind: str = "changelist", *args: Any) -> str:
    from django.urls import reverse

    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{kind}", args=args)


def page(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, (address, answer.status_code)
    return answer.content.decode()


def test_what_is_to_be_read_is_registered_and_for_reading() -> None:
    assert {model._meta.label for model in MODELS} >= NEEDED
    assert all(isinstance(entry, Reading) for entry in site._registry.values())


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_a_table_opens_for_its_roles_and_nobody_changes_it(log: Written, says: Says, model: Any) -> None:
    says()
    needs = site._registry[model].needs  # type: ignore[attr-defined]
    first = model._default_manager.first()
    for role in Role:
        client = entered(f"only-{role}", role)
        is_allowed = role in MATRIX[needs]
        assert client.get(at(model)).status_code == (200 if is_allowed else 403), role
        assert client.get(at(model, "add")).status_code == 403
        # There are no actions, so this is only another look at the list; at the end every row is still there.
        client.post(at(model), {"action": "delete_selected", "_selected_action": "1"})
        if first is not None:
            assert client.get(at(model, "change", first.pk)).status_code == (200 if is_allowed else 403)
            assert client.post(at(model, "change", first.pk), {}).status_code == 403
            assert client.post(at(model, "delete", first.pk), {"post": "yes"}).status_code == 403
    assert model._default_manager.first() == first


def test_nobody_enters_without_a_role_and_its_own_log_in_is_ours(log: Written) -> None:
    assert Client().get("/admin/").headers["Location"].startswith("/admin/login/")
    assert Client().get("/admin/login/").headers["Location"] == "/login?next=/admin/"
    assert entered("nobody").get("/admin/", follow=True).status_code == 403
    assert Client().post("/admin/login/", {"username": "ada", "password": "x"}).status_code == 302
    ada = entered("ada", Role.ADMIN)
    assert ada.get("/admin/r/1/1/").status_code == 404
    assert ada.get("/admin/password_change/").headers["Location"] == "/account/password"


def test_only_an_admin_sees_people_and_no_password(log: Written) -> None:
    ada = entered("ada", Role.ADMIN)
    user = User.objects.get(username="ada")
    user.set_password("correct-horse-battery")
    user.save()
    ada.force_login(user)
    shown = page(ada, at(User, "change", user.pk))
    assert not any(part in shown for part in (user.password, user.password.split("$")[0]))
    assert "Users" in page(ada, "/admin/")
    assert "Users" not in page(entered("olga", Role.OPERATOR), "/admin/")


def test_no_table_asks_more_than_a_few_questions_nor_counts_a_large_one(log: Written, says: Says) -> None:
    says()
    ada = entered("ada", Role.ADMIN)
    for model in MODELS:
        with CaptureQueriesContext(connection) as asked:
            page(ada, at(model))
        assert len(asked) <= QUERIES_MOST, model
        for query in asked:
            sql = query["sql"].upper()
            assert "COUNT(*)" not in sql or "LIMIT" in sql, sql


def test_a_large_table_is_estimated_and_its_pages_end(monkeypatch: pytest.MonkeyPatch) -> None:
    class Rows:
        """A queryset that must not be counted."""

        model = DecisionRecord

        def order_by(self) -> Any:
            raise AssertionError("counted")

    class Pages(Estimated):
        """With an estimate of a million."""

    import polytraders.console.tables as tables

    class Cursor:
        def __enter__(self) -> "Cursor":
            return self

        def __exit__(self, *_error: Any) -> None:
            return None

        def execute(self, *_args: Any) -> None:
            return None

        def fetchone(self) -> tuple[int]:
            return (1_000_000,)

    class Connection:
        def cursor(self) -> Cursor:
            return Cursor()

    monkeypatch.setattr(tables, "connection", Connection())
    assert Pages(Rows(), 50).count == 50 * tables.PAGES_MAX  # type: ignore[arg-type]


def test_a_decision_shows_the_votes_of_its_row_and_links_its_code(log: Written) -> None:
    ada = entered("ada", Role.ADMIN)
    row = DecisionRecord.objects.exclude(votes=0).first()
    assert row is not None
    text = page(ada, at(DecisionRecord, "change", row.pk))
    assert f'href="/decisions/{row.decision_id}"' in text
    against = text.split("field-against")[1].split("field-what")[0]
    assert against.count('href="/reasons/') == row.votes.bit_count()
    assert 'href="/reasons/' in page(ada, at(DecisionRecord))


def test_money_is_shown_with_both_its_entries(log: Written) -> None:
    with connection.cursor() as cursor:
        ids = []
        for account in ("outside", "cash"):
            cursor.execute(
                "INSERT INTO ledger_account (shard, code, asset) VALUES (9, %s, 'pUSD') RETURNING id", [account]
            )
            ids.append(cursor.fetchone()[0])
        cursor.execute(
            "INSERT INTO ledger_transfer (shard, in_seq, ordinal, part, phase, from_account, to_account, asset, amount,"
            " ts, correlation) VALUES (9, 1, 0, 'deposit', 'posted', %s, %s, 'pUSD', 5000000, 1, '1:0:0')",
            ids,
        )
    row = Movement.objects.get(shard=9)
    text = page(entered("ada", Role.ADMIN), at(Movement, "change", row.pk))
    assert "0. " in text
    assert text.count("posted") >= 2


def test_rows_with_a_key_of_several_columns_have_one_number(log: Written) -> None:
    log.kill(Scope.GLOBAL, 0, "drill")
    ada = entered("ada", Role.ADMIN)
    scope = ScopeRow.objects.get(scope=Scope.GLOBAL)
    assert "global" in page(ada, at(ScopeRow, "change", scope.pk))
    text = page(ada, at(MarketRow)) + "".join(
        page(ada, at(MarketRow, "change", row.pk)) for row in MarketRow.objects.all()
    )
    assert "<script>alert(1)" not in text
    assert "\u202e" not in text
    assert MarketRow.objects.count() == len({row.pk for row in MarketRow.objects.all()}) > 1


@pytest.mark.parametrize("model", [DecisionRecord, OrderRecord, FillRecord, User])
def test_its_pages_hold_our_policy(log: Written, model: Any) -> None:
    ada = entered("ada", Role.ADMIN)
    for address in ("/admin/", at(model)):
        answer = ada.get(address)
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'self'")
        text = answer.content.decode()
        assert not re.search(r"<script(?![^>]*\b(src=|type=\"application/json\"))", text)
        assert "<style" not in text
        assert not re.search(r"\son\w+=", text)


def test_permissions_are_those_of_the_matrix() -> None:
    assert site._registry[User].needs is Permission.USER  # type: ignore[attr-defined]
