"""What the interface remembers: answers that may be asked for twice, webhooks, and what was delivered to them."""

import uuid

from django.db import models
from django.utils import timezone


class AnswerRecord(models.Model):
    """The answer to an unsafe request, by its idempotency key, until `expires_at`.

    The row is put in, without its answer, in the transaction of the request itself: a twin waits for it.
    """

    principal = models.TextField()
    key = models.TextField()
    route = models.TextField()
    body_digest = models.BinaryField(max_length=32)
    status = models.SmallIntegerField(null=True)
    body = models.TextField(default="")
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        """One answer a key and caller."""

        db_table = "api_answer"
        verbose_name = "kept answer"
        constraints = (models.UniqueConstraint(fields=("principal", "key"), name="api_answer_once"),)

    def __str__(self) -> str:
        return f"{self.route} for {self.principal}"


class Webhook(models.Model):
    """Somebody's address that is told of events.

    `sealed` is the secret, encrypted under the instance's own. `in_seq` and `ordinal` are the place in the log up to
    which deliveries have been made, `alerts_at` the time up to which alerts have been told; `failures` counts attempts
    since the last success.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    url = models.TextField()
    events = models.JSONField()
    sealed = models.BinaryField()
    created_by = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)
    is_active = models.BooleanField(default=True)
    failures = models.IntegerField(default=0)
    disabled_at = models.DateTimeField(null=True)
    disabled_code = models.TextField(default="")
    shard = models.SmallIntegerField(default=0)
    in_seq = models.BigIntegerField(default=0)
    ordinal = models.BigIntegerField(default=-1)
    alerts_at = models.DateTimeField(default=timezone.now)

    class Meta:
        """Newest first."""

        db_table = "api_webhook"
        ordering = ("-created_at", "id")

    def __str__(self) -> str:
        return self.url


class Delivery(models.Model):
    """One event on its way to one webhook; `event_id` is the same however often it is sent."""

    webhook = models.ForeignKey(Webhook, models.CASCADE, related_name="deliveries")
    event_id = models.TextField()
    kind = models.TextField()
    body = models.TextField()
    state = models.TextField(default="waiting")
    tries = models.IntegerField(default=0)
    due_at = models.DateTimeField()
    made_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True)
    last_status = models.SmallIntegerField(null=True)
    last_error = models.TextField(default="")

    class Meta:
        """One delivery an event; an index for what is due, one for what a page lists."""

        db_table = "api_delivery"
        verbose_name_plural = "deliveries"
        constraints = (models.UniqueConstraint(fields=("webhook", "event_id"), name="api_delivery_once"),)
        indexes = (
            models.Index(fields=("due_at",), name="api_delivery_due", condition=models.Q(state="waiting")),
            models.Index(fields=("webhook", "-id"), name="api_delivery_newest"),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.event_id}: {self.state}"
