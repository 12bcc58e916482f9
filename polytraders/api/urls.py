"""Addresses of the interface and of the pages that say how to use it."""

from django.urls import path

from polytraders.api import pages
from polytraders.api.interface import api

urlpatterns = [
    path("api/", pages.about, name="api"),
    path("api/webhooks/", pages.webhooks, name="api-webhooks"),
    path("api/webhooks/<uuid:webhook_id>/", pages.webhook, name="api-webhook"),
    path("api/v1/docs", pages.reference, name="api-docs"),
    path("api/v1/openapi.json", pages.openapi, name="api-openapi"),
    path("api/v1/", api.urls),
    path("api/v1/<path:rest>", pages.nothing),
]
