"""Who did what: chained in the act's transaction, and unchangeable for the role that writes it."""

import datetime as dt
import json
import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from django.db import connection, connections, transaction
from django.test import RequestFactory

from polytraders.access import audit, chain
from polytraders.access.models import AuditRow
from tests import servers


@pytest.fixture
def kept(database: servers.Database, django_db_blocker: Any) -> Iterator[servers.Database]:
    """A database of its own that Django writes to as the app role, and commits."""
    with django_db_blocker.unblock():
        before = dict(connections["default"].settings_dict)
        servers.point_django_at(database.app_dsn, "default")
        try:
            yield database
        finally:
            connections.close_all()
            connections["default"].settings_dict.update(before)


def three() -> None:
    for number in range(1, 4):
        with transaction.atomic():
            audit.write("ada", "limit.propose", "order_max", before={"usd": number}, after={"usd": number + 1})


def changed(database: servers.Database, statement: str) -> None:
    """What only a superuser who switches the triggers off can do."""
    with psycopg.connect(database.superuser_dsn, autocommit=True) as owner:
        owner.execute("SET session_replication_role = replica")
        owner.execute(statement)


@pytest.mark.django_db
def test_a_row_says_who_did_what_and_where_it_came_from() -> None:
    request = RequestFactory().post("/x", REMOTE_ADDR="10.1.2.3", HTTP_USER_AGENT="Browser/1")
    audit.write(
        "ada", "kill.release", "market 7", reason="feed is back", before={"killed": True}, after={"killed": False},
        request=request,
    )  # fmt: skip
    row = AuditRow.objects.latest("id")
    assert (row.actor, row.act, row.family, row.target, row.reason) == (
        "ada", "kill.release", "kill", "market 7", "feed is back",
    )  # fmt: skip
    assert row.changes == [("killed", "true", "false")]
    assert (row.ip, len(row.agent), "Browser" in row.agent) == ("10.1.2.3", 16, False)
    assert abs(row.at - dt.datetime.now(dt.UTC)) < dt.timedelta(minutes=1)


@pytest.mark.django_db
def test_any_text_and_any_value_is_kept_as_text_and_read_back_whole() -> None:
    hostile = "<script>\0\ud800\u202e" + "x" * 5_000
    with pytest.raises(ValueError, match="JSON compliant"):
        chain.spelled({"x": float("nan")})
    audit.write(
        hostile, "user.add", hostile, reason=hostile,
        after={"odd": hostile, "money": Decimal("1.10"), "roles": {"B", "A"}, "nan": float("nan"), "big": 2**70,
               "f": 1e16},
    )  # fmt: skip
    row = AuditRow.objects.latest("id")
    assert len(row.actor) == 2_000
    assert row.actor.startswith("<script>\ufffd?\u202e")
    after = json.loads(row.after)
    assert (after["money"], after["roles"], after["nan"], after["big"]) == ("1.10", ["A", "B"], "nan", 2**70)
    assert audit.verify().wrong is None


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["password", "new_password", "apiKey", "secrets", "X-Token", "key", "bot token"])
def test_a_secret_is_refused_however_deep_it_lies(name: str) -> None:
    for fields in ({name: "x"}, {"a": [{"b": {name: "x"}}]}):
        with pytest.raises(ValueError, match="secret"):
            audit.write("ada", "user.change", "bob", after=fields)
    audit.write(
        "ada", "user.change", "bob", after={"key_prefix": "x", "token_id": "1", "monkey": 2, "secretary": "eve"}
    )


@pytest.mark.django_db
@pytest.mark.parametrize("act", ["limit", "Limit.propose", "limit.", "limit propose", "", "limit.propose\n"])
def test_an_act_has_a_name_of_one_form(act: str) -> None:
    with pytest.raises(ValueError, match="act is called"):
        audit.write("ada", act, "x")


@pytest.mark.django_db
def test_an_act_that_is_undone_leaves_no_row_and_no_gap() -> None:
    before = audit.verify()
    with transaction.atomic():
        audit.write("ada", "user.add", "bob")
        transaction.set_rollback(True)
    audit.write("ada", "user.add", "eve")
    after = audit.verify()
    assert (after.last, after.wrong) == (before.last + 1, None)


