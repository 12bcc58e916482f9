"""The OpenAPI description: what the endpoints say of themselves, and what holds for all of them."""

from typing import Any, Final

from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema

from polytraders.api.endpoint import BODY_MAX, ENDPOINTS, OTP, Endpoint
from polytraders.api.idempotency import HEADER, KEY_MAX
from polytraders.console.problems import TYPE

BASE: Final = "/api/v1"
PROBLEM: Final[dict[str, Any]] = {
    "type": "object",
    "description": "A refusal (RFC 9457). `reason_code` is from the closed registry: /api/v1/reason-codes.",
    "required": ["type", "title", "status", "detail", "reason_code"],
    "properties": {
        "type": {"type": "string", "description": "Page of the code."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "reason_code": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "detail"],
                "properties": {"field": {"type": "string"}, "detail": {"type": "string"}},
            },
        },
    },
}
REFUSALS: Final = {
    401: ("Nobody is known by what was sent", "GOV_LOGIN_REQUIRED"),
    403: ("Known, and may not, or a code of the second factor is missing", "GOV_PERMISSION_MISSING"),
    404: ("It is not there, or the log no longer holds it", "GOV_NOT_FOUND"),
    409: ("The key was used for another request, or what holds now forbids it", "GOV_IDEMPOTENCY_CONFLICT"),
    413: (f"A body has at most {BODY_MAX:,} bytes", "GOV_REQUEST_TOO_LARGE"),
    422: ("It cannot be meant", "GOV_REQUEST_INVALID"),
    429: ("Asked too often; Retry-After says when", "GOV_RATE_LIMITED"),
    503: ("The database does not answer", "GOV_DB_UNAVAILABLE"),
}
KEY_HEADER: Final[dict[str, Any]] = {
    "in": "header",
    "name": HEADER,
    "required": True,
    "description": "The same key and body get the same answer for 24 hours; another body is refused with 409.",
    "schema": {"type": "string", "minLength": 1, "maxLength": KEY_MAX, "pattern": "^[!-~]+$"},
    "example": "3f0c6c1e-release-1",
}
OTP_HEADER: Final[dict[str, Any]] = {
    "in": "header",
    "name": OTP,
    "required": False,
    "description": "A code of the second factor of the person, or of the key's owner; a session may have given one.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 64},
    "example": "123456",
}
SECURITY: Final[dict[str, Any]] = {
    "key": {"type": "http", "scheme": "bearer", "description": "A key of the interface: ptk_..."},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "sessionid",
        "description": "A login at the console; what changes something needs X-CSRFToken too.",
    },
}
ABOUT: Final = (
    "Everything that the console shows and does, for programs. Lists are newest first and go on by a cursor; refusals"
    " are problem+json with a reason code; single objects have an ETag. The stream is at /ws/v1/stream."
)


class Interface(NinjaAPI):
    """NinjaAPI with a complete description; the pages are our own, for the shipped ones load scripts from elsewhere."""

    def __init__(self) -> None:
        """Version 1."""
        super().__init__(
            title="Polytraders", version="1", description=ABOUT, urls_namespace="api-1", docs_url=None, openapi_url=None
        )

    def get_openapi_schema(self, *, path_prefix: str | None = None, path_params: Any = None) -> OpenAPISchema:
        """The description with headers, examples, security and refusals."""
        made = super().get_openapi_schema(path_prefix=f"{BASE.removeprefix('/')}/", path_params=path_params)
        for endpoint in ENDPOINTS:
            _complete(made["paths"][_path(endpoint)][endpoint.method.lower()], endpoint)
        components = made["components"]
        components["schemas"]["Problem"] = PROBLEM
        components["securitySchemes"] = SECURITY
        components["responses"] = {f"Refusal{status}": _refusal(status) for status in REFUSALS}
        return made


def _path(endpoint: Endpoint) -> str:
    return BASE + endpoint.path


def _complete(said: dict[str, Any], endpoint: Endpoint) -> None:
    said["security"] = [{name: []} for name in SECURITY]
    said["x-permission"] = endpoint.permission.value
    is_safe = endpoint.method == "GET"
    refusals = [401, 403, 413, 422, 429, 503]
    if "{" in endpoint.path or endpoint.name in NOT_THERE:
        refusals.append(404)
    if not is_safe:
        refusals.append(409)
        said["parameters"] = [*said["parameters"], KEY_HEADER]
        if endpoint.coded:
            said["parameters"].append(OTP_HEADER)
    if endpoint.example is not None:
        (content,) = said["requestBody"]["content"].values()
        content["example"] = endpoint.example
    for status in sorted(refusals):
        said["responses"][status] = {"$ref": f"#/components/responses/Refusal{status}"}


NOT_THERE: Final = frozenset({"get_loop", "list_limits"})
"""Those that may find nothing although no id stands in their path."""


def _refusal(status: int) -> dict[str, Any]:
    words, code = REFUSALS[status]
    example = {"type": f"/reasons/{code}/", "title": words, "status": status, "detail": words, "reason_code": code}
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": f"{words}.", "content": {TYPE: {"schema": schema, "example": example}}}
