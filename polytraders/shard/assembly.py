"""Opens everything that a shard's loop needs: the last run's state, its names, its books, and an epoch behind them."""

import hashlib
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import psycopg

from apps.eventlog.faults import Corrupt
from apps.eventlog.segments import RAW, RawSegment, cut, raw_folder, set_aside_after
from apps.eventlog.store import Writer
from apps.ledger import comparison
from apps.replay.runner import Drive, Kernel
from apps.risk import controls
from polytraders import config, fence
from polytraders import loop as kernel_loop
from polytraders.config import Strategy
from polytraders.contracts import state as s
from polytraders.contracts.inputs import Fact
from polytraders.contracts.reasons import number
from polytraders.journal import Journal, kernel_sums
from polytraders.kernel import block as blocks
from polytraders.kernel.jit import build_hash
from polytraders.metrics import LoopMetrics
from polytraders.quarantine import Quarantine
from polytraders.sequencing import Sequencer
from polytraders.shard import opening, restoring, snapshots
from polytraders.shard.clock import Clock
from polytraders.shard.commands import Desk
from polytraders.shard.committing import Committer, Drift
from polytraders.shard.directory import REFERENCES, VENUES, Directory
from polytraders.shard.intake import LOOP, Intake
from polytraders.shard.keeping import INPUTS, Keeper
from polytraders.shard.kills import Kills
from polytraders.shard.meter import Meter
from polytraders.shard.process import ShardLoop
from polytraders.shard.quotes import QuoteThread
from polytraders.shard.quoting import Quoter
from polytraders.shard.telling import Teller
from polytraders.venues.binance.wire import Decoder as ReferenceDecoder
from polytraders.venues.polymarket.wire import Decoder

log = logging.getLogger(__name__)

SYMBOLS: Final = {"BTCUSDT": 0}
MARKET_CONNECTIONS: Final = 7
REFERENCE_CONNECTION: Final = MARKET_CONNECTIONS
CAPACITY: Final = 4_096
"""Markets that one log can name. An index is never used again, so this is also how long rolling markets can go on."""
CLUSTERS: Final = 64
CAPITAL: Final = 10_000_000_000
RESTARTED: Final = number("INTEL_BOOK_GAP")
LOG_BEGUN: Final = "SELECT EXISTS (SELECT FROM log_head WHERE seq > 0)"
LAST_RAW: Final = """
SELECT raw_segment, raw_to FROM log_block WHERE shard = %s AND raw_segment <> '' ORDER BY first_seq DESC LIMIT 1"""


class Basis(NamedTuple):
    """What a shard's loop is opened with.

    Attributes:
        dsn: Of the application's role.
        home: Folder with segments, checkpoints, fence.
        shard: Number of the shard.
        source: Where market data comes from: simulator or polymarket.
        speed: Loop time against wall time; 1 with a real venue.
        strategies: Templates, by name or path, in the order of their indices.
        limits: Portfolio limits of a new log.
        capital: Of a new log, micro-pUSD.
        checkpoint_inputs: Inputs between two checkpoints.
    """

    dsn: str
    home: Path
    shard: int
    source: str
    speed: int
    strategies: tuple[Path, ...]
    limits: Path = config.LIMITS_FILE
    capital: int = CAPITAL
    checkpoint_inputs: int = INPUTS


class Parts(NamedTuple):
    """What is open while a shard is held."""

    drive: Drive
    intake: Intake
    directory: Directory
    committer: Committer
    kills: Kills
    keeper: Keeper
    meter: Meter
    teller: Teller
    quoter: Quoter


def shard_loop(parts: Parts, clock: Clock, committed: Callable[[list[int]], None]) -> ShardLoop:
    """The loop over what has been opened."""
    return ShardLoop(
        parts.drive, parts.intake, parts.directory, parts.committer, clock, parts.kills, parts.keeper, parts.meter,
        committed=committed, told=parts.teller.look, quoter=parts.quoter,
    )  # fmt: skip


