"""Addresses of the console."""

from django.urls import path, re_path

from polytraders.console import books, fills, orders, positions, trades, views
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
    path("api/v1/", api.urls),
    path("orders/", orders.orders, name="orders"),
    path("orders/<str:order_id>", orders.order, name="order"),
    path("orders/<str:order_id>/pull", trades.pull, name="order-pull"),
    path("fills/", fills.fills, name="fills"),
    path("fills.csv", fills.fills_csv, name="fills-csv"),
    path("positions/", positions.positions, name="positions"),
    path("positions/<int:market>/cash-out", trades.cash_out, name="cash-out"),
    path("ledger/", books.ledger, name="ledger"),
    path("ledger/prove", books.prove, name="ledger-prove"),
    path("ledger/export.csv", books.export, {"form": "csv"}, name="ledger-csv"),
    path("ledger/export.beancount", books.export, {"form": "beancount"}, name="ledger-beancount"),
    path("ledger/transfers/<int:transfer_id>", books.transfer, name="transfer"),
]
