"""Access as a Django app; it is no stage of the loop."""

from django.apps import AppConfig


class AccessConfig(AppConfig):
    """Name as Django's pages show it."""

    name = "polytraders.access"
    verbose_name = "Access"

    def ready(self) -> None:
        """Listen for lock-outs."""
        from polytraders.access import locking  # noqa: F401, PLC0415 - a receiver is connected by being imported
