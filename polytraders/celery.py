"""The Celery app. Its settings and the table of what runs when stand in `settings.py`; tasks stand with their stage."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "polytraders.settings")

app = Celery("polytraders")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
