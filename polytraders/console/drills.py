"""A kill drill: a real kill of a part, in paper, timed to the last order that was pulled, and undone."""

import time
from http import HTTPStatus
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest

from apps.monitoring.models import LoopRecord, StrategyRecord
from apps.oms.models import OrderRecord
from apps.registry.models import MarketRecord
from apps.risk.models import Drill
from polytraders import fence
from polytraders.access import audit
from polytraders.console import asked, kills
from polytraders.console.problems import Refused
from polytraders.console.scopes import Line, Tree
from polytraders.contracts.scope import Scope
from polytraders.killing import stopping
from polytraders.killing.spool import Kill
from polytraders.killing.stopping import Seen

INPUT_S: Final = 3.0
PULLED_S: Final = 5.0
LOOK_S: Final = 0.02
REASON: Final = "kill drill"
PARTS: Final = (Scope.STRATEGY, Scope.CLUSTER, Scope.MARKET)


def run(scope: Scope, name: str, request: HttpRequest) -> Drill:
    """Do it and keep its times; a code in the row says what did not come.

    Raises:
        Refused: Not a part, not in paper, not there, or killed already.
    """
    line = Tree(name).find(scope, name)
    loop = LoopRecord.objects.filter(shard=0).first()
    if scope not in PARTS or line is None:
        raise Refused(HTTPStatus.BAD_REQUEST, "GOV_COMMAND_INVALID", "a drill is of a strategy, a cluster or a market")
    if line.is_killed or loop is None or loop.mode != "paper":
        raise Refused(HTTPStatus.CONFLICT, "GOV_COMMAND_INVALID", "a drill needs a scope that trades, and paper")
    who, after = request.user.get_username(), stopping.head(asked.raw())
    orders = _open(line)
    kill = kills.kill(scope, name, who, through="drill", request=request, reason=REASON)
    epoch = fence.epoch(settings.HOME / fence.FILE)
    seen = _seen(kill, after)
    pulled_us = _pulled(kill, line) if seen else None
    code, released = "", None
    if pulled_us is None:
        code = "GOV_LOOP_SILENT"
    else:
        try:
            found = kills.release(scope, name, who, REASON, epoch=epoch, request=request)
            code = "GOV_LOOP_SILENT" if found is None else found.code
            released = _micros(kill)
        except Refused as refusal:
            code = refusal.code
    with transaction.atomic():
        made = Drill.objects.create(
            shard=0, scope=int(scope), name=name, actor=who, asked_ns=kill.at_ns, fence_us=kill.fence_us,
            input_us=max(0, seen.at_ns - kill.at_ns) // 1_000 if seen else None, pulled_us=pulled_us,
            orders=orders, released_us=released, in_seq=seen.in_seq if seen else None, code=code,
        )  # fmt: skip
        told = {"fence_us": made.fence_us, "input_us": made.input_us, "pulled_us": made.pulled_us, "orders": orders}
        audit.write(who, "control.drill", kills.target(scope, name), reason=REASON, after=told, request=request)
    return made


def _micros(kill: Kill) -> int:
    return (time.time_ns() - kill.at_ns) // 1_000


def _seen(kill: Kill, after: int) -> Seen | None:
    ends = time.monotonic() + INPUT_S
    while time.monotonic() < ends:
        found = stopping.seen(asked.raw(), kill, after)
        if found is not None:
            return found
        time.sleep(LOOK_S)
    return None


def _pulled(kill: Kill, line: Line) -> int | None:
    """Microseconds until no order of the scope is on the books; None = some still are."""
    ends = time.monotonic() + PULLED_S
    while _open(line):
        if time.monotonic() >= ends:
            return None
        time.sleep(LOOK_S)
    return _micros(kill)


def _open(line: Line) -> int:
    """Open orders of the scope; they are few, and have an index of their own."""
    orders = OrderRecord.objects.filter(shard=0, is_open=True)
    if line.scope is Scope.STRATEGY:
        names = StrategyRecord.objects.filter(shard=0, name=line.name).values("strategy")
        return orders.filter(strategy__in=names).count()
    markets = MarketRecord.objects.filter(shard=0)
    chosen = (
        markets.filter(cluster_name=line.name)
        if line.scope is Scope.CLUSTER
        else markets.filter(Q(condition_id=line.name) | Q(slug=line.name))
    )
    return orders.filter(market__in=chosen.values("market")).count()
