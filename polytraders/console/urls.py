"""Addresses of the console."""

from django.urls import path, re_path

from polytraders.console import account, control, people, risk, strategies, trail, views

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
    path("access/", people.access, name="access"),
    path("access/people/invite", people.invite, name="invite"),
    path("access/people/<int:pk>/roles", people.set_roles, name="person-roles"),
    path("access/people/<int:pk>/disable", people.disable, name="person-disable"),
    path("access/people/<int:pk>/enable", people.enable, name="person-enable"),
    path("access/people/<int:pk>/password", people.reset_password, name="person-password"),
    path("access/people/<int:pk>/factor", people.reset_factor, name="person-factor"),
    path("access/keys/make", people.make_key, name="key-make"),
    path("access/keys/<int:pk>/revoke", people.revoke_key, name="key-revoke"),
    path("access/audit", trail.audit, name="audit"),
    path("access/audit.csv", trail.audit_csv, name="audit-csv"),
    path("access/audit/check", trail.check, name="audit-check"),
    path("account/", account.account, name="account"),
    path("account/factor", account.enrol, name="factor"),
    path("account/factor/remove", account.remove_factor, name="factor-remove"),
    path("account/factor/codes", account.renew_codes, name="factor-codes"),
    path("account/sessions/end", account.end_sessions, name="sessions-end"),
    path("account/password", account.password, name="password"),
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
]
