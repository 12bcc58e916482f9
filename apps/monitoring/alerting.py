"""Alerts: raised, seen again, over. An urgent one opens its incident; every rule that fits has its message written.

All of it happens in one transaction, so an alert that is on record will be told, whatever dies next; what is written is
sent by `delivering.py`. Whoever calls may do so any number of times: one alert a code and scope is open.
"""

import datetime as dt
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from apps.monitoring.core import incidents as core
from apps.monitoring.core.incidents import Priority
from apps.monitoring.core.routing import Rule, Told, matches, quiet_s
from apps.monitoring.models import AlertRecord, DeliveryRecord, IncidentRecord, IncidentStepRecord, RuleRecord
from apps.monitoring.priorities import urgency
from polytraders.contracts.reasons import reason
from polytraders.logs import without_secrets

Now = Callable[[], dt.datetime]
FIRED: Final = "fired"
ESCALATED: Final = "escalated"
OVER: Final = "over"
WORDS_MOST: Final = 500
OVER_CODE: Final = "GOV_ALERT_OVER"
RAISE: Final = """
INSERT INTO monitoring_alert (code, scope, source, priority, is_open, words, count, first_at, last_at)
VALUES (%(code)s, %(scope)s, %(source)s, %(priority)s, true, %(words)s, %(times)s, %(now)s, %(now)s)
ON CONFLICT (code, scope) WHERE is_open DO UPDATE SET count = monitoring_alert.count + excluded.count,
    last_at = excluded.last_at, words = excluded.words
RETURNING id, count = %(times)s AND first_at = %(now)s"""


class Seen(NamedTuple):
    """Something that somebody should know.

    Attributes:
        code: Of the registry.
        scope: What it is about: "" = all of it, else words like "market 3" or "job replay_log".
        words: What was seen, one line.
        times: How often.
    """

    code: str
    scope: str
    words: str
    times: int = 1


def raised(seen: Seen, source: str, *, now: Now = timezone.now) -> AlertRecord | None:
    """Put an alert on record, or count it on the one that is open; None for a code that is no alert.

    Args:
        seen: What.
        source: Who sees it, and will say when it is over.
        now: The clock.

    Raises:
        KeyError: The code is not in the registry.
        DatabaseError: It cannot be put on record.
    """
    priority = urgency(seen.code).priority
    if priority is None:
        return None
    at = now()
    words = one_line(seen.words)
    told = seen._asdict() | {"source": source, "priority": int(priority), "words": words, "now": at}
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(RAISE, told)
            alert_id, is_new = cursor.fetchone()
        alert = AlertRecord.objects.select_related("incident").get(id=alert_id)
        if is_new:
            if priority <= Priority.P1:
                join(alert, at)
            write(alert, FIRED, 0, at)
    return alert


def over(alerts: Iterable[AlertRecord], *, now: Now = timezone.now) -> int:
    """What the alerts tell of is over; how many were still open. Their incidents wait for a person to close them."""
    done = 0
    for alert in alerts:
        at = now()
        with transaction.atomic():
            if not AlertRecord.objects.filter(id=alert.id, is_open=True).update(is_open=False, over_at=at):
                continue
            done += 1
            if alert.incident_id is not None:
                step(alert.incident_id, "over", at, f"no longer seen: {alert.words}")
            write(alert, OVER, 0, at)
    return done


def settle(found: Iterable[Seen], source: str, *, now: Now = timezone.now) -> list[AlertRecord]:
    """Raise what a whole look has found, and end what the same source saw before and sees no more."""
    made = [alert for seen in found if (alert := raised(seen, source, now=now)) is not None]
    open_now = AlertRecord.objects.filter(source=source, is_open=True).exclude(id__in=[alert.id for alert in made])
    over(open_now, now=now)
    return made


