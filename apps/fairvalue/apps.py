"""Stage 5 as a Django app."""

from django.apps import AppConfig


class FairvalueConfig(AppConfig):
    """Name of the stage as Django's pages show it."""

    name = "apps.fairvalue"
    verbose_name = "Stage 5: Fair-value engine"
