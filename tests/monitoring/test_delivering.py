"""Messages reach people: each client against a real server, retries, back-off, and none that keeps another waiting."""

import email
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from apps.monitoring import alerting, beats, clients, delivering, incidents, lastwords, tasks
from apps.monitoring.alerting import Seen
from apps.monitoring.clients import UndeliveredError
from apps.monitoring.core.incidents import Priority
from apps.monitoring.core.routing import ATTEMPTS_MOST
from apps.monitoring.models import (
    AlertRecord,
    DeliveryRecord,
    IncidentStepRecord,
    PulseRecord,
    RouteRecord,
    RuleRecord,
    TaskRecord,
)
from polytraders.addressbook import AddressBook, MeaninglessError, address_book
from polytraders.console import watchman
from tests.monitoring.conftest import Clock
from tests.monitoring.receivers import Http, Mail, closed_port, http, mail

KEY = "k" * 40
SILENT = Seen("GOV_LOOP_SILENT", "", "the loop <!channel> has said nothing & more")
MESSAGE: dict[str, Any] = {
    "what": "fired", "alert": 1, "incident": 7, "priority": "P1", "code": "GOV_LOOP_SILENT", "scope": "", "level": 0,
    "happened": SILENT.words, "meaning": "The loop is silent.", "did": "Nothing.", "do": "Look.",
    "first_at": "2026-11-27T16:00:00+00:00", "link": "http://127.0.0.1:1/incidents/7",
}  # fmt: skip


@pytest.fixture
def receiver() -> Iterator[Http]:
    with http() as made:
        yield made


@pytest.fixture
def mailbox() -> Iterator[Mail]:
    with mail() as made:
        yield made


@pytest.fixture
def book(receiver: Http, settings: Any) -> AddressBook:
    made = AddressBook(
        console="http://127.0.0.1:1", telegram=receiver.address, telegram_token="12:secret-token",
        slack={"ops": f"{receiver.address}/slack/secret"}, discord={"ops": f"{receiver.address}/discord/secret"},
        webhooks={"ours": f"{receiver.address}/hook"}, webhook_key=KEY,
    )  # fmt: skip
    settings.ALERTS = made
    return made


def route(client: str, target: str, name: str = "", **changed: Any) -> RouteRecord:
    made = RouteRecord.objects.create(name=name or client, client=client, target=target, **changed)
    RuleRecord.objects.create(route=made, priority=Priority.P3)
    return made


# --- clients ---------------------------------------------------------------------------------------------------------


