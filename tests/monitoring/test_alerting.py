"""Alerts and incidents in the database: one for each thing, urgent ones open incidents, nobody is told twice."""

import datetime as dt
import threading
from typing import Any

import psycopg
import pytest
from django.db import close_old_connections, connection

from apps.monitoring import alerting, escalating, incidents
from apps.monitoring.alerting import Seen
from apps.monitoring.core.incidents import POSTMORTEM, REFUSED, Priority, State
from apps.monitoring.models import (
    AlertRecord,
    DeliveryRecord,
    IncidentRecord,
    IncidentStepRecord,
    RouteRecord,
    RuleRecord,
)
from polytraders.logs import hide
from tests.monitoring.conftest import Clock

pytestmark = pytest.mark.usefixtures("system")
SILENT = Seen("GOV_LOOP_SILENT", "", "the loop of shard 0 has said nothing for 11 s")
DRIFT = Seen("GOV_PROJECTION_DRIFT", "risk_decision", "2 rows missing")
WRITTEN = dict.fromkeys(POSTMORTEM, "said")


def route(name: str, *, least: Priority = Priority.P3, level: int = 0, **changed: Any) -> RouteRecord:
    made = RouteRecord.objects.create(name=name, client="webhook", target="ours")
    RuleRecord.objects.create(route=made, priority=least, level=level, **changed)
    return made


def kinds(incident: int) -> list[str]:
    return list(IncidentStepRecord.objects.filter(incident_id=incident).order_by("id").values_list("kind", flat=True))


def test_the_same_thing_seen_again_is_one_alert_with_a_count(clock: Clock) -> None:
    alerting.raised(SILENT, "health", now=clock)
    clock.wait(30)
    again = alerting.raised(SILENT._replace(words="for 41 s", times=3), "health", now=clock)
    assert again is not None
    (row,) = AlertRecord.objects.all()
    assert (row.count, row.words, row.first_at, row.last_at) == (
        4,
        "for 41 s",
        clock() - dt.timedelta(seconds=30),
        clock(),
    )


def test_an_urgent_alert_opens_one_incident_and_a_less_urgent_none(clock: Clock) -> None:
    for _ in range(3):
        alerting.raised(SILENT, "health", now=clock)
        alerting.raised(DRIFT, "projections", now=clock)
    (incident,) = IncidentRecord.objects.all()
    assert (incident.code, incident.state, incident.priority) == ("GOV_LOOP_SILENT", "open", Priority.P1)
    assert incident.acknowledge_by == clock() + dt.timedelta(minutes=5)
    assert kinds(incident.id) == ["opened", "did"]
    assert AlertRecord.objects.get(code="GOV_PROJECTION_DRIFT").incident is None


def test_what_is_no_alert_is_none(clock: Clock) -> None:
    assert alerting.raised(Seen("EXEC_FILL", "", "filled"), "log", now=clock) is None
    assert not AlertRecord.objects.exists()
    with pytest.raises(KeyError):
        alerting.raised(Seen("GOV_NO_SUCH_CODE", "", ""), "log", now=clock)


def test_many_at_once_are_one_alert_one_incident_and_one_message(system: Any, clock: Clock) -> None:
    route("ops")
    failed: list[BaseException] = []

    def see() -> None:
        try:
            alerting.raised(SILENT, "health", now=clock)
        except BaseException as error:  # noqa: BLE001
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=see) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    close_old_connections()
    assert failed == []
    assert (AlertRecord.objects.get().count, IncidentRecord.objects.count(), DeliveryRecord.objects.count()) == (
        4,
        1,
        1,
    )


def test_what_is_over_ends_its_alert_and_not_its_incident(clock: Clock) -> None:
    alerting.settle([SILENT, DRIFT], "health", now=clock)
    clock.wait(60)
    alerting.settle([DRIFT], "health", now=clock)
    assert set(AlertRecord.objects.filter(is_open=True).values_list("code", flat=True)) == {"GOV_PROJECTION_DRIFT"}
    incident = IncidentRecord.objects.get()
    assert (incident.state, kinds(incident.id)[-1]) == ("open", "over")
    clock.wait(60)
    alerting.settle([SILENT], "health", now=clock)
    assert IncidentRecord.objects.count() == 1, "the same incident goes on"
    assert kinds(incident.id)[-1] == "again"


