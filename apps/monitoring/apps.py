"""Stage 11 as a Django app."""

from django.apps import AppConfig


class MonitoringConfig(AppConfig):
    """Name of the stage as Django's pages show it."""

    name = "apps.monitoring"
    verbose_name = "Stage 11: Monitoring, incident response, and rollout"
