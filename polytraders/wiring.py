"""Chooses source, venue and log for the loop process: the only file that knows what is real and what is simulated.

Orders reach `venues/paper` and nothing else, whichever market data they are decided on: there is no code here, or
anywhere, that could send one.
"""

import asyncio
import contextlib
import hashlib
import logging
import random
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import psycopg

from apps.eventlog.segments import RawSegment, cut, raw_folder
from apps.eventlog.store import Writer
from apps.replay.runner import Kernel
from apps.risk import controls
from polytraders import config, fence
from polytraders import loop as kernel_loop
from polytraders.contracts import state as s
from polytraders.contracts.control import EVERYTHING, Killed
from polytraders.contracts.inputs import Fact
from polytraders.contracts.reasons import number
from polytraders.crashpoints import reach
from polytraders.journal import Journal
from polytraders.kernel import block as blocks
from polytraders.kernel.jit import build_hash
from polytraders.metrics import LoopMetrics
from polytraders.quarantine import Quarantine
from polytraders.sequencing import Sequencer
from polytraders.shard import opening, restoring, snapshots
from polytraders.shard.care import Care
from polytraders.shard.clock import Clock
from polytraders.shard.commands import Desk
from polytraders.shard.committing import Committer
from polytraders.shard.directory import REFERENCES, VENUES, Directory
from polytraders.shard.intake import LOOP, Intake
from polytraders.shard.keeping import INPUTS, Keeper
from polytraders.shard.kills import Kills
from polytraders.shard.meter import Meter
from polytraders.shard.process import ShardLoop
from polytraders.shard.telling import Teller
from polytraders.shard.watching import InboxWatcher
from polytraders.venues.addresses import Addresses
from polytraders.venues.asking import Asker, open_client
from polytraders.venues.binance.feed import ReferenceFeed
from polytraders.venues.binance.wire import Decoder as ReferenceDecoder
from polytraders.venues.polymarket import catalogue
from polytraders.venues.polymarket.feed import MarketFeed
from polytraders.venues.polymarket.wire import Decoder
from polytraders.venues.streaming import FeedEvent, Frame, Lost

log = logging.getLogger(__name__)

SYMBOLS: Final = {"BTCUSDT": 0}
MARKET_CONNECTIONS: Final = 7
REFERENCE_CONNECTION: Final = MARKET_CONNECTIONS
CAPACITY: Final = 2_048
CLUSTERS: Final = 64
CAPITAL: Final = 10_000_000_000
RESTART_GAP: Final = "INTEL_BOOK_GAP"


