"""A PostgreSQL server of our own: made in a folder, on a random loopback port, with two roles and scram passwords."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import psycopg
from psycopg import sql

from polytraders.supervisor.binaries import postgres_bin
from polytraders.supervisor.secret import kept_secret, private_folder, write_private
from polytraders.supervisor.server import Server
from polytraders.supervisor.spawn import Account, spawn

DATABASE: Final = "polytraders"
SUPERUSER: Final = "postgres"
OWNER: Final = "polytraders_owner"
APP: Final = "polytraders_app"
ROLES: Final = Path(__file__).with_name("roles.sql")
READY_S_MAX: Final = 60.0
"""Longer only where crash recovery has very much to read."""
READY_LINE: Final = 8
STOP_S_MAX: Final = 10.0
BUILTIN_LOCALE_SINCE: Final = 17
OPTIONS: Final = ("timezone=UTC", "log_timezone=UTC", "log_checkpoints=off", "unix_socket_directories=")
# What is committed still survives the server's own death, which tests need; only the machine's would lose it.
FAST_AND_LOOSE: Final = (
    "fsync=off",
    "full_page_writes=off",
    "wal_level=minimal",
    "max_wal_senders=0",
)


class PostgresError(RuntimeError):
    """The server cannot be made or does not start; the text says what its log said."""


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def see_to_roles(connection: psycopg.Connection[Any], passwords: Mapping[str, str]) -> None:
    """Make the two roles, or set them right, in the database that a superuser is connected to."""
    text = ROLES.read_text(encoding="utf-8")
    for role, place in ((OWNER, ":'owner_password'"), (APP, ":'app_password'")):
        # The verifier, not the password, goes over the wire: a failing statement is written to the server's log.
        verifier = connection.pgconn.encrypt_password(
            passwords[role].encode(), role.encode(), b"scram-sha-256"
        ).decode()
        text = text.replace(place, sql.Literal(verifier).as_string(connection))
    connection.execute(text.encode())


class Postgres(Server):
    """One server and its folder.

    `folder` gets `pgdata-<major>/`, `secrets/` and `postgres.log`. The data folder carries the major version because
    another version cannot open it. `start`, `stop` and `kill` may be called again and again; the context manager does
    the first two.
    """

    ENDS_BY = signal.SIGINT
    """Transactions in progress are rolled back."""
    END_S_MAX = STOP_S_MAX

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        self.folder = folder.resolve()
        self.durable = durable
        self.port = 0
        self._bin = postgres_bin()
        self._answered = False
        self._account = Account()
        self._major = self._version()
        self.data = self.folder / f"pgdata-{self._major}"
        self.log = self.folder / "postgres.log"

    # --- addresses ---------------------------------------------------------------------------------------------------

    def url(self, role: str = APP, database: str = DATABASE) -> str:
        """Address of a database for a role, password included: for connecting, never for showing."""
        password = quote(kept_secret(self.folder, role))
        return f"postgresql://{role}:{password}@127.0.0.1:{self.port}/{database}"

    @property
    def owner_url(self) -> str:
        """The database as the role that makes tables."""
        return self.url(OWNER)

    @property
    def app_url(self) -> str:
        """The database as the role that everything at run time uses."""
        return self.url(APP)

    # --- life --------------------------------------------------------------------------------------------------------

    def start(self, output: int | None = None) -> None:
        """Make the cluster if there is none, start it, wait until it answers, and see to the roles.

        Args:
            output: Descriptor for what the server says; None appends to `postgres.log`.

        Raises:
            PostgresError: It cannot be made or does not come up.
        """
        self.prepare()
        self.launch(output)
        self.await_ready()

    def prepare(self) -> None:
        """Make the cluster if there is none. May be called from any thread."""
        private_folder(self.folder)
        if self._account.user is not None:
            # The other account has to walk through; it still cannot list the folder or read the secrets.
            self.folder.chmod(0o711)
            self._refuse_the_unreachable()
        if self.data.exists():
            return
        making = self.folder / f"{self.data.name}.making"
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(mode=0o700)
        password_file = self.folder / "initdb.password"
        write_private(password_file, kept_secret(self.folder, SUPERUSER))
        for path in (making, password_file):
            self._account.own(path)
        command = [
            *self._account.prefix, str(self._bin / "initdb"), "-D", str(making), "-U", SUPERUSER,
            "--auth=scram-sha-256", f"--pwfile={password_file}", "-E", "UTF8", "--locale=C.UTF-8", "--data-checksums",
        ]  # fmt: skip
        if self._major >= BUILTIN_LOCALE_SINCE:
            command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        if not self.durable:
            command.append("--no-sync")
        try:
            made = self._run(command)
        finally:
            password_file.unlink(missing_ok=True)
        if made.returncode != 0:
            raise PostgresError(f"initdb failed: {made.stdout.strip()}")
        # Only a finished cluster gets the name that is started.
        making.replace(self.data)

    def launch(self, output: int | None = None) -> None:
        """Start the server and return at once. From the main thread."""
        self._forget_a_dead_server()
        if not self._answered:
            # Once its address has been given out it stays where it is, over every restart.
            self.port = free_port()
        options = [
            *OPTIONS,
            "listen_addresses=127.0.0.1",
            f"port={self.port}",
            *(() if self.durable else FAST_AND_LOOSE),
        ]
        command = [*self._account.prefix, str(self._bin / "postgres"), "-D", str(self.data)]
        for option in options:
            command += ["-c", option]
        with contextlib.ExitStack() as stack:
            sink = output
            if sink is None:
                sink = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
                stack.callback(os.close, sink)
            # SIGINT is PostgreSQL's fast shutdown.
            self.process = spawn(command, death=self.ENDS_BY, output=sink, account=self._account.user)

    def await_ready(self) -> None:
        """Wait until the server answers, then see to roles and database. May be called from any thread.

        Raises:
            PostgresError: It ended, or did not answer in a minute.
        """
        deadline = time.monotonic() + READY_S_MAX
        while True:
            process = self.process
            if process is None or process.poll() is not None:
                raise PostgresError(f"PostgreSQL ended at once; see {self.log.name}: {self._last_words()}")
            try:
                # Asking sooner would fill its log with refusals.
                if self._says_ready():
                    connection = psycopg.connect(self.url(SUPERUSER, "postgres"), autocommit=True, connect_timeout=5)
                    break
                why = "it does not say that it is ready"
            except psycopg.OperationalError as error:
                why = str(error).strip()
            if time.monotonic() > deadline:
                raise PostgresError(f"PostgreSQL does not answer: {why}")
            time.sleep(0.02)
        with connection:
            if connection.execute("SELECT FROM pg_database WHERE datname = %s", (DATABASE,)).rowcount == 0:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
        self._answered = True
        with psycopg.connect(self.url(SUPERUSER), autocommit=True) as connection:
            see_to_roles(connection, {role: kept_secret(self.folder, role) for role in (OWNER, APP)})

    def write_out(self) -> None:
        """Have it write what is in memory only, so that its end has little left to write. Any thread; never raises."""
        try:
            with psycopg.connect(self.url(SUPERUSER, "postgres"), autocommit=True, connect_timeout=2) as connection:
                connection.execute("CHECKPOINT")
        except psycopg.Error:
            # It is ending, or has: then it does this itself.
            return

    def sweep(self) -> None:
        """Kill processes that a killed server has left; each has a session of its own. The next start recovers."""
        for entry in Path("/proc").glob("[0-9]*"):
            if _runs(int(entry.name), self.data):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(entry.name), signal.SIGKILL)

    # --- details -----------------------------------------------------------------------------------------------------

    def _run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        user = self._account.user
        return subprocess.run(  # noqa: S603 - programs of the installation, no shell
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
            cwd=self.folder if self.folder.exists() else None, env={**os.environ, "LC_ALL": "C"},
            user=user.pw_uid if user else None, group=user.pw_gid if user else None, extra_groups=[] if user else None,
        )  # fmt: skip

    def _version(self) -> int:
        said = subprocess.run(  # noqa: S603 - as above
            [str(self._bin / "postgres"), "--version"], capture_output=True, text=True, check=True
        ).stdout
        return int(said.split()[2].split(".")[0])

    def _refuse_the_unreachable(self) -> None:
        for path in (self._bin / "postgres", self.folder / "pgdata"):
            if not self._account.reaches(path):
                raise PostgresError(
                    "PostgreSQL may not run as root, this machine has no user namespaces, and `nobody` cannot"
                    f" reach {path}: start as an ordinary user, or set DATABASE_URL and DATABASE_OWNER_URL"
                )

    def _forget_a_dead_server(self) -> None:
        """Remove a lock file whose process is gone, or is another one: numbers come again after a reboot.

        A server that was killed a moment ago may still have backends that hold its memory; they end by themselves.
        """
        lock = self.data / "postmaster.pid"
        deadline = time.monotonic() + STOP_S_MAX
        while lock.exists():
            words = lock.read_text(encoding="utf-8").split()
            if not words or not _runs(int(words[0]), self.data):
                break
            if time.monotonic() > deadline:
                raise PostgresError(f"another PostgreSQL (process {words[0]}) holds {self.data.name}")
            time.sleep(0.05)
        while any(_runs(int(entry.name), self.data) for entry in Path("/proc").glob("[0-9]*")):
            if time.monotonic() > deadline:
                raise PostgresError(f"processes of an earlier PostgreSQL still hold {self.data.name}")
            time.sleep(0.05)
        lock.unlink(missing_ok=True)

    def _says_ready(self) -> bool:
        # The eighth line of its lock file is the state that its own tools wait for.
        try:
            lines = (self.data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except OSError:
            return False
        return len(lines) >= READY_LINE and lines[READY_LINE - 1].strip() == "ready"

    def _last_words(self) -> str:
        if not self.log.exists():
            return "it said nothing"
        return " / ".join(self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-3:])


def _runs(process_id: int, data: Path) -> bool:
    """Whether a process works in this data folder; every process of PostgreSQL makes it its working folder."""
    try:
        return Path(f"/proc/{process_id}/cwd").readlink() == data and not _is_zombie(process_id)
    except (OSError, ValueError):
        return False


def _is_zombie(process_id: int) -> bool:
    try:
        return Path(f"/proc/{process_id}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
