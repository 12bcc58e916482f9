"""What a person does about trades: pull one order, cash out a market. Both go the loop's way, and are its inputs.

A web process decides nothing here. It puts a command into the inbox with its audit row, in one transaction, and waits a
moment for the loop's answer.
"""

import json
import time
from http import HTTPStatus
from typing import Any, Final, NamedTuple

from django.contrib import messages
from django.db import connection, transaction
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from apps.eventlog import inbox
from apps.ledger.models import FlattenRecord
from apps.registry.models import MarketRecord
from polytraders.access import audit
from polytraders.access.permissions import Permission, needs
from polytraders.console import orders
from polytraders.console.problems import problem
from polytraders.contracts.inputs import Kind, Scope

EXPIRES_S: Final = 30.0
ANSWER_S: Final = 1.5
LOOK_S: Final = 0.05
REASON_MOST: Final = 500
ANSWERED: Final = "SELECT payload FROM log_control WHERE shard = %s AND kind = %s AND in_seq > %s AND key = %s"


class Command(NamedTuple):
    """What is asked of the loop, and how it is audited."""

    kind: str
    permission: str
    key: str
    payload: dict[str, Any]
    act: str
    target: str


@require_POST
@needs(Permission.TRADE)
def pull(request: HttpRequest, order_id: str, shard: int = 0) -> HttpResponseBase:
    """Pull one order. It ends after our latency, and can still be filled until then."""
    row = orders.find(order_id, shard)
    if row is None:
        raise Http404("no such order")
    reason = _reason(request)
    command = Command(
        "pull", "pull", f"pull:{order_id}", {"order": order_id, "reason": reason}, "order.pull", f"order {order_id}"
    )
    if not row.is_open:
        messages.warning(request, "It has ended already; there is nothing to pull.")
    else:
        _ask(request, command, reason, shard, "The order is pulled: it ends after our latency, unless it fills before.")
    return redirect("order", order_id=order_id)


@require_POST
@needs(Permission.TRADE)
def cash_out(request: HttpRequest, market: int, shard: int = 0) -> HttpResponseBase:
    """Begin (`on=1`) or end (`on=0`) the selling of all that is held in a market, through the gate."""
    row = MarketRecord.objects.filter(shard=shard, market=market).first()
    if row is None or not row.condition_id:
        raise Http404("no such market")
    on = request.POST.get("on", "")
    if on not in ("0", "1"):
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "GOV_REQUEST_INVALID", "on is 0 or 1")
    last = FlattenRecord.objects.filter(shard=shard, scope=int(Scope.MARKET), index=market).first()
    # Twice the same button is one command; after it was done, the next one is another.
    key = f"cash-out:{shard}:{market}:{on}:{last.in_seq if last else 0}"
    reason = _reason(request)
    payload = {"scope": "market", "name": row.condition_id, "on": on == "1", "reason": reason}
    act = "position.cash-out" if on == "1" else "position.cash-out-end"
    command = Command("flatten", "flatten", key, payload, act, f"market {market}")
    said = "Cashing out: only trades that reduce pass here now." if on == "1" else "Cashing out has ended."
    _ask(request, command, reason, shard, said)
    return redirect("positions")


def _reason(request: HttpRequest) -> str:
    text = request.POST.get("reason", "").strip()[:REASON_MOST]
    return "".join(sign if sign.isprintable() else " " for sign in text)


def _ask(request: HttpRequest, command: Command, reason: str, shard: int, done: str) -> None:
    """Put it in with its audit row, and say what the loop answered."""
    actor = f"operator:{request.user.get_username()}"[:200]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT coalesce((SELECT seq FROM log_head WHERE shard = %s), 0)", (shard,))
        head = cursor.fetchone()[0]
        raw: Any = connection.connection
        is_new = inbox.put(raw, command.kind, actor, command.permission, command.key, command.payload, EXPIRES_S, shard)
        if is_new:
            audit.write(
                request.user.get_username(), command.act, command.target, reason=reason, after=command.payload,
                request=request,
            )  # fmt: skip
    answer = answered(command.key, head, shard, ANSWER_S)
    if answer is None:
        words = f"The loop has not answered yet; it does so within {EXPIRES_S:.0f} s or not at all."
        messages.warning(request, words if is_new else f"The same has been asked already. {words}")
    elif answer["code"]:
        messages.error(request, f"{answer['code']}: {answer['words']}")
    else:
        messages.success(request, done)


def answered(key: str, after: int, shard: int, wait_s: float) -> dict[str, str] | None:
    """What the loop made of a command put in when its log ended at `after`; None when it has not come to it."""
    ends = time.monotonic() + wait_s
    while True:
        with connection.cursor() as cursor:
            cursor.execute(ANSWERED, (shard, int(Kind.COMMAND), after, key))
            found = cursor.fetchone()
        if found is not None:
            told: dict[str, str] = json.loads(bytes(found[0]))
            return told
        if time.monotonic() >= ends:
            return None
        time.sleep(LOOK_S)
