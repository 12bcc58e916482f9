"""Controls: what is killed, kill and release, limits, the ladder, and what became of a command."""

from http import HTTPStatus
from typing import Annotated, Any, Final, Literal

from django.http import HttpRequest
from ninja import Field, Query, Schema

from apps.monitoring.models import ScopeRecord, StrategyRecord
from apps.risk import controls as table
from apps.risk.models import Proposal
from polytraders import commands, fence
from polytraders.access import audit
from polytraders.access.permissions import Permission
from polytraders.api.endpoint import Resource, caller_of, invalid, missing
from polytraders.api.idempotency import Runs
from polytraders.api.places import TEXT_MAX, Body, Shard, iso, raw, strategies
from polytraders.config import limit_most
from polytraders.console import board, checklist, foureyes, health, kills, limits, rollouts
from polytraders.console.problems import Refused
from polytraders.console.scopes import Tree
from polytraders.contracts.control import Killed
from polytraders.contracts.inputs import Stage
from polytraders.contracts.scope import Scope
from polytraders.killing import stopping

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


class KillBody(Body):
    """What to stop."""

    scope: ScopeName
    name: str = Field("", max_length=TEXT_MAX, description="Venue, cluster, strategy, or a market's id or slug.")
    reason: str = Field("", max_length=REASON_MAX, description="May be given later.")


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
    trouble: str = Field(description="What could not be written at once; the record then follows by itself.")


class Asked(Schema):
    """Asked of the loop, or first of a second person."""

    state: Literal["sent", "proposed"]
    command: CommandSent | None
    proposal: int | None = Field(description="Of /proposals.")


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


class LimitBody(Body):
    """A limit's new value; the loop refuses what cannot be."""

    name: str = Field(min_length=1, max_length=TEXT_MAX, examples=["spread_max"])
    value: int = Field(ge=0, lt=1 << 63)
    reason: str = Field(min_length=1, max_length=REASON_MAX)


class Rung(Schema):
    """Where a strategy stands."""

    strategy: str
    index: int
    stage: StageName | None
    changed_seq: int


class Ladder(Schema):
    """Every strategy's stage."""

    items: list[Rung]


class RolloutBody(Body):
    """Where a strategy goes; up needs evidence, which the loop asks for."""

    strategy: str = Field(min_length=1, max_length=TEXT_MAX)
    stage: StageName
    reason: str = Field(min_length=1, max_length=REASON_MAX)


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
        told = logged.get(each)
        found.append({
            "scope": each.scope.name.lower(), "name": each.name, "by_fence": each in fenced,
            "by_record": each in recorded, "by_log": told is not None,
            "actor": told.actor if told else None, "reason": told.reason if told else None,
            "at": iso(told.ts) if told else None,
        })  # fmt: skip
    return found


@controls.act(
    "/controls/kill", Permission.KILL, KillDone, example={"scope": "global", "reason": "a drill"}, how=Runs.HARMLESS
)
def kill(request: HttpRequest, body: KillBody) -> dict[str, Any]:
    """Stop a scope at once; resting orders are pulled.

    The fence is written before anything else is asked. Sending it again does no harm.
    """
    scope, actor, after_seq = _scope(body), caller_of(request).name, stopping.head(raw())
    made = kills.kill(*scope, actor, through="interface", request=request, reason=body.reason)
    told = {"fence_ms": made.fence_us / 1_000, "is_fenced": not made.fence, "trouble": made.fence}
    return _sent(commands.Command(made.key, after_seq)) | told


