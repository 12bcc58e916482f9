"""Addresses of the console."""

from django.urls import path, re_path

from polytraders.console import codes, guide, incidents, jobs, plan, replays, routes, system, views
from polytraders.console.api import api

DECISION = r"(?P<decision_id>[0-9]{1,17}:[0-9]{1,17})"

urlpatterns = [
    path("", views.overview, name="overview"),
    path("search", views.search, name="search"),
    path("healthz", views.healthz, name="healthz"),
    path("metrics", views.metrics, name="metrics"),
    path("reasons/", codes.reasons, name="reasons"),
    path("reasons/<str:code>/", codes.reason_page, name="reason"),
    re_path(rf"^decisions/{DECISION}$", views.decision, name="decision"),
    re_path(rf"^decisions/{DECISION}\.json$", views.packet_json, name="packet-json"),
    path("incidents/", incidents.listing, name="incidents"),
    path("incidents/<int:incident_id>", incidents.incident, name="incident"),
    path("incidents/<int:incident_id>/move", incidents.move, name="incident-move"),
    path("incidents/<int:incident_id>/assign", incidents.assign, name="incident-assign"),
    path("incidents/<int:incident_id>/note", incidents.note, name="incident-note"),
    path("incidents/<int:incident_id>/postmortem", incidents.postmortem, name="incident-postmortem"),
    path("incidents/alerts/<int:alert_id>/open", incidents.open_for, name="alert-incident"),
    path("incidents/routes", routes.listing, name="routes"),
    path("incidents/routes/add", routes.add_route, name="route-add"),
    path("incidents/routes/<int:route_id>/switch", routes.switch_route, name="route-switch"),
    path("incidents/routes/<int:route_id>/test", routes.try_route, name="route-test"),
    path("incidents/rules/add", routes.add_rule, name="rule-add"),
    path("incidents/rules/<int:rule_id>/drop", routes.drop_rule, name="rule-drop"),
    path("incidents/deliveries", routes.deliveries, name="deliveries"),
    path("stages/", plan.stages_page, name="stages"),
    path("stages/<int:number>", plan.stage_page, name="stage"),
    path("system/", system.system, name="system"),
    path("system/prove", system.prove, name="system-prove"),
    path("replays/", replays.listing, name="replays"),
    path("replays/compare", replays.compare, name="replays-compare"),
    path("replays/scrub", replays.scrub, name="replays-scrub"),
    path("replays/run", replays.run, name="replays-run"),
    path("replays/<int:replay_id>", replays.replay, name="replay"),
    path("help/", guide.help_page, name="help"),
    path("api/v1/", api.urls),
    path("jobs/<int:job_id>", jobs.job, name="job"),
    path("jobs/<int:job_id>/cancel", jobs.cancel, name="job-cancel"),
]
