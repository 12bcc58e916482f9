"""Stage 9 as a Django app."""

from django.apps import AppConfig


class LedgerConfig(AppConfig):
    """Name of the stage as Django's pages show it."""

    name = "apps.ledger"
    verbose_name = "Stage 9: Inventory, settlement, and accounting"
