"""The one place where an endpoint gets what all have: a permission, a limit, schemas, an ETag, and its refusals."""

import hashlib
import math
from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any, Final, NamedTuple, TypeVar

from django.db import DatabaseError
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from ninja import NinjaAPI, Router, Schema
from ninja.errors import AuthenticationError, HttpError, ValidationError
from ninja.utils import check_csrf

from polytraders.access import stepup
from polytraders.access.limiting import Limit, counter
from polytraders.access.permissions import MATRIX, Permission, is_marked
from polytraders.api import idempotency
from polytraders.api.callers import Caller, of_request
from polytraders.api.idempotency import Runs
from polytraders.console.problems import Refused, problem

BODY_MAX: Final = 65_536
JSON: Final = "application/json"
SAFE: Final = ("GET", "HEAD")
F = TypeVar("F", bound=Callable[..., Any])
OTP: Final = "Polytraders-OTP"
"""Header with a code of the second factor, for what is asked for with a key."""
ASK: Final = Limit("api-ask", 3_000, 60)
ACT: Final = Limit("api-act", 300, 60)
FORBIDDEN, INVALID, MISSING = "GOV_PERMISSION_MISSING", "GOV_REQUEST_INVALID", "GOV_NOT_FOUND"


class Endpoint(NamedTuple):
    """One line of the table that tests and the page `api` read.

    Attributes:
        method: GET, POST, DELETE.
        path: Below `/api/v1`.
        permission: What the caller must have.
        name: Operation id.
        tag: Its resource.
        summary: First line of what it says.
        example: A body that can be sent, for the description.
        coded: Whether it asks for a code of the second factor.
    """

    method: str
    path: str
    permission: Permission
    name: str
    tag: str
    summary: str
    example: Any
    coded: bool


ENDPOINTS: Final[list[Endpoint]] = []


class Right:
    """Lets in who has the permission: known, allowed, not too often, with a CSRF token where a browser needs one."""

    def __init__(self, permission: Permission, coded: bool) -> None:
        """Of one endpoint; `coded` asks for a code of the second factor, too."""
        self.permission, self.coded = permission, coded

    def __call__(self, request: HttpRequest) -> Caller:
        """The caller.

        Raises:
            Refused: 401, 403, 413 or 429.
        """
        caller = of_request(request)
        if not caller.may(self.permission):
            roles = ", ".join(role.value for role in MATRIX[self.permission])
            words = f"this needs the permission {self.permission.value!r}, which {roles} have"
            raise Refused(HTTPStatus.FORBIDDEN, FORBIDDEN, words)
        is_safe = request.method in SAFE
        # Nothing stands between a person and the kill.
        if self.permission is not Permission.KILL:
            wait_s = counter.take(ASK if is_safe else ACT, caller.limit)
            if wait_s > 0:
                raise Slower(wait_s)
        _bounded(request)
        # Who brings a key is no browser that somebody else's page has sent.
        if not is_safe and not caller.by_key and check_csrf(request) is not None:
            raise Refused(HTTPStatus.FORBIDDEN, FORBIDDEN, "the CSRF token is missing or another's")
        if self.coded:
            _stepped_up(request, caller)
        request.caller = caller  # type: ignore[attr-defined]
        # What asks who it is finds the person who answers for the key: two keys of one person are one person.
        request.user = caller.user
        return caller


def _stepped_up(request: HttpRequest, caller: Caller) -> None:
    if not caller.by_key and is_marked(request):
        return
    code = request.headers.get(OTP, "")
    if not code or not stepup.check(caller.user, code):
        words = f"a code of the second factor is needed, in the header {OTP}; nothing was done"
        raise Refused(HTTPStatus.FORBIDDEN, "GOV_STEP_UP_REQUIRED", words)


class Slower(Refused):
    """Too many requests; `wait_s` until the next."""

    def __init__(self, wait_s: float) -> None:
        """Told in the header Retry-After too."""
        self.wait_s = max(1, math.ceil(wait_s))
        super().__init__(HTTPStatus.TOO_MANY_REQUESTS, "GOV_RATE_LIMITED", f"ask again in {self.wait_s} s")


def _bounded(request: HttpRequest) -> None:
    told = request.META.get("CONTENT_LENGTH") or "0"
    if not told.isdigit() or int(told) > BODY_MAX or len(request.body) > BODY_MAX:
        words = f"a body has at most {BODY_MAX:,} bytes"
        raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "GOV_REQUEST_TOO_LARGE", words)


def caller_of(request: HttpRequest) -> Caller:
    """Who was let in."""
    found: Caller = request.caller  # type: ignore[attr-defined]
    return found


def missing(what: str) -> Refused:
    """404, with what is not there."""
    return Refused(HTTPStatus.NOT_FOUND, MISSING, what)


def invalid(why: str) -> Refused:
    """422, with why it cannot be meant."""
    return Refused(HTTPStatus.UNPROCESSABLE_ENTITY, INVALID, why)


