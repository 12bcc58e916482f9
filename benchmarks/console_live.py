"""How long a number takes from the exchange to a browser: tick → text frame with the new value, while all else moves.

python -m benchmarks.console_live [--seconds 30] [--rate 1500] [--sockets 20]        one JSON line

A process runs the loop, whose frames arrive at the rate; most change levels deep in a book, some give a market's best
bid a size of its own that stays for at least 200 ms. The web process is the real one (Daphne, sessions, channel layer),
database and Valkey are our own. Every socket shows one market; one more never takes a frame. A value's time ends when
its socket has been sent it, or a newer one of that market. Beside it stands the spin control of the same run, and how
late a sleep of 10 ms ends beside it: what the machine leaves to a process that wants to run.
"""

import argparse
import asyncio
import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from benchmarks.measure import CACHE, ROOT, spin
from polytraders.supervisor.postgres import Postgres
from polytraders.supervisor.valkey import Valkey
from tests.servers import migrate

MARKETS: Final = 20
BURST: Final = 3
STILL_S: Final = (0.2, 1.2)
"""How long a best bid stays, at least and at most."""
START_S: Final = 3.0
"""Left out at the beginning: sockets connect, caches warm up."""
FIRST_NS: Final = 1_780_272_000_000_000_000
READY_S: Final = 120.0
FLOOR_MS: Final = {"p50": 150.0, "p99": 600.0}
SIZE: Final = re.compile(r'class="bid">.*?class="minor">([\d,.]+)</dd>', re.DOTALL)
PLACE: Final = re.compile(r'<section id="quote-(\d+)".*?</section>', re.DOTALL)


# --- the loop's process ----------------------------------------------------------------------------------------------


def market_id(number: int) -> str:
    """A condition id."""
    return f"0x{number + 1:064x}"


def token(number: int, outcome: int) -> str:
    """A token id."""
    return str(10**70 + 2 * number + outcome)


def book(number: int, now_ms: int) -> bytes:
    """A whole book of the YES token: bids from 0.10 to 0.50, asks from 0.52 on."""
    bids = [{"price": f"{price / 100:.2f}", "size": "1000"} for price in range(10, 51)]
    asks = [{"price": f"{price / 100:.2f}", "size": "1000"} for price in range(52, 91)]
    told = {
        "market": market_id(number), "asset_id": token(number, 0), "timestamp": str(now_ms), "hash": "",
        "bids": bids, "asks": asks[::-1], "tick_size": "0.01", "event_type": "book", "last_trade_price": "0.50",
    }  # fmt: skip
    return json.dumps([told]).encode()


def change(number: int, now_ms: int, price: float, size: str, best: tuple[float, float]) -> bytes:
    """A new total of bids at a price, told for both tokens as the venue does."""
    bid, ask = best
    yes = {"asset_id": token(number, 0), "price": f"{price:.2f}", "size": size, "side": "BUY", "hash": "",
           "best_bid": f"{bid:.2f}", "best_ask": f"{ask:.2f}"}  # fmt: skip
    no = {"asset_id": token(number, 1), "price": f"{1 - price:.2f}", "size": size, "side": "SELL", "hash": "",
          "best_bid": f"{1 - ask:.2f}", "best_ask": f"{1 - bid:.2f}"}  # fmt: skip
    told = {"market": market_id(number), "price_changes": [yes, no], "timestamp": str(now_ms)}
    return json.dumps(told | {"event_type": "price_change"}).encode()


