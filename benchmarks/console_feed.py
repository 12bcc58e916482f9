"""The loop's process of `console_live`: the loop of a shard, and frames that arrive at a rate on the wall's clock."""

import asyncio
import json
import random
import sys
import time
from pathlib import Path
from typing import Any, Final

MARKETS: Final = 20
BURST: Final = 3
STILL_S: Final = (0.2, 1.2)
"""How long a best bid stays, at least and at most."""
FIRST_NS: Final = 1_780_272_000_000_000_000


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


def listing(number: int, close_ts: int) -> Any:
    """What the registry tells of a market."""
    from polytraders.venues.polymarket.listing import Listing

    return Listing(
        condition_id=market_id(number), tokens=(token(number, 0), token(number, 1)), outcomes=("Yes", "No"),
        protocol="v1", min_size=5_000_000, min_size_text="5", tick=100, fee_rate=40_000, fee_exponent=1_000,
        fee_taker_only=True, taker_delay_ms=0, open_ts=None, close_ts=close_ts, neg_risk=False, event_id="",
        cluster=f"cluster-{number % 8}", title=f"Market {number}?", slug=f"market-{number}", active=True, closed=False,
        accepting_orders=True, reference=None, strike_ts=None,
    )  # fmt: skip


async def paced(loop: Any, clock: Any, feeder: Feeder, seconds: float, rate: int) -> float:
    """Let frames arrive at `rate` a second once a line comes on standard input; seconds it took."""
    from channels.layers import get_channel_layer

    from polytraders.shard.worker import Hinter

    loop.hint_with(Hinter(asyncio.get_running_loop(), get_channel_layer()))
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


def run_loop(dsn: str, home: Path, seconds: float, rate: int) -> None:
    """The process; prints what it measured as its last line."""
    import django

    django.setup()
    import psycopg

    from apps.eventlog.store import Writer
    from polytraders import fence
    from polytraders.shard.assembly import Basis, open_parts, shard_loop
    from polytraders.shard.clock import Clock
    from polytraders.shard.meter import quantile
    from tests.sessions import strategies

    fence.create(home / fence.FILE)
    clock = Clock(FIRST_NS)
    writer = Writer.open(dsn, 0, home)
    with psycopg.connect(dsn, autocommit=True) as conn:
        parts = open_parts(Basis(dsn, home, 0, "simulator", 1, strategies(home)), writer, conn, clock)
    loop = shard_loop(parts, clock, committed=lambda ids: None)

    def tell(intake: Any, now: int, number: int) -> None:
        rows, identity = intake.directory.tell(listing(number, now + 10**18), now)
        intake.rows(rows, now, "bench", payload=identity)

    for number in range(MARKETS):
        loop.arrive(lambda intake, now, number=number: tell(intake, now, number))  # type: ignore[misc]
        loop.frame(0, clock(), book(number, clock() // 1_000_000))
    feeder = Feeder(7)
    cpu = time.process_time()
    took = asyncio.run(paced(loop, clock, feeder, seconds, rate))
    cpu = time.process_time() - cpu
    parts.keeper.close(None)
    parts.committer.close()
    telling: Any = parts.quoter.telling
    told = {
        "ticks": feeder.ticks, "rate": round(seconds * rate / took), "loop_cpu_part": round(cpu / took, 3),
        "quotes_cpu_part": round(telling.cpu_s / took, 4), "quotes_per_second": round(telling.written / took, 1),
        "decided_p99_ms": round(1e3 * (quantile(loop.meter.decided_s, 0.99) or 0.0), 2),
    }  # fmt: skip
    print(json.dumps(told), flush=True)