class Setup(NamedTuple):
    """What a loop process is started with.

    Attributes:
        dsn: Of the application's role.
        home: Folder with segments, checkpoints, fence.
        shard: Number of the shard.
        addresses: Where market data comes from.
        is_simulated: The venue is the simulated exchange, whose time may run faster.
        speed: Loop time against wall time; 1 with a real venue.
        strategies: Templates, by name or path, in the order of their indices.
        limits: Portfolio limits of a new log.
        capital: Of a new log, micro-pUSD.
        seed: Spreads reconnections.
        checkpoint_inputs: Inputs between two checkpoints.
    """

    dsn: str
    home: Path
    shard: int
    addresses: Addresses
    is_simulated: bool
    speed: int
    strategies: tuple[Path, ...]
    limits: Path = config.LIMITS_FILE
    capital: int = CAPITAL
    seed: int = 0
    checkpoint_inputs: int = INPUTS


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
    return Setup(
        dsn=environ["DATABASE_URL"],
        home=environ["HOME"],
        shard=shard,
        addresses=addresses,
        is_simulated=environ["VENUE"] == "simulator",
        speed=environ["SPEED"],
        strategies=tuple(Path(name) for name in environ["STRATEGIES"]),
        seed=environ["SEED"],
        checkpoint_inputs=environ["CHECKPOINT_INPUTS"],
    )


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
        setup = self.setup
        writer = await asyncio.to_thread(Writer.open, setup.dsn, setup.shard, setup.home, reached=reach)
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
            raise config.ConfigError(f"the simulated exchange does not tell its time: {told.code}")
        return Clock(told, speed=self.setup.speed)

    async def _held(
        self, writer: Writer, asker: Asker, clock: Clock, stop: asyncio.Event, ready: Callable[[ShardLoop], None]
    ) -> None:
        setup = self.setup
        with psycopg.connect(setup.dsn, autocommit=True) as conn:
            parts = await asyncio.to_thread(open_parts, setup, writer, conn, clock)
        here = asyncio.get_running_loop()
        watcher = InboxWatcher(
            setup.dsn, setup.shard, lambda row: _soon(here, partial(loop.command, row)), partial(_recorded, parts.kills)
        )
        loop = shard_loop(parts, clock, committed=watcher.forget)
        market = MarketFeed(
            setup.addresses.market, partial(_market_event, loop), clock, _chance(setup),
            connections_max=MARKET_CONNECTIONS,
        )  # fmt: skip
        reference = ReferenceFeed(
            setup.addresses.reference, tuple(SYMBOLS), partial(_reference_event, loop), clock,
            _chance(setup), connection=REFERENCE_CONNECTION,
        )  # fmt: skip
        care = Care(loop, parts.directory, market)
        ask = partial(_ask_book, asker, setup.addresses.clob)
        watcher.start()
        outside = [market.run(), reference.run(), care.subscribe(), care.witness(ask)]
        try:
            ready(loop)
            await _until_stopped(loop, stop, outside)
        finally:
            watcher.end()
            parts.keeper.close(loop.last_state())
            parts.committer.close()


class Parts(NamedTuple):
    """What is open while a shard is held."""

    drive: Any
    intake: Intake
    directory: Directory
    committer: Committer
    kills: Kills
    keeper: Keeper
    meter: Meter
    teller: Teller


def shard_loop(parts: Parts, clock: Clock, committed: Callable[[list[int]], None]) -> ShardLoop:
    """The loop over what has been opened."""
    return ShardLoop(
        parts.drive, parts.intake, parts.directory, parts.committer, clock, parts.kills, parts.keeper, parts.meter,
        committed=committed, told=parts.teller.look,
    )  # fmt: skip


def open_parts(setup: Setup, writer: Writer, conn: psycopg.Connection[Any], clock: Clock) -> Parts:
    """Restore what the log says, and open an epoch behind it."""
    head, build = writer.head, build_hash()
    strategies = tuple(config.load_strategy(path) for path in setup.strategies)
    names = tuple(strategy.name for strategy in strategies)
    sizes = s.Sizes(CAPACITY, len(strategies), CLUSTERS, connections=MARKET_CONNECTIONS + 1, references=len(REFERENCES))
    kernel = Kernel(kernel_loop.run, blocks.views)
    restored = restoring.restore(conn, setup.home, head, kernel, sizes, build)
    state = restored.drive.state
    decoder = Decoder(CAPACITY)
    directory = Directory(decoder, state, names)
    if head.seq:
        restoring.restore_directory(conn, setup.shard, directory)
    journal = Journal.restore(directory.names, conn, setup.shard)
    guard = _fence(setup.home, is_new=head.seq == 0)
    kills = Kills(guard, controls.killed(conn, setup.shard))
    desk = Desk(directory, state, kills.now)
    now = max(clock(), int(state.portfolio["now"][0]))
    sequencer = Sequencer(in_seq=head.seq, now=now, synthetic=0, rate_ppm=clock.rate_ppm)
    references = ReferenceDecoder(SYMBOLS, REFERENCE_CONNECTION)
    intake = Intake(sequencer, decoder, references, directory, desk, Quarantine(setup.home / "quarantine"))
    handed = hashlib.sha256(snapshots.pack(restored.drive.block, len(directory.names.markets)).tobytes()).hexdigest()
    venue = "simulator" if setup.is_simulated else "polymarket"
    epoch = opening.Epoch(
        build, tuple(sizes), handed if head.seq else "", names, tuple(directory.names.clusters), VENUES, venue,
        clock.rate_ppm,
    )  # fmt: skip
    epoch_seq = head.seq + 1
    sequencer.start(now, [])
    intake.rows([epoch.row()], now, LOOP, payload=epoch.payload())
    intake.rows(opening.clock_rows(clock.rate_ppm), now, LOOP)
    if head.seq == 0:
        terms = opening.Terms(config.load_limits(setup.limits), strategies, setup.capital)
        for rows, payload in opening.first_rows(terms):
            intake.rows(rows, now, LOOP, payload=payload)
    else:
        intake.rows(opening.gap_rows(MARKET_CONNECTIONS, number(RESTART_GAP)), now, LOOP)
        log.info("restored input %d, folded %d from %d", head.seq, restored.folded, restored.from_seq)
    raw = _raw_segment(setup, writer, conn)
    meter = Meter(LoopMetrics(version="", build_hash=build.hex()[:12]))
    teller = Teller(
        state, directory, writer, meter, build=build, venue=venue, speed=setup.speed, epoch_seq=epoch_seq,
        connections=lambda: _connections(state),
    )  # fmt: skip
    committer = Committer(writer, raw, journal, teller.project, epoch_seq)
    keeper = Keeper(setup.dsn, setup.home, setup.shard, build, in_seq=head.seq, now=now, inputs=setup.checkpoint_inputs)
    return Parts(restored.drive, intake, directory, committer, kills, keeper, meter, teller)


