"""Pages over a crowded database: as few questions as ever, and none of them walks through a large table."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from apps.monitoring import status
from apps.monitoring.models import StrategyRecord
from apps.oms.models import FillRecord, OrderRecord
from apps.risk.models import DecisionRecord
from polytraders.access.permissions import Role
from polytraders.console.pages import PAGES, served
from tests import servers
from tests.web import crowded
from tests.web.conftest import entered, said
from tests.written import busy

QUERIES_MOST = 15
LARGE = (
    "risk_decision", "risk_minute", "risk_hour", "oms_order", "oms_fill", "ledger_transfer", "ledger_entry",
    "ledger_account", "ledger_money", "ledger_position", "log_output", "log_control", "registry_market",
)  # fmt: skip
SCANNED = re.compile(r"Seq Scan on (\w+)")
FILTERS = (
    "/orders/?state=open", "/orders/?state=ended", "/orders/?state=filled", "/orders/?state=unknown_pending",
    "/orders/?market=7", "/orders/?strategy=1", "/orders/?market=7&strategy=1&state=ended", "/fills/?market=7",
    "/fills/?strategy=2&role=maker", "/positions/?strategy=1", "/positions/?market=8", "/ledger/?event=100040",
    "/?span=month",
)  # fmt: skip


@pytest.fixture(scope="module")
def crowd(postgres_server: Any, tmp_path_factory: pytest.TempPathFactory, django_db_blocker: Any) -> Iterator[None]:
    with servers.copied(postgres_server) as made, django_db_blocker.unblock():
        before = dict(connections["default"].settings_dict)
        servers.point_django_at(made.app_dsn, "default")
        busy(made.app_dsn, tmp_path_factory.mktemp("log")).close()
        crowded.fill(made.owner_dsn, crowded.SMALL)
        with connection.cursor() as cursor:
            newest = DecisionRecord.objects.order_by("-id").first()
            assert newest is not None
            status.write(cursor, said(loop_ts=newest.ts))  # type: ignore[arg-type]
        try:
            yield
        finally:
            connections.close_all()
            connections["default"].settings_dict.update(before)


def addresses() -> list[str]:
    """Every page of the navigation, one of each kind of detail, and lists behind their first page."""
    order = OrderRecord.objects.filter(order_seq__lt=crowded.FIRST_SEQ).order_by("-id").first()
    decision = DecisionRecord.objects.filter(in_seq__lt=crowded.FIRST_SEQ).order_by("-id").first()
    busiest = OrderRecord.objects.filter(is_open=False, filled__gt=0).order_by("-id").first()
    fill = FillRecord.objects.order_by("-id")[30]
    assert order and decision and busiest
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM ledger_account WHERE code = 'cash'")
        (cash,) = cursor.fetchone()
        cursor.execute("SELECT max(id) - 400 FROM ledger_transfer")
        (transfer,) = cursor.fetchone()
    found = [page.address for page in PAGES.values() if served(page)]
    found += [f"/orders/{order}", f"/orders/{busiest}", f"/decisions/{decision.decision_id}"]
    strategy = StrategyRecord.objects.order_by("strategy").first()
    assert strategy
    found += [
        f"/trace/{decision.correlation_id}",
        f"/strategies/{strategy.name}",
        "/reasons/STRAT_NO_EDGE/",
        "/stages/7",
    ]
    found += [
        "/markets/8",
        "/markets/?show=all",
        "/decisions/?market=7",
        f"/decisions/?code=STRAT&strategy={strategy.name}",
    ]
    found += [f"/ledger/?account={cash}", f"/ledger/?before={transfer}", f"/ledger/transfers/{transfer}"]
    found += [f"/fills/?before={fill.id}", f"/orders/?before={busiest.id}", "/positions/?before=30000000:200"]
    return [*found, *FILTERS]


def test_no_page_asks_more_because_there_is_more(crowd: None) -> None:
    client = entered("ada", Role.ADMIN)
    counts: dict[str, int] = {}
    for address in addresses():
        with CaptureQueriesContext(connection) as queries:
            answer = client.get(address)
        assert answer.status_code == 200, address
        counts[address] = len(queries)
    assert {address: count for address, count in counts.items() if count > QUERIES_MOST} == {}


def test_every_question_has_an_index(crowd: None) -> None:
    client = entered("ada", Role.ADMIN)
    asked: dict[str, str] = {}
    for address in addresses():
        with CaptureQueriesContext(connection) as queries:
            client.get(address)
        asked.update((query["sql"], address) for query in queries)
    scanned: list[tuple[str, str]] = []
    with connection.cursor() as cursor:
        # Small tables are read whole because they are small: what counts is whether there is another way.
        cursor.execute("SET enable_seqscan = off")
        for query, address in asked.items():
            if not query.lstrip().startswith(("SELECT", "WITH")):
                continue
            cursor.execute(f"EXPLAIN {query}")
            plan = "\n".join(line for (line,) in cursor.fetchall())
            scanned += [(address, table) for table in SCANNED.findall(plan) if table.startswith(LARGE)]
        cursor.execute("RESET enable_seqscan")
    assert scanned == []


def test_what_is_made_up_balances(crowd: None) -> None:
    """The crowd has gone through the ledger's own triggers, so the pages show books that foot."""
    client = entered("ada", Role.ADMIN)
    assert "sums to zero" in client.get("/ledger/").content.decode()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM ledger_entry")
        (entries,) = cursor.fetchone()
    assert entries >= 10 * crowded.SMALL.trades
    assert OrderRecord.objects.filter(status="unknown_pending").count() == 3


