"""How long a number takes from the exchange to a browser: tick → text frame with the new value, while all else moves.

python -m benchmarks.console_live [--seconds 30] [--rate 1500] [--sockets 20]        one JSON line

A process runs the loop, whose frames arrive at the rate; most change levels deep in a book, some give a market's best
bid a size of its own that stays for at least 200 ms. The web process is the real one (Daphne, sessions, channel layer),
database and Valkey are our own. Every socket shows one market; one more never takes a frame. A value's time ends when
its socket has been sent it, or a newer one of that market. Beside it stands the spin control of the same run, and how
late a sleep of 10 ms ends beside it and how far others stretch the control: what the machine leaves to this.
"""

import argparse
import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from benchmarks.console_feed import MARKETS, run_loop
from benchmarks.measure import CACHE, ROOT, spin
from polytraders.supervisor.postgres import Postgres
from polytraders.supervisor.valkey import Valkey
from tests.servers import migrate

START_S: Final = 3.0
"""Left out at the beginning: sockets connect, caches warm up."""
READY_S: Final = 120.0
FLOOR_MS: Final = {"p50": 150.0, "p99": 600.0}
SIZE: Final = re.compile(r'class="bid">.*?class="minor">([\d,.]+)</dd>', re.DOTALL)
PLACE: Final = re.compile(r'<section id="quote-(\d+)".*?</section>', re.DOTALL)


def session_cookie() -> str:
    """A session of somebody who may read, made as a log-in makes it."""
    import django

    django.setup()
    from django.contrib.auth import get_user_model
    from django.contrib.auth.models import Group
    from django.contrib.sessions.backends.db import SessionStore

    from polytraders.access.permissions import Role

    user = get_user_model().objects.create_user("bench")
    user.groups.add(Group.objects.get_or_create(name=Role.READ_ONLY.value)[0])
    session = SessionStore()
    session["_auth_user_id"] = str(user.pk)
    session["_auth_user_backend"] = "django.contrib.auth.backends.ModelBackend"
    session["_auth_user_hash"] = user.get_session_auth_hash()
    session.save()
    return f"sessionid={session.session_key}"


def headers(address: str, cookie: str) -> dict[str, str]:
    """What a browser sends that shows a page of ours."""
    return {"Cookie": cookie, "Origin": "http://" + address.split("/")[2]}


class Browsers:
    """Sockets that take every frame at once, and what they were sent when."""

    def __init__(self) -> None:
        self.seen: list[dict[str, int]] = []
        self.frames = 0
        self.bytes = 0
        self.slow_frames = 0
        self.late_s: list[float] = []
        self.told: dict[str, Any] = {}

    async def one(self, address: str, cookie: str, number: int) -> None:
        """A browser that shows a market."""
        from websockets.asyncio.client import connect

        seen: dict[str, int] = {}
        self.seen.append(seen)
        parts = f"strip,quote-{number},ladder-{number}"
        async with connect(
            f"{address}?parts={parts}", additional_headers=headers(address, cookie), max_size=None
        ) as socket:
            async for text in socket:
                now = time.monotonic_ns()
                await socket.send("taken")
                self.frames += 1
                self.bytes += len(text)
                section = PLACE.search(str(text))
                size = SIZE.search(section[0]) if section else None
                if size:
                    seen.setdefault(size[1], now)

    async def sleeper(self, address: str, cookie: str) -> None:
        """A browser that takes nothing."""
        from websockets.asyncio.client import connect
        from websockets.exceptions import ConnectionClosedError

        where = f"{address}?parts=strip,quote-0"
        with suppress(ConnectionClosedError):
            async with connect(where, additional_headers=headers(address, cookie)) as socket:
                async for _ in socket:
                    self.slow_frames += 1
        # Half a minute without an answer ends it; till the run ends there is nothing more to see.
        await asyncio.Event().wait()

    async def sleep(self) -> None:
        """How late a short sleep ends."""
        while True:
            due = time.monotonic() + 0.01
            await asyncio.sleep(0.01)
            self.late_s.append(time.monotonic() - due)


def latencies_ms(ticks: list[tuple[int, str, int]], seen: list[dict[str, int]], began_ns: int) -> list[float]:
    """Of every value told after `began_ns` and every socket that shows its market; one never shown ends with the next.

    The last value of each market is left out: nothing ends it if it was missed.
    """
    found: list[float] = []
    by_market: dict[int, list[tuple[str, int]]] = {}
    for market, size, at in ticks:
        by_market.setdefault(market, []).append((size, at))
    for place, shown in enumerate(seen):
        ends = float("inf")
        told = by_market.get(place % MARKETS, [])
        for number, (size, at) in reversed(list(enumerate(told))):
            ends = min(ends, shown.get(size, ends))
            if number < len(told) - 1 and at >= began_ns:
                found.append((ends - at) / 1e6)
    return sorted(found)


