"""Addresses of the console."""

from django.urls import path, re_path

from polytraders.console import deciding, executions, jobs, reliability, tracing, views
from polytraders.console.api import api

DECISION = r"(?P<decision_id>[0-9]{1,17}:[0-9]{1,17})"

urlpatterns = [
    path("", views.overview, name="overview"),
    path("search", views.search, name="search"),
    path("healthz", views.healthz, name="healthz"),
    path("metrics", views.metrics, name="metrics"),
    path("reasons/", views.reasons, name="reasons"),
    path("reasons/<str:code>/", views.reason_page, name="reason"),
    path("decisions/", deciding.stream_page, name="decisions"),
    re_path(rf"^decisions/{DECISION}$", deciding.decision, name="decision"),
    re_path(rf"^decisions/{DECISION}\.json$", deciding.packet_json, name="packet-json"),
    re_path(rf"^decisions/{DECISION}/ask$", deciding.ask, name="decision-ask"),
    path("api/v1/", api.urls),
    path("models/", reliability.page, name="models"),
    path("execution/", executions.page, name="execution"),
    path("trace/", tracing.start, name="trace"),
    re_path(r"^trace/(?P<correlation_id>[0-9]{1,12}:[0-9]{1,9}:[0-9]{1,9})$", tracing.one, name="trace-of"),
    path("jobs/<int:job_id>", jobs.job, name="job"),
    path("jobs/<int:job_id>/cancel", jobs.cancel, name="job-cancel"),
]
