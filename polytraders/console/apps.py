"""The console as a Django app, so that its tags are found."""

from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    """It has no tables."""

    name = "polytraders.console"
    label = "console"
    verbose_name = "Operator's console"
