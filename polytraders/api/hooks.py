"""Webhooks at work: what happened becomes deliveries, each signed and sent until somebody takes it, or too often.

At least once: a worker that dies after sending sends again, with the same id.
"""

import base64
import datetime as dt
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, TextField, Value
from django.db.models.functions import Cast, Concat
from django.utils import timezone

from apps.monitoring import alerting
from apps.monitoring.alerting import Seen
from apps.monitoring.core.incidents import Priority
from apps.monitoring.looking import KILLED
from apps.monitoring.models import AlertRecord
from polytraders.access import audit
from polytraders.api import told
from polytraders.api.addresses import AddressError, LookUp, looked_up, target
from polytraders.api.models import Delivery, Webhook
from polytraders.api.places import raw
from polytraders.api.told import LAST, Envelope, Place

RISK: Final = "risk.alert"
EVENTS: Final = (told.APPROVED, told.REJECTED, told.FILL, RISK)
RISKS: Final = frozenset({"control.kill"})
"""Kinds of envelopes that are a risk alert."""
TOLD_BY_ENVELOPE: Final = KILLED
"""Code of the alert of a kill, which its envelope has told."""
LATE: Final = dt.timedelta(minutes=5)
"""How much later than its time an alert may be committed, and still be told."""
SIGNATURE: Final = "Polytraders-Signature"
SECRET_BYTES: Final = 32
PURPOSE: Final = b"polytraders webhook secret, version 1"
TIMEOUT_S: Final = 5.0
TRIES_MOST: Final = 8
FAILURES_MOST: Final = 20
"""Attempts without a success between them after which a webhook is told nothing more."""
BACKLOG_MOST: Final = 1_000
"""Deliveries that wait for one webhook; more are made only when it has taken some."""
BATCH: Final = 50
RUN_S: Final = 30.0
CLAIM: Final = dt.timedelta(seconds=60)
KEPT: Final = dt.timedelta(days=14)
WAITING, DELIVERED, FAILED = "waiting", "delivered", "failed"
OK_FROM, OK_TO = 200, 300
DISABLED: Final = "GOV_WEBHOOK_DISABLED"
SOURCE: Final = "webhooks"
ALERT: Final = "alert:"


def new_secret() -> str:
    """A secret to be shown once."""
    return "whsec_" + secrets.token_urlsafe(SECRET_BYTES)


def seal(secret: str) -> bytes:
    """The secret as it may be kept."""
    return _box().encrypt(secret.encode())


def unseal(sealed: bytes) -> str:
    """The secret.

    Raises:
        InvalidToken: The instance has another secret than the one it was sealed under.
    """
    return _box().decrypt(sealed).decode()


def _box() -> Fernet:
    derived = hmac.digest(settings.SECRET_KEY.encode(), PURPOSE, hashlib.sha256)
    return Fernet(base64.urlsafe_b64encode(derived))


