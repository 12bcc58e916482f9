"""Controls: what is killed, kill and release, limits, the ladder, and what became of a command."""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal

from django.conf import settings
from django.http import HttpRequest
from ninja import Field, Query, Schema

from apps.monitoring.models import ScopeRecord, StrategyRecord
from apps.risk import controls as table
from polytraders import commands, fence
from polytraders.access import audit
from polytraders.access.permissions import Permission
from polytraders.api.endpoint import Resource, caller_of, invalid, missing
from polytraders.api.places import TEXT_MAX, Shard, iso, raw, strategies, strategy_index
from polytraders.console import board, health
from polytraders.console.problems import Refused
from polytraders.contracts.control import Killed
from polytraders.contracts.inputs import Scope, Stage

controls = Resource("controls")
ScopeName = Literal["global", "venue", "cluster", "market", "strategy"]
StageName = Literal["replay", "shadow", "paper", "canary", "live"]
REASON_MAX: Final = 500
CONFLICT, DOWN = HTTPStatus.CONFLICT, HTTPStatus.SERVICE_UNAVAILABLE


class Stopped(Schema):
    """A scope that somebody or something says is killed; any of the three is enough."""

    scope: ScopeName
    name: str = Field(description="Empty for the global scope.")
    by_fence: bool
    by_record: bool
    by_log: bool
    actor: str | None
    reason: str | None
    at: str | None


class ControlState(Schema):
    """What may trade."""

    kill: Literal["TRADING", "KILLED", "UNKNOWN"] = Field(description="UNKNOWN counts as killed.")
    mode: str
    loop: str
    loop_age_ms: int | None
    killed: list[Stopped]


class KillBody(Schema):
    """What to stop."""

    scope: ScopeName
    name: str = Field("", max_length=TEXT_MAX, description="Venue, cluster, strategy, or a market's id or slug.")
    reason: str = Field("", max_length=REASON_MAX, description="May be given later.")
    shard: int = Field(0, ge=0, lt=32)


class ReleaseBody(KillBody):
    """What may trade again, and why."""

    reason: str = Field(min_length=1, max_length=REASON_MAX)


class CommandSent(Schema):
    """A command on its way to the loop; ask `href` what it said."""

    key: str
    after_seq: int
    href: str


class KillDone(CommandSent):
    """The fence holds from now on, whatever else is up or down."""

    fence_ms: float
    is_fenced: bool
    fence_error: str


class CommandState(Schema):
    """What became of a command."""

    key: str
    state: Literal["waiting", "taken", "refused", "unknown"] = Field(
        description="unknown: the loop has not said anything and nothing waits, as after its time."
    )
    reason_code: str
    words: str


class LimitItem(Schema):
    """A portfolio limit in force."""

    name: str
    value: int
    unit: str


class LimitList(Schema):
    """All of them."""

    items: list[LimitItem]


class LimitBody(Schema):
    """A limit's new value; the loop refuses what cannot be."""

    name: str = Field(min_length=1, max_length=TEXT_MAX, examples=["spread_max"])
    value: int = Field(ge=0, lt=1 << 63)
    reason: str = Field(min_length=1, max_length=REASON_MAX)
    shard: int = Field(0, ge=0, lt=32)


class Rung(Schema):
    """Where a strategy stands."""

    strategy: str
    index: int
    stage: StageName | None
    changed_seq: int


class Ladder(Schema):
    """Every strategy's stage."""

    items: list[Rung]


class RolloutBody(Schema):
    """Where a strategy goes; up needs evidence, which the loop asks for."""

    strategy: str = Field(min_length=1, max_length=TEXT_MAX)
    stage: StageName
    reason: str = Field(min_length=1, max_length=REASON_MAX)
    shard: int = Field(0, ge=0, lt=32)


@controls.get("/controls", Permission.VIEW, ControlState, tagged=False)
def get_controls(request: HttpRequest, shard: Shard) -> dict[str, Any]:
    """What is killed, by which of fence, record and log."""
    state = health.check(shard)
    shown = board.strip(shard)
    return {
        "kill": state.kill,
        "mode": shown.mode,
        "loop": state.loop,
        "loop_age_ms": state.loop_age_ms,
        "killed": _stopped(shard),
    }


