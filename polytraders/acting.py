"""Kill, release, rollout and limits, asked for from a terminal.

A kill is written to the fence first, which needs nothing but the file; then to the control table, then to the loop's
inbox. With the database away the fence alone holds, and the loop obeys it. A release goes the other way round: the
table, the fence, and last the loop, which lets the scope trade only when the other two agree.
"""

import argparse
import getpass
import json
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

OK, REFUSED, UNUSABLE = 0, 1, 2
VERBS: Final = ("kill", "release", "rollout", "limits")
SCOPES: Final = ("global", "venue", "cluster", "market", "strategy")
EXPIRES_S: Final = 60.0
ANSWER_S: Final = 10.0
LOOK_S: Final = 0.05
ANSWERED: Final = "SELECT payload FROM log_control WHERE shard = %s AND kind = %s AND key = %s"


class Answered(NamedTuple):
    """What the loop said; `code` is "" when the command was taken."""

    code: str
    words: str


def add(verbs: Any) -> None:
    """The verbs' arguments."""
    kill = verbs.add_parser("kill", help="stop trading in a scope, at once; resting orders are pulled")
    release = verbs.add_parser("release", help="let a killed scope trade again")
    for verb in (kill, release):
        verb.add_argument("scope", choices=SCOPES, nargs="?", default="global", help="what (default: everything)")
        verb.add_argument("name", nargs="?", default="", help="venue, cluster, strategy, or market by id or slug")
        verb.add_argument("--shard", type=int, default=0, metavar="N")
    kill.add_argument("--reason", default="", help="why; may be given later")
    release.add_argument("--reason", required=True, help="why it is safe again")
    rollout = verbs.add_parser("rollout", help="move a strategy on the ladder; down is immediate, up needs evidence")
    rollout.add_argument("strategy")
    rollout.add_argument("stage", choices=("replay", "shadow", "paper", "canary", "live"))
    limits = verbs.add_parser("limits", help="portfolio limits in force; with a name and a value, change one")
    limits.add_argument("name", nargs="?")
    limits.add_argument("value", nargs="?", type=int)
    limits.add_argument("--json", action="store_true", help="one JSON object")
    for verb in (rollout, limits):
        verb.add_argument("--reason", default="", help="why")
        verb.add_argument("--shard", type=int, default=0, metavar="N")


def act(given: argparse.Namespace) -> int:
    """Run one of VERBS; 0 done, 1 refused by the loop, 2 cannot be asked."""
    from django.core.exceptions import ImproperlyConfigured

    acts: dict[str, Callable[[argparse.Namespace], int]] = {
        "kill": kill, "release": release, "rollout": rollout, "limits": limits,
    }  # fmt: skip
    try:
        return acts[given.verb](given)
    except ImproperlyConfigured as error:
        return _say("GOV_CONFIG_INVALID", str(error))
    except ValueError as error:
        return _say(getattr(error, "code", "GOV_COMMAND_INVALID"), str(error))


def kill(given: argparse.Namespace) -> int:
    """`polytraders kill`: fence, table, inbox, in this order."""
    import psycopg

    from polytraders.contracts.scope import Scope
    from polytraders.killing import stopping

    kill = stopping.stop(
        _home(), Scope[given.scope.upper()], given.name, _actor(), through="terminal", reason=given.reason,
        shard=given.shard,
    )  # fmt: skip
    if kill.fence:
        # Record and inbox may still understand it.
        print(f"fence   NOT written: {kill.fence}")
    else:
        print(f"fence   killed in {kill.fence_us / 1_000:.1f} ms: the loop obeys it with all else down")
    try:
        with _connected() as conn:
            stopping.record(conn, kill)
            print("record  written")
            answer = _answered(conn, given.shard, kill.key)
    except psycopg.OperationalError:
        print("record  not written: the database cannot be reached. The fence holds; the record follows by itself.")
        return OK
    return _tell(answer, "loop    killed", needs_answer=False)


def release(given: argparse.Namespace) -> int:
    """`polytraders release`: table, fence, inbox, in this order."""
    import psycopg

    from apps.risk import controls
    from polytraders import fence
    from polytraders.contracts.control import Killed
    from polytraders.contracts.scope import Scope
    from polytraders.killing import stopping

    if not given.reason.strip():
        return _say("GOV_RELEASE_PRECONDITION", "a release needs its reason")
    scope, key = Scope[given.scope.upper()], f"release:{uuid.uuid4().hex}"
    try:
        with _connected() as conn:
            # A kill that still waits for its record is older than this release, and must stand before it.
            stopping.record_all(conn, _home())
            controls.note(
                conn, given.shard, Killed(scope, given.name), controls.RELEASE,
                actor=_actor(), reason=given.reason, key=key,
            )  # fmt: skip
            print("record  written")
            if not fence.release(_home() / fence.FILE, scope, given.name):
                return _say("GOV_RELEASE_PRECONDITION", "the fence is missing: release the global scope first")
            print("fence   released")
            answer = _ask(conn, given.shard, "release", "release", key, _scoped(given))
    except psycopg.OperationalError:
        return _say("GOV_DB_UNAVAILABLE", "a release needs the database; nothing was released")
    return _tell(answer, "loop    trades again")


