"""Pages about the interface: how a program asks, every endpoint in full, and the webhooks."""

import json
from functools import cache
from http import HTTPStatus
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from polytraders.access.permissions import MATRIX, Permission, needs
from polytraders.access.stepup import needs_step_up, stepped_up
from polytraders.api import hooks
from polytraders.api import webhooks as resource
from polytraders.api.description import BASE, REFUSALS
from polytraders.api.endpoint import ACT, ASK, with_tag
from polytraders.api.interface import ENDPOINTS, api
from polytraders.api.models import Delivery, Webhook
from polytraders.api.told import TOPICS
from polytraders.console.frame import show
from polytraders.console.lists import Listed
from polytraders.console.problems import Refused, problem

TOPIC_WORDS: Final = {
    "decisions": "each packet: approved, rejected, waiting",
    "orders": "an order is made, filled in part or whole, ended",
    "fills": "each fill",
    "controls": "kills, releases, limits, rollout, commands and what the loop said to them",
    "loop": "the loop's own row, once a second; it has no place of its own and is not told again",
}
CODES: Final = (
    (4400, "what was asked for cannot be meant"),
    (4401, "no login, no key, or one that is no longer good"),
    (4403, "known, and may not"),
    (4408, "nothing was acknowledged for 30 seconds"),
    (4503, "the database does not answer"),
)


class Operation(NamedTuple):
    """One endpoint as the reference shows it."""

    method: str
    path: str
    name: str
    summary: str
    description: str
    permission: str
    roles: str
    parameters: list[dict[str, Any]]
    body: str
    answers: list[tuple[str, str, str]]
    curl: str


@cache
def described() -> dict[str, Any]:
    """The OpenAPI description; it does not change while this process runs."""
    found: dict[str, Any] = json.loads(json.dumps(api.get_openapi_schema()))
    return found


@require_safe
@needs(Permission.VIEW)
def openapi(request: HttpRequest) -> HttpResponseBase:
    """The description for programs that make clients of it."""
    return with_tag(request, json.dumps(described()))


def nothing(request: HttpRequest, rest: str) -> HttpResponse:
    """What is asked for below the interface's address and is not there, as a program reads it."""
    return problem(HTTPStatus.NOT_FOUND, "GOV_NOT_FOUND", "there is nothing at this address")


@require_safe
@needs(Permission.VIEW)
def about(request: HttpRequest) -> HttpResponseBase:
    """How a program asks."""
    context = {
        "base": request.build_absolute_uri(BASE),
        "stream": request.build_absolute_uri("/ws/v1/stream").replace("http", "ws", 1),
        "groups": grouped(request),
        "limits": [("questions", ASK), ("acts", ACT)],
        "topics": [(name, TOPIC_WORDS[name]) for name in TOPICS],
        "codes": CODES,
        "refusals": [(status, *words) for status, words in REFUSALS.items()],
        "events": hooks.EVENTS,
        "failures": hooks.FAILURES_MOST,
        "tries": hooks.TRIES_MOST,
    }
    return show(request, "api/about.html", "api", context)


@require_safe
@needs(Permission.VIEW)
def reference(request: HttpRequest) -> HttpResponseBase:
    """Every endpoint with its parameters, body and answers."""
    schemas = [
        (name, json.dumps(schema, indent=2)) for name, schema in sorted(described()["components"]["schemas"].items())
    ]
    return show(request, "api/reference.html", "api", {"groups": grouped(request), "schemas": schemas})


def grouped(request: HttpRequest) -> list[tuple[str, list[Operation]]]:
    """Operations by tag."""
    groups: dict[str, list[Operation]] = {}
    for tag, operation in operations(request.build_absolute_uri("/").rstrip("/")):
        groups.setdefault(tag, []).append(operation)
    return list(groups.items())


