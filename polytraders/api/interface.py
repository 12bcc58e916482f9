"""`/api/v1`: all resources as one interface."""

from ninja import NinjaAPI

from polytraders.api.controls import controls, rollout
from polytraders.api.decisions import decisions
from polytraders.api.description import Interface
from polytraders.api.endpoint import ENDPOINTS, see_to_refusals
from polytraders.api.events import events
from polytraders.api.incidents import incidents
from polytraders.api.markets import markets
from polytraders.api.money import ledger, positions
from polytraders.api.orders import orders
from polytraders.api.proposals import proposals
from polytraders.api.reference import loops, named, reasons
from polytraders.api.replays import replays
from polytraders.api.trail import audit
from polytraders.api.webhooks import webhooks

__all__ = ["ENDPOINTS", "RESOURCES", "api"]

RESOURCES = (
    loops, markets, decisions, orders, positions, ledger, controls, rollout, proposals, named, incidents, replays,
    reasons, events, audit, webhooks,
)  # fmt: skip
api: NinjaAPI = Interface()
for resource in RESOURCES:
    api.add_router("", resource.router)
see_to_refusals(api)
# As people read them, not as they happened to be imported.
_ORDER = [resource.tag for resource in RESOURCES]
ENDPOINTS.sort(key=lambda each: _ORDER.index(each.tag))
