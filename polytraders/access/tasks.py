"""What has to be forgotten after a time, and what takes longer than a page may."""

import time

import structlog
from axes.models import AccessAttempt
from celery import shared_task
from django.conf import settings
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.utils import timezone

from polytraders.access import audit
from polytraders.access.models import ChainCheck, SetupLink, Visit

log = structlog.get_logger(__name__)


@shared_task
def forget_expired() -> None:
    """Delete sessions, one-time links and old lock-outs whose time is over. Running it twice deletes nothing more."""
    call_command("clearsessions")
    SetupLink.objects.filter(expires_at__lte=timezone.now()).delete()
    Visit.objects.exclude(session_key__in=Session.objects.values("session_key")).delete()
    AccessAttempt.objects.filter(attempt_time__lt=timezone.now() - settings.AXES_COOLOFF_TIME).delete()


@shared_task
def verify_audit(check_id: int | None = None) -> None:
    """Walk the whole audit and write down what was found; without an id it makes the row itself. Again is the same."""
    row = (
        ChainCheck.objects.filter(pk=check_id).first() if check_id else ChainCheck.objects.create(asked_by="every day")
    )
    if row is None or row.ended_at is not None:
        return
    began = time.perf_counter()
    found = audit.verify()
    row.seconds = time.perf_counter() - began
    row.ended_at, row.last_id, row.head = timezone.now(), found.last, found.head.hex()
    if found.wrong is not None:
        row.wrong_id, row.words = found.wrong.id, found.wrong.in_words()
        log.error("audit: the chain is broken", row=found.wrong.id, field=found.wrong.field)
    row.save()
