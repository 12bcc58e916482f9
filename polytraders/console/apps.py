"""The console as a Django app, so that its tags are found."""

from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    """Its only tables are views, for the admin."""

    name = "polytraders.console"
    label = "console"
    verbose_name = "Operator's console"