def test_one_source_does_not_end_what_another_sees(clock: Clock) -> None:
    alerting.settle([SILENT], "health", now=clock)
    alerting.settle([], "record", now=clock)
    assert AlertRecord.objects.get().is_open


def test_every_rule_that_fits_has_its_message_and_each_route_one(clock: Clock) -> None:
    ops = route("ops")
    RuleRecord.objects.create(route=ops, priority=Priority.P1, codes="GOV_LOOP")
    route("later", level=1)
    route("money only", codes="EXEC_")
    route("urgent only", least=Priority.P0)
    route("off")
    RouteRecord.objects.filter(name="off").update(is_on=False)
    alerting.raised(SILENT, "health", now=clock)
    (row,) = DeliveryRecord.objects.select_related("route")
    assert (row.route.name, row.what, row.state) == ("ops", "fired", "waiting")
    message = row.message
    assert message["code"] == "GOV_LOOP_SILENT"
    assert message["happened"] == SILENT.words
    assert message["do"].startswith("Look at its process")
    assert message["did"].startswith("Nothing is decided meanwhile")
    assert message["link"].endswith(f"/incidents/{IncidentRecord.objects.get().id}")


def test_quiet_hours_hold_back_what_is_not_urgent_until_they_end(clock: Clock) -> None:
    route("night", quiet_from=15 * 60, quiet_to=18 * 60)
    alerting.raised(DRIFT, "projections", now=clock)
    alerting.raised(SILENT, "health", now=clock)
    held = DeliveryRecord.objects.get(message__code="GOV_PROJECTION_DRIFT")
    assert (held.next_at, held.held) == (clock() + dt.timedelta(hours=2), "quiet hours")
    assert DeliveryRecord.objects.get(message__code="GOV_LOOP_SILENT").next_at == clock()


def test_nobody_answers_and_more_people_are_told_once_a_level(clock: Clock) -> None:
    route("ops")
    for level in (1, 2, 3):
        route(f"level {level}", level=level)
    alerting.raised(SILENT, "health", now=clock)
    incident = IncidentRecord.objects.get()
    told = []
    for seconds in (299, 1, 0, 299, 1, 301, 3_600):
        clock.wait(seconds)
        told.append(escalating.escalate(now=clock))
        assert escalating.escalate(now=clock) == [], "twice is once"
    assert told == [[], [incident.id], [], [], [incident.id], [incident.id], []]
    names = DeliveryRecord.objects.order_by("id").values_list("route__name", flat=True)
    assert list(names) == ["ops", "level 1", "level 2", "level 3"]
    assert IncidentRecord.objects.get().escalations == 3


def test_an_escalator_that_was_away_makes_up_for_it(clock: Clock) -> None:
    for level in (1, 2):
        route(f"level {level}", level=level)
    alerting.raised(SILENT, "health", now=clock)
    clock.wait(700)
    escalating.escalate(now=clock)
    assert list(DeliveryRecord.objects.order_by("id").values_list("route__name", flat=True)) == ["level 1", "level 2"]


def test_what_is_answered_is_not_escalated(clock: Clock) -> None:
    route("more", level=1)
    alerting.raised(SILENT, "health", now=clock)
    done = incidents.move(IncidentRecord.objects.get().id, State.ACKNOWLEDGED, "ada", "mine", now=clock)
    assert (done.code, done.incident.assignee, done.incident.acknowledged_at) == ("", "ada", clock())
    clock.wait(3_600)
    assert escalating.escalate(now=clock) == []
    assert not DeliveryRecord.objects.exists()


