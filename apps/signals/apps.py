"""Stage 4 as a Django app."""

from django.apps import AppConfig


class SignalsConfig(AppConfig):
    """Name of the stage as Django's pages show it."""

    name = "apps.signals"
    verbose_name = "Stage 4: Signal engine"