def _connections(state: s.State) -> dict[int, str]:
    """Connections that carry a market, by number."""
    markets = state.markets
    carried = np.unique(markets["connection"][(markets["known"] >> Fact.CONNECTION & 1) == 1]).tolist()
    return {number: f"market {number}" for number in carried} or {0: "market 0"}


def _fence(home: Path, *, is_new: bool) -> fence.Fence:
    """The kill fence. Only a log that has not begun may make it: later its absence means killed."""
    path = home / fence.FILE
    if is_new:
        fence.create(path)
    guard = fence.Fence(path)
    if guard.killed() == EVERYTHING and not path.exists():
        log.error("the kill fence is missing: everything is killed until the global scope is released")
    return guard


def _raw_segment(setup: Setup, writer: Writer, conn: psycopg.Connection[Any]) -> RawSegment:
    """A new raw segment; bytes behind the last committed block are set aside and never taken in."""
    folder = raw_folder(setup.home, setup.shard)
    last = conn.execute(
        "SELECT raw_segment, raw_to FROM log_block WHERE shard = %s AND raw_segment <> ''"
        " ORDER BY first_seq DESC LIMIT 1",
        (setup.shard,),
    ).fetchone()
    if last is not None and (folder / last[0]).exists():
        cut(folder / last[0], last[1])
    return RawSegment(folder, writer.head.fence)


def _recorded(kills: Kills, killed: frozenset[Killed]) -> None:
    kills.recorded = killed


async def _until_stopped(loop: ShardLoop, stop: asyncio.Event, outside: "list[Any]") -> None:
    """Run the loop and everything outside of it; the first that ends for another reason than `stop` ends all."""
    running = asyncio.create_task(loop.run(), name="loop")
    others = [asyncio.create_task(each) for each in outside]
    stopping = asyncio.create_task(stop.wait())
    try:
        done, _ = await asyncio.wait([running, stopping, *others], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            if task is not stopping:
                task.result()
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


def _reference_event(loop: ShardLoop, event: FeedEvent) -> None:
    if isinstance(event, Frame):
        loop.reference(*event)
    elif isinstance(event, Lost):
        log.warning("reference feed: %s %s", event.why, event.detail)
        loop.arrive(lambda intake, now: intake.reference_lost())


async def _ask_book(asker: Asker, clob_url: str, token: str) -> object:
    return await catalogue.book(asker, clob_url, token, is_yes=True)