def _stopped(shard: int) -> list[dict[str, Any]]:
    names = strategies(shard)
    fenced, recorded = frozenset(board.fenced()), table.killed(raw(), shard)
    logged = {}
    for row in ScopeRecord.objects.filter(shard=shard, is_killed=True):
        scope = Scope(row.scope)
        name = "" if scope is Scope.GLOBAL else names.get(row.index) if scope is Scope.STRATEGY else None
        logged[Killed(scope, str(row.index) if name is None else name)] = row
    found = []
    for each in sorted(fenced | recorded | set(logged)):
        row = logged.get(each)
        found.append({
            "scope": each.scope.name.lower(), "name": each.name, "by_fence": each in fenced,
            "by_record": each in recorded, "by_log": row is not None,
            "actor": row.actor if row else None, "reason": row.reason if row else None,
            "at": iso(row.ts) if row else None,
        })  # fmt: skip
    return found


@controls.act("/controls/kill", Permission.KILL, KillDone, example={"scope": "global", "reason": "a drill"})
def kill(request: HttpRequest, body: KillBody) -> dict[str, Any]:
    """Stop a scope at once; resting orders are pulled.

    The fence is written before anything else is asked. Sending it again does no harm.
    """

    @contextmanager
    def connect() -> Iterator[Any]:
        yield raw()

    scope = _scope(body)
    actor = caller_of(request).name
    done = commands.kill(settings.HOME, connect, scope, commands.By(actor, body.reason, shard=body.shard))
    if done.command is None:
        raise Refused(DOWN, "GOV_DB_UNAVAILABLE", "the fence is written and holds; record and loop were not reached")
    audit.write(actor, "control.kill", _words(scope), reason=body.reason, after={"killed": True}, request=request)
    told = {"fence_ms": done.fence.ms, "is_fenced": not done.fence.error, "fence_error": done.fence.error}
    return _sent(done.command) | told


@controls.act(
    "/controls/release", Permission.RELEASE, CommandSent,
    example={"scope": "market", "name": "will-it-rain", "reason": "the feed is back and agrees"},
)  # fmt: skip
def release(request: HttpRequest, body: ReleaseBody) -> dict[str, Any]:
    """Let a scope trade again; the global scope needs a second person and is released on the page.

    Record, fence, loop: it trades only when all three agree.
    """
    scope = _scope(body)
    if scope.scope is Scope.GLOBAL:
        raise Refused(CONFLICT, commands.PRECONDITION, "everything is released on the page by two people")
    actor = caller_of(request).name
    sent = _asked(
        lambda: commands.release(settings.HOME, raw(), scope, commands.By(actor, body.reason, "", body.shard))
    )
    audit.write(actor, "control.release", _words(scope), reason=body.reason, after={"killed": False}, request=request)
    return _sent(sent)


@controls.get("/controls/limits", Permission.VIEW, LimitList, tagged=True)
def list_limits(request: HttpRequest, shard: Shard) -> dict[str, Any]:
    """Portfolio limits in force, as the log has them."""
    found = commands.limits_in_force(raw(), shard)
    if found is None:
        raise missing(f"shard {shard} has no log yet")
    return {"items": [{"name": name, "value": value, "unit": unit} for name, (value, unit) in found.items()]}


@controls.act(
    "/controls/limits", Permission.LIMIT, CommandSent,
    example={"name": "spread_max", "value": 400, "reason": "books are thin today"},
)  # fmt: skip
def set_limit(request: HttpRequest, body: LimitBody) -> dict[str, Any]:
    """Lower one portfolio limit; what raises one needs a second person and is proposed on the page."""
    known = commands.limits_in_force(raw(), body.shard)
    if known is None or body.name not in known:
        raise invalid("there is no such limit")
    actor, before = caller_of(request).name, known[body.name][0]
    sent = _asked(lambda: commands.limit(raw(), body.name, body.value, commands.By(actor, body.reason, "", body.shard)))
    audit.write(
        actor, "limit.change", body.name, reason=body.reason,
        before={"value": before}, after={"value": body.value}, request=request,
    )  # fmt: skip
    return _sent(sent)