def rollout(given: argparse.Namespace) -> int:
    """`polytraders rollout`."""
    told = {"strategy": given.strategy, "stage": given.stage, "reason": given.reason}
    return _asked(given, "rollout", "rollout", told, f"{given.strategy} is at {given.stage}")


def limits(given: argparse.Namespace) -> int:
    """`polytraders limits`: those in force, or one changed."""
    if given.name is not None and given.value is not None:
        told = {"name": given.name, "value": given.value, "reason": given.reason}
        return _asked(given, "limit", "limits", told, f"{given.name} is {given.value:,}")
    import psycopg

    from polytraders.config import load_limits

    try:
        with _connected() as conn:
            found = _in_force(conn, given.shard)
    except psycopg.OperationalError:
        return _say("GOV_DB_UNAVAILABLE", "no database to ask: start with `polytraders up`")
    if found is None:
        return _say("GOV_NOT_FOUND", f"shard {given.shard} has no log yet")
    shipped = load_limits()
    chosen = {name: value for name, value in found.items() if given.name in (None, name)}
    if not chosen:
        return _say("GOV_COMMAND_INVALID", f"there is no limit {given.name!r}; they are {', '.join(found)}")
    if given.json:
        print(json.dumps({name: {"value": value, "unit": shipped[name].unit} for name, value in chosen.items()}))
        return OK
    for name, value in chosen.items():
        print(f"{name:26} {value:>20,}  {shipped[name].unit}")
    return OK


def _in_force(conn: Any, shard: int) -> dict[str, int] | None:
    import numpy as np

    from apps.eventlog.bodies import What, unpack
    from polytraders.contracts.state import LIMITS

    row = conn.execute(
        "SELECT body FROM log_record WHERE shard = %s AND what = %s ORDER BY in_seq DESC LIMIT 1",
        (shard, int(What.LIMITS)),
    ).fetchone()
    if row is None:
        return None
    record = np.frombuffer(unpack(row[0]), LIMITS)[0]
    return {name: int(record[name]) for name in LIMITS.names or ()}


def _asked(given: argparse.Namespace, kind: str, permission: str, told: dict[str, Any], done: str) -> int:
    import psycopg

    try:
        with _connected() as conn:
            return _tell(_ask(conn, given.shard, kind, permission, f"{kind}:{uuid.uuid4().hex}", told), done)
    except psycopg.OperationalError:
        return _say("GOV_DB_UNAVAILABLE", "no database to ask: start with `polytraders up`")


def _scoped(given: argparse.Namespace) -> dict[str, Any]:
    return {"scope": given.scope, "name": given.name, "reason": given.reason}


def _ask(conn: Any, shard: int, kind: str, permission: str, key: str, told: dict[str, Any]) -> Answered | None:
    """Put a command into the inbox and wait for its COMMAND row in the log; None when the loop says nothing."""
    from apps.eventlog import inbox

    inbox.put(conn, kind, _actor(), permission, key, told, EXPIRES_S, shard)
    return _answered(conn, shard, key)


def _answered(conn: Any, shard: int, key: str) -> Answered | None:
    from polytraders.contracts.inputs import Kind

    ends = time.monotonic() + ANSWER_S
    while time.monotonic() < ends:
        row = conn.execute(ANSWERED, (shard, int(Kind.COMMAND), key)).fetchone()
        if row is not None:
            answer = json.loads(bytes(row[0]))
            return Answered(answer["code"], answer["words"])
        time.sleep(LOOK_S)
    return None


def _tell(answer: Answered | None, done: str, *, needs_answer: bool = True) -> int:
    if answer is None:
        print("loop    says nothing yet: the command waits in its inbox for a minute")
        return REFUSED if needs_answer else OK
    if answer.code:
        return _say(answer.code, answer.words, REFUSED)
    print(done)
    return OK


def _say(code: str, words: str, end: int = UNUSABLE) -> int:
    print(f"polytraders: {code}: {words}", file=sys.stderr)
    return end


def _actor() -> str:
    return f"cli:{getpass.getuser()}"


def _home() -> Path:
    from polytraders import settings

    return settings.HOME


def _connected() -> Any:
    import psycopg

    from polytraders import settings

    if not settings.DATABASE_URL:
        raise psycopg.OperationalError("DATABASE_URL is not set")
    return psycopg.connect(settings.DATABASE_URL, autocommit=True, connect_timeout=3)
