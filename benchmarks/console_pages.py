"""What the console's pages cost over a crowded database: a server of its own, a logged-in browser, each page in turn.

python -m benchmarks.console_pages [--rounds 30] [--decisions 1000000] [--only /orders/]

Server time is from the request's last byte to the answer's last, on loopback, one request at a time. Questions are
counted in this process by the same pages. It fails when a page is over its limits.
"""

import argparse
import http.client
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.measure import CACHE, ROOT, spin
from benchmarks.rounds import save
from polytraders.supervisor.postgres import Postgres
from tests.servers import migrate, point_django_at
from tests.web import crowded

P95_MS_MOST: Final = 150.0
QUERIES_MOST: Final = 15
START_S: Final = 60.0


class Web(NamedTuple):
    """A web server that answers."""

    port: int
    pid: int


class Line(NamedTuple):
    """One page: server time in ms, of it the web process' CPU, how many questions, how large."""

    address: str
    status: int
    p50_ms: float
    p95_ms: float
    cpu_ms: float
    queries: int
    kilobytes: float

    @property
    def holds(self) -> bool:
        """Whether it is within its limits."""
        return self.status == 200 and self.p95_ms < P95_MS_MOST and self.queries <= QUERIES_MOST


def see_to_django(app_dsn: str) -> None:
    """Django in this process, on the crowded database."""
    os.environ["DATABASE_URL"] = app_dsn
    os.environ["POLYTRADERS_HOSTS"] = "127.0.0.1,testserver"
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "polytraders.settings")
    import django

    django.setup()
    point_django_at(app_dsn, "default")


def session_cookie() -> str:
    """A browser in which somebody who may do everything is logged in."""
    from polytraders.access.permissions import Role
    from tests.web.conftest import entered

    client = entered("bench", Role.ADMIN)
    return f"sessionid={client.cookies['sessionid'].value}"


def say(ts: int) -> None:
    """The loop's own row, as a healthy loop writes it."""
    from django.db import connection

    from apps.monitoring import status
    from tests.web.conftest import said

    with connection.cursor() as cursor:
        status.write(cursor, said(loop_ts=ts))  # type: ignore[arg-type]


def addresses() -> list[str]:
    """Every page of the navigation that is served, and of each kind of detail the newest that the log can tell."""
    from tests.web.test_crowded import addresses as found

    return list(dict.fromkeys(found()))


def queries(address: str) -> int:
    """How many questions a page asks."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from polytraders.access.permissions import Role
    from tests.web.conftest import entered

    client = entered("bench", Role.ADMIN)
    with CaptureQueriesContext(connection) as asked:
        client.get(address)
    return len(asked)


@contextmanager
def daphne(app_dsn: str, folder: Path) -> Iterator[Web]:
    """The web server as it runs for people."""
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environ = {**os.environ, "DATABASE_URL": app_dsn, "POLYTRADERS_HOME": str(folder)}
    command = [sys.executable, "-m", "daphne", "-b", "127.0.0.1", "-p", str(port), "polytraders.asgi:application"]
    with (folder / "web.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=log, stderr=log)
    try:
        ends = time.monotonic() + START_S
        while True:
            try:
                ask(port, "/login", "")
                break
            except OSError as error:
                if process.poll() is not None or time.monotonic() > ends:
                    raise RuntimeError((folder / "web.log").read_text()[-2_000:]) from error
                time.sleep(0.1)
        yield Web(port, process.pid)
    finally:
        process.terminate()
        process.wait(10)


def ask(port: int, address: str, cookie: str) -> tuple[int, float, int]:
    """Status, milliseconds and bytes of one request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    began = time.perf_counter()
    connection.request("GET", address, headers={"Cookie": cookie} if cookie else {})
    answer = connection.getresponse()
    body = answer.read()
    took = (time.perf_counter() - began) * 1e3
    connection.close()
    return answer.status, took, len(body)


def cpu_s(pid: int) -> float:
    """CPU seconds that a process has used, all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(web: Web, address: str, cookie: str, rounds: int) -> Line:
    """One page; the first two requests, which fill caches, do not count."""
    for _ in range(2):
        ask(web.port, address, cookie)
    began = cpu_s(web.pid)
    found = [ask(web.port, address, cookie) for _ in range(rounds)]
    used = (cpu_s(web.pid) - began) / rounds * 1e3
    cuts = statistics.quantiles([took for _, took, _ in found], n=20, method="inclusive")
    return Line(address, found[-1][0], cuts[9], cuts[18], used, queries(address), found[-1][2] / 1_024)


def show(lines: list[Line]) -> None:
    """The table."""
    print(f"{'page':58} {'status':>6} {'p50 ms':>8} {'p95 ms':>8} {'cpu ms':>7} {'queries':>8} {'kB':>7}")
    for line in lines:
        over = "" if line.holds else "  OVER"
        print(
            f"{line.address[:58]:58} {line.status:>6} {line.p50_ms:>8.1f} {line.p95_ms:>8.1f} {line.cpu_ms:>7.1f}"
            f" {line.queries:>8} {line.kilobytes:>7.0f}{over}"
        )


def main() -> None:
    """Make the database, run all pages, print the table; exit 1 when one is over its limits."""
    wanted = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    wanted.add_argument("--rounds", type=int, default=30)
    wanted.add_argument("--decisions", type=int, default=crowded.FULL.decisions)
    wanted.add_argument("--only", default="", help="pages whose address begins so")
    given = wanted.parse_args()
    os.environ.setdefault("POLYTRADERS_SECRET_KEY", "benchmark-" + "x" * 40)
    CACHE.mkdir(parents=True, exist_ok=True)
    size = crowded.FULL if given.decisions == crowded.FULL.decisions else scaled(given.decisions)
    with tempfile.TemporaryDirectory(dir=CACHE) as name, Postgres(Path(name)) as server:
        folder = Path(name)
        migrate(server.owner_url, server.app_url)
        see_to_django(server.app_url)
        from tests.written import busy

        busy(server.app_url, folder / "log").close()
        for what, seconds in crowded.fill(server.owner_url, size).items():
            print(f"{what:12} {seconds:7.1f} s", flush=True)
        print(" ".join(f"{value:,} {name}" for name, value in size._asdict().items()))
        say(newest())
        cookie = session_cookie()
        with daphne(server.app_url, folder) as web:
            pages = [address for address in addresses() if address.startswith(given.only)]
            before = spin()
            lines = [measure(web, address, cookie, given.rounds) for address in pages]
            control = before, spin()
        from django.db import connections

        connections.close_all()
    show(lines)
    print(f"control: {control[0]:.2f} s before, {control[1]:.2f} s after; load {os.getloadavg()[0]:.1f}")
    print(f"limits: {P95_MS_MOST:g} ms, {QUERIES_MOST} queries")
    save("console_pages", {"lines": [line._asdict() for line in lines], "control": control, "size": size._asdict()})
    if not all(line.holds for line in lines):
        sys.exit(1)


def newest() -> int:
    """Loop time of the last decision."""
    from apps.risk.models import DecisionRecord

    found = DecisionRecord.objects.order_by("-id").values_list("ts", flat=True).first()
    return int(found or 0)


def scaled(decisions: int) -> crowded.Size:
    """A smaller crowd of the same shape."""
    part = decisions / crowded.FULL.decisions
    return crowded.Size(*(max(300, int(count * part)) for count in crowded.FULL))


if __name__ == "__main__":
    main()
