"""Stage 3 as a Django app."""

from django.apps import AppConfig


class EventlogConfig(AppConfig):
    """Name of the stage as Django's pages show it."""

    name = "apps.eventlog"
    verbose_name = "Stage 3: Canonical state and the event log"