class Feeder:
    """Makes frames: noise deep in the books, and best bids that stay for a while, alternately at 0.50 and 0.51."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.best = [0.50] * MARKETS
        self.next_s = [0.0] * MARKETS
        self.count = 0
        self.ticks: list[tuple[int, str, int]] = []

    def frame(self, now_s: float, now_ms: int) -> bytes:
        """The next one."""
        number = self.chance.randrange(MARKETS)
        if now_s >= self.next_s[number]:
            self.next_s[number] = now_s + self.chance.uniform(*STILL_S)
            return self.tick(number, now_ms)
        price = self.chance.randrange(15, 45) / 100
        return change(number, now_ms, price, str(self.chance.randrange(1, 5_000)), (self.best[number], 0.52))

    def tick(self, number: int, now_ms: int) -> bytes:
        """A new best bid whose size names it."""
        self.count += 1
        size = f"{1_000 + self.count}.25"
        # Upwards a level appears; what stands at the same price is another size from now on.
        self.best[number] = 0.51
        self.ticks.append((number, f"{float(size):,.2f}", time.monotonic_ns()))
        return change(number, now_ms, 0.51, size, (0.51, 0.52))


def run_loop(dsn: str, home: Path, seconds: float, rate: int) -> None:
    """Role of the loop's process; prints what it measured as its last line."""
    import django

    django.setup()
    import psycopg
    from channels.layers import get_channel_layer

    from apps.eventlog.store import Writer
    from polytraders import fence
    from polytraders.shard.assembly import Basis, open_parts, shard_loop
    from polytraders.shard.clock import Clock
    from polytraders.shard.meter import quantile
    from polytraders.shard.worker import Hinter
    from polytraders.venues.polymarket.listing import Listing
    from tests.sessions import strategies

    fence.create(home / fence.FILE)
    clock = Clock(FIRST_NS)
    writer = Writer.open(dsn, 0, home)
    with psycopg.connect(dsn, autocommit=True) as conn:
        parts = open_parts(Basis(dsn, home, 0, "simulator", 1, strategies(home)), writer, conn, clock)
    loop = shard_loop(parts, clock, committed=lambda ids: None)

    def listed(number: int) -> Listing:
        return Listing(
            condition_id=market_id(number), tokens=(token(number, 0), token(number, 1)), outcomes=("Yes", "No"),
            protocol="v1", min_size=5_000_000, min_size_text="5", tick=100, fee_rate=40_000, fee_exponent=1_000,
            fee_taker_only=True, taker_delay_ms=0, open_ts=None, close_ts=clock() + 10**18, neg_risk=False,
            event_id="", cluster=f"cluster-{number % 8}", title=f"Market {number}?", slug=f"market-{number}",
            active=True, closed=False, accepting_orders=True, reference=None, strike_ts=None,
        )  # fmt: skip

    def tell(intake: Any, now: int, number: int) -> None:
        rows, identity = intake.directory.tell(listed(number), now)
        intake.rows(rows, now, "bench", payload=identity)

    for number in range(MARKETS):
        loop.arrive(lambda intake, now, number=number: tell(intake, now, number))  # type: ignore[misc]
        loop.frame(0, clock(), book(number, clock() // 1_000_000))
    feeder = Feeder(7)
    telling: Any = parts.quoter.telling
    written_ns: dict[str, int] = {}
    handed_ns: dict[str, int] = {}
    hint_from = telling._quote

    def noted(copy: Any, lot: Any, at_ns: int, source_ts: int) -> Any:
        made = hint_from(copy, lot, at_ns, source_ts)
        handed_ns.setdefault(f"{made.bid_size / 1e6:,.2f}", time.monotonic_ns())
        return made

    telling._quote = noted

    async def paced() -> float:
        hinter = Hinter(asyncio.get_running_loop(), get_channel_layer())

        def hint(of: str) -> None:
            now = time.monotonic_ns()
            for size in handed_ns.keys() - written_ns.keys():
                written_ns[size] = now
            hinter(of)

        loop.hint_with(hint)
        running = asyncio.create_task(loop.run())
        print("ready", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
        began = time.perf_counter()
        for number in range(0, int(seconds * rate), BURST):
            due = began + number / rate
            while (ahead := due - time.perf_counter()) > 0:
                await asyncio.sleep(ahead)
            for _ in range(BURST):
                loop.frame(0, clock(), feeder.frame(time.perf_counter(), clock() // 1_000_000))
            await asyncio.sleep(0)
        took = time.perf_counter() - began
        loop.stop()
        await running
        return took

    cpu = time.process_time()
    took = asyncio.run(paced())
    cpu = time.process_time() - cpu
    parts.keeper.close(None)
    parts.committer.close()
    told = {
        "told": {size: (at, written_ns.get(size)) for size, at in handed_ns.items()},
        "ticks": feeder.ticks, "rate": round(seconds * rate / took), "loop_cpu_part": round(cpu / took, 3),
        "quotes_cpu_part": round(telling.cpu_s / took, 4), "quotes_per_second": round(telling.written / took, 1),
        "decided_p99_ms": round(1e3 * (quantile(loop.meter.decided_s, 0.99) or 0.0), 2),
    }  # fmt: skip
    print(json.dumps(told), flush=True)


# --- browsers --------------------------------------------------------------------------------------------------------


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
    control = spin()
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
    stages = told.pop("told")
    for name, place in (("handed", 0), ("written", 1)):
        waits = sorted((stages[size][place] - at) / 1e6 for _, size, at in ticks if size in stages and stages[size][place])
        print(name, len(waits), len(ticks), waits[len(waits)//2], waits[len(waits)*9//10], waits[len(waits)*99//100])
    sends = sorted((shown[size]-stages[size][1])/1e6 for shown in browsers.seen for size in shown if size in stages and stages[size][1])
    print("send", len(sends), sends[len(sends)//2], sends[len(sends)*9//10], sends[len(sends)*99//100])
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
        "spin_after_s": round(spin(), 3), "load": [round(each, 1) for each in os.getloadavg()],
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