def join(alert: AlertRecord, at: dt.datetime) -> IncidentRecord:
    """The incident of the alert's code and scope: the one that is not closed, or a new one."""
    opened = int(at.timestamp())
    priority = Priority(alert.priority)
    same = IncidentRecord.objects.filter(code=alert.code, scope=alert.scope).exclude(state=core.State.CLOSED)
    incident = same.first()
    if incident is None:
        try:
            with transaction.atomic():
                incident = IncidentRecord.objects.create(
                    code=alert.code, scope=alert.scope, priority=alert.priority, words=alert.words, opened_at=at,
                    acknowledge_by=when(core.acknowledge_by(priority, opened)),
                    resolve_by=when(core.resolve_by(priority, opened)),
                )  # fmt: skip
        except IntegrityError:
            # Somebody else has opened it at the same moment.
            incident = same.get()
        else:
            step(incident.id, "opened", at, alert.words)
            step(incident.id, "did", at, urgency(alert.code).did)
    else:
        step(incident.id, "again", at, alert.words)
    alert.incident = incident
    alert.save(update_fields=["incident"])
    return incident


def step(incident: int, kind: str, at: dt.datetime, words: str, actor: str = "") -> None:
    """One line more on a time line."""
    IncidentStepRecord.objects.create(incident_id=incident, at=at, kind=kind, actor=actor, words=words)


def write(alert: AlertRecord, what: str, level: int, at: dt.datetime) -> int:
    """Write the message of an alert for every rule that fits; how many. Each route gets one, however many rules fit."""
    made = 0
    told = Told(alert.code, alert.scope, Priority(alert.priority), level)
    done: set[int] = set()
    for rule in RuleRecord.objects.filter(route__is_on=True).select_related("route").order_by("id"):
        if rule.route_id in done or not matches(as_rule(rule), told):
            continue
        done.add(rule.route_id)
        wait = quiet_s(as_rule(rule).quiet, told.priority, int(at.timestamp()))
        _, is_new = DeliveryRecord.objects.get_or_create(
            key=f"{alert.id}:{what}:{level}:{rule.route_id}",
            defaults={
                "route": rule.route, "incident": alert.incident, "what": what, "priority": alert.priority,
                "message": message(alert, what, level), "made_at": at, "next_at": at + dt.timedelta(seconds=wait),
                "held": "quiet hours" if wait else "",
            },
        )  # fmt: skip
        made += is_new
    return made


def as_rule(row: RuleRecord) -> Rule:
    """The rule without its row."""
    quiet = None if row.quiet_from is None or row.quiet_to is None else (row.quiet_from, row.quiet_to)
    return Rule(row.codes, row.scope, Priority(row.priority), row.level, quiet)


def message(alert: AlertRecord, what: str, level: int) -> dict[str, Any]:
    """What people are told: what happened, what the system did, what they can do, and where to look."""
    entry = reason(alert.code)
    incident = alert.incident
    path = f"/incidents/{incident.id}" if incident is not None else f"/reasons/{alert.code}/"
    return {
        "what": what,
        "alert": alert.id,
        "incident": incident.id if incident is not None else None,
        "priority": Priority(alert.priority).name,
        "code": alert.code,
        "scope": alert.scope,
        "level": level,
        "happened": alert.words,
        "meaning": entry.meaning,
        "did": urgency(alert.code).did if what != OVER else reason(OVER_CODE).action,
        "do": entry.action,
        "first_at": alert.first_at.isoformat(timespec="seconds"),
        "link": settings.ALERTS.console + path,
    }


def one_line(text: str) -> str:
    """Somebody's words as they may be stored and sent: one line, bearable, without secrets."""
    plain = "".join(sign if sign.isprintable() else " " for sign in without_secrets(text))
    return plain if len(plain) <= WORDS_MOST else plain[: WORDS_MOST - 1] + "…"


def when(seconds: int) -> dt.datetime:
    """A moment of Unix time."""
    return dt.datetime.fromtimestamp(seconds, dt.UTC)
