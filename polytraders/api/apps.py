"""The interface as a Django app; it is no stage of the loop."""

from django.apps import AppConfig


class InterfaceConfig(AppConfig):
    """Name as Django's pages show it."""

    name = "polytraders.api"
    label = "api"
    verbose_name = "Interface for programs"