async def browse(address: str, cookie: str, sockets: int, loop: "asyncio.subprocess.Process") -> tuple[Browsers, int]:
    """Connect everybody, let the feed begin, and watch until it ends."""
    browsers = Browsers()
    tasks = [asyncio.create_task(browsers.one(address, cookie, number % MARKETS)) for number in range(sockets)]
    tasks.append(asyncio.create_task(browsers.sleeper(address, cookie)))
    tasks.append(asyncio.create_task(browsers.sleep()))
    await asyncio.sleep(START_S)
    assert loop.stdin is not None and loop.stdout is not None
    loop.stdin.write(b"go\n")
    began = time.monotonic_ns() + int(START_S * 1e9)
    told = await loop.stdout.readline()
    await asyncio.sleep(1.0)
    for task in tasks:
        task.cancel()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    for each in ended:
        if not isinstance(each, asyncio.CancelledError):
            raise RuntimeError(f"a socket ended by itself: {each!r}")
    browsers.told = json.loads(told)
    return browsers, began


def stretch() -> float:
    """Wall time of the spin control by its processor time: 1 where nobody else wants the processors."""
    began = time.perf_counter()
    used = spin()
    return round((time.perf_counter() - began) / used, 2)


def free_port() -> int:
    import socket

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def await_web(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError("the web process ended")
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/login", timeout=5).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("the web process does not answer")


async def observed(environ: dict[str, str], port: int, home: Path, said: argparse.Namespace, cookie: str) -> Any:
    """Start the loop's process and watch it."""
    loop = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.console_live", "--role", "loop", "--home", str(home), "--seconds",
        str(said.seconds), "--rate", str(said.rate), cwd=ROOT, env=environ, stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE, limit=1 << 26,
    )  # fmt: skip
    try:
        assert loop.stdout is not None
        ready = await asyncio.wait_for(loop.stdout.readline(), READY_S)
        if ready.strip() != b"ready":
            raise RuntimeError(f"the loop says {ready!r}")
        found = await browse(f"ws://127.0.0.1:{port}/ws/board", cookie, said.sockets, loop)
        await asyncio.wait_for(loop.wait(), 30)
        return found
    finally:
        if loop.returncode is None:
            loop.kill()
            await loop.wait()


def measure(said: argparse.Namespace) -> dict[str, Any]:
    """One run, printed as one JSON line."""
    folder = CACHE / "console_live"
    shutil.rmtree(folder, ignore_errors=True)
    home = folder / "home"
    home.mkdir(parents=True)
    control, before = spin(), stretch()
    with Postgres(folder / "server") as server, Valkey(folder) as valkey:
        migrate(server.owner_url, server.app_url)
        os.environ |= {
            "DATABASE_URL": server.app_url, "REDIS_URL": valkey.url, "POLYTRADERS_HOME": str(home),
            "POLYTRADERS_SECRET_KEY": "b" * 50, "DJANGO_SETTINGS_MODULE": "polytraders.settings",
        }  # fmt: skip
        port = free_port()
        web = subprocess.Popen(
            [sys.executable, "-m", "daphne", "-b", "127.0.0.1", "-p", str(port), "-v", "0",
             "polytraders.asgi:application"],
            cwd=ROOT,
        )  # fmt: skip
        try:
            await_web(port, web)
            browsers, began = asyncio.run(observed(dict(os.environ), port, home, said, session_cookie()))
            web_cpu_s = sum(int(word) for word in Path(f"/proc/{web.pid}/stat").read_text().split()[13:15]) / 100
        finally:
            web.terminate()
            web.wait(20)
    told = browsers.told
    ticks = [(market, size, at) for market, size, at in told.pop("ticks")]
    found = latencies_ms(ticks, browsers.seen, began)
    late = sorted(browsers.late_s)
    line = {
        "task": "exchange tick to text frame", "sockets": said.sockets, "values": len(found),
        "p50_ms": round(found[len(found) // 2], 1), "p90_ms": round(found[len(found) * 9 // 10], 1),
        "p99_ms": round(found[len(found) * 99 // 100], 1), "max_ms": round(found[-1], 1),
        "frames_per_second_and_socket": round(browsers.frames / said.sockets / said.seconds, 1),
        "bytes_per_frame": round(browsers.bytes / max(1, browsers.frames)), "slow_socket_frames": browsers.slow_frames,
        "web_cpu_part": round(web_cpu_s / said.seconds, 2), **told,
        "sleep_late_p50_ms": round(1e3 * late[len(late) // 2], 1),
        "sleep_late_p99_ms": round(1e3 * late[len(late) * 99 // 100], 1), "spin_s": round(control, 3),
        "spin_after_s": round(spin(), 3),
        "stretch": [before, stretch()], "load": [round(each, 1) for each in os.getloadavg()],
    }  # fmt: skip
    print(json.dumps(line), flush=True)
    for name, most in FLOOR_MS.items():
        print(f"{name} {line[f'{name}_ms']} ms, at most {most:g}{'' if line[f'{name}_ms'] < most else '   EXCEEDED'}")
    return line


if __name__ == "__main__":
    wanted = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    wanted.add_argument("--seconds", type=float, default=30)
    wanted.add_argument("--rate", type=int, default=1_500)
    wanted.add_argument("--sockets", type=int, default=20)
    wanted.add_argument("--role", choices=("loop",), help=argparse.SUPPRESS)
    wanted.add_argument("--home", type=Path, help=argparse.SUPPRESS)
    asked = wanted.parse_args()
    if asked.role == "loop":
        run_loop(os.environ["DATABASE_URL"], asked.home, asked.seconds, asked.rate)
    else:
        measure(asked)
