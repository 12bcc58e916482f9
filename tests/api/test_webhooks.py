"""Webhooks against a real server on loopback: signed, at least once, with growing pauses, and never to ourselves."""

import datetime as dt
import hashlib
import hmac
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone

from apps.monitoring import alerting
from apps.monitoring.alerting import Seen
from apps.monitoring.models import AlertRecord, IncidentRecord
from polytraders.access.models import AuditRow
from polytraders.access.permissions import Role
from polytraders.api import addresses, hooks, tasks
from polytraders.api import webhooks as resource
from polytraders.api.addresses import AddressError
from polytraders.api.models import Delivery, Webhook
from polytraders.console.problems import Refused
from tests.web.conftest import entered
from tests.written import Written

ROOT = Path(__file__).resolve().parents[2]
EVERY = list(hooks.EVENTS)


class Receiver(ThreadingHTTPServer):
    """Somebody's server; answers what it is told to, and keeps what it got."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Taking)
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.status = 200
        self.location = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hook"


class Taking(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((dict(self.headers), body))
        self.send_response(self.server.status)
        if self.server.location:
            self.send_header("Location", self.server.location)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_arguments: Any) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def nobody_yet(log: Written, settings: Any) -> Iterator[None]:
    settings.WEBHOOK_LOOPBACK = True
    yield
    Webhook.objects.all().delete()
    alerting.over(AlertRecord.objects.filter(is_open=True))
    IncidentRecord.objects.update(state="closed")


def made(url: str, events: list[str] = EVERY, *, begin: bool = True) -> tuple[Webhook, str]:
    """A webhook that is told of everything since the log began."""
    with transaction.atomic():
        row, secret = resource.make("ada", url, events, 0, None)
    if begin:
        Webhook.objects.filter(id=row.id).update(in_seq=0, ordinal=-1)
    return Webhook.objects.get(id=row.id), secret


def collected(row: Webhook) -> int:
    """All that there is."""
    before = (-1, -1)
    while (now := Webhook.objects.values_list("in_seq", "ordinal").get(id=row.id)) != before:
        before = now
        hooks.collect(row.id)
    return Delivery.objects.filter(webhook=row).count()


def test_what_happened_is_signed_and_delivered_once_each(log: Written, receiver: Receiver) -> None:
    row, secret = made(receiver.url)
    count = collected(row)
    assert count > 5
    assert hooks.collect(row.id) == 0, "nothing is collected twice"
    while hooks.deliver(clock=lambda: 1_780_000_000.9):
        pass
    assert len(receiver.got) == count
    ids = []
    for headers, body in receiver.got:
        told = json.loads(body)
        ids.append(told["id"])
        assert headers["Polytraders-Delivery"] == told["id"] == told["envelope"]["seq"]
        assert headers["Polytraders-Event"] == told["event"] in EVERY
        expected = hmac.digest(secret.encode(), b"1780000000." + body, hashlib.sha256).hex()
        assert headers["Polytraders-Signature"] == f"t=1780000000,v1={expected}"
    assert len(set(ids)) == count
    assert set(Delivery.objects.values_list("state", "tries", "last_status")) == {("delivered", 1, 200)}
    assert {json.loads(body)["event"] for _, body in receiver.got} >= {"envelope.approved", "order.filled"}


def test_only_what_was_asked_for_is_told_and_only_from_now_on(log: Written, receiver: Receiver) -> None:
    row, _ = made(receiver.url, ["order.filled"])
    collected(row)
    assert set(Delivery.objects.values_list("kind", flat=True)) == {"order.filled"}
    later, _ = made(receiver.url, begin=False)
    assert collected(later) == 0


def test_a_failure_is_tried_again_later_and_later_with_the_same_id(log: Written, receiver: Receiver) -> None:
    row, _ = made(receiver.url, ["order.filled"])
    collected(row)
    Delivery.objects.filter(id__gt=Delivery.objects.order_by("id")[0].id).delete()
    receiver.status = 500
    pauses = []
    for _ in range(hooks.TRIES_MOST):
        before = timezone.now()
        assert hooks.deliver() == 1
        one = Delivery.objects.get()
        pauses.append((one.due_at - before).total_seconds())
        assert hooks.deliver() == 0, "not before its time"
        Delivery.objects.update(due_at=before)
    assert (one.state, one.tries, one.last_error) == ("failed", hooks.TRIES_MOST, "answered 500")
    assert [round(pause, -1) for pause in pauses[:5]] == [10, 20, 40, 80, 160]
    assert len({headers["Polytraders-Delivery"] for headers, _ in receiver.got}) == 1
    assert hooks.deliver() == 0


def test_who_fails_too_often_is_told_nothing_more_until_somebody_enables_it(log: Written, receiver: Receiver) -> None:
    row, _ = made(receiver.url)
    collected(row)
    Webhook.objects.update(failures=hooks.FAILURES_MOST - 1)
    receiver.status = 404
    hooks.deliver(most=1)
    row.refresh_from_db()
    assert (row.is_active, row.disabled_code) == (False, "GOV_WEBHOOK_DISABLED")
    last = AuditRow.objects.order_by("-id").first()
    assert last is not None
    assert (last.actor, last.act, last.target) == ("webhooks", "webhook.disable", str(row.id))
    alert = AlertRecord.objects.get(code="GOV_WEBHOOK_DISABLED", is_open=True)
    assert (alert.scope, alert.source) == (f"webhook {row.id}", "webhooks")
    assert "127.0.0.1 failed 20 times" in alert.words
    assert "/hook" not in alert.words
    assert tasks.tell_webhooks() == 0
    receiver.status = 204
    with transaction.atomic():
        resource.enable("ada", row, None)
    alert.refresh_from_db()
    assert alert.is_open is False
    assert hooks.deliver(most=1) == 1
    row.refresh_from_db()
    assert (row.is_active, row.failures) == (True, 0)


def test_every_urgent_alert_is_told_once_and_no_other(log: Written, receiver: Receiver) -> None:
    alerting.raised(Seen("GOV_LOOP_SILENT", "before", "from before it was made"), "health")
    row, _ = made(receiver.url, ["order.filled", "risk.alert"], begin=False)
    other, _ = made(receiver.url, ["order.filled"], begin=False)
    seen = [("GOV_LOOP_SILENT", "x"), ("GOV_WEBHOOK_DISABLED", "webhook 7"), ("RISK_KILL_SWITCH_ACTIVE", "market 1")]
    for code, scope in seen:
        alerting.raised(Seen(code, scope, "a test"), "health")
    assert [hooks.collect(row.id), hooks.collect(row.id), hooks.collect(other.id)] == [1, 0, 0]
    alerting.raised(Seen("GOV_LOOP_SILENT", "x", "seen again"), "health")
    late = alerting.raised(Seen("GOV_LOOP_SILENT", "late", "committed late"), "health")
    assert late is not None
    Webhook.objects.filter(id=row.id).update(created_at=timezone.now() - dt.timedelta(hours=1))
    AlertRecord.objects.filter(scope="before").update(first_at=timezone.now() - dt.timedelta(days=1))
    AlertRecord.objects.filter(id=late.id).update(first_at=timezone.now() - dt.timedelta(minutes=3))
    assert [hooks.collect(row.id), hooks.collect(row.id)] == [1, 0]
    assert hooks.deliver() == 2
    told = [json.loads(body) for _, body in receiver.got]
    assert [(one["event"], one["alert"]["code"], one["alert"]["scope"]) for one in told] == [
        ("risk.alert", "GOV_LOOP_SILENT", "x"), ("risk.alert", "GOV_LOOP_SILENT", "late"),
    ]  # fmt: skip
    assert told[1]["id"] == f"alert:{late.id}"
    assert told[1]["alert"]["priority"] in ("P0", "P1")


def test_nothing_follows_a_redirect_or_trusts_a_server_that_is_away(log: Written, receiver: Receiver) -> None:
    row, _ = made(receiver.url, ["order.filled"])
    collected(row)
    receiver.status, receiver.location = 302, receiver.url
    hooks.deliver(most=1)
    assert len(receiver.got) == 1
    assert Delivery.objects.filter(last_error="answered 302").exists()
    Webhook.objects.update(url="http://127.0.0.1:9/")
    Delivery.objects.update(due_at=timezone.now())
    hooks.deliver(most=1)
    assert Delivery.objects.filter(last_error="ConnectError").exists()


def test_a_backlog_is_bounded(log: Written, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks, "BACKLOG_MOST", 3)
    row, _ = made(receiver.url)
    for _ in range(5):
        hooks.collect(row.id)
    assert Delivery.objects.count() <= 3
    while hooks.deliver():
        pass
    for _ in range(5):
        hooks.collect(row.id)
    assert Delivery.objects.filter(state="waiting").exists(), "it goes on from where it stopped"


def test_a_secret_is_kept_so_that_only_this_installation_reads_it(log: Written, settings: Any) -> None:
    row, secret = made("http://127.0.0.1:9/")
    assert secret.encode() not in bytes(row.sealed)
    assert hooks.unseal(bytes(row.sealed)) == secret
    settings.SECRET_KEY = "another" * 8
    collected(row)
    hooks.deliver(most=1)
    assert "another secret" in (Delivery.objects.order_by("id")[0].last_error)


REFUSED = [
    "http://example.com/", "https://127.0.0.1/", "https://localhost/", "https://10.0.0.1/", "https://192.168.1.1/",
    "https://169.254.169.254/latest/meta-data", "https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://[fe80::1]/",
    "https://[64:ff9b::7f00:1]/", "https://[2002:7f00:1::]/", "https://0.0.0.0/", "https://224.0.0.1/", "ftp://example.com/",
    "https://user:secret@example.com/", "https://example.com:0/", "https://example.com:99999/", "https://", "x", "",
    "https://example.com/#x", "https://exa mple.com/", "https://ex\u00e4mple.com/", "https://example.com\\@127.0.0.1/",
    "file:///etc/passwd", "https://2130706433/", "https://0x7f000001/", "https://example.com/" + "x" * 2_000,
]  # fmt: skip


@pytest.mark.parametrize("url", REFUSED, ids=range(len(REFUSED)))
def test_only_public_https_addresses_may_be_told_anything(url: str) -> None:
    with pytest.raises(AddressError):
        addresses.target(url, loopback=False)


@pytest.mark.parametrize(
    "found", [["127.0.0.1"], ["93.184.216.34", "10.0.0.1"], ["::1"], ["fd00::1"], ["100.64.0.1"], []]
)
def test_a_name_that_leads_inside_is_refused_when_it_is_connected_to(found: list[str]) -> None:
    assert addresses.checked("https://rebinding.example/", loopback=False).hostname == "rebinding.example"
    with pytest.raises(AddressError):
        addresses.target("https://rebinding.example/", loopback=False, look_up=lambda _name, _port: found)


def test_what_was_looked_up_is_what_is_connected_to() -> None:
    asked: list[tuple[str, int]] = []

    def look_up(name: str, port: int) -> list[str]:
        asked.append((name, port))
        return ["93.184.216.34"]

    found = addresses.target("https://risk.example:8443/in?x=1", loopback=False, look_up=look_up)
    assert found == ("https://93.184.216.34:8443/in?x=1", "risk.example:8443", "risk.example")
    assert asked == [("risk.example", 8443)]
    six = addresses.target("https://risk.example/", loopback=False, look_up=lambda *_: ["2606:2800:220:1::1"])
    assert six.url == "https://[2606:2800:220:1::1]:443/"


def test_loopback_is_for_who_allows_it_and_for_http_only(settings: Any) -> None:
    assert addresses.target("http://127.0.0.1:81/", loopback=True).url == "http://127.0.0.1:81/"
    for url in ("http://example.com/", "http://10.0.0.1/", "https://127.0.0.1/"):
        with pytest.raises(AddressError):
            addresses.target(url, loopback=True, look_up=lambda *_: ["93.184.216.34"])
    settings.WEBHOOK_LOOPBACK = False
    with pytest.raises(Refused) as refused:
        made("http://127.0.0.1:81/")
    assert refused.value.code == "GOV_WEBHOOK_ADDRESS_REFUSED"


def test_over_http_the_secret_is_shown_once(log: Written, stepped: Client) -> None:
    body = {"url": "https://risk.example/in", "events": ["order.filled"]}
    answer = stepped.post("/api/v1/webhooks", body, "application/json", headers={"Idempotency-Key": "one"})
    assert answer.status_code == 200, answer.content
    made_now = answer.json()
    assert re.fullmatch(r"whsec_[\w-]{43}", made_now["secret"])
    one = stepped.get(f"/api/v1/webhooks/{made_now['id']}").json()
    assert "secret" not in one
    assert one["events"] == ["order.filled"]
    assert "secret" not in str(AuditRow.objects.order_by("-id").values()[0])
    assert stepped.get(f"/api/v1/webhooks/{made_now['id']}/deliveries").json() == {"items": [], "next": None}
    gone = stepped.delete(f"/api/v1/webhooks/{made_now['id']}", headers={"Idempotency-Key": "two"})
    assert gone.json() == {"id": made_now["id"]}
    assert stepped.get(f"/api/v1/webhooks/{made_now['id']}").status_code == 404


def test_the_page_makes_shows_enables_and_deletes(log: Written, stepped: Client) -> None:
    page = stepped.post("/api/webhooks/", {"url": "https://risk.example/<b>", "events": ["risk.alert"]})
    text = page.content.decode()
    assert "whsec_" in text
    assert "<b>" not in text.split("whsec_")[1].split("</section>")[0].replace("<b>Not", "")
    row = Webhook.objects.get()
    assert "whsec_" not in stepped.get("/api/webhooks/").content.decode()
    Webhook.objects.update(is_active=False, disabled_code="GOV_WEBHOOK_DISABLED", disabled_at=timezone.now())
    assert "Tell it again" in stepped.get(f"/api/webhooks/{row.id}/").content.decode()
    assert stepped.post(f"/api/webhooks/{row.id}/", {"act": "enable"}).status_code == 302
    assert Webhook.objects.get().is_active
    assert stepped.post(f"/api/webhooks/{row.id}/", {"act": "delete"}).status_code == 302
    assert not Webhook.objects.exists()
    refused = stepped.post("/api/webhooks/", {"url": "https://10.0.0.1/", "events": ["risk.alert"]})
    assert (refused.status_code, "GOV_WEBHOOK_ADDRESS_REFUSED" in refused.content.decode()) == (422, True)


def test_without_a_code_of_the_second_factor_the_page_changes_nothing(log: Written, ada: Client) -> None:
    answer = ada.post("/api/webhooks/", {"url": "https://risk.example/", "events": ["risk.alert"]})
    assert answer.status_code == 302
    assert not Webhook.objects.exists()
    assert entered("reader", Role.READ_ONLY).get("/api/webhooks/").status_code == 403


def test_the_documents_verification_works() -> None:
    text = (ROOT / "docs/api.md").read_text(encoding="utf-8")
    found = re.search(r"```python\n(.*?def verified.*?)```", text, re.DOTALL)
    assert found is not None
    names: dict[str, Any] = {}
    exec(found[1], names)
    body, now = b'{"id": "7:1"}', 1_780_000_000
    header = hooks.signature("whsec_x", body, now)
    verified = names["verified"]
    assert verified("whsec_x", header, body, now + 10)
    assert not verified("whsec_y", header, body, now)
    assert not verified("whsec_x", header, body + b" ", now)
    assert not verified("whsec_x", header, body, now + 3_600), "an old one is sent again by somebody else"
    assert not verified("whsec_x", "nonsense", body, now)
