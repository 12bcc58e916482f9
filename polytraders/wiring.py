"""Chooses source, venue and log for the loop process: the only file that knows what is real and what is simulated.

Orders reach `venues/paper` and nothing else, whichever market data they are decided on: there is no code here, or
anywhere, that could send one.
"""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import psycopg

from apps.eventlog.store import Writer
from polytraders import config
from polytraders.contracts.control import Killed
from polytraders.contracts.inputs import NANO
from polytraders.crashpoints import reach
from polytraders.shard.assembly import (
    MARKET_CONNECTIONS,
    REFERENCE_CONNECTION,
    SYMBOLS,
    Basis,
    open_parts,
    shard_loop,
)
from polytraders.shard.care import Care
from polytraders.shard.clock import Clock
from polytraders.shard.kills import Kills
from polytraders.shard.process import ShardLoop
from polytraders.shard.watching import InboxWatcher
from polytraders.venues.addresses import Addresses
from polytraders.venues.asking import Asker, open_client
from polytraders.venues.binance.feed import ReferenceFeed
from polytraders.venues.polymarket import catalogue
from polytraders.venues.polymarket.feed import MarketFeed
from polytraders.venues.streaming import FeedEvent, Frame, Lost

log = logging.getLogger(__name__)

SKEW_NS: Final = 2 * NANO
SKEW_LOOK_S: Final = 5.0


class VenueSilent(RuntimeError):  # noqa: N818  what it is
    """The venue does not answer what must be known before anything begins."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(words)
        self.code = code


class ClockSkew(RuntimeError):  # noqa: N818  what it is
    """Receive times are no longer the wall's."""

    code = "GOV_CLOCK_SKEW"


class Setup(NamedTuple):
    """What a loop process is started with.

    Attributes:
        basis: What its shard is opened with.
        addresses: Where market data comes from.
        seed: Spreads reconnections.
    """

    basis: Basis
    addresses: Addresses
    seed: int = 0

    @property
    def is_simulated(self) -> bool:
        """The venue is the simulated exchange, whose time may run faster."""
        return self.basis.source == "simulator"


def setup_from(environ: Mapping[str, Any], shard: int) -> Setup:
    """What the settings say.

    Args:
        environ: DATABASE_URL, HOME, VENUE, SPEED, SEED, SIMULATOR_URL, STRATEGIES, CHECKPOINT_INPUTS, as the settings
            have them.
        shard: Number of the shard.

    Raises:
        config.ConfigError: Something that is needed is missing.
    """
    if not environ["DATABASE_URL"]:
        raise config.ConfigError("DATABASE_URL is not set: start with `polytraders up`")
    try:
        addresses = Addresses.of(environ["VENUE"], environ["SIMULATOR_URL"])
    except ValueError as error:
        raise config.ConfigError(str(error)) from error
    basis = Basis(
        dsn=environ["DATABASE_URL"],
        home=environ["HOME"],
        shard=shard,
        source=environ["VENUE"],
        speed=environ["SPEED"],
        strategies=tuple(Path(name) for name in environ["STRATEGIES"]),
        checkpoint_inputs=environ["CHECKPOINT_INPUTS"],
    )
    return Setup(basis, addresses, environ["SEED"])