def test_a_webhook_is_signed_so_that_its_receiver_can_tell(book: AddressBook, receiver: Http) -> None:
    clients.send("webhook", "ours", MESSAGE, 42)
    path, headers, body = receiver.got[0]
    stamp, made = (part.partition("=")[2] for part in headers[clients.SIGNATURE].split(","))
    assert path == "/hook"
    assert made == hmac.new(KEY.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    assert abs(int(stamp) - time.time()) < 60
    assert headers["X-Polytraders-Delivery"] == "42"
    told = json.loads(body)
    assert (told["event"], told["delivery"], told["code"], told["incident"]) == ("risk.alert", 42, "GOV_LOOP_SILENT", 7)


def test_telegram_gets_the_text_for_its_chat(book: AddressBook, receiver: Http) -> None:
    clients.send("telegram", "-100123", MESSAGE, 1)
    assert receiver.got[0][0] == "/bot12:secret-token/sendMessage"
    assert receiver.json()["chat_id"] == "-100123"
    assert "What you can do: Look." in receiver.json()["text"]


def test_slack_and_discord_call_nobody_whatever_the_text_says(book: AddressBook, receiver: Http) -> None:
    clients.send("slack", "ops", MESSAGE, 1)
    assert "<!channel>" not in receiver.json()["text"]
    assert "&lt;!channel&gt; has said nothing &amp; more" in receiver.json()["text"]
    clients.send("discord", "ops", MESSAGE | {"happened": "@everyone " * 1_000}, 1)
    assert receiver.json()["allowed_mentions"] == {"parse": []}
    assert len(receiver.json()["content"]) <= 2_000


def test_a_mail_has_everything_and_the_same_id_each_time(book: AddressBook, mailbox: Mail, settings: Any) -> None:
    settings.ALERTS = book._replace(smtp=mailbox.address, mail_from="robot@example.org")
    for _ in range(2):
        clients.send("email", "ada@example.org, bob@example.org", MESSAGE, 9)
    assert mailbox.got[0].rcpt_tos == ["ada@example.org", "bob@example.org"]
    first, second = (email.message_from_bytes(one.content) for one in mailbox.got)
    assert first["Subject"] == "[P1] GOV_LOOP_SILENT"
    assert first["Message-ID"] == second["Message-ID"]
    assert "What happened: the loop" in first.get_payload()
    assert "http://127.0.0.1:1/incidents/7" in first.get_payload()


@pytest.mark.parametrize(("status", "permanent"), [(404, True), (401, True), (429, False), (503, False), (302, False)])
def test_an_answer_that_is_no_yes_is_not_a_delivery(
    book: AddressBook, receiver: Http, status: int, permanent: bool
) -> None:
    receiver.status, receiver.location = status, f"{receiver.address}/elsewhere"
    with pytest.raises(UndeliveredError, match=f"the answer was {status}") as caught:
        clients.send("slack", "ops", MESSAGE, 1)
    assert caught.value.permanent is permanent
    assert len(receiver.got) == 1, "no redirect is followed"


@pytest.mark.parametrize("client", ["webhook", "telegram", "slack", "discord", "email"])
def test_what_the_settings_lack_is_said_by_name_and_what_is_secret_is_not(
    settings: Any, client: str, receiver: Http
) -> None:
    settings.ALERTS = AddressBook()
    with pytest.raises(UndeliveredError, match="POLYTRADERS_") as caught:
        clients.send(client, "ops", MESSAGE, 1)
    assert caught.value.permanent


def test_nobody_there_is_not_a_delivery_and_no_address_is_told(
    book: AddressBook, settings: Any, receiver: Http
) -> None:
    gone = f"http://127.0.0.1:{closed_port()}/secret-path"
    settings.ALERTS = book._replace(slack={"ops": gone}, smtp=f"smtp://u:secret-pw@127.0.0.1:{closed_port()}")
    receiver.status = None
    for client, target in (("slack", "ops"), ("email", "a@example.org"), ("webhook", "ours")):
        with pytest.raises(UndeliveredError) as caught:
            clients.send(client, target, MESSAGE, 1)
        assert not caught.value.permanent
        assert "secret" not in str(caught.value)
        assert "127.0.0.1" not in str(caught.value)


def test_a_mail_server_that_refuses_everybody_is_not_asked_again(
    book: AddressBook, mailbox: Mail, settings: Any
) -> None:
    settings.ALERTS = book._replace(smtp=mailbox.address)
    mailbox.refuses = True
    with pytest.raises(UndeliveredError, match="refused every recipient") as caught:
        clients.send("email", "nobody@example.org", MESSAGE, 1)
    assert caught.value.permanent


# --- at least once ---------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("system")
def test_one_client_that_fails_stops_no_other(book: AddressBook, receiver: Http, settings: Any, clock: Clock) -> None:
    settings.ALERTS = book._replace(discord={"ops": f"http://127.0.0.1:{closed_port()}/"})
    for client, target in (("discord", "ops"), ("email", "a@example.org"), ("slack", "ops"), ("webhook", "ours"),
                           ("telegram", "-1")):  # fmt: skip
        route(client, target)
    alerting.raised(SILENT, "health", now=clock)
    # That mail could not be sent is told to all in the same round, and fails once more there.
    assert delivering.deliver(now=clock) == {"again": 2, "failed": 2, "sent": 6}
    assert delivering.deliver(now=clock) == {}, "what fails because of failing is not told again"
    states = dict(DeliveryRecord.objects.exclude(message__code=delivering.GIVEN_UP).values_list("route__name", "state"))
    assert states == {"discord": "waiting", "email": "failed", "slack": "sent", "webhook": "sent", "telegram": "sent"}
    words = IncidentStepRecord.objects.filter(kind="told").values_list("words", flat=True)
    assert "fired: told to slack (slack)" in words
    assert AlertRecord.objects.get(code=delivering.GIVEN_UP).scope == "route email"


@pytest.mark.usefixtures("system")
def test_it_is_tried_again_with_growing_pauses_until_it_is_taken(
    book: AddressBook, receiver: Http, clock: Clock
) -> None:
    route("webhook", "ours")
    receiver.status = 503
    alerting.raised(SILENT, "health", now=clock)
    for wait in (0, 10, 20, 40):
        clock.wait(wait - 1 if wait else 0)
        if wait:
            assert delivering.deliver(now=clock) == {}, "not before its time"
            clock.wait(1)
        assert delivering.deliver(now=clock) == {"again": 1}
    receiver.status = 204
    clock.wait(80)
    assert delivering.deliver(now=clock) == {"sent": 1}
    row = DeliveryRecord.objects.get()
    assert (row.state, row.attempts, row.error) == ("sent", 5, "")
    assert len({one[1]["X-Polytraders-Delivery"] for one in receiver.got}) == 1, "the same number each time"
    assert delivering.deliver(now=clock) == {}


@pytest.mark.usefixtures("system")
def test_after_an_hour_it_is_given_up_and_that_is_an_alert_but_not_without_end(
    book: AddressBook, receiver: Http, clock: Clock
) -> None:
    route("webhook", "ours")
    receiver.status = 500
    alerting.raised(SILENT, "health", now=clock)
    for _ in range(3 * ATTEMPTS_MOST):
        clock.wait(600)
        delivering.deliver(now=clock)
    assert set(DeliveryRecord.objects.values_list("state", flat=True)) == {"failed"}
    assert set(DeliveryRecord.objects.values_list("attempts", flat=True)) == {ATTEMPTS_MOST}
    assert AlertRecord.objects.filter(code=delivering.GIVEN_UP).count() == 1
    assert DeliveryRecord.objects.count() == 2


@pytest.mark.usefixtures("system")
def test_a_sender_that_dies_before_it_could_say_so_sends_again(book: AddressBook, receiver: Http, clock: Clock) -> None:
    route("webhook", "ours")
    alerting.raised(SILENT, "health", now=clock)

    def dies(*told: Any) -> None:
        clients.send(*told)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        delivering.deliver(now=clock, send=dies)
    assert DeliveryRecord.objects.get().state == "waiting"
    assert delivering.deliver(now=clock) == {"sent": 1}
    assert len(receiver.got) == 2


@pytest.mark.usefixtures("system")
def test_two_senders_at_once_send_each_message_once(book: AddressBook, receiver: Http, clock: Clock) -> None:
    for number in range(6):
        route("webhook", "ours", f"route {number}")
    alerting.raised(SILENT, "health", now=clock)
    barrier = threading.Barrier(2, timeout=20)

    def work() -> None:
        barrier.wait()
        delivering.deliver(now=clock)
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(receiver.got) == 6
    assert set(DeliveryRecord.objects.values_list("state", "attempts")) == {("sent", 1)}


@pytest.mark.usefixtures("system")
def test_a_full_route_waits_and_money_does_not(book: AddressBook, receiver: Http, clock: Clock) -> None:
    route("webhook", "ours", per_hour=2)
    for number in range(4):
        alerting.raised(Seen("GOV_FEED_DOWN", f"feed market {number}", "silent"), "health", now=clock)
    assert delivering.deliver(now=clock) == {"sent": 2, "held": 2}
    alerting.raised(Seen("GOV_CHAIN_BROKEN", "log_output", "a byte"), "record", now=clock)
    assert delivering.deliver(now=clock) == {"sent": 1}
    assert DeliveryRecord.objects.filter(held="more than 2 in an hour").count() == 2
    clock.wait(3_600)
    assert delivering.deliver(now=clock) == {"sent": 2}, "nothing is dropped"


@pytest.mark.usefixtures("system")
def test_a_test_message_looks_like_an_alert_and_says_what_it_is(
    book: AddressBook, receiver: Http, clock: Clock
) -> None:
    delivering.send_test(route("slack", "ops"), "ada", now=clock)
    assert delivering.deliver(now=clock) == {"sent": 1}
    assert receiver.json()["text"].startswith("[P3] test: GOV_ALERT_TEST")
    assert "ada sent a test message" in receiver.json()["text"]


# --- unknown is never no ---------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("system")
def test_when_the_database_cannot_be_asked_the_last_known_routes_are_told(
    book: AddressBook, receiver: Http, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    route("webhook", "ours")
    tasks.check_health()
    assert PulseRecord.objects.filter(name="health").exists()
    assert "secret" not in (settings.HOME / "alerts" / "routes.json").read_text()
    there = connection.settings_dict["PORT"]
    connection.close()
    connection.settings_dict["PORT"] = str(closed_port())
    try:
        for _ in range(3):
            assert tasks.check_health() == []
    finally:
        connection.close()
        connection.settings_dict["PORT"] = there
    assert [receiver.json(which)["code"] for which in range(len(receiver.got))] == ["GOV_HEALTH_UNKNOWN"], "once"
    assert "the database cannot be asked" in receiver.json()["happened"]
    tasks.check_health()
    assert not (settings.HOME / "alerts" / "said").exists(), "the next time is a new one"


@pytest.mark.usefixtures("system")
def test_the_watchman_tells_that_nobody_looks_and_that_somebody_does_again(
    book: AddressBook, receiver: Http, clock: Clock
) -> None:
    route("webhook", "ours")
    assert watchman.look(now=clock) is False
    assert receiver.json()["code"] == "GOV_HEALTH_UNKNOWN"
    assert receiver.json()["happened"] == "the regular look was never taken"
    beats.pulse("health")
    PulseRecord.objects.filter(name="health").update(at=clock())
    clock.wait(119)
    assert watchman.look(now=clock) is True
    assert not AlertRecord.objects.filter(is_open=True).exists()
    clock.wait(1)
    assert watchman.look(now=clock) is False
    assert incidents.watch(now=clock).is_watched is False


@pytest.mark.usefixtures("system")
def test_a_job_that_fails_is_an_alert_until_it_succeeds() -> None:
    beats.began("apps.x.tasks.y")
    beats.failed("apps.x.tasks.y", "OSError: postgresql://u:pw@host said no")
    alert = AlertRecord.objects.get()
    assert (alert.code, alert.scope, alert.is_open) == ("GOV_JOB_FAILED", "job apps.x.tasks.y", True)
    assert "pw" not in alert.words
    beats.began("apps.x.tasks.y")
    beats.ended("apps.x.tasks.y", "{'sent': 1}")
    row = TaskRecord.objects.get()
    assert (row.is_ok, row.runs, row.failures, row.told) == (True, 2, 1, "{'sent': 1}")
    assert not AlertRecord.objects.get().is_open


@pytest.mark.usefixtures("system")
def test_a_task_that_raises_in_a_worker_is_told(settings: Any) -> None:
    task = tasks.deliver
    settings.ALERTS = AddressBook()
    beats.on_begin(task=task)
    beats.on_failure(sender=task, exception=ValueError("no"))
    assert AlertRecord.objects.get().words == "ValueError: no"
    assert PulseRecord.objects.filter(name="worker").exists()


# --- settings --------------------------------------------------------------------------------------------------------


def test_addresses_are_read_by_name_and_hidden() -> None:
    found = address_book({
        "PORT": "8000",
        "POLYTRADERS_SLACK_URLS": "ops=https://hooks.example/a,b dev=https://hooks.example/c",
        "POLYTRADERS_SMTP_URL": "smtp+tls://u:pass-word-1@mail.example:587",
    })  # fmt: skip
    assert found.slack == {"ops": "https://hooks.example/a,b", "dev": "https://hooks.example/c"}
    assert found.console == "http://127.0.0.1:8000"
    assert found.ready() == {"email": True, "telegram": False, "slack": True, "discord": False, "webhook": False}
    assert "pass-word-1" not in alerting.one_line("it was pass-word-1")
    assert "hooks.example/c" not in alerting.one_line("to https://hooks.example/c")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("POLYTRADERS_SLACK_URLS", "https://hooks.example/secret"),
        ("POLYTRADERS_SLACK_URLS", "a=https://x.example/secret a=https://y.example/"),
        ("POLYTRADERS_DISCORD_URLS", "ops=http://far.example/secret"),
        ("POLYTRADERS_WEBHOOK_URLS", "ops=https://[secret"),
        ("POLYTRADERS_WEBHOOK_KEY", "secret"),
        ("POLYTRADERS_SMTP_URL", "http://u:secret@host"),
        ("POLYTRADERS_TELEGRAM_URL", "http://far.example/secret"),
    ],
)
def test_a_setting_that_cannot_be_meant_is_named_and_not_repeated(name: str, value: str) -> None:
    with pytest.raises(MeaninglessError, match=name) as caught:
        address_book({name: value})
    assert "secret" not in str(caught.value)


def test_only_the_last_words_of_a_folder_without_routes_are_for_the_log(
    settings: Any, tmp_path: Any, caplog: Any
) -> None:
    settings.HOME = tmp_path
    settings.ALERTS = AddressBook()
    assert lastwords.tell("nothing answers") == []
    assert "GOV_HEALTH_UNKNOWN: nothing answers; 0 routes are told" in caplog.text
