"""What others ask of the loop, through its inbox: understood, or refused with a code, and always logged.

Each row of the inbox becomes one COMMAND input, its payload kept with it, followed by the inputs it causes. Indices are
looked up here, so none that the loop does not have can come in.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import msgspec

from apps.monitoring.core import rollout
from polytraders.config import ConfigError, Row, limit_most, setting_bounds
from polytraders.contracts import state as s
from polytraders.contracts.control import Killed
from polytraders.contracts.inputs import PRICE_UNIT, SIZE_MAX, Command, Kind, Scope, Stage
from polytraders.contracts.reasons import number
from polytraders.shard.directory import Conflict, Directory, Full
from polytraders.venues.polymarket.listing import Listing

INVALID: Final = "GOV_COMMAND_INVALID"
FORBIDDEN: Final = "GOV_COMMAND_FORBIDDEN"
PRECONDITION: Final = "GOV_RELEASE_PRECONDITION"
NAME_MAX: Final = 200

PERMISSIONS: Final[dict[Command, str]] = {
    Command.MARKET: "registry",
    Command.KILL: "kill",
    Command.RELEASE: "release",
    Command.ROLLOUT: "rollout",
    Command.LIMIT: "limits",
    Command.CAPITAL: "capital",
    Command.RESOLVED: "settlement",
    Command.FLATTEN: "flatten",
    Command.PARAMETER: "strategy",
}
"""What whoever puts a command into the inbox must have been allowed."""


class Asked(NamedTuple):
    """One row of the inbox, as far as it decides anything; `code` is why it came too late."""

    kind: str
    actor: str
    permission: str
    payload: dict[str, Any]
    code: str | None


class Answer(NamedTuple):
    """What a command comes to.

    Attributes:
        command: What was asked; None = nobody knows.
        code: Why not, "" = taken.
        words: The same for a person.
        rows: Inputs it causes.
        identity: Names that the first of them carries.
    """

    command: Command | None
    code: str
    words: str
    rows: list[Row]
    identity: bytes | None = None


class _Scoped(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    scope: str
    name: str = ""
    reason: str = ""


class _Flatten(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    scope: str
    name: str = ""
    on: bool = True
    reason: str = ""


class _Evidence(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    parity_ppm: int
    hours: int
    fills: int
    drift_ppm: int
    incidents: int
    person: str


class _Rollout(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    strategy: str
    stage: str
    reason: str = ""
    evidence: _Evidence | None = None


class _Parameter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    strategy: str
    setting: str
    value: int
    reason: str = ""


class _Limit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    value: int
    reason: str = ""


class _Capital(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    micros: int
    reason: str = ""


class _Resolved(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    market: str
    payout: int


Caused = tuple[list[Row], bytes | None]
"""Rows, and what the first of them carries."""


class Refused(Exception):  # noqa: N818  what a command is
    """A command that cannot be taken."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(words)
        self.code = code