@controls.act(
    "/controls/release", Permission.RELEASE, Asked,
    example={"scope": "market", "name": "will-it-rain", "reason": "the feed is back and agrees"}, how=Runs.STEPS,
)  # fmt: skip
def release(request: HttpRequest, body: ReleaseBody) -> dict[str, Any]:
    """Let a scope trade again; everything only by two people.

    The check list of the page must be ticked. Record, fence, loop: it trades only when all three agree. The global
    scope becomes a proposal that a second person confirms.
    """
    scope = _scope(body)
    tree = Tree(scope.name)
    now = tree.strip()
    line = tree.find(scope.scope, scope.name)
    if line is None:
        raise invalid("there is no such scope")
    if not line.is_killed:
        raise Refused(CONFLICT, commands.PRECONDITION, "it trades: there is nothing to release")
    blocking = [check.title for check in checklist.release(line, tree, now) if check.blocks]
    if blocking:
        raise Refused(CONFLICT, commands.PRECONDITION, f"not ticked: {'; '.join(blocking)}")
    if scope.scope is Scope.GLOBAL:
        payload = {"scope": "global", "name": "", "epoch": tree.epoch}
        return _proposed(
            foureyes.propose(
                request, "release", "everything", payload, before="killed", after="trading", reason=body.reason
            )
        )
    actor = caller_of(request).name
    return _state(kills.released(*scope, actor, body.reason, epoch=tree.epoch, request=request))


@controls.get("/controls/limits", Permission.VIEW, LimitList, tagged=True)
def list_limits(request: HttpRequest, shard: Shard) -> dict[str, Any]:
    """Portfolio limits in force, as the log has them."""
    found = commands.limits_in_force(raw(), shard)
    if found is None:
        raise missing(f"shard {shard} has no log yet")
    return {"items": [{"name": name, "value": value, "unit": unit} for name, (value, unit) in found.items()]}


@controls.act(
    "/controls/limits", Permission.LIMIT, Asked,
    example={"name": "spread_max", "value": 400, "reason": "books are thin today"},
)  # fmt: skip
def propose_limit(request: HttpRequest, body: LimitBody) -> dict[str, Any]:
    """Propose another value of a portfolio limit; a second person confirms it."""
    found = commands.limits_in_force(raw())
    if found is None or body.name not in found:
        raise invalid("there is no such limit")
    if body.value > limit_most(body.name):
        raise invalid(f"it must be from 0 to {limit_most(body.name)}")
    before = found[body.name][0]
    if before == body.value:
        raise Refused(CONFLICT, "GOV_REQUEST_INVALID", "that is what is in force")
    return _proposed(limits.propose(request, body.name, before, body.value, body.reason))


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
    "/rollout", Permission.PROMOTE, Asked,
    example={"strategy": "logit", "stage": "shadow", "reason": "drifts since noon"},
)  # fmt: skip
def move_strategy(request: HttpRequest, body: RolloutBody) -> dict[str, Any]:
    """Move a strategy on the ladder; down is immediate, up is proposed with its evidence to a second person."""
    tree = Tree(deep=False)
    now, wanted = tree.strip(), Stage[body.stage.upper()]
    rungs = rollouts.ladder(tree.strategies, now.loop.loop_ts if now.loop else 0)
    rung = next((one for one in rungs if one.name == body.strategy), None)
    if rung is None:
        raise invalid("no such strategy")
    if wanted == rung.stage:
        raise Refused(CONFLICT, "GOV_REQUEST_INVALID", "that is where it is")
    before, after = rung.stage.name.lower(), wanted.name.lower()
    if wanted > rung.stage:
        if wanted != rung.following or rung.missing:
            missing_words = ", ".join(rung.missing) or "the stages between"
            raise Refused(CONFLICT, "GOV_ROLLOUT_EVIDENCE_MISSING", f"missing: {missing_words}")
        payload = {"strategy": rung.name, "stage": after, "evidence": rung.evidence._asdict()}
        return _proposed(
            foureyes.propose(request, "rollout", rung.name, payload, before=before, after=after, reason=body.reason)
        )
    by = commands.By(caller_of(request).name, body.reason)
    sent = _asked(lambda: commands.rollout(raw(), rung.name, after, by))
    audit.write(
        by.actor, "rollout.down", rung.name, reason=body.reason,
        before={"stage": before}, after={"stage": after}, request=request,
    )  # fmt: skip
    return _state(sent)


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


def _state(command: commands.Command) -> dict[str, Any]:
    return {"state": "sent", "command": _sent(command), "proposal": None}


def _proposed(proposal: Proposal) -> dict[str, Any]:
    return {"state": "proposed", "command": None, "proposal": proposal.id}