def test_a_row_outside_of_a_transaction_is_refused(kept: servers.Database) -> None:
    with pytest.raises(transaction.TransactionManagementError):
        audit.write("ada", "user.add", "bob")
    assert not AuditRow.objects.exists()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE access_audit SET actor = 'eve'",
        "DELETE FROM access_audit",
        "TRUNCATE access_audit",
        "UPDATE access_audit_head SET last_id = 0",
        "DELETE FROM access_audit_head",
        "INSERT INTO access_audit_head VALUES (false, 1, '\\x00')",
        "ALTER TABLE access_audit DISABLE TRIGGER ALL",
        "DROP TABLE access_audit",
        "SELECT access_audit_follows()",
    ],
)
def test_the_application_cannot_change_what_was_written(kept: servers.Database, statement: str) -> None:
    three()
    with psycopg.connect(kept.app_dsn) as app, pytest.raises(psycopg.errors.InsufficientPrivilege):
        app.execute(statement)
    if not statement.startswith(("ALTER", "DROP", "SELECT")):
        with psycopg.connect(kept.owner_dsn) as owner, pytest.raises(psycopg.Error):
            owner.execute(statement)
    assert audit.verify()[:2] == (1, 3)


@pytest.mark.parametrize("wrong", [{"id": 9}, {"id": 3}, {"prev_hash": b"\1" * 32}])
def test_the_application_cannot_add_a_row_that_does_not_follow(kept: servers.Database, wrong: dict[str, Any]) -> None:
    three()
    row: dict[str, Any] = {
        "id": 4, "at": dt.datetime.now(dt.UTC), "actor": "eve", "act": "user.add", "target": "", "reason": "",
        "before": "{}", "after": "{}", "ip": "", "agent": "", "prev_hash": audit.verify().head, "hash": bytes(32),
    } | wrong  # fmt: skip
    with psycopg.connect(kept.app_dsn) as app, pytest.raises(psycopg.Error):
        app.execute(audit._INSERT, [row[name] for name in chain.COLUMNS])


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE access_audit SET actor = 'eve' WHERE id = 2", (2, "hash")),
        ("UPDATE access_audit SET at = at + interval '1 us' WHERE id = 3", (3, "hash")),
        ("UPDATE access_audit SET after = '{\"usd\": 3}' WHERE id = 2", (2, "hash")),
        ("UPDATE access_audit SET hash = sha256('x') WHERE id = 1", (1, "hash")),
        ("UPDATE access_audit SET prev_hash = sha256('x') WHERE id = 2", (2, "prev_hash")),
        ("DELETE FROM access_audit WHERE id = 2", (2, "id")),
        ("DELETE FROM access_audit WHERE id = 1", (1, "id")),
        ("DELETE FROM access_audit WHERE id = 3", (3, "id")),
        ("DELETE FROM access_audit", (1, "id")),
        ("UPDATE access_audit_head SET last_hash = sha256('x')", (3, "hash")),
    ],
)
def test_whoever_changes_it_all_the_same_is_found_out(
    kept: servers.Database, statement: str, found: tuple[int, str]
) -> None:
    three()
    assert chain.first_wrong(kept.app_dsn) is None
    changed(kept, statement)
    wrong = audit.verify().wrong
    assert wrong is not None
    assert wrong[:2] == found
    assert chain.first_wrong(kept.app_dsn) == wrong
    assert wrong.in_words().startswith(f"GOV_AUDIT_BROKEN: access_audit, row {found[0]}, ")


def test_a_walk_goes_on_from_what_is_known_to_be_good(kept: servers.Database) -> None:
    three()
    known = audit.verify()
    three()
    changed(kept, "UPDATE access_audit SET actor = 'eve' WHERE id = 1")
    later = audit.verify(known.last, known.head)
    assert (later.first, later.last, later.wrong) == (4, 6, None)
    nothing = audit.verify(later.last, later.head)
    assert (nothing.first, nothing.last, nothing.wrong) == (0, 6, None)


def test_a_walk_reads_page_after_page(kept: servers.Database, monkeypatch: pytest.MonkeyPatch) -> None:
    three()
    monkeypatch.setattr(chain, "PAGE", 2)
    monkeypatch.setattr(chain, "ROWS", chain.ROWS.replace("2000", "2"))
    assert audit.verify()[:2] == (1, 3)


def test_those_who_write_at_the_same_time_stand_in_a_row(kept: servers.Database) -> None:
    failures: list[BaseException] = []

    def many() -> None:
        try:
            for number in range(10):
                with transaction.atomic():
                    audit.write("ada", "user.add", str(number))
        except BaseException as error:  # noqa: BLE001 - told to the test
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=many) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert audit.verify()[:2] == (1, 40)