class Desk:
    """Understands commands, given what the shard knows now."""

    def __init__(self, directory: Directory, state: s.State, killed: Callable[[], frozenset[Killed]]) -> None:
        """Look things up in `directory` and `state`; `killed` is what the fence and the control table still say."""
        self._directory = directory
        self._state = state
        self._killed = killed
        self._acts: dict[Command, Callable[[dict[str, Any], int], Caused]] = {
            Command.MARKET: self._market,
            Command.KILL: self._kill,
            Command.RELEASE: self._release,
            Command.ROLLOUT: self._rollout,
            Command.LIMIT: self._limit,
            Command.CAPITAL: self._capital,
            Command.RESOLVED: self._resolved,
            Command.FLATTEN: self._flatten,
            Command.PARAMETER: self._parameter,
        }

    def answer(self, asked: Asked, now: int) -> Answer:
        """Understand one command at loop time `now`; never raises for what is in it."""
        command = Command.__members__.get(asked.kind.upper())
        if command is None:
            return Answer(None, INVALID, f"there is no command {asked.kind[:NAME_MAX]!r}", [])
        try:
            if asked.permission != PERMISSIONS[command]:
                raise Refused(FORBIDDEN, f"{asked.kind} needs the permission {PERMISSIONS[command]!r}")
            # A kill is never too late.
            if asked.code is not None and command is not Command.KILL:
                raise Refused(asked.code, "it came after its time")
            rows, identity = self._acts[command](asked.payload, now)
        except Refused as refusal:
            return Answer(command, refusal.code, str(refusal), [])
        except (Full, Conflict) as refusal:
            return Answer(command, refusal.code, str(refusal), [])
        except (msgspec.ValidationError, ConfigError, ValueError) as error:
            return Answer(command, INVALID, str(error), [])
        return Answer(command, "", "", rows, identity)

    def _market(self, payload: dict[str, Any], now: int) -> Caused:
        return self._directory.tell(msgspec.convert(payload, Listing), now)

    def _scope(self, scope: str, name: str) -> tuple[Scope, int]:
        kind = Scope.__members__.get(scope.upper())
        if kind is None:
            raise Refused(INVALID, f"a scope is one of {', '.join(each.name.lower() for each in Scope)}")
        if kind is Scope.GLOBAL:
            return kind, 0
        index = self._directory.scope_index(kind, name)
        if index is None:
            raise Refused(INVALID, f"there is no {scope.lower()} {name[:NAME_MAX]!r}")
        return kind, index

    def _index(self, killed: Killed) -> int | None:
        return 0 if killed.scope is Scope.GLOBAL else self._directory.scope_index(killed.scope, killed.name)

    def _kill(self, payload: dict[str, Any], now: int) -> Caused:
        told = msgspec.convert(payload, _Scoped)
        scope, index = self._scope(told.scope, told.name)
        return [(Kind.KILL, 0, 0, -1, scope, index, 0, 0)], _why(told.reason)

    def _release(self, payload: dict[str, Any], now: int) -> Caused:
        told = msgspec.convert(payload, _Scoped)
        scope, index = self._scope(told.scope, told.name)
        if not told.reason.strip():
            raise Refused(PRECONDITION, "a release needs its reason")
        # A market has an id and a slug: what counts is whom a kill means, not how it is spelt.
        still = [each.name for each in self._killed() if (each.scope, self._index(each)) == (scope, index)]
        if still:
            raise Refused(PRECONDITION, f"fence or control table still say killed, as {still[0] or 'global'!r}")
        return [(Kind.RELEASE, 0, 0, -1, scope, index, 0, 0)], _why(told.reason)

    def _flatten(self, payload: dict[str, Any], now: int) -> Caused:
        told = msgspec.convert(payload, _Flatten)
        scope, index = self._scope(told.scope, told.name)
        return [(Kind.FLATTEN, 0, 0, -1, scope, index, int(told.on), 0)], None

    def _rollout(self, payload: dict[str, Any], now: int) -> Caused:
        told = msgspec.convert(payload, _Rollout)
        wanted = Stage.__members__.get(told.stage.upper())
        index = self._directory.scope_index(Scope.STRATEGY, told.strategy)
        if wanted is None or index is None:
            raise Refused(INVALID, f"there is no strategy {told.strategy[:NAME_MAX]!r} or no stage {told.stage[:20]!r}")
        current = Stage(int(self._state.strategies["stage"][index]))
        # Evidence is gathered by whoever may ask; the table of what is needed is ours. Without it there is only down.
        told_of = told.evidence
        shown = rollout.Evidence(*msgspec.structs.astuple(told_of)) if told_of is not None else None
        step = rollout.move(current, wanted, shown)
        if step.code == rollout.REFUSED:
            raise Refused(step.code, f"missing: {', '.join(step.missing)}")
        return [(Kind.ROLLOUT, 0, 0, index, 0, int(step.stage), 0, 0)] if step.code else [], None

    def _limit(self, payload: dict[str, Any], now: int) -> Caused:
        told = msgspec.convert(payload, _Limit)
        names = s.LIMITS.names or ()
        if told.name not in names:
            raise Refused(INVALID, f"there is no limit {told.name[:NAME_MAX]!r}")
        if not 0 <= told.value <= limit_most(told.name):
            raise Refused(INVALID, f"{told.name} must be from 0 to {limit_most(told.name):,}")
        return [(Kind.LIMIT, 0, 0, -1, names.index(told.name), told.value, 0, 0)], None

    def _parameter(self, payload: dict[str, Any], now: int) -> Caused:
        told = msgspec.convert(payload, _Parameter)
        index = self._directory.scope_index(Scope.STRATEGY, told.strategy)
        if index is None:
            raise Refused(INVALID, f"there is no strategy {told.strategy[:NAME_MAX]!r}")
        setting, least, most = setting_bounds(told.setting)
        if not least <= told.value <= most:
            raise Refused(INVALID, f"{told.setting} must be from {least:,} to {most:,}")
        return [(Kind.SETTING, 0, 0, index, setting, told.value, 0, 0)], None

    def _capital(self, payload: dict[str, Any], now: int) -> Caused:
        micros = msgspec.convert(payload, _Capital).micros
        free = int(self._state.portfolio["cash"][0]) - int(self._state.portfolio["reserved"][0])
        if micros == 0 or abs(micros) > SIZE_MAX or micros < -free:
            raise Refused(INVALID, "it is nothing, more than is free, or beyond all measure")
        return [(Kind.CAPITAL, 0, 0, -1, 0, micros, 0, 0)], None

    def _resolved(self, payload: dict[str, Any], now: int) -> Caused:
        told = msgspec.convert(payload, _Resolved)
        index = self._directory.find(told.market)
        if index is None or not 0 <= told.payout <= PRICE_UNIT:
            raise Refused(INVALID, f"there is no market {told.market[:NAME_MAX]!r}, or no such payout")
        return self._directory.resolve(index, told.payout), None


def _why(reason: str) -> bytes:
    return msgspec.json.encode({"reason": reason})


def command_row(answer: Answer) -> Row:
    """The COMMAND input of an answer."""
    refusal = number(answer.code) if answer.code else 0
    return (Kind.COMMAND, 0, 0, -1, int(answer.command or 0), 0, 0, refusal)


def as_payload(asked: Asked, answer: Answer) -> bytes:
    """What is kept with the COMMAND input: what was asked, by whom, and what it came to."""
    return msgspec.json.encode(
        {"kind": asked.kind, "actor": asked.actor, "asked": asked.payload, "code": answer.code, "words": answer.words}
    )