def page(address: str, *roles: Role, status: int = 200) -> str:
    answer = entered("ada" if not roles else roles[0].value, *(roles or (Role.ADMIN,))).get(address)
    assert answer.status_code == status, (address, answer.status_code)
    return answer.content.decode()


def rows(query: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return list(cursor.fetchall())


def test_an_accounts_history_is_all_of_it_and_nothing_else(crowd: None) -> None:
    ((account, count),) = rows(
        "SELECT account_id, count(*) FROM ledger_entry e JOIN ledger_account a ON a.id = e.account_id"
        " WHERE a.code = 'fees' GROUP BY 1"
    )
    seen: list[str] = []
    address = f"/ledger/?account={account}"
    while address:
        text = page(address)
        journal = text[text.index('id="journal-title"') :]
        seen += re.findall(r'href="/ledger/transfers/(\d+)"', journal)
        older = re.search(r'<a href="([^"]+)" rel="next"', journal)
        address = f"/ledger/{older[1].replace('&amp;', '&')}" if older else ""
    assert len(seen) == len(set(seen)) == count
    assert seen == sorted(seen, key=int, reverse=True)
    assert "There is no such account." in page("/ledger/?account=nobody")
    assert "There is no such account." in page("/ledger/?account=99999999")


def test_an_event_shows_what_it_booked(crowd: None) -> None:
    ((in_seq,),) = rows("SELECT max(in_seq) FROM ledger_transfer")
    for address in (f"/ledger/?event={in_seq}", f"/ledger/?event={in_seq}:0"):
        text = page(address)
        assert re.findall(r"<td>(shares|fee|money|void)</td>", text) == ["shares", "fee", "money", "void"]
    assert "Nothing has been booked that fits." in page(f"/ledger/?event={in_seq}:1")
    assert "An event is an input, or input:ordinal." in page("/ledger/?event=yesterday")


def test_a_transfer_has_two_sides_and_a_hold_knows_what_ended_it(crowd: None) -> None:
    ((hold, void, amount),) = rows(
        "SELECT p.id, e.id, p.amount FROM ledger_transfer p JOIN ledger_transfer e ON e.resolves_seq = p.in_seq"
        " AND e.resolves_part = p.part ORDER BY p.id DESC LIMIT 1"
    )
    text = page(f"/ledger/transfers/{hold}")
    assert "What ended it" in text and f'href="/ledger/transfers/{void}"' in text
    assert text.count(f"{amount / 1e6:,.6f}") >= 2
    assert "What it ends" in page(f"/ledger/transfers/{void}")
    page("/ledger/transfers/0", status=404)
    page(f"/ledger/transfers/{2**70}", status=404)


def test_whole_journals_are_for_who_may_export_and_leave_a_trace(crowd: None) -> None:
    for form in ("csv", "beancount"):
        page(f"/ledger/export.{form}", Role.READ_ONLY, status=403)
        before = len(rows("SELECT 1 FROM access_audit WHERE act = 'ledger.export'"))
        text = page(f"/ledger/export.{form}", Role.REVIEWER)
        assert len(rows("SELECT 1 FROM access_audit WHERE act = 'ledger.export'")) == before + 1
        assert "capital" in text
    assert page("/ledger/export.csv").count("\n") == 1 + len(rows("SELECT 1 FROM ledger_transfer"))
    assert "journals are for who may export" in page("/ledger/", Role.READ_ONLY)


def test_a_walk_through_the_books_is_kept_and_shown(crowd: None, settings: Any) -> None:
    from apps.ledger.tasks import prove_books

    ((wrong,),) = rows("SELECT count(*) FROM ledger_proof")
    described = connection.settings_dict
    settings.DATABASE_URL = (
        f"postgresql://{described['USER']}:{described['PASSWORD']}@{described['HOST']}:{described['PORT']}"
        f"/{described['NAME']}"
    )
    # The log below the crowd moved money that nobody booked, and the walk says so.
    assert prove_books() == "EXEC_LEDGER_UNBOOKED"
    assert rows("SELECT count(*) FROM ledger_proof") == [(wrong + 1,)]
    text = page("/ledger/")
    assert "EXEC_LEDGER_UNBOOKED" in text and "moved money and has no transfer" in text
    assert entered("eve", Role.READ_ONLY).post("/ledger/prove").status_code == 403
