"""Stage 6 as a Django app."""

from django.apps import AppConfig


class ExecutionConfig(AppConfig):
    """Name of the stage as Django's pages show it."""

    name = "apps.execution"
    verbose_name = "Stage 6: Execution estimate"
