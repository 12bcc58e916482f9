"""Addresses of the console."""

from django.urls import path, re_path

from polytraders.console import control, risk, strategies, views
from polytraders.console.api import api

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
    path("control/", control.page, name="control"),
    path("control/history", control.history, name="control-history"),
    path("control/kill", control.kill, name="control-kill"),
    path("control/reason", control.reason, name="control-reason"),
    path("control/release", control.release, name="control-release"),
    path("control/release/<int:number>", control.answers("release"), name="answer-release"),
    path("control/stage", control.stage, name="control-stage"),
    path("control/stage/<int:number>", control.answers("rollout"), name="answer-rollout"),
    path("control/drill", control.drill, name="control-drill"),
    path("risk/", risk.page, name="risk"),
    path("risk/limits", risk.propose, name="limit-propose"),
    path("risk/limits/<int:number>", control.answers("limit"), name="answer-limit"),
    path("strategies/", strategies.page, name="strategies"),
    path("strategies/settings/<int:number>", control.answers("parameter"), name="answer-parameter"),
    path("strategies/<str:name>", strategies.detail, name="strategy"),
    path("strategies/<str:name>/settings", strategies.propose, name="setting-propose"),
    path("api/v1/", api.urls),
]
