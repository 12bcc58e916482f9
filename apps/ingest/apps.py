"""Stage 2 as a Django app."""

from django.apps import AppConfig


class IngestConfig(AppConfig):
    """Name of the stage as Django's pages show it."""

    name = "apps.ingest"
    verbose_name = "Stage 2: Ingestion and order-book reconstruction"
