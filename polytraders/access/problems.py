"""Refusals for programs: problem+json with a reason code, so that a program need not read prose."""

import json
from http import HTTPStatus
from typing import Any

from django.http import HttpResponse

from polytraders.contracts.reasons import reason

TYPE = "application/problem+json"


def problem(status: HTTPStatus, code: str, detail: str, **more: Any) -> HttpResponse:
    """The response; `type` is the page of the code."""
    body = {
        "type": f"/reasons/{code}/",
        "title": reason(code).meaning,
        "status": int(status),
        "detail": detail,
        "reason_code": code,
    } | more
    return HttpResponse(json.dumps(body), status=status, content_type=TYPE)
