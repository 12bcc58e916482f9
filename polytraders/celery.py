"""The Celery app. Its settings and the table of what runs when stand in `settings.py`; tasks stand with their stage."""

import os
from pathlib import Path
from typing import Any

from celery import Celery
from celery.signals import beat_init, worker_ready

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "polytraders.settings")

app = Celery("polytraders")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
# Views run in threads, and a thread in which nobody has named an app would ask a broker that is not ours.
app.set_default()


@worker_ready.connect
@beat_init.connect
def tell_ready(**_signal: Any) -> None:
    """Write the file that the supervisor or a health check waits for."""
    path = os.environ.get("POLYTRADERS_READY_FILE")
    if path:
        Path(path).touch()


@worker_ready.connect
def look_at_once(**_signal: Any) -> None:
    """The first look at the system does not wait for its time; what has just begun is not called silent by it."""
    app.send_task("apps.monitoring.tasks.check_health")
