"""Addresses of the console."""

from django.urls import path, re_path

from polytraders.console import views

DECISION = r"(?P<decision_id>[0-9]{1,17}:[0-9]{1,17})"

urlpatterns = [
    path("", views.overview, name="overview"),
    path("search", views.search, name="search"),
    path("healthz", views.healthz, name="healthz"),
    path("metrics", views.metrics, name="metrics"),
    path("reasons/", views.reasons, name="reasons"),
    path("reasons/<str:code>/", views.reason_page, name="reason"),
    re_path(rf"^decisions/{DECISION}$", views.decision, name="decision"),
    re_path(rf"^decisions/{DECISION}\.json$", views.packet_json, name="packet-json"),
]