def signature(secret: str, body: bytes, at: int) -> str:
    """What stands in the header: the time, and the HMAC-SHA256 of time, full stop and body, hex."""
    digest = hmac.digest(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hex()
    return f"t={at},v1={digest}"


def name_of(envelope: Envelope) -> str:
    """What a webhook calls it; "" when webhooks are not told of such."""
    kind = RISK if envelope.kind in RISKS else envelope.kind
    return kind if kind in EVENTS else ""


def collect(hook_id: Any) -> int:
    """Make deliveries of what has happened since the last time; how many."""
    with transaction.atomic():
        hook = (
            Webhook.objects.select_for_update(skip_locked=True, no_key=True).filter(id=hook_id, is_active=True).first()
        )
        if hook is None:
            return 0
        waiting = Delivery.objects.filter(webhook=hook, state=WAITING)[:BACKLOG_MOST].count()
        room = min(told.ROWS_MOST, BACKLOG_MOST - waiting)
        if room <= 0:
            return 0
        topics = {"controls"} if hook.events == [RISK] else {"decisions", "fills", "controls"}
        after = Place(hook.in_seq, hook.ordinal)
        conn = raw()
        first = told.floor(conn, hook.shard)
        if after.in_seq < first - 1:
            # What the log no longer keeps cannot be told; deliveries go on where it begins.
            after = Place(first - 1, LAST)
        found, reached = told.read(conn, hook.shard, after, topics, room)
        now = timezone.now()
        alerts, alerts_at = _alerts(hook, now)
        made = [
            Delivery(webhook=hook, event_id=str(one.place), kind=name, body=_body(name, one), due_at=now)
            for one in found
            if (name := name_of(one)) in hook.events
        ]
        made += [
            Delivery(webhook=hook, event_id=f"{ALERT}{one.id}", kind=RISK, body=_alert_body(one), due_at=now)
            for one in alerts
        ]
        Delivery.objects.bulk_create(made, ignore_conflicts=True)
        Webhook.objects.filter(id=hook.id).update(in_seq=reached.in_seq, ordinal=reached.ordinal, alerts_at=alerts_at)
    return len(made)


def _alerts(hook: Webhook, now: dt.datetime) -> tuple[list[AlertRecord], dt.datetime]:
    """Urgent alerts that the webhook has not been told of, and the time up to which that is all of them."""
    if RISK not in hook.events:
        return [], now
    event_id = Concat(Value(ALERT), Cast(OuterRef("id"), TextField()))
    is_told = Exists(Delivery.objects.filter(webhook=hook, event_id=event_id))
    rows = AlertRecord.objects.filter(
        ~is_told, priority__lte=Priority.P1, first_at__gte=max(hook.created_at, hook.alerts_at - LATE)
    )
    found = list(rows.exclude(code=TOLD_BY_ENVELOPE).select_related("incident").order_by("first_at")[: told.ROWS_MOST])
    return found, found[-1].first_at if len(found) == told.ROWS_MOST else now


def _alert_body(alert: AlertRecord) -> str:
    said = alerting.message(alert, alerting.FIRED, 0)
    return json.dumps({"id": f"{ALERT}{alert.id}", "event": RISK, "alert": said}, sort_keys=True)


def _body(name: str, envelope: Envelope) -> str:
    body, _ = envelope.told()
    return json.dumps({"id": str(envelope.place), "event": name, "envelope": body}, sort_keys=True)


def deliver(
    *,
    look_up: LookUp = looked_up,
    clock: Callable[[], float] = time.time,
    loopback: bool | None = None,
    most: int = BATCH,
) -> int:
    """Send what is due; how many attempts were made.

    Args:
        look_up: Finds the addresses of a name.
        clock: Seconds since 1970, for signatures.
        loopback: Whether this machine may be told; None = what the setting says.
        most: Attempts of this run.
    """
    allowed = settings.WEBHOOK_LOOPBACK if loopback is None else loopback
    ends, count = time.monotonic() + RUN_S, 0
    with httpx.Client(trust_env=False, follow_redirects=False, timeout=TIMEOUT_S) as client:
        while count < most and time.monotonic() < ends:
            one = _claimed()
            if one is None:
                break
            count += 1
            _settled(one, *_sent(client, one, look_up, clock, allowed))
    return count


def _claimed() -> Delivery | None:
    """The one that waits for longest; nobody else takes it for a minute."""
    now = timezone.now()
    with transaction.atomic():
        rows = Delivery.objects.select_for_update(skip_locked=True, of=("self",)).select_related("webhook")
        one = rows.filter(state=WAITING, due_at__lte=now, webhook__is_active=True).order_by("due_at").first()
        if one is not None:
            one.tries += 1
            one.due_at = now + CLAIM
            one.save(update_fields=["tries", "due_at"])
    return one


def _sent(
    client: httpx.Client, one: Delivery, look_up: LookUp, clock: Callable[[], float], loopback: bool
) -> tuple[int | None, str]:
    """Status, and what went wrong; "" = it was taken."""
    body = one.body.encode()
    try:
        to = target(one.webhook.url, loopback=loopback, look_up=look_up)
        headers = {
            "Host": to.host,
            "Content-Type": "application/json",
            "User-Agent": "polytraders-webhook/1",
            "Polytraders-Event": one.kind,
            "Polytraders-Delivery": one.event_id,
            SIGNATURE: signature(unseal(bytes(one.webhook.sealed)), body, int(clock())),
        }
        request = client.build_request("POST", to.url, content=body, headers=headers)
        request.extensions["sni_hostname"] = to.name
        # Whatever is answered is not read: only its status counts.
        answer = client.send(request, stream=True)
        answer.close()
    except AddressError as error:
        return None, f"{error.code}: {error}"
    except InvalidToken:
        return None, "the secret was sealed under another secret of the instance: make the webhook anew"
    except httpx.HTTPError as error:
        return None, type(error).__name__
    good = OK_FROM <= answer.status_code < OK_TO
    return answer.status_code, "" if good else f"answered {answer.status_code}"


def _settled(one: Delivery, status: int | None, error: str) -> None:
    now = timezone.now()
    one.last_status, one.last_error = status, error
    if not error:
        one.state, one.ended_at = DELIVERED, now
    elif one.tries >= TRIES_MOST:
        one.state, one.ended_at = FAILED, now
    else:
        one.due_at = now + back_off(one.tries)
    with transaction.atomic():
        one.save(update_fields=["state", "ended_at", "due_at", "last_status", "last_error"])
        hook = Webhook.objects.select_for_update(no_key=True).get(id=one.webhook_id)
        hook.failures = hook.failures + 1 if error else 0
        if hook.failures < FAILURES_MOST:
            hook.save(update_fields=["failures"])
            return
        hook.is_active, hook.disabled_at, hook.disabled_code = False, now, DISABLED
        hook.save(update_fields=["failures", "is_active", "disabled_at", "disabled_code"])
        # Paths and queries of receivers often hold what must not be told.
        words = f"{urlsplit(hook.url).hostname} failed {hook.failures} times in a row and is told nothing more: {error}"
        alerting.raised(Seen(DISABLED, scope_of(hook), words), SOURCE)
        after = {"failures": hook.failures, "last_error": error, "reason_code": DISABLED}
        audit.write("webhooks", "webhook.disable", str(hook.id), reason="it failed too often", after=after)


def scope_of(hook: Webhook) -> str:
    """What alerts about it are about."""
    return f"webhook {hook.id}"


def mended(hook: Webhook) -> None:
    """The alert about it is over, in the caller's transaction."""
    alerting.over(AlertRecord.objects.filter(code=DISABLED, scope=scope_of(hook), is_open=True))


def back_off(tries: int) -> dt.timedelta:
    """Time until the next attempt: 10 s, doubled each time, at most an hour."""
    return dt.timedelta(seconds=min(3_600, 5 * 2**tries))


def forget_old() -> None:
    """Delete deliveries that ended two weeks ago."""
    Delivery.objects.filter(ended_at__lte=timezone.now() - KEPT).delete()
