"""Sends what is written, at least once: a message waits until a client has taken it, or an hour of attempts is over.

Each is sent in a transaction of its own that holds its row: of two senders at once one goes on to the next, one that
dies leaves it waiting, and a client that fails or hangs costs the others nothing but its own time-out.
"""

import datetime as dt
import logging
from collections.abc import Callable
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from apps.monitoring import alerting, clients
from apps.monitoring.clients import UndeliveredError
from apps.monitoring.core.incidents import HOUR_S, Priority
from apps.monitoring.core.routing import full_s, retry_s
from apps.monitoring.models import DeliveryRecord, RouteRecord
from polytraders.contracts.reasons import reason

log = logging.getLogger(__name__)

TEST: Final = "test"
SENT_CODE: Final = "GOV_NOTIF_RULE_FIRED"
TEST_CODE: Final = "GOV_ALERT_TEST"
GIVEN_UP: Final = "GOV_ALERT_UNDELIVERED"
AT_ONCE: Final = 200
Send = Callable[[str, str, clients.Message, int], None]


def deliver(*, now: alerting.Now = timezone.now, send: Send = clients.send) -> dict[str, int]:
    """Send all that is due; how many were sent, failed for now or for good, or held back."""
    done: dict[str, int] = {}
    seen: set[int] = set()
    for _ in range(AT_ONCE):
        outcome = _next(now, send, seen)
        if not outcome:
            break
        done[outcome] = done.get(outcome, 0) + 1
    return done


def _next(now: alerting.Now, send: Send, seen: set[int]) -> str:
    """Send one; "" = nothing is due that was not tried already in this round."""
    at = now()
    with transaction.atomic():
        due = DeliveryRecord.objects.filter(state="waiting", next_at__lte=at).exclude(id__in=seen)
        one = due.select_for_update(skip_locked=True, of=("self",)).select_related("route")
        row = one.order_by("priority", "next_at", "id").first()
        if row is None:
            return ""
        seen.add(row.id)
        wait = _full_s(row, at)
        if wait:
            row.held, row.next_at = f"more than {row.route.per_hour} in an hour", at + dt.timedelta(seconds=wait)
            row.save(update_fields=["held", "next_at"])
            return "held"
        outcome = _attempt(row, at, send)
    if row.incident_id is not None and outcome != "again":
        words = {"sent": "told to", "failed": "could not be told to"}[outcome]
        alerting.step(row.incident_id, "told", at, f"{row.what}: {words} {row.route.name} ({row.route.client})")
    if outcome == "failed" and row.message["code"] != GIVEN_UP:
        alerting.raised(alerting.Seen(GIVEN_UP, f"route {row.route.name}", row.error), "delivery", now=now)
    return outcome


def _attempt(row: DeliveryRecord, at: dt.datetime, send: Send) -> str:
    route = row.route
    row.attempts += 1
    row.held = ""
    try:
        if not route.is_on:
            raise UndeliveredError("the route is switched off", permanent=True)
        send(route.client, route.target, row.message, row.id)
    except UndeliveredError as error:
        row.error, permanent = str(error), error.permanent
    except Exception as error:  # noqa: BLE001  whatever a client does, the next one is not kept waiting
        row.error, permanent = type(error).__name__, False
    else:
        row.state, row.error, row.done_at = "sent", "", at
        row.save()
        log.info("%s: %s to %s", SENT_CODE, row.what, route.name)
        return "sent"
    log.warning("route %s (%s), attempt %d: %s", route.name, route.client, row.attempts, row.error)
    wait = None if permanent else retry_s(row.attempts)
    if wait is None:
        row.state, row.done_at = "failed", at
    else:
        row.next_at = at + dt.timedelta(seconds=wait)
    row.save()
    return "failed" if wait is None else "again"


def _full_s(row: DeliveryRecord, at: dt.datetime) -> int:
    since = at - dt.timedelta(seconds=HOUR_S)
    sent = DeliveryRecord.objects.filter(route_id=row.route_id, state="sent", done_at__gt=since)
    times = sent.order_by("-done_at").values_list("done_at", flat=True)[: row.route.per_hour]
    moments = sorted(int(moment.timestamp()) for moment in times if moment is not None)
    return full_s(moments, row.route.per_hour, Priority(row.priority), int(at.timestamp()))


def send_test(route: RouteRecord, actor: str, *, now: alerting.Now = timezone.now) -> DeliveryRecord:
    """Write a test message for a route; it is sent with the next ones."""
    at = now()
    return DeliveryRecord.objects.create(
        route=route, key=f"test:{route.id}:{at.timestamp()}", what=TEST, priority=Priority.P0, made_at=at, next_at=at,
        message=sample(actor, at),
    )  # fmt: skip


def sample(actor: str, at: dt.datetime) -> dict[str, Any]:
    """It looks as an alert does, and says that it is none."""
    entry = reason(TEST_CODE)
    return {
        "what": TEST, "alert": None, "incident": None, "priority": Priority.P3.name, "code": TEST_CODE, "scope": "",
        "level": 0, "happened": f"{actor} sent a test message.", "meaning": entry.meaning, "did": "Nothing.",
        "do": entry.action, "first_at": at.isoformat(timespec="seconds"), "link": f"{settings.ALERTS.console}/",
    }  # fmt: skip
