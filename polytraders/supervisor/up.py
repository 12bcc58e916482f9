"""`polytraders up`: one installation from nothing to a console, and back."""

import asyncio
import os
import signal

from polytraders.supervisor.binaries import ServerMissingError
from polytraders.supervisor.migrations import PROJECT
from polytraders.supervisor.output import Output
from polytraders.supervisor.place import Place, TakenError
from polytraders.supervisor.plan import Options, Plan, PlanError
from polytraders.supervisor.postgres import PostgresError
from polytraders.supervisor.process import PYTHON, exited
from polytraders.supervisor.run import GaveUpError, StartError, Supervisor
from polytraders.supervisor.spawn import SpawnError, spawn
from polytraders.supervisor.valkey import ValkeyError

OK, GAVE_UP, CANNOT_START = 0, 1, 2
REFUSALS = (
    TakenError, PlanError, ServerMissingError, PostgresError, ValkeyError, SpawnError, StartError, PermissionError,
)  # fmt: skip


def up(options: Options) -> int:
    """Run until Ctrl-C; returns the exit code.

    0 was asked to stop, and all has ended; 1 a process could not be kept up; 2 nothing can run here, and why is said.
    """
    # Logs, sockets, the cluster: nothing that is made from here on is anybody else's to read.
    os.umask(0o077)
    try:
        with Place(options.home) as place:
            output = Output(options.home / "log")
            try:
                return _run(place, options, output)
            except GaveUpError:
                return GAVE_UP
            except REFUSALS as error:
                output.say(str(error))
                return CANNOT_START
            finally:
                output.close()
    except (TakenError, PermissionError) as error:
        print(f"polytraders: {error}", flush=True)  # noqa: T201 - without the folder there is no other place to say it
        return CANNOT_START


def _run(place: Place, options: Options, output: Output) -> int:
    plan = Plan(options)
    output.say(f"starting in {options.home}; logs in its folder log/")

    async def when_ready() -> None:
        place.tell(plan.addresses(owner=True), plan.web_url)
        output.say(f"ready: {plan.web_url}")
        if "web" not in options.without:
            await _tell_setup_link(plan, output)

    asyncio.run(Supervisor(plan.services(), output).run(when_ready))
    return OK


async def _tell_setup_link(plan: Plan, output: Output) -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, encoding="utf-8") as answer:
        command = [PYTHON, "manage.py", "setup_link"]
        environ = plan.environ("setup_link")
        try:
            process = spawn(command, death=signal.SIGKILL, environ=environ, folder=PROJECT, output=writing)
        finally:
            os.close(writing)
        code = await exited(process)
        # It is a line or two, which a pipe holds, so nobody has to read while it is written.
        lines = answer.read().splitlines()
    if code != 0:
        output.say(f"no set-up link could be made: {lines[-1] if lines else code}")
    for line in lines if code == 0 else ():
        if line.startswith("/setup/"):
            output.secret(
                "nobody can log in yet. Open this within 15 minutes to make the first account; it works once:"
            )
            output.secret(f"    {plan.web_url}{line}")
