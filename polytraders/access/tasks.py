"""What has to be forgotten after a time."""

from celery import shared_task
from django.core.management import call_command
from django.utils import timezone

from polytraders.access.models import SetupLink


@shared_task
def forget_expired() -> None:
    """Delete sessions and set-up links whose time is over. Running it twice deletes nothing more."""
    call_command("clearsessions")
    SetupLink.objects.filter(expires_at__lte=timezone.now()).delete()