@controls.get("/controls/commands/{key}", Permission.VIEW, CommandState)
def get_command(
    request: HttpRequest,
    key: str,
    shard: Shard,
    after_seq: Annotated[int, Query(ge=0, lt=1 << 62, description="As told with the command.")],
) -> dict[str, Any]:
    """What the loop has said to a command."""
    if "\0" in key or len(key) > TEXT_MAX:
        raise missing("no such command")
    conn = raw()
    answer = commands.answered(conn, commands.Command(key, after_seq, shard))
    if answer is not None:
        state = "refused" if answer.code else "taken"
        return {"key": key, "state": state, "reason_code": answer.code, "words": answer.words}
    state = "waiting" if commands.waits(conn, key) else "unknown"
    return {"key": key, "state": state, "reason_code": "", "words": ""}


rollout = Resource("rollout")


@rollout.get("/rollout", Permission.VIEW, Ladder, tagged=True)
def get_rollout(request: HttpRequest, shard: Shard) -> dict[str, Any]:
    """Where each strategy stands on the ladder replay, shadow, paper, canary, live."""
    return {"items": [_rung(row) for row in StrategyRecord.objects.filter(shard=shard).order_by("strategy")]}


@rollout.act(
    "/rollout", Permission.PROMOTE, CommandSent,
    example={"strategy": "logit", "stage": "shadow", "reason": "drifts since noon"},
)  # fmt: skip
def move_strategy(request: HttpRequest, body: RolloutBody) -> dict[str, Any]:
    """Move a strategy on the ladder; down is immediate, up is refused by the loop without evidence."""
    names = strategies(body.shard)
    index = strategy_index(body.strategy, names)
    row = StrategyRecord.objects.get(shard=body.shard, strategy=index)
    actor = caller_of(request).name
    told = row.name or str(index)
    sent = _asked(lambda: commands.rollout(raw(), told, body.stage, commands.By(actor, body.reason, "", body.shard)))
    audit.write(
        actor, "rollout.move", told, reason=body.reason,
        before={"stage": _rung(row)["stage"]}, after={"stage": body.stage}, request=request,
    )  # fmt: skip
    return _sent(sent)


def _rung(row: StrategyRecord) -> dict[str, Any]:
    stage = None if row.stage is None else Stage(row.stage).name.lower()
    return {
        "strategy": row.name or f"strategy {row.strategy}",
        "index": row.strategy,
        "stage": stage,
        "changed_seq": row.changed_seq,
    }


def _scope(body: KillBody) -> Killed:
    scope = Killed(Scope[body.scope.upper()], body.name)
    if (scope.scope is Scope.GLOBAL) != (not scope.name):
        raise invalid("the global scope has no name, every other has one")
    if "\0" in body.name or "\0" in body.reason:
        raise invalid("a text has no NUL")
    if len(body.name.encode()) > fence.NAME_MAX:
        raise invalid(f"a name has at most {fence.NAME_MAX} bytes")
    return scope


def _words(scope: Killed) -> str:
    return scope.scope.name.lower() if scope.scope is Scope.GLOBAL else f"{scope.scope.name.lower()} {scope.name}"


def _asked(ask: Any) -> commands.Command:
    try:
        found: commands.Command = ask()
    except commands.CommandError as error:
        raise Refused(CONFLICT, error.code, str(error)) from error
    except ValueError as error:
        raise invalid(str(error)) from error
    return found


def _sent(command: commands.Command) -> dict[str, Any]:
    address = f"/api/v1/controls/commands/{command.key}?after_seq={command.after_seq}&shard={command.shard}"
    return {"key": command.key, "after_seq": command.after_seq, "href": address}
