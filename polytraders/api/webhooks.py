"""Webhooks as a resource: who is told of what, and what became of it."""

import uuid
from typing import Any, Literal

from django.conf import settings
from django.http import HttpRequest
from ninja import Field, Schema

from polytraders.access import audit
from polytraders.access.permissions import Permission
from polytraders.api import hooks, told
from polytraders.api.addresses import URL_MAX, AddressError, checked
from polytraders.api.endpoint import Resource, caller_of, invalid, missing
from polytraders.api.models import Delivery, Webhook
from polytraders.api.places import Body, Cursor, Limit, Page, listed, raw
from polytraders.console.problems import Refused

webhooks = Resource("webhooks")
MOST = 50
EventName = Literal["envelope.approved", "envelope.rejected", "order.filled", "risk.alert"]


class WebhookItem(Schema):
    """An address that is told of events."""

    id: str
    url: str
    events: list[EventName]
    created_by: str
    created_at: str
    is_active: bool
    failures: int = Field(description="Attempts since the last success; at 20 it is disabled.")
    disabled_reason_code: str


class WebhookMade(WebhookItem):
    """A new webhook with its secret, which is never shown again."""

    secret: str = Field(examples=["whsec_..."])


class WebhookBody(Body):
    """Whom to tell of what."""

    url: str = Field(min_length=1, max_length=URL_MAX, description="https, to a public address.")
    events: list[EventName] = Field(min_length=1, max_length=4)
    shard: int = Field(0, ge=0, lt=32)


class DeliveryItem(Schema):
    """One event on its way."""

    id: int
    event_id: str
    event: str
    state: Literal["waiting", "delivered", "failed"]
    tries: int
    due_at: str
    made_at: str
    ended_at: str | None
    last_status: int | None
    last_error: str


class Gone(Schema):
    """What was deleted."""

    id: str


@webhooks.get("/webhooks", Permission.KEY, Page[WebhookItem])
def list_webhooks(request: HttpRequest) -> dict[str, Any]:
    """Webhooks, newest first; it is one page."""
    return {"items": [item(row) for row in Webhook.objects.all()[:MOST]], "next": None}


@webhooks.act(
    "/webhooks", Permission.KEY, WebhookMade,
    example={"url": "https://risk.example.com/polytraders", "events": ["envelope.approved", "order.filled"]},
)  # fmt: skip
def create_webhook(request: HttpRequest, body: WebhookBody) -> dict[str, Any]:
    """Tell an address of events from now on; the secret is in this answer only.

    Each delivery is signed with it: docs/api.md shows how to verify that.
    """
    row, secret = make(caller_of(request).name, body.url, list(body.events), body.shard, request)
    return item(row) | {"secret": secret}


@webhooks.get("/webhooks/{webhook_id}", Permission.KEY, WebhookItem, tagged=True)
def get_webhook(request: HttpRequest, webhook_id: str) -> dict[str, Any]:
    """One webhook."""
    return item(found(webhook_id))


@webhooks.act("/webhooks/{webhook_id}/enable", Permission.KEY, WebhookItem)
def enable_webhook(request: HttpRequest, webhook_id: str) -> dict[str, Any]:
    """Tell it again; deliveries go on from where they stopped, as far as the log goes back."""
    return item(enable(caller_of(request).name, found(webhook_id), request))


@webhooks.act("/webhooks/{webhook_id}", Permission.KEY, Gone, method="DELETE")
def delete_webhook(request: HttpRequest, webhook_id: str) -> dict[str, Any]:
    """Tell it nothing more, and forget its deliveries."""
    row = found(webhook_id)
    told_id = str(row.id)
    remove(caller_of(request).name, row, request)
    return {"id": told_id}


@webhooks.get("/webhooks/{webhook_id}/deliveries", Permission.KEY, Page[DeliveryItem])
def list_deliveries(request: HttpRequest, webhook_id: str, cursor: Cursor, limit: Limit) -> dict[str, Any]:
    """What was sent to a webhook, newest first."""
    rows = Delivery.objects.filter(webhook=found(webhook_id))
    return listed(rows, limit, cursor, _delivery)


def make(actor: str, url: str, events: list[str], shard: int, request: HttpRequest | None) -> tuple[Webhook, str]:
    """A webhook that is told of what happens from now on, in the caller's transaction, and its secret.

    Raises:
        Refused: 422, the address may not be told, or there are too many already.
    """
    try:
        checked(url, loopback=settings.WEBHOOK_LOOPBACK)
    except AddressError as error:
        raise Refused(invalid("").status, error.code, str(error)) from error
    if Webhook.objects.count() >= MOST:
        raise invalid(f"there are {MOST} webhooks already: delete one")
    secret = hooks.new_secret()
    row = Webhook.objects.create(
        url=url,
        events=sorted(set(events)),
        sealed=hooks.seal(secret),
        created_by=actor,
        shard=shard,
        in_seq=told.head(raw(), shard),
        ordinal=told.LAST,
    )
    audit.write(actor, "webhook.create", str(row.id), after={"url": url, "events": row.events}, request=request)
    return row, secret


def enable(actor: str, row: Webhook, request: HttpRequest | None) -> Webhook:
    """Let it be told again, in the caller's transaction."""
    before = {"is_active": row.is_active, "failures": row.failures}
    row.is_active, row.failures, row.disabled_at, row.disabled_code = True, 0, None, ""
    row.save(update_fields=["is_active", "failures", "disabled_at", "disabled_code"])
    hooks.mended(row)
    audit.write(actor, "webhook.enable", str(row.id), before=before, after={"is_active": True}, request=request)
    return row


def remove(actor: str, row: Webhook, request: HttpRequest | None) -> None:
    """Delete it, in the caller's transaction."""
    name = str(row.id)
    before = {"url": row.url, "events": row.events}
    hooks.mended(row)
    row.delete()
    audit.write(actor, "webhook.delete", name, before=before, request=request)


def found(told_id: str) -> Webhook:
    """A webhook by its id.

    Raises:
        Refused: 404.
    """
    try:
        row = Webhook.objects.filter(id=uuid.UUID(told_id)).first()
    except ValueError:
        row = None
    if row is None:
        raise missing("no such webhook")
    return row


def item(row: Webhook) -> dict[str, Any]:
    """As it is told."""
    return {
        "id": str(row.id),
        "url": row.url,
        "events": row.events,
        "created_by": row.created_by,
        "created_at": row.created_at.isoformat(),
        "is_active": row.is_active,
        "failures": row.failures,
        "disabled_reason_code": row.disabled_code,
    }


def _delivery(row: Delivery) -> dict[str, Any]:
    return {
        "id": row.pk,
        "event_id": row.event_id,
        "event": row.kind,
        "state": row.state,
        "tries": row.tries,
        "due_at": row.due_at.isoformat(),
        "made_at": row.made_at.isoformat(),
        "ended_at": None if row.ended_at is None else row.ended_at.isoformat(),
        "last_status": row.last_status,
        "last_error": row.last_error,
    }