def open_parts(basis: Basis, writer: Writer, conn: psycopg.Connection[Any], clock: Clock) -> Parts:
    """Restore what the log says, compare it with the ledger, and open an epoch behind it.

    Raises:
        config.ConfigError: Strategies are not those that the log was begun with, or a template cannot be used.
        Drift: The restored money is not the ledger's.
        Corrupt: The log is not what was committed.
    """
    for code, words in writer.notices():
        log.warning("%s: %s", code, words)
    head, build = writer.head, build_hash()
    strategies = tuple(config.load_strategy(path) for path in basis.strategies)
    names = tuple(strategy.name for strategy in strategies)
    sizes = s.Sizes(CAPACITY, len(strategies), CLUSTERS, connections=MARKET_CONNECTIONS + 1, references=len(REFERENCES))
    new = _new_strategies(conn, basis.shard, names) if head.seq else ()
    restored = restoring.restore(conn, basis.home, head, Kernel(kernel_loop.run, blocks.views), sizes, build)
    state = restored.drive.state
    decoder = Decoder(CAPACITY)
    directory = Directory(decoder, state, names)
    if head.seq:
        restoring.restore_directory(conn, basis.shard, directory)
        _compare(conn, basis.shard, state, directory)
        log.info("restored input %d, folded %d from %d", head.seq, restored.folded, restored.from_seq)
    kills = Kills(_fence(conn, basis.home), controls.killed(conn, basis.shard))
    now = max(clock(), int(state.portfolio["now"][0]))
    sequencer = Sequencer(in_seq=head.seq, now=now, synthetic=0, rate_ppm=clock.rate_ppm)
    intake = Intake(
        sequencer, decoder, ReferenceDecoder(SYMBOLS, REFERENCE_CONNECTION), directory,
        Desk(directory, state, kills.now), Quarantine(basis.home / "quarantine"),
    )  # fmt: skip
    handed = hashlib.sha256(snapshots.pack(restored.drive.block, directory.count).tobytes()).hexdigest()
    epoch = opening.Epoch(
        build, tuple(sizes), handed if head.seq else "", names, tuple(directory.names.clusters), VENUES, basis.source,
        clock.rate_ppm,
    )  # fmt: skip
    _open_epoch(basis, intake, epoch, strategies, now, new=new if head.seq else None)
    meter = Meter(LoopMetrics(version="", build_hash=build.hex()[:12]))
    teller = Teller(
        state, directory, writer, meter, build=build, venue=basis.source, speed=basis.speed, epoch_seq=head.seq + 1,
        connections=lambda: _connections(state),
    )  # fmt: skip
    journal = Journal.restore(directory.names, conn, basis.shard)
    committer = Committer(writer, _raw_segment(basis, writer, conn), journal, teller.project, head.seq + 1)
    keeper = Keeper(basis.dsn, basis.home, basis.shard, build, in_seq=head.seq, now=now, inputs=basis.checkpoint_inputs)
    telling = QuoteThread(basis.dsn, basis.shard, len(names), MARKET_CONNECTIONS, meter.differing)
    quoter = Quoter(state, lambda: directory.count, telling, time.monotonic, all_new=True)
    return Parts(restored.drive, intake, directory, committer, kills, keeper, meter, teller, quoter)


def _open_epoch(
    basis: Basis,
    intake: Intake,
    epoch: opening.Epoch,
    strategies: Sequence[Strategy],
    now: int,
    *,
    new: tuple[int, ...] | None,
) -> None:
    """The first inputs of the run; `new` are strategies that an old log does not have yet, None = the log is new."""
    intake.rows([epoch.row()], now, LOOP, payload=epoch.payload())
    intake.rows(opening.clock_rows(epoch.rate_ppm), now, LOOP)
    if new is None:
        told = opening.first_rows(opening.Terms(config.load_limits(basis.limits), strategies, basis.capital))
    else:
        told = [opening.strategy_rows(index, strategies[index]) for index in new]
        told.append((opening.gap_rows(MARKET_CONNECTIONS, RESTARTED), None))
    for rows, payload in told:
        intake.rows(rows, now, LOOP, payload=payload)


def _new_strategies(conn: psycopg.Connection[Any], shard: int, names: tuple[str, ...]) -> tuple[int, ...]:
    """Indices of strategies that the log does not know; those it knows must come first and in its order."""
    logged = restoring.strategy_names(conn, shard)
    if names[: len(logged)] != logged:
        raise config.ConfigError(
            f"this log was begun with the strategies {', '.join(logged)}: they must come first, not {', '.join(names)}"
        )
    return tuple(range(len(logged), len(names)))


def _compare(conn: psycopg.Connection[Any], shard: int, state: s.State, directory: Directory) -> None:
    """Before anything is added to it, the ledger must say what the restored loop believes.

    They differ where this build would have decided otherwise than the one that wrote the end of the log, and no state
    of that build was kept: start that build once more and stop it in order, which keeps one.
    """
    with conn.cursor() as cursor:
        found = comparison.difference(cursor, shard, kernel_sums(state, directory.names))
    if found is not None:
        raise Drift(f"{found}, after folding the log. If the build has changed, stop the old one in order first")


def _connections(state: s.State) -> dict[int, str]:
    """Connections that carry a market, by number."""
    markets = state.markets
    carried = np.unique(markets["connection"][(markets["known"] >> Fact.CONNECTION & 1) == 1]).tolist()
    return {number: f"market {number}" for number in carried} or {0: "market 0"}


def _fence(conn: psycopg.Connection[Any], home: Path) -> fence.Fence:
    """The kill fence. It is made only where no log has begun: later its absence means killed."""
    path = home / fence.FILE
    begun = conn.execute(LOG_BEGUN).fetchone()
    if begun == (False,):
        fence.create(path)
    if not path.exists():
        log.error("the kill fence is missing: everything is killed until the global scope is released")
    return fence.Fence(path)


def _raw_segment(basis: Basis, writer: Writer, conn: psycopg.Connection[Any]) -> RawSegment:
    """A new raw segment; bytes behind the last committed block are set aside and never taken in.

    Raises:
        Corrupt: The segment of the last block is gone.
    """
    folder = raw_folder(basis.home, basis.shard)
    found = conn.execute(LAST_RAW, (basis.shard,)).fetchone()
    name, size = found or ("", 0)
    if folder.is_dir():
        set_aside_after(folder, RAW, name)
    if name:
        if not (folder / name).exists():
            raise Corrupt(f"raw segment {name} of shard {basis.shard} is gone")
        cut(folder / name, size)
    return RawSegment(folder, writer.head.fence)