def test_an_incident_goes_its_way_and_is_closed_with_its_lesson(clock: Clock) -> None:
    alerting.raised(SILENT, "health", now=clock)
    number = IncidentRecord.objects.get().id
    for wanted in (State.ACKNOWLEDGED, State.INVESTIGATING, State.MITIGATED, State.RESOLVED):
        clock.wait(60)
        assert incidents.move(number, wanted, "ada", now=clock).code == ""
    refused = incidents.move(number, State.CLOSED, "ada", now=clock)
    assert (refused.code, refused.incident.state) == (REFUSED, "resolved")
    assert incidents.learn(
        number, {"summary": "the loop ended", "unknown": "x"}, "bob", now=clock
    ).incident.postmortem == {"summary": "the loop ended"}
    done = incidents.move(number, State.CLOSED, "ada", now=clock, postmortem=WRITTEN)
    assert (done.code, done.before["state"], done.incident.closed_at) == ("", "resolved", clock())
    assert not AlertRecord.objects.filter(is_open=True).exists()
    assert incidents.learn(number, WRITTEN, "bob", now=clock).code == REFUSED
    alerting.raised(SILENT, "health", now=clock)
    assert IncidentRecord.objects.count() == 2, "what is closed stays closed"
    assert kinds(number) == [
        "opened", "did", "acknowledged", "investigating", "mitigated", "resolved", "post-mortem", "closed",
    ]  # fmt: skip


def test_moving_twice_moves_once(clock: Clock) -> None:
    alerting.raised(SILENT, "health", now=clock)
    number = IncidentRecord.objects.get().id
    for _ in range(2):
        incidents.move(number, State.ACKNOWLEDGED, "ada", now=clock)
    assert kinds(number).count("acknowledged") == 1


def test_a_time_line_cannot_be_changed_and_nothing_of_it_taken_away(system: Any, clock: Clock) -> None:
    alerting.raised(SILENT, "health", now=clock)
    for statement in (
        "UPDATE monitoring_incident_step SET words = 'else'",
        "DELETE FROM monitoring_incident_step",
        "DELETE FROM monitoring_incident",
        "DELETE FROM monitoring_alert",
        "TRUNCATE monitoring_delivery",
    ):
        with psycopg.connect(system.app_dsn) as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute(statement)


def test_open_incidents_are_one_question_and_the_most_urgent_first(
    clock: Clock, django_assert_num_queries: Any
) -> None:
    alerting.raised(SILENT, "health", now=clock)
    clock.wait(90)
    alerting.raised(Seen("GOV_CHAIN_BROKEN", "log_output", "a byte"), "record", now=clock)
    clock.wait(30)
    with django_assert_num_queries(1):
        lines = incidents.open_incidents(5, now=clock)
    assert [(line.priority, line.left_s, line.awaits) for line in lines] == [
        (Priority.P0, 30, "an answer"),
        (Priority.P1, 180, "an answer"),
    ]
    incidents.move(lines[1].incident.id, State.ACKNOWLEDGED, "ada", now=clock)
    assert incidents.open_incidents(5, now=clock)[1].awaits == "an end"
    with django_assert_num_queries(1):
        found = incidents.watch(now=clock)
    assert (found.p0, found.p1, found.is_watched) == (1, 1, False)


def test_a_secret_in_somebodys_words_is_not_kept(clock: Clock) -> None:
    hide("hunter2-hunter2")
    alerting.raised(
        Seen("GOV_JOB_FAILED", "job x", "cannot reach https://u:hunter2-hunter2@host\n\u202e now"), "job", now=clock
    )
    words = AlertRecord.objects.get().words
    assert "hunter2" not in words
    assert words.isprintable()


def test_a_person_makes_an_alert_an_incident(clock: Clock) -> None:
    alert = alerting.raised(DRIFT, "projections", now=clock)
    assert alert is not None
    made = incidents.opened_for(alert.id, "ada", now=clock)
    assert incidents.opened_for(alert.id, "bob", now=clock).id == made.id
    assert (made.code, made.priority) == ("GOV_PROJECTION_DRIFT", Priority.P2)
    assert kinds(made.id) == ["opened", "did", "note"]
