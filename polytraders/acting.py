"""Kill, release, rollout and limits, asked for from a terminal; what they do stands in `commands.py`."""

import argparse
import getpass
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from polytraders.commands import Answered, By, Command
    from polytraders.contracts.control import Killed
    from polytraders.killing.spool import Kill

OK, REFUSED, UNUSABLE = 0, 1, 2
VERBS: Final = ("kill", "release", "rollout", "limits")
SCOPES: Final = ("global", "venue", "cluster", "market", "strategy")
ANSWER_S: Final = 10.0
LOOK_S: Final = 0.05


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
    """`polytraders kill`."""
    from polytraders import commands

    def tell(kill: "Kill") -> None:
        if kill.fence:
            # Record and inbox may still understand it.
            print(f"fence   NOT written: {kill.fence}")
        else:
            print(f"fence   killed in {kill.fence_us / 1_000:.1f} ms: the loop obeys it with all else down")

    command = commands.kill(_home(), _connected, _killed(given), _by(given), tell)
    if command is None:
        print("record  not written: the database cannot be reached. The fence holds; the record follows by itself.")
        return OK
    print("record  written")
    return _tell(_wait(command), "loop    killed", needs_answer=False)


def release(given: argparse.Namespace) -> int:
    """`polytraders release`."""
    import psycopg

    from polytraders import commands

    try:
        with _connected() as conn:
            command = commands.release(_home(), conn, _killed(given), _by(given))
        print("record  written")
        print("fence   released")
        return _tell(_wait(command), "loop    trades again")
    except psycopg.OperationalError:
        return _say("GOV_DB_UNAVAILABLE", "a release needs the database; nothing was released")


def rollout(given: argparse.Namespace) -> int:
    """`polytraders rollout`."""
    from polytraders import commands

    return _asked(
        lambda conn: commands.rollout(conn, given.strategy, given.stage, _by(given)),
        f"{given.strategy} is at {given.stage}",
    )


def limits(given: argparse.Namespace) -> int:
    """`polytraders limits`: those in force, or one changed."""
    import psycopg

    from polytraders import commands

    if given.name is not None and given.value is not None:
        return _asked(
            lambda conn: commands.limit(conn, given.name, given.value, _by(given)), f"{given.name} is {given.value:,}"
        )
    try:
        with _connected() as conn:
            found = commands.limits_in_force(conn, given.shard)
    except psycopg.OperationalError:
        return _say("GOV_DB_UNAVAILABLE", "no database to ask: start with `polytraders up`")
    if found is None:
        return _say("GOV_NOT_FOUND", f"shard {given.shard} has no log yet")
    chosen = {name: limit for name, limit in found.items() if given.name in (None, name)}
    if not chosen:
        return _say("GOV_COMMAND_INVALID", f"there is no limit {given.name!r}; they are {', '.join(found)}")
    if given.json:
        print(json.dumps({name: {"value": value, "unit": unit} for name, (value, unit) in chosen.items()}))
        return OK
    for name, (value, unit) in chosen.items():
        print(f"{name:26} {value:>20,}  {unit}")
    return OK


def _asked(ask: "Callable[[Any], Command]", done: str) -> int:
    import psycopg

    try:
        with _connected() as conn:
            command = ask(conn)
        return _tell(_wait(command), done)
    except psycopg.OperationalError:
        return _say("GOV_DB_UNAVAILABLE", "no database to ask: start with `polytraders up`")


def _killed(given: argparse.Namespace) -> "Killed":
    from polytraders.contracts.control import Killed
    from polytraders.contracts.inputs import Scope

    return Killed(Scope[given.scope.upper()], given.name)


def _by(given: argparse.Namespace) -> "By":
    from polytraders.commands import By

    return By(f"cli:{getpass.getuser()}", given.reason, shard=given.shard)


def _wait(command: "Command") -> "Answered | None":
    """What the loop says to the command; None when it says nothing."""
    from polytraders import commands

    ends = time.monotonic() + ANSWER_S
    with _connected() as conn:
        while time.monotonic() < ends:
            answer = commands.answered(conn, command)
            if answer is not None:
                return answer
            time.sleep(LOOK_S)
    return None


def _tell(answer: "Answered | None", done: str, *, needs_answer: bool = True) -> int:
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


def _home() -> Path:
    from polytraders import settings

    return settings.HOME


def _connected() -> Any:
    import psycopg

    from polytraders import settings

    if not settings.DATABASE_URL:
        raise psycopg.OperationalError("DATABASE_URL is not set")
    return psycopg.connect(settings.DATABASE_URL, autocommit=True, connect_timeout=3)
