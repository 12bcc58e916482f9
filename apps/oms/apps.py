"""Stage 8 as a Django app."""

from django.apps import AppConfig


class OmsConfig(AppConfig):
    """Name of the stage as Django's pages show it."""

    name = "apps.oms"
    verbose_name = "Stage 8: Order manager and reconciliation"
