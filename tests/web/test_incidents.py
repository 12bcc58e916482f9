"""Pages of incidents and of who is told: what they show, who may act, and that each act is on record."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.monitoring import alerting, incidents
from apps.monitoring.alerting import Seen
from apps.monitoring.core.incidents import POSTMORTEM, State
from apps.monitoring.models import DeliveryRecord, IncidentRecord, RouteRecord, RuleRecord
from polytraders.access.models import AuditRow
from polytraders.access.permissions import Role
from polytraders.addressbook import AddressBook
from tests import servers
from tests.web.conftest import HOSTILE, Says, entered

QUERIES_MOST = 15
SILENT = Seen("GOV_LOOP_SILENT", "", "the loop has said nothing")
ACTS = ("move", "assign", "note", "postmortem")


@pytest.fixture
def incident(empty: servers.Database) -> IncidentRecord:
    alert = alerting.raised(SILENT, "health")
    assert alert is not None
    assert alert.incident is not None
    return alert.incident


@pytest.fixture
def told(settings: Any) -> None:
    settings.ALERTS = AddressBook(slack={"ops": "https://hooks.example/secret-part"}, webhook_key="k" * 40)


def page(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, answer.status_code
    return answer.content.decode()


def acts() -> list[tuple[str, str, str]]:
    return list(AuditRow.objects.order_by("id").values_list("act", "actor", "target"))


def test_nothing_open_is_said_and_what_to_expect(empty: servers.Database, ada: Client) -> None:
    text = page(ada, "/incidents/")
    assert "Nothing is open." in text
    assert "None yet." in text
    assert "NOT WATCHED" in page(ada, "/incidents/") or "NO LOOP" in text


def test_an_incident_says_what_happened_what_was_done_and_what_to_do(
    incident: IncidentRecord, ada: Client, says: Says
) -> None:
    says()
    for address in ("/incidents/", f"/incidents/{incident.id}"):
        text = page(ada, address)
        assert "GOV_LOOP_SILENT" in text
        assert "the loop has said nothing" in text
        assert "Nothing is decided meanwhile." in text
        assert "Look at its process and its log" in text
    assert '<a class="pill alarm" href="/incidents/"' in page(ada, "/"), "the strip tells it on every page"
    assert "still seen" in page(ada, "/incidents/")


def test_an_operator_takes_it_from_open_to_closed_and_each_step_is_audited(incident: IncidentRecord) -> None:
    bob = entered("bob", Role.OPERATOR)
    at = f"/incidents/{incident.id}"
    for state in ("acknowledged", "investigating", "mitigated", "resolved"):
        assert bob.post(f"{at}/move", {"state": state, "words": f"I saw {state}"}).status_code == 303
    answer = bob.post(f"{at}/move", {"state": "closed"}, follow=True)
    assert "GOV_INCIDENT_STEP_REFUSED" in answer.content.decode()
    assert IncidentRecord.objects.get().state == "resolved"
    bob.post(f"{at}/postmortem", dict.fromkeys(POSTMORTEM, "it was learned"))
    bob.post(f"{at}/move", {"state": "closed"})
    assert IncidentRecord.objects.get().state == "closed"
    assert [act for act, _, _ in acts()] == [*["incident.move"] * 4, "incident.postmortem", "incident.move"]
    first = AuditRow.objects.order_by("id").first()
    assert first is not None
    assert (first.actor, first.reason) == ("bob", "I saw acknowledged")
    text = page(bob, at)
    assert "I saw mitigated" in text
    assert "it was learned" in text
    assert "<form" not in text.partition("<main")[2].partition("</main>")[0], "nothing is left to be done"


def test_the_same_step_twice_is_one_step_and_one_row(incident: IncidentRecord, ada: Client) -> None:
    for _ in range(2):
        ada.post(f"/incidents/{incident.id}/move", {"state": "acknowledged"})
    assert len(acts()) == 1


def test_it_is_given_only_to_somebody_who_can_log_in(incident: IncidentRecord, ada: Client) -> None:
    entered("bob", Role.OPERATOR)
    ada.post(f"/incidents/{incident.id}/assign", {"to": "nobody-of-this-name"})
    assert IncidentRecord.objects.get().assignee == ""
    ada.post(f"/incidents/{incident.id}/assign", {"to": "bob"})
    assert IncidentRecord.objects.get().assignee == "bob"
    assert acts() == [("incident.assign", "ada", str(incident))]


@pytest.mark.parametrize("role", [Role.REVIEWER, Role.READ_ONLY])
@pytest.mark.parametrize("act", ACTS)
def test_who_may_not_answer_is_told_so_and_nothing_happens(empty: servers.Database, role: Role, act: str) -> None:
    alerting.raised(SILENT, "health")
    row = IncidentRecord.objects.get()
    client = entered("rita", role)
    answer = client.post(f"/incidents/{row.id}/{act}", {"state": "acknowledged", "words": "x", "to": "rita"})
    assert answer.status_code == 403
    assert (IncidentRecord.objects.get().state, acts()) == ("open", [])
    assert "Acknowledge" not in page(client, f"/incidents/{row.id}").partition("<main")[2]


@pytest.mark.parametrize("act", ACTS)
def test_a_step_is_never_taken_by_looking_nor_from_another_site(
    incident: IncidentRecord, ada: Client, act: str
) -> None:
    assert ada.get(f"/incidents/{incident.id}/{act}").status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = ada.cookies
    assert strict.post(f"/incidents/{incident.id}/{act}", {"state": "acknowledged"}).status_code == 403
    assert IncidentRecord.objects.get().state == "open"


@pytest.mark.parametrize("wanted", ["", "open ", "nonsense", "closed", "\x00"])
def test_what_cannot_be_meant_changes_nothing(incident: IncidentRecord, ada: Client, wanted: str) -> None:
    assert ada.post(f"/incidents/{incident.id}/move", {"state": wanted}).status_code == 303
    assert (IncidentRecord.objects.get().state, acts()) == ("open", [])


@pytest.mark.parametrize("number", [999, 2**63, 10**30])
def test_an_incident_that_is_not_there_is_not_found(empty: servers.Database, ada: Client, number: int) -> None:
    assert ada.get(f"/incidents/{number}").status_code == 404
    assert ada.post(f"/incidents/{number}/move", {"state": "acknowledged"}).status_code == 404


def test_somebody_elses_text_stays_text(empty: servers.Database, ada: Client) -> None:
    alert = alerting.raised(Seen("GOV_FEED_DOWN", f"feed {HOSTILE}", HOSTILE), "health")
    assert alert is not None
    number = IncidentRecord.objects.get().id
    ada.post(f"/incidents/{number}/note", {"words": HOSTILE[:400]})
    ada.post(f"/incidents/{number}/postmortem", {"summary": HOSTILE})
    for address in ("/incidents/", f"/incidents/{number}"):
        text = page(ada, address)
        assert "<script>alert" not in text
        assert "&lt;script&gt;alert(1)" in text
        assert "\u202e" not in text.partition("<textarea")[0]


def test_a_less_urgent_alert_can_be_made_an_incident(empty: servers.Database, ada: Client) -> None:
    alert = alerting.raised(Seen("GOV_PROJECTION_DRIFT", "risk_decision", "2 rows"), "projections")
    assert alert is not None
    assert "Make it an incident" in page(ada, "/incidents/")
    ada.post(f"/incidents/alerts/{alert.id}/open")
    assert IncidentRecord.objects.get().code == "GOV_PROJECTION_DRIFT"
    assert [act for act, _, _ in acts()] == ["incident.open"]
    assert ada.post("/incidents/alerts/999/open").status_code == 404


def test_an_admin_makes_a_route_and_a_rule_tests_it_and_takes_them_back(
    empty: servers.Database, ada: Client, told: None
) -> None:
    assert "Nobody is told anything yet" in page(ada, "/incidents/routes")
    assert (
        ada.post(
            "/incidents/routes/add", {"name": "duty", "client": "slack", "target": "ops", "per_hour": 30}
        ).status_code
        == 303
    )
    route = RouteRecord.objects.get()
    rule = {"route": route.id, "codes": "gov_", "priority": 1, "level": 0, "quiet_from": "22:00", "quiet_to": "06:00"}
    assert ada.post("/incidents/rules/add", rule).status_code == 303
    row = RuleRecord.objects.get()
    assert (row.codes, row.quiet_from, row.quiet_to) == ("GOV_", 1_320, 360)
    text = page(ada, "/incidents/routes")
    assert "quiet from 22:00 to 06:00 UTC, but not for P0 and P1" in text
    assert "secret-part" not in text
    ada.post(f"/incidents/routes/{route.id}/test")
    assert DeliveryRecord.objects.get().message["code"] == "GOV_ALERT_TEST"
    assert "duty" in page(ada, "/incidents/deliveries?state=waiting")
    assert "duty" not in page(ada, "/incidents/deliveries?state=sent").partition("<main")[2]
    ada.post(f"/incidents/routes/{route.id}/switch")
    assert not RouteRecord.objects.get().is_on
    ada.post(f"/incidents/rules/{row.id}/drop")
    assert not RuleRecord.objects.exists()
    assert [act for act, _, _ in acts()] == ["route.create", "rule.create", "route.test", "route.switch", "rule.delete"]


@pytest.mark.parametrize(
    ("client", "target", "words"),
    [
        ("slack", "nowhere", "no address of slack called so"),
        ("webhook", "https://inner.example/admin", "no address of webhook called so"),
        ("email", "not an address", "valid email"),
        ("email", "a@example.org,", "valid email"),
        ("telegram", "12;drop", "A chat is a number"),
        ("pager", "x", "Select a valid choice"),
    ],
)
def test_a_route_that_cannot_be_meant_is_refused_with_a_reason(
    empty: servers.Database, ada: Client, told: None, client: str, target: str, words: str
) -> None:
    answer = ada.post("/incidents/routes/add", {"name": "x", "client": client, "target": target, "per_hour": 1})
    assert answer.status_code == 400
    assert words in answer.content.decode()
    assert not RouteRecord.objects.exists()
    assert acts() == []


@pytest.mark.parametrize(
    "changed", [{"codes": "NO_SUCH"}, {"priority": 9}, {"level": 7}, {"quiet_from": "22:00"}, {"route": 999}]
)
def test_a_rule_that_cannot_be_meant_is_refused(empty: servers.Database, ada: Client, changed: dict[str, Any]) -> None:
    route = RouteRecord.objects.create(name="x", client="email", target="a@example.org")
    rule = {"route": route.id, "priority": 1, "level": 0} | changed
    assert ada.post("/incidents/rules/add", rule).status_code == 400
    assert not RuleRecord.objects.exists()


def test_two_routes_have_two_names(empty: servers.Database, ada: Client, told: None) -> None:
    for status in (303, 409):
        answer = ada.post("/incidents/routes/add", {"name": "x", "client": "slack", "target": "ops", "per_hour": 1})
        assert answer.status_code == status


def test_only_an_admin_changes_who_is_told(empty: servers.Database, told: None) -> None:
    route = RouteRecord.objects.create(name="x", client="slack", target="ops")
    bob = entered("bob", Role.OPERATOR)
    for address in ("routes/add", f"routes/{route.id}/switch", f"routes/{route.id}/test", "rules/add", "rules/1/drop"):
        assert bob.post(f"/incidents/{address}").status_code == 403
    assert "New route" not in page(bob, "/incidents/routes")
    assert RouteRecord.objects.get().is_on


def test_pages_ask_few_questions_however_much_there_is(empty: servers.Database, ada: Client, says: Says) -> None:
    says()
    routes = [RouteRecord.objects.create(name=f"r{n}", client="email", target="a@example.org") for n in range(10)]
    for route in routes:
        RuleRecord.objects.create(route=route, priority=3)
    for number in range(30):
        alerting.raised(Seen("GOV_FEED_DOWN", f"feed market {number}", "silent"), "health")
        alerting.raised(Seen("GOV_PROJECTION_DRIFT", f"table {number}", "rows"), "projections")
    first = IncidentRecord.objects.order_by("id").first()
    assert first is not None
    for row in IncidentRecord.objects.order_by("id")[10:]:
        for wanted in (State.ACKNOWLEDGED, State.RESOLVED, State.CLOSED):
            incidents.move(row.id, wanted, "ada", postmortem=dict.fromkeys(POSTMORTEM, "said"))
    counts = {}
    for address in ("/incidents/", f"/incidents/{first.id}", "/incidents/routes", "/incidents/deliveries"):
        with CaptureQueriesContext(connection) as queries:
            page(ada, address)
        counts[address] = len(queries)
    assert all(count <= QUERIES_MOST for count in counts.values()), counts


def test_no_script_or_style_stands_in_a_page(incident: IncidentRecord, ada: Client) -> None:
    for address in ("/incidents/", f"/incidents/{incident.id}", "/incidents/routes", "/incidents/deliveries"):
        text = page(ada, address)
        assert "<style" not in text
        assert " style=" not in text
        assert " onclick" not in text
        assert text.count("<script") == text.count("<script src=")


def test_the_panel_for_the_overview_needs_one_question_and_shows_what_is_open(incident: IncidentRecord) -> None:
    from django.template.loader import render_to_string

    with CaptureQueriesContext(connection) as queries:
        text = render_to_string("console/_incidents.html", {"lines": incidents.open_incidents(5)})
    assert len(queries) == 1
    assert f'href="/incidents/{incident.id}"' in text
    assert "Nothing is open." in render_to_string("console/_incidents.html", {"lines": []})
