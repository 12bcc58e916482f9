"""What the interface does in a worker: webhooks, and forgetting what has expired."""

from celery import shared_task

from polytraders.api import hooks, idempotency
from polytraders.api.models import Webhook


@shared_task
def tell_webhooks() -> int:
    """Collect what has happened and send what is due; how many attempts. Two at the same time share the work."""
    for hook_id in Webhook.objects.filter(is_active=True).values_list("id", flat=True):
        hooks.collect(hook_id)
    return hooks.deliver()


@shared_task
def forget_answers() -> None:
    """Delete kept answers and old deliveries. Running it twice deletes nothing more."""
    idempotency.forget_expired()
    hooks.forget_old()