def operations(host: str) -> list[tuple[str, Operation]]:
    """Tag and operation of every endpoint, in the order of the description."""
    said = described()
    found = []
    for endpoint in ENDPOINTS:
        path = BASE + endpoint.path
        one = said["paths"][path][endpoint.method.lower()]
        body = one.get("requestBody", {}).get("content", {}).get("application/json", {})
        example = body.get("example")
        answers = [(status, *_answer(told, said)) for status, told in sorted(one["responses"].items())]
        roles = ", ".join(role.value for role in MATRIX[endpoint.permission])
        found.append((
            endpoint.tag,
            Operation(
                endpoint.method, path, endpoint.name, one["summary"], one["description"], endpoint.permission.value,
                roles, one["parameters"], json.dumps(body.get("schema", {}).get("$ref", "").rpartition("/")[2])[1:-1],
                answers, curl(host, endpoint.method, path, example),
            ),
        ))  # fmt: skip
    return found


def _answer(told: dict[str, Any], said: dict[str, Any]) -> tuple[str, str]:
    if "$ref" in told:
        told = said["components"]["responses"][told["$ref"].rpartition("/")[2]]
    content: dict[str, Any] = next(iter(told.get("content", {}).values()), {})
    return told["description"], content.get("schema", {}).get("$ref", "").rpartition("/")[2]


def curl(host: str, method: str, path: str, example: Any) -> str:
    """A command that asks it."""
    lines = [f"curl -s -H \"Authorization: Bearer $KEY\" '{host}{path}'"]
    if method != "GET":
        lines = [
            f'curl -s -X {method} -H "Authorization: Bearer $KEY" -H "Idempotency-Key: $(uuidgen)"',
            f"  '{host}{path}'",
        ]
    if example is not None:
        lines.insert(1, f"  -H 'Content-Type: application/json' -d '{json.dumps(example)}'")
    return " \\\n".join(lines)


@require_http_methods(["GET", "POST"])
@never_cache
@needs(Permission.KEY)
def webhooks(request: HttpRequest) -> HttpResponseBase:
    """Who is told of what; a form for one more."""
    context: dict[str, Any] = {"events": hooks.EVENTS, "given": request.POST}
    status = HTTPStatus.OK
    if request.method == "POST":
        if not stepped_up(request):
            return _made_later(request)
        chosen = [name for name in request.POST.getlist("events") if name in hooks.EVENTS]
        try:
            if not chosen:
                raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "GOV_REQUEST_INVALID", "choose at least one event")
            with transaction.atomic():
                url = request.POST.get("url", "").strip()
                row, secret = resource.make(request.user.get_username(), url, chosen, 0, request)
            context |= {"made": row, "secret": secret, "given": {}}
        except Refused as refusal:
            context["refusal"], status = refusal, HTTPStatus.UNPROCESSABLE_ENTITY
    context["rows"] = list(Webhook.objects.all()[: resource.MOST])
    return show(request, "api/webhooks.html", "api", context, status=status)


@require_http_methods(["GET", "POST"])
@never_cache
@needs(Permission.KEY)
def webhook(request: HttpRequest, webhook_id: UUID) -> HttpResponseBase:
    """One webhook: what became of its deliveries; enable and delete."""
    row = Webhook.objects.filter(id=webhook_id).first()
    if row is None:
        raise Http404("no such webhook")
    if request.method == "POST":
        if not stepped_up(request):
            return _made_later(request)
        return _changed(request, row)
    listed = Listed(request, Delivery.objects.filter(webhook=row))
    return show(request, "api/webhook.html", "api", {"row": row, "listed": listed})


def _changed(request: HttpRequest, row: Webhook) -> HttpResponse:
    who, act = request.user.get_username(), request.POST.get("act")
    with transaction.atomic():
        if act == "delete":
            resource.remove(who, row, request)
            messages.success(request, "It is deleted and is told nothing more.")
            return redirect("api-webhooks")
        if act == "enable":
            resource.enable(who, row, request)
            messages.success(request, "It is told again.")
    return redirect("api-webhook", row.pk)


@needs_step_up
def _made_later(request: HttpRequest) -> HttpResponseBase:
    """Leads to where a code is given; nothing has been done."""
    return redirect("api-webhooks")
