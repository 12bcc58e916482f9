"""The page of the system: is the machine well?"""

import logging

from celery import current_app
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe
from kombu.exceptions import KombuError

from apps.monitoring.models import PulseRecord, TaskRecord
from apps.replay.models import ReplayRecord
from polytraders.access import audit
from polytraders.access.permissions import Permission, needs
from polytraders.console import board, machine
from polytraders.console.frame import show

log = logging.getLogger(__name__)

PROVE = "apps.monitoring.tasks.prove_record"


@require_safe
@never_cache
@needs(Permission.VIEW)
def system(request: HttpRequest) -> HttpResponseBase:
    """Processes, queues, stores, versions, proofs, delays, settings."""
    now = board.strip()
    pulses = {row.name: row for row in PulseRecord.objects.all()}
    loop = now.loop
    record = pulses.get("record")
    context = {
        "board": now,
        "processes": machine.processes(loop, now.age_ns, pulses),
        "stores": machine.stores(),
        "valkey": machine.valkey(),
        "disk": machine.disk(),
        "tasks": list(TaskRecord.objects.order_by("name")),
        "replay": ReplayRecord.objects.only("id", "made_at", "verdict_code", "to_seq", "parity")
        .order_by("-id")
        .first(),
        "record": record,
        "record_age": machine.ago_ns(record.at) if record else None,
        "hops": machine.hops(loop.metrics) if loop else [],
        "versions": machine.versions(),
        "settings": machine.in_force(),
        "config": machine.config_hash(),
    }
    return show(request, "console/system.html", "system", context)


@require_POST
@needs(Permission.RUN)
def prove(request: HttpRequest) -> HttpResponseBase:
    """Have log and ledger proved by a worker; nothing is changed by it."""
    with transaction.atomic():
        audit.write(request.user.get_username(), "record.prove", "log and ledger", request=request)
    try:
        current_app.send_task(PROVE, retry=False)
    except (KombuError, OSError) as error:
        log.warning("no broker: %s", type(error).__name__)
        messages.error(request, "There is no broker to give the job to; `polytraders verify` does the same.")
    else:
        messages.success(request, "A worker proves the record; what it finds stands below in a while.")
    return redirect("system")
