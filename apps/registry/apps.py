"""Stage 1 as a Django app."""

from django.apps import AppConfig


class RegistryConfig(AppConfig):
    """Name of the stage as Django's pages show it."""

    name = "apps.registry"
    verbose_name = "Stage 1: Market registry and instrument truth"
