"""What one installation consists of, in the order of its needs."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

from polytraders.supervisor.migrations import PROJECT
from polytraders.supervisor.place import kept_port
from polytraders.supervisor.postgres import Postgres, free_port
from polytraders.supervisor.process import PYTHON, Service, answers_http, command, file_there
from polytraders.supervisor.secret import kept_secret, private_folder
from polytraders.supervisor.valkey import Valkey

NAMES: Final = ("postgres", "valkey", "compile", "migrate", "simulator", "loop", "kill", "web", "worker", "beat")
OWNERS: Final = ("migrate", "worker")
"""Who may act as the owner of the tables: migrations, and retention."""


class PlanError(ValueError):
    """An environment that cannot be meant."""


class Options(NamedTuple):
    """What a person can choose; the environment has been checked by the settings."""

    home: Path
    environ: Mapping[str, str]
    venue: str = "simulator"
    speed: int = 1
    seed: int = 7
    port: int = 0
    without: tuple[str, ...] = ()


class Plan:
    """Servers, addresses and services of one run."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.home = options.home
        given = options.environ
        if ("DATABASE_URL" in given) != ("DATABASE_OWNER_URL" in given):
            raise PlanError("DATABASE_URL and DATABASE_OWNER_URL are set together or not at all")
        self.postgres = None if "DATABASE_URL" in given else Postgres(self.home)
        self.valkey = None if "REDIS_URL" in given else Valkey(self.home)
        self.port = options.port or kept_port(self.home, "web")
        self._simulator_port, self._simulator_admin_port = free_port(), free_port()
        self.kill_port = int(given.get("POLYTRADERS_KILL_PORT", 0)) or kept_port(self.home, "kill")

    @property
    def web_url(self) -> str:
        """Address of the console."""
        return f"http://127.0.0.1:{self.port}"

    def addresses(self, *, owner: bool) -> dict[str, str]:
        """Where servers are; known once they have started. The owner's address only for who may act as it."""
        given, found = self.options.environ, {}
        found["DATABASE_URL"] = self.postgres.app_url if self.postgres else given["DATABASE_URL"]
        if owner:
            found["DATABASE_OWNER_URL"] = self.postgres.owner_url if self.postgres else given["DATABASE_OWNER_URL"]
        found["REDIS_URL"] = self.valkey.url if self.valkey else given["REDIS_URL"]
        if self.options.venue == "simulator":
            ours = f"http://127.0.0.1:{self._simulator_port}"
            found["POLYTRADERS_SIMULATOR_URL"] = given.get("POLYTRADERS_SIMULATOR_URL", ours)
        return found

    def environ(self, name: str) -> dict[str, str]:
        """The environment of one process."""
        inherited = {key: value for key, value in self.options.environ.items() if key != "DATABASE_OWNER_URL"}
        own = {
            "POLYTRADERS_HOME": str(self.home),
            "POLYTRADERS_VENUE": self.options.venue,
            "POLYTRADERS_SPEED": str(self.options.speed),
            "POLYTRADERS_SEED": str(self.options.seed),
            "POLYTRADERS_PROCESS": name,
            "POLYTRADERS_READY_FILE": str(self.ready_file(name)),
            "PORT": str(self.port),
            "POLYTRADERS_KILL_PORT": str(self.kill_port),
            "PYTHONUNBUFFERED": "1",
        }
        made = {
            "POLYTRADERS_SECRET_KEY": kept_secret(self.home, "django"),
            "POLYTRADERS_KILL_KEY": kept_secret(self.home, "kill"),
        }
        if name == "kill":
            # It needs to know nobody's sessions.
            inherited.pop("POLYTRADERS_SECRET_KEY", None)
            del made["POLYTRADERS_SECRET_KEY"]
        return {**made, **inherited, **own, **self.addresses(owner=name in OWNERS)}

    def ready_file(self, name: str) -> Path:
        """The file that a process writes when it is ready; the supervisor removes it before each start."""
        return self.home / "run" / f"{name}.ready"

    def services(self) -> list[Service]:
        """All services that are wanted here; needs of those left out are left out with them."""
        wanted = [service for service in self._all() if service.name not in self.options.without]
        names = {service.name for service in wanted}
        return [
            replace(
                service,
                needs=tuple(need for need in service.needs if need in names),
                falls_with=tuple(base for base in service.falls_with if base in names),
            )
            for service in wanted
        ]

    def _all(self) -> list[Service]:
        servers = []
        if self.postgres is not None:
            server = _server("postgres", self.postgres, signal.SIGINT, self.postgres.prepare)
            servers.append(replace(server, before_stop=self.postgres.write_out, after_kill=self.postgres.sweep))
        if self.valkey is not None:
            servers.append(_server("valkey", self.valkey, signal.SIGTERM, None))
        step, tied = signal.SIGTERM, signal.SIGKILL
        compiling = self._program("compile", "-m", "polytraders.compiling", once=True, death=tied)
        migrate = self._program(
            "migrate", "-m", "polytraders.supervisor.migrations", once=True, death=step, needs=("postgres", "valkey")
        )
        simulator = self._program(
            "simulator", "-m", "polytraders.venues.simulator.serve", "--port", str(self._simulator_port),
            "--admin-port", str(self._simulator_admin_port), "--seed", str(self.options.seed),
            "--speed", str(self.options.speed), "--ready-file", str(self.ready_file("simulator")),
            "--state-file", str(self.home / "simulator.json"),
        )  # fmt: skip
        base = ("migrate", "compile", "simulator")
        loop = self._program("loop", "manage.py", "loop", "--shard", "0", needs=base, falls_with=("postgres",))
        # The first start needs the address; without the database it writes the fence all the same.
        kill = self._program(
            "kill", "-m", "polytraders.killing.serve", "--port", str(self.kill_port), needs=("postgres",)
        )
        web = self._program(
            "web", "-m", "daphne", "-b", "127.0.0.1", "-p", str(self.port), "-v", "0", "polytraders.asgi:application",
            needs=("migrate", "valkey"),
        )  # fmt: skip
        web = replace(web, ready=answers_http(self.port, "/login"))
        jobs = ("-m", "celery", "-q", "-A", "polytraders")
        worker = self._program(
            "worker", *jobs, "worker", "-c", "2", "-l", "INFO", "--without-gossip", "--without-mingle",
            needs=("migrate", "valkey"), death=signal.SIGKILL,
        )  # fmt: skip
        schedule = str(private_folder(self.home / "beat") / "schedule")
        beat = self._program(
            "beat", *jobs, "beat", "-l", "INFO", "-s", schedule, "--pidfile=", needs=("migrate", "valkey")
        )
        # What they have done each second would push the set-up link out of sight; their files have it.
        worker, beat = replace(worker, quiet=True), replace(beat, quiet=True)
        real = self.options.venue != "simulator" or "POLYTRADERS_SIMULATOR_URL" in self.options.environ
        return [*servers, compiling, migrate, *(() if real else (simulator,)), loop, kill, web, worker, beat]

    def _program(
        self,
        name: str,
        *argv: str,
        once: bool = False,
        needs: tuple[str, ...] = (),
        falls_with: tuple[str, ...] = (),
        death: signal.Signals = signal.SIGTERM,
    ) -> Service:
        ready_file = self.ready_file(name)

        def forget() -> None:
            private_folder(ready_file.parent)
            ready_file.unlink(missing_ok=True)

        return Service(
            name=name,
            launch=command([PYTHON, *argv], environ=lambda: self.environ(name), folder=PROJECT, death=death),
            prepare=forget,
            ready=file_there(ready_file),
            needs=needs,
            falls_with=falls_with,
            once=once,
        )


def _server(name: str, server: Postgres | Valkey, stop: signal.Signals, prepare: Callable[[], None] | None) -> Service:
    def launch(output: int) -> subprocess.Popen[bytes]:
        server.launch(output)
        if server.process is None:
            raise PlanError(f"{name} was stopped while it started")
        return server.process

    async def ready() -> None:
        await asyncio.to_thread(server.await_ready)

    return Service(
        name=name, launch=launch, prepare=prepare, ready=ready, stop=stop, grace_s=4.0, server=True, quiet=True
    )


def inherited(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Our environment without what would lead a client library to another server than the one that is meant."""
    return {key: value for key, value in environ.items() if not key.startswith("PG") or key in ("PG_BIN", "PG_UNROOT")}
