"""Access as a Django app; it is no stage of the loop."""

from django.apps import AppConfig


class AccessConfig(AppConfig):
    """Name as Django's pages show it."""

    name = "polytraders.access"
    verbose_name = "Access"
