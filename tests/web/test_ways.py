"""From every id on a page there is a way to what it names, and no way leads nowhere."""

import html
import re
from collections.abc import Iterator

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import Resolver404, resolve

from apps.ledger.models import Movement
from apps.monitoring import alerting
from apps.monitoring.alerting import Seen
from apps.monitoring.models import IncidentRecord
from apps.oms.models import FillRecord, OrderRecord
from apps.risk.models import DecisionRecord
from polytraders.console import asked
from polytraders.console.pages import PAGES
from polytraders.console.templatetags.told import address_of, strategy_link
from polytraders.contracts.ledger import CASH, VENUE
from polytraders.contracts.reasons import by_number
from tests.ledger.booked import book, capital, move
from tests.web.conftest import Says
from tests.written import Written

QUERIES_MOST = 15
EACH_MOST = 3
"""Links of one kind that are followed from a page."""


@pytest.fixture
def order(log: Written, says: Says) -> Iterator[OrderRecord]:
    """An order that has traded, of a loop that lives."""
    newest = DecisionRecord.objects.order_by("-id")[0]
    says(loop_ts=newest.ts)
    yield OrderRecord.objects.filter(filled__gt=0).order_by("-id")[0]
    IncidentRecord.objects.all().update(state="closed")


def links(client: Client, address: str) -> set[str]:
    with CaptureQueriesContext(connection) as queries:
        answer = client.get(address)
    assert answer.status_code == 200, address
    assert len(queries) <= QUERIES_MOST, (address, len(queries))
    return {html.unescape(told) for told in re.findall(r'href="([^"]+)"', answer.content.decode())}


def decision_of(order: OrderRecord) -> str:
    return f"/decisions/{order.order_seq}:{order.id & (1 << 18) - 1}"


def test_what_belongs_together_is_joined_both_ways(order: OrderRecord, ada: Client) -> None:
    fill = FillRecord.objects.filter(order_seq=order.order_seq, market=order.market, strategy=order.strategy)[0]
    out = move(fill.in_seq, "money", CASH, VENUE, 1_000, ordinal=fill.ordinal, correlation=order.correlation_id)
    book(asked.raw(), [capital(1, 10**9), out])
    moved = Movement.objects.filter(in_seq=fill.in_seq, ordinal=fill.ordinal).order_by("id")[0]
    decision, its, trace = decision_of(order), f"/orders/{order.correlation_id}", f"/trace/{order.correlation_id}"
    market, transfer, event = f"/markets/{order.market}", f"/ledger/transfers/{moved.pk}", f"/ledger/?event={fill}"
    strategy, place = f"/strategies/{('says', 'makes', 'shy')[order.strategy]}", f"/replays/scrub?seq={order.order_seq}"
    table = {
        decision: {its, trace, market, transfer, event, strategy, place},
        its: {decision, trace, market, transfer, event, strategy},
        trace: {decision, its, market, transfer, event, strategy},
        transfer: {its, event},
        "/fills/": {its, decision, market, strategy, event},
        "/positions/": {market, strategy},
        f"/reasons/{by_number(DecisionRecord.objects.get(id=order.id).code).code}/": {market, strategy},
        "/execution/": {market, strategy, decision},
        "/": {market, strategy, "/stages/7", "/risk/"},
        market: {its, strategy, f"/decisions/?market={order.market}"},
        "/decisions/": {market, strategy},
        "/orders/": {its, market, strategy},
    }
    for address, wanted in table.items():
        missing = wanted - links(ada, address)
        assert not missing, (address, missing)
    assert any(one.startswith("/markets/") for one in links(ada, "/risk/")), "the market that is nearest to its limit"


def test_a_codes_page_leads_to_every_decision_with_it(order: OrderRecord, ada: Client) -> None:
    code = by_number(DecisionRecord.objects.order_by("-id")[0].code).code
    assert f"/decisions/?code={code}" in links(ada, f"/reasons/{code}/")


def test_an_incident_leads_to_what_it_is_about(order: OrderRecord, ada: Client) -> None:
    alerting.raised(Seen("GOV_LOOP_SILENT", "market 1", "x"), "health")
    incident = IncidentRecord.objects.latest("id")
    assert "/markets/1" in links(ada, "/incidents/")
    assert "/markets/1" in links(ada, f"/incidents/{incident.id}")
    assert "/markets/1" in links(ada, "/reasons/GOV_LOOP_SILENT/")


@pytest.mark.parametrize(
    ("scope", "address"),
    [
        ("market 3", "/markets/3"), ("strategy makes", "/strategies/makes"), ("strategy 2", "/strategies/"),
        ("feed market 0", "/feeds/"), ("connection 1", "/feeds/"), ("job replay_log", "/system/"),
        ("everything", "/control/"), ("", ""), ("market x", ""), ("market ", ""), ("market " + "9" * 40, ""),
        ("strategy a/b", "/strategies/"), ("log_output", ""),
    ],
)  # fmt: skip
def test_a_scope_is_seen_somewhere_or_stays_a_word(scope: str, address: str) -> None:
    assert address_of(scope) == address


def test_somebody_elses_name_is_no_markup() -> None:
    assert "<img" not in strategy_link('"><img src=x>')
    assert strategy_link("strategy 4") == "<bdi>strategy 4</bdi>", "it has no page"


def test_no_way_leads_nowhere(order: OrderRecord, ada: Client) -> None:
    alerting.raised(Seen("GOV_LOOP_SILENT", "strategy makes", "x"), "health")
    starts = [page.address for page in PAGES.values()]
    starts += [decision_of(order), f"/orders/{order.correlation_id}", f"/trace/{order.correlation_id}"]
    starts += [f"/markets/{order.market}", "/strategies/makes", "/control/history", "/replays/scrub"]
    followed: set[str] = set()
    for start in starts:
        text = ada.get(start).content.decode()
        kinds: dict[str, int] = {}
        for told in sorted({html.unescape(one) for one in re.findall(r'href="(/[^"#]*)', text)}):
            if told.startswith("/static/") or told in followed:
                continue
            try:
                name = resolve(told.partition("?")[0]).view_name
            except Resolver404:
                pytest.fail(f"{start} leads to {told}")
            kinds[name] = kinds.get(name, 0) + 1
            if kinds[name] <= EACH_MOST:
                followed.add(told)
                assert ada.get(told).status_code in (200, 302), (start, told)
    assert len(followed) > 60