class Resource:
    """The endpoints of one resource.

    A view returns a Schema, or the finished response. Its name is the operation id, its docstring the description.
    """

    def __init__(self, tag: str) -> None:
        """`tag` groups them in the description."""
        self.tag = tag
        self.router = Router(tags=[tag])

    def get(self, path: str, permission: Permission, answer: type[Schema], *, tagged: bool = False) -> Callable[[F], F]:
        """A question; `tagged` gives a single object its ETag and answers 304 to who has it already."""

        def decorate(view: F) -> F:
            @wraps(view)
            def asked(request: HttpRequest, **given: Any) -> HttpResponseBase:
                made = view(request, **given)
                if isinstance(made, HttpResponseBase):
                    return made
                body = answer.model_validate(made).model_dump_json()
                return with_tag(request, body) if tagged else HttpResponse(body, content_type=JSON)

            return self._keep("GET", path, permission, view, asked, {200: answer}, None)

        return decorate

    def act(
        self,
        path: str,
        permission: Permission,
        answer: type[Schema],
        *,
        method: str = "POST",
        status: HTTPStatus = HTTPStatus.OK,
        example: Any = None,
        coded: bool = False,
        how: Runs = Runs.WHOLE,
    ) -> Callable[[F], F]:
        """Something that changes something: it needs an idempotency key, and is done once (`idempotency.once`).

        `coded` asks for a code of the second factor although the permission (`STEPPED`) does not.
        """

        def decorate(view: F) -> F:
            @wraps(view)
            def done(request: HttpRequest, **given: Any) -> HttpResponse:
                def run() -> tuple[int, str]:
                    return int(status), answer.model_validate(view(request, **given)).model_dump_json()

                told = idempotency.once(request, caller_of(request).name, run, how)
                headers = {"Idempotent-Replayed": "true"} if told.is_again else {}
                return HttpResponse(told.body, status=told.status, content_type=JSON, headers=headers)

            is_coded = coded or permission in stepup.STEPPED
            return self._keep(method, path, permission, view, done, {int(status): answer}, example, coded=is_coded)

        return decorate

    def _keep(
        self,
        method: str,
        path: str,
        permission: Permission,
        view: F,
        wrapped: Callable[..., Any],
        answers: dict[int, Any],
        example: Any,
        *,
        coded: bool = False,
    ) -> F:
        summary, _, more = (view.__doc__ or "").strip().partition("\n")
        title = summary.rstrip(".")
        ENDPOINTS.append(Endpoint(method, path, permission, view.__name__, self.tag, title, example, coded))
        register = self.router.api_operation(
            [method],
            path,
            auth=Right(permission, coded),
            response=answers,
            operation_id=view.__name__,
            summary=title,
            description="\n".join(line.strip() for line in more.strip().splitlines()) or summary,
            url_name=view.__name__,
        )
        register(wrapped)
        return view


def with_tag(request: HttpRequest, body: str | bytes, *, tag: str = "") -> HttpResponse:
    """The body with an ETag, or 304 without it when the caller has the same."""
    data = body.encode() if isinstance(body, str) else body
    mark = f'"{tag or hashlib.sha256(data).hexdigest()}"'
    known = [one.strip().removeprefix("W/") for one in request.headers.get("If-None-Match", "").split(",")]
    headers = {"ETag": mark, "Cache-Control": "private, no-cache"}
    if mark in known or "*" in known:
        return HttpResponse(status=HTTPStatus.NOT_MODIFIED, headers=headers)
    return HttpResponse(data, content_type=JSON, headers=headers)


def see_to_refusals(api: NinjaAPI) -> None:
    """Every refusal is problem+json with a reason code."""

    @api.exception_handler(Refused)
    def refused(request: HttpRequest, error: Refused) -> HttpResponse:
        response = problem(error.status, error.code, str(error))
        if isinstance(error, Slower):
            response.headers["Retry-After"] = str(error.wait_s)
        if error.status is HTTPStatus.UNAUTHORIZED:
            response.headers["WWW-Authenticate"] = "Bearer"
        return response

    @api.exception_handler(AuthenticationError)
    def nobody(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
        return problem(HTTPStatus.UNAUTHORIZED, "GOV_LOGIN_REQUIRED", "send a key, or log in first")

    @api.exception_handler(ValidationError)
    def wrong(request: HttpRequest, error: ValidationError) -> HttpResponse:
        fields = [{"field": ".".join(map(str, one["loc"][1:])), "detail": one["msg"]} for one in error.errors]
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, INVALID, "see errors", errors=fields)

    @api.exception_handler(HttpError)
    def http(request: HttpRequest, error: HttpError) -> HttpResponse:
        # What cannot be read as JSON is as invalid as what cannot be meant.
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, INVALID, str(error))

    @api.exception_handler(Http404)
    def nothing(request: HttpRequest, error: Http404) -> HttpResponse:
        return problem(HTTPStatus.NOT_FOUND, MISSING, "there is nothing at this address")

    @api.exception_handler(DatabaseError)
    def away(request: HttpRequest, error: DatabaseError) -> HttpResponse:
        return problem(HTTPStatus.SERVICE_UNAVAILABLE, "GOV_DB_UNAVAILABLE", "the database did not answer; ask again")
