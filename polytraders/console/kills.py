"""What the web half does with kills and releases: records them with their audit row, once each."""

from http import HTTPStatus
from typing import Final

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.http import HttpRequest

from polytraders import commands, fence
from polytraders.access import audit
from polytraders.commands import Answered, By, Command, CommandError
from polytraders.console import asked
from polytraders.console.problems import Refused
from polytraders.contracts.control import Killed
from polytraders.contracts.scope import Scope
from polytraders.killing import spool, stopping
from polytraders.killing.spool import Kill

AUDITED: Final = (
    "INSERT INTO risk_audited (key, fence_us, through, asked_ns) VALUES (%s, %s, %s, %s) ON CONFLICT (key) DO NOTHING"
)
WHY: Final = "INSERT INTO risk_why (key, actor, reason) VALUES (%s, %s, %s) ON CONFLICT (key) DO NOTHING"
REASON_MAX: Final = 2_000


def target(scope: Scope, name: str) -> str:
    """A scope as audit and pages call it."""
    return "everything" if scope is Scope.GLOBAL else f"{scope.name.lower()} {name}"


def note(kill: Kill, request: HttpRequest | None = None) -> bool:
    """Table, inbox and audit row of a kept kill in one transaction; False when all of it was there already."""
    with transaction.atomic():
        stopping.record(asked.raw(), kill)
        with connection.cursor() as cursor:
            cursor.execute(AUDITED, (kill.key, kill.fence_us, kill.through, kill.at_ns))
            is_new = bool(cursor.rowcount == 1)
        if is_new:
            after = {
                "killed": True, "through": kill.through, "fence_us": kill.fence_us, "asked_ns": kill.at_ns,
                "fence": kill.fence or "written", "session": kill.session, "command": kill.key,
            }  # fmt: skip
            what = target(Scope[kill.scope.upper()], kill.name)
            audit.write(kill.actor, "control.kill", what, reason=kill.reason, after=after, request=request)
    spool.done(settings.HOME, kill.key)
    return is_new


def note_all() -> int:
    """Every kill that waits in a file; how many were new to the audit."""
    return sum(note(kill) for kill in spool.waiting(settings.HOME))


def kill(scope: Scope, name: str, actor: str, *, through: str, request: HttpRequest | None, reason: str = "") -> Kill:
    """Stop a scope: fence, file, then record and audit as far as the database lets us.

    Raises:
        Refused: The scope has no such name; nothing was done.
    """
    try:
        made = stopping.stop(settings.HOME, scope, name, actor, through=through, reason=reason)
    except fence.FenceError as error:
        raise Refused(HTTPStatus.BAD_REQUEST, error.code, str(error)) from error
    try:
        note(made, request)
    except DatabaseError:
        # The file stays, and whoever comes next writes the record.
        return made._replace(fence=made.fence or "GOV_KILL_SPOOLED")
    return made


def explain(key: str, actor: str, reason: str, request: HttpRequest) -> bool:
    """The reason of a kill, given afterwards; the first one counts."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT scope, name FROM risk_control WHERE key = %s AND act = 'kill'", (key,))
        found = cursor.fetchone()
        if found is None:
            raise Refused(HTTPStatus.NOT_FOUND, "GOV_NOT_FOUND", "there is no such kill, or its record still waits")
        cursor.execute(WHY, (key, actor, reason[:REASON_MAX]))
        is_new = bool(cursor.rowcount == 1)
        if is_new:
            audit.write(actor, "control.reason", target(Scope(found[0]), found[1]), reason=reason, request=request)
    return is_new


def released(
    scope: Scope, name: str, actor: str, reason: str, *, epoch: int, request: HttpRequest | None, second: str = "",
) -> Command:  # fmt: skip
    """Let a scope trade again, as `commands.release` does it, with its audit row; call it outside of a transaction.

    Args:
        scope: What.
        name: Which.
        actor: Who asked for it.
        reason: Why it is safe again.
        epoch: Of the fence when the person decided; a kill since then wins.
        request: Where it came from.
        second: Who confirmed it.

    Raises:
        Refused: Something was killed meanwhile; what was killed stays so.
    """
    after = {"killed": False, "confirmed_by": second}

    def noted() -> None:
        what = target(scope, name)
        audit.write(
            actor, "control.release", what, reason=reason, before={"killed": True}, after=after, request=request
        )

    try:
        return commands.release(
            settings.HOME, asked.raw(), Killed(scope, name), By(actor, reason), epoch=epoch, whole=transaction.atomic,
            noted=noted,
        )  # fmt: skip
    except CommandError as error:
        raise Refused(HTTPStatus.CONFLICT, error.code, str(error)) from error


def release(
    scope: Scope, name: str, actor: str, reason: str, *, epoch: int, request: HttpRequest | None, second: str = "",
) -> Answered | None:  # fmt: skip
    """As `released`; then the loop's answer, None = it says nothing yet."""
    return asked.answer(released(scope, name, actor, reason, epoch=epoch, request=request, second=second))