class Shard:
    """One shard's loop process, from its lock to its last commit."""

    def __init__(self, setup: Setup) -> None:
        """Open nothing yet."""
        self.setup = setup

    async def run(self, stop: asyncio.Event, ready: Callable[[ShardLoop], None] = lambda loop: None) -> None:
        """Hold the shard until `stop` is set.

        Raises:
            ShardTaken: Another process is its writer.
            Corrupt: The log is not what was committed.
            Exception: Whatever ended feed, loop or commit: the process must end with it.
        """
        setup, basis = self.setup, self.setup.basis
        writer = await asyncio.to_thread(Writer.open, basis.dsn, basis.shard, basis.home, reached=reach)
        try:
            async with open_client() as client:
                asker = Asker(client, chance=_chance(setup))
                clock = await self._clock(asker)
                await self._held(writer, asker, clock, stop, ready)
        finally:
            writer.close()

    async def _clock(self, asker: Asker) -> Clock:
        """A simulated venue's time is its own; a real one's must be ours."""
        if not self.setup.is_simulated:
            return Clock(time.time_ns())
        told = await catalogue.server_time(asker, self.setup.addresses.clob)
        if not isinstance(told, int):
            raise VenueSilent(told.code, "the simulated exchange does not tell its time")
        return Clock(told, speed=self.setup.basis.speed)

    async def _held(
        self, writer: Writer, asker: Asker, clock: Clock, stop: asyncio.Event, ready: Callable[[ShardLoop], None]
    ) -> None:
        setup, basis = self.setup, self.setup.basis
        with psycopg.connect(basis.dsn, autocommit=True) as conn:
            parts = await asyncio.to_thread(open_parts, basis, writer, conn, clock)
        here = asyncio.get_running_loop()
        deaf: asyncio.Future[None] = here.create_future()
        watcher = InboxWatcher(
            basis.dsn, basis.shard,
            hand_on=lambda row: _soon(here, partial(loop.command, row)),
            killed=partial(_recorded, parts.kills),
            failed=lambda error: _soon(here, partial(deaf.set_exception, error)),
        )  # fmt: skip
        loop = shard_loop(parts, clock, committed=watcher.forget)
        market = MarketFeed(
            setup.addresses.market, partial(_market_event, loop), clock, _chance(setup),
            connections_max=MARKET_CONNECTIONS,
        )  # fmt: skip
        reference = ReferenceFeed(
            setup.addresses.reference, tuple(SYMBOLS), partial(_reference_event, loop), clock,
            _chance(setup), connection=REFERENCE_CONNECTION,
        )  # fmt: skip
        care = Care(loop, parts.directory, market, parts.meter.differing)
        ask = partial(_ask_book, asker, setup.addresses.clob)
        watcher.start()
        outside = [market.run(), reference.run(), care.subscribe(), care.witness(ask), _wait_for(deaf)]
        if not setup.is_simulated:
            outside.append(_watch_clock(clock))
        try:
            ready(loop)
            await _until_stopped(loop, stop, outside)
        finally:
            watcher.end()
            parts.keeper.close(loop.last_state())
            parts.committer.close()


def _recorded(kills: Kills, killed: frozenset[Killed]) -> None:
    kills.recorded = killed


async def _wait_for(future: "asyncio.Future[None]") -> None:
    await future


async def _watch_clock(clock: Clock) -> None:
    """End when our clock and the wall's part: the machine slept, or somebody set the time. The next run fixes it anew.

    Raises:
        ClockSkew: They differ by more than `SKEW_NS`.
    """
    while True:
        await asyncio.sleep(SKEW_LOOK_S)
        skew = time.time_ns() - clock()
        if abs(skew) > SKEW_NS:
            raise ClockSkew(f"the wall's clock is {skew / NANO:+.1f} s away from where this run began")


async def _until_stopped(loop: ShardLoop, stop: asyncio.Event, outside: "list[Any]") -> None:
    """Run the loop and everything outside of it; the first that ends for another reason than `stop` ends all."""
    running = asyncio.create_task(loop.run(), name="loop")
    others = [asyncio.create_task(each) for each in outside]
    stopping = asyncio.create_task(stop.wait())
    try:
        done, _ = await asyncio.wait([running, stopping, *others], return_when=asyncio.FIRST_COMPLETED)
        for task in done - {stopping}:
            task.result()
            raise RuntimeError(f"{task.get_name()} ended without being asked to")
    finally:
        for task in (*others, stopping):
            task.cancel()
        await asyncio.gather(*others, stopping, return_exceptions=True)
        if running.done():
            with contextlib.suppress(Exception):
                running.result()
        else:
            loop.stop()
            await running


def _chance(setup: Setup) -> random.Random:
    return random.Random(setup.seed)  # noqa: S311  spreads reconnections, guards nothing


def _soon(here: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    # The event loop may have ended since: then nobody takes the row, and the next run finds it.
    with contextlib.suppress(RuntimeError):
        here.call_soon_threadsafe(call)


def _market_event(loop: ShardLoop, event: FeedEvent) -> None:
    if isinstance(event, Frame):
        loop.frame(*event)
    elif isinstance(event, Lost):
        log.warning("connection %d: %s %s", event.connection, event.why, event.detail)
        loop.arrive(lambda intake, now: intake.lost(event.connection, event.recv_ts, event.why))
    else:
        loop.arrive(lambda intake, now: intake.opened(event.connection))


def _reference_event(loop: ShardLoop, event: FeedEvent) -> None:
    if isinstance(event, Frame):
        loop.reference(*event)
    elif isinstance(event, Lost):
        log.warning("reference feed: %s %s", event.why, event.detail)
        loop.arrive(lambda intake, now: intake.reference_lost())


async def _ask_book(asker: Asker, clob_url: str, token: str) -> object:
    return await catalogue.book(asker, clob_url, token, is_yes=True)
