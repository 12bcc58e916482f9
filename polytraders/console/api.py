"""`/api/v1`: what programs read. The same rows as the pages; lists are newest first and go on by a cursor."""

import datetime as dt
from http import HTTPStatus
from typing import Any, Final

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError
from ninja.security import django_auth

from apps.monitoring.models import LoopRecord
from apps.registry.models import MarketRecord
from apps.risk.models import DecisionRecord
from polytraders.console import board, decisions, health
from polytraders.console.problems import Refused, problem
from polytraders.contracts.decision import Verdict
from polytraders.contracts.market import Action, Outcome
from polytraders.contracts.reasons import by_number, number
from polytraders.contracts.stretch import row_id
from polytraders.packets import canonical, packet_id

LIMIT_MOST: Final = 200
SECOND_NS: Final = 1_000_000_000
VERDICTS: Final = tuple(verdict.value for verdict in Verdict)

api = NinjaAPI(title="Polytraders", version="1", urls_namespace="api-1", auth=django_auth, docs_url="/docs")


@api.exception_handler(Refused)
def _refused(request: HttpRequest, error: Refused) -> HttpResponse:
    return problem(error.status, error.code, error.detail)


@api.exception_handler(AuthenticationError)
def _nobody(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
    return problem(HTTPStatus.UNAUTHORIZED, "GOV_LOGIN_REQUIRED", "log in first")


@api.exception_handler(ValidationError)
def _invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    fields = [{"field": ".".join(map(str, one["loc"][1:])), "detail": one["msg"]} for one in error.errors]
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "GOV_REQUEST_INVALID", "see errors", errors=fields)


@api.exception_handler(HttpError)
def _http(request: HttpRequest, error: HttpError) -> HttpResponse:
    return problem(HTTPStatus(error.status_code), "GOV_REQUEST_INVALID", str(error))


def iso(ns: int) -> str:
    """A time as programs like it, to the nanosecond."""
    whole = dt.datetime.fromtimestamp(ns // SECOND_NS, dt.UTC)
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{ns % SECOND_NS:09}Z"


@api.get("/loop", summary="How the loop is")
def loop(request: HttpRequest, shard: int = 0) -> dict[str, Any]:
    """The loop's own row with its age, its kill state and its health."""
    found = LoopRecord.objects.filter(shard=shard).first()
    if found is None:
        raise Refused(HTTPStatus.NOT_FOUND, "GOV_LOOP_SILENT", f"no loop has run on shard {shard}")
    state = health.check(shard)
    return {
        "shard": shard,
        "state": state.loop,
        "kill": state.kill,
        "loop_age_ms": state.loop_age_ms,
        "mode": found.mode,
        "venue": found.venue,
        "speed": found.speed,
        "build_hash": found.build_hash,
        "epoch_seq": found.epoch_seq,
        "in_seq": found.in_seq,
        "loop_ts": found.loop_ts,
        "loop_at": iso(found.loop_ts),
        "lag_ms": found.lag_ms,
        "heads": {"input": found.input_head, "output": found.output_head, "chain": found.chain_head},
        "rss_bytes": found.rss_bytes,
        "queues": found.queues,
        "books": found.books,
        "feeds": found.feeds,
        "money": found.money,
    }


@api.get("/decisions", summary="Decisions, newest first")
def list_decisions(
    request: HttpRequest,
    strategy: str | None = None,
    market: str | None = None,
    code: str | None = None,
    verdict: str | None = None,
    cursor: str | None = None,
    limit: int = 50,
    shard: int = 0,
) -> dict[str, Any]:
    """A page of decisions.

    `market` is an index, the venue's id or a slug; `cursor` is the `next` of the page before; `limit` is 1 to 200.
    """
    if not 1 <= limit <= LIMIT_MOST:
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "GOV_REQUEST_INVALID", f"limit is 1 to {LIMIT_MOST}")
    names = board.strategy_names(shard)
    rows = _filtered(DecisionRecord.objects.filter(shard=shard), names, strategy, market, code, verdict)
    if cursor is not None:
        rows = rows.filter(id__lt=_place(cursor, shard))
    found = list(rows.order_by("-id")[: limit + 1])
    page = found[:limit]
    titles = {
        row.market: row for row in MarketRecord.objects.filter(shard=shard, market__in={row.market for row in page})
    }
    return {
        "items": [_item(row, names, titles.get(row.market)) for row in page],
        "next": page[-1].decision_id if len(found) > limit else None,
    }


def _filtered(
    rows: "QuerySet[DecisionRecord]",
    names: dict[int, str],
    strategy: str | None,
    market: str | None,
    code: str | None,
    verdict: str | None,
) -> "QuerySet[DecisionRecord]":
    if strategy is not None:
        index = next((index for index, name in names.items() if strategy in (name, str(index))), None)
        if index is None:
            raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "GOV_REQUEST_INVALID", "no such strategy")
        rows = rows.filter(strategy=index)
    if market is not None:
        found = decisions.market_index(market)
        if found is None:
            raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "GOV_REQUEST_INVALID", "no such market")
        rows = rows.filter(market=found)
    if code is not None:
        try:
            rows = rows.filter(code=number(code))
        except KeyError as error:
            raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "GOV_REQUEST_INVALID", "no such reason code") from error
    if verdict is not None:
        if verdict not in VERDICTS:
            raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "GOV_REQUEST_INVALID", f"verdict is {', '.join(VERDICTS)}")
        rows = rows.filter(verdict=VERDICTS.index(verdict))
    return rows


def _place(decision_id: str, shard: int) -> int:
    numbers = decisions.parsed(decision_id)
    try:
        if numbers is not None:
            return row_id(shard, *numbers)
    except ValueError:
        pass
    raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "GOV_REQUEST_INVALID", "a cursor is in_seq:ordinal")


def _item(row: DecisionRecord, names: dict[int, str], market: MarketRecord | None) -> dict[str, Any]:
    return {
        "id": row.decision_id,
        "correlation_id": row.correlation_id,
        "in_seq": row.in_seq,
        "ordinal": row.ordinal,
        "ts": row.ts,
        "at": iso(row.ts),
        "market": {
            "index": row.market,
            "condition_id": market.condition_id if market else None,
            "slug": market.slug if market else None,
            "title": market.title if market else None,
        },
        "strategy": names.get(row.strategy) or f"strategy {row.strategy}",
        "verdict": VERDICTS[row.verdict],
        "reason_code": by_number(row.code).code,
        "action": Action(row.action).name,
        "outcome": Outcome(row.outcome).name,
        "p_hat": row.p_hat,
        "p_own": row.p_own,
        "q_exec": row.q_exec,
        "fee": row.fee,
        "buffer": row.buffer,
        "net_edge": row.net_edge,
        "approved_size": row.approved_size,
        "counted": row.counted,
        "counted_reason_code": None if row.counted_code is None else by_number(row.counted_code).code,
    }


@api.get("/decisions/{decision_id}", summary="One packet, byte for byte")
def one_decision(request: HttpRequest, decision_id: str) -> HttpResponse:
    """The canonical JSON of a packet; its SHA-256 is the ETag and never changes."""
    row = decisions.find(decision_id)
    if row is None:
        raise Refused(HTTPStatus.NOT_FOUND, "GOV_NOT_FOUND", "no such decision")
    try:
        made, _ = decisions.rendered(row)
    except LookupError as error:
        raise Refused(HTTPStatus.NOT_FOUND, "GOV_NOT_FOUND", "the log no longer holds it") from error
    return HttpResponse(canonical(made), content_type="application/json", headers={"ETag": f'"{packet_id(made)}"'})
