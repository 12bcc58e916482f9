"""Stage 7 as a Django app."""

from django.apps import AppConfig


class RiskConfig(AppConfig):
    """Name of the stage as Django's pages show it."""

    name = "apps.risk"
    verbose_name = "Stage 7: Decision, risk, and sizing"
