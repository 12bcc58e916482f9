"""Stage 10 as a Django app."""

from django.apps import AppConfig


class ReplayConfig(AppConfig):
    """Name of the stage as Django's pages show it."""

    name = "apps.replay"
    verbose_name = "Stage 10: Replay, backtesting, and validation"
