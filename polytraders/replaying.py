"""One replay from files to report: chooses decoder, loop and strategies, drives the capture, makes a ReplayReport."""

import dataclasses
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from apps.eventlog.core.book import book_hash
from apps.ledger.core import positions
from apps.replay.core import compare
from apps.replay.runner import Kernel, Runner, Sink, read_outputs
from polytraders import config, loop, packets
from polytraders.contracts import state as s
from polytraders.contracts.decision import DecisionPacket
from polytraders.contracts.inputs import ASK, BID, NO, PRICE_UNIT, SIZE_UNIT, YES, Fact, Kind
from polytraders.contracts.ledger import Position
from polytraders.contracts.replay import ReplayReport
from polytraders.kernel import block as blocks
from polytraders.kernel.jit import ROOT, build_hash
from polytraders.naming import Names, moment
from polytraders.quarantine import Quarantine
from polytraders.sequencing import BLOCK_ROWS
from polytraders.sources import Capture
from polytraders.venues.polymarket.wire import Decoder

CAPITAL: Final = 10_000 * SIZE_UNIT
CAPACITY: Final = 1_024
KEPT_REPLAYS: Final = 20
AGES: Final = "any frame of the connection counts as proof of life and as witness: the capture has neither"


class Plan(NamedTuple):
    """What to replay and how."""

    source: Path
    registry: Path | None = None
    strategies: tuple[Path, ...] = (Path("logit"),)
    limits: Path = config.LIMITS_FILE
    block_rows: int = BLOCK_ROWS
    frames_most: int | None = None
    capital: int = CAPITAL
    keep_outputs: bool = True


class Replay:
    """A replay that is ready to run.

    Attributes:
        runner: The run; its state can be looked at between blocks.
        capture: The source.
        names: What the indices in its rows are called.
    """

    def __init__(self, plan: Plan) -> None:
        """Read the files of `plan`.

        Raises:
            config.ConfigError: A file cannot be used.
        """
        self.plan = plan
        self.limits = config.load_limits(plan.limits)
        self.strategies = tuple(config.load_strategy(path) for path in plan.strategies)
        self.registry = config.load_registry(plan.registry) if plan.registry else config.Registry(market=())
        self.clusters = config.cluster_names(self.registry)
        self.decoder = Decoder(capacity=CAPACITY)
        for market in self.registry.market:
            known = self.decoder.register(market.id, market.tokens, min_size=market.min_size, neg_risk=market.neg_risk)
            if known < 0:
                raise config.ConfigError(f"{plan.registry}: market {market.id} contradicts another or finds no room")
        sizes = s.Sizes(CAPACITY, len(self.strategies), clusters=max(8, len(self.clusters)))
        self.quarantine = Quarantine(cache_folder() / "quarantine")
        self.capture = Capture(
            plan.source,
            self.decoder,
            self._setup,
            self.quarantine,
            block_rows=plan.block_rows,
            frames_most=plan.frames_most,
        )
        self.names = Names(
            markets=self.decoder.markets,
            tokens=self.decoder.tokens,
            strategies=tuple(strategy.name for strategy in self.strategies),
            clusters=self.clusters,
            venues=("paper",),
            titles=tuple(market.title for market in self.registry.market),
        )
        self._partial = cache_folder() / "replays" / f"running-{os.getpid()}"
        self._sink = Sink(self._partial) if plan.keep_outputs else None
        self.runner = Runner(Kernel(loop.run, blocks.views), blocks.new_block(sizes), sink=self._sink)

    def _setup(self, now: int) -> list[config.Row]:
        build = np.frombuffer(build_hash()[:16], "<i8").tolist()
        rows: list[config.Row] = [
            (Kind.EPOCH, 0, 0, -1, 0, 0, build[0], build[1]),
            (Kind.CLOCK, 0, 0, -1, 0, 0, 1, 0),
            (Kind.VENUE, 0, 0, -1, 0, 1, 0, 0),
            *config.limit_rows(self.limits),
        ]
        for index, strategy in enumerate(self.strategies):
            rows += config.strategy_rows(index, strategy)
        rows.append((Kind.CAPITAL, 0, 0, -1, 0, self.plan.capital, 0, 0))
        where = self.plan.registry.name if self.plan.registry else "registry"
        for index, market in enumerate(self.registry.market):
            rows += config.fact_rows(index, market, self.clusters, now, where)
        return rows

    def run(self, progress: Callable[["Replay"], None] | None = None) -> ReplayReport:
        """Drive the whole source.

        Args:
            progress: Called after each block.

        Raises:
            KernelFault: The loop refused to go on.
        """
        try:
            for rows in self.capture:
                self.runner.feed(rows)
                if progress is not None:
                    progress(self)
        except BaseException:
            # Half of a run's outputs is nobody's outputs.
            self._forget()
            raise
        return self.report()

    def report(self) -> ReplayReport:
        """What the run found, so far."""
        runner = self.runner
        state = runner.state
        portfolio = state.portfolio[0]
        markets = state.markets
        door = self.decoder.counters
        input_head, output_head, chain = runner.heads()
        first = int(portfolio["first_mismatch_frame"])
        seen = int((markets["events"] > 0).sum())
        equity, realised = int(portfolio["equity"]), int(portfolio["realised"])
        return ReplayReport(
            source=self.plan.source.name,
            clock="synthetic",
            ages=AGES,
            frames=self.capture.frames,
            frames_rejected=door["refused"],
            events=runner.inputs.rows,
            rows_mirrored=int(markets["mirrored"].sum()),
            markets=seen,
            mismatch_before_repair=int(markets["mismatches"].sum()),
            first_mismatch_frame=first if first >= 0 else None,
            best_mismatch=int(markets["best_mismatches"].sum()),
            repairs=int(markets["repairs"].sum()),
            snapshots=int(markets["snapshots"].sum()),
            snapshot_differences=int(markets["snapshot_differences"].sum()),
            evaluations=int(portfolio["evaluations"]),
            packets=int(portfolio["packets"]),
            approved=int(portfolio["approvals"]),
            orders=int(portfolio["approvals"]),
            fills=int(portfolio["fills"]),
            expired=int(portfolio["expiries"]),
            counts_by_code=runner.counts_by_code(),
            refused_by_code=dict(self.quarantine.counts),
            door={**dict(sorted(door.items())), **({"source_broken": 1} if self.capture.broken else {})},
            input_head=input_head,
            output_head=output_head,
            chain_head=chain,
            build=build_hash().hex(),
            events_per_second=round(runner.inputs.rows / max(runner.loop_seconds, 1e-9), 1),
            assumed=self._assumed(),
            limits={name: limit.value for name, limit in self.limits.items()},
            strategies=tuple(strategy.name for strategy in self.strategies),
            capital=int(portfolio["deposited"]),
            equity=equity,
            realised=realised,
            unrealised=equity - int(portfolio["deposited"]) - realised,
            fees=int(portfolio["fees"]),
            positions=self._positions(),
            verdict_code=None,
            first_difference=None,
        )

    def _assumed(self) -> dict[str, tuple[str, ...]]:
        facts = {}
        for market in range(len(self.registry.market)):
            bits = int(self.runner.state.markets["assumed"][market])
            facts[self.decoder.markets[market]] = tuple(fact.name.lower() for fact in Fact if bits >> fact & 1)
        return facts

    def _positions(self) -> tuple[Position, ...]:
        pairs = self.runner.state.pairs
        held = np.argwhere((pairs["qty_yes"] > 0) | (pairs["qty_no"] > 0)).tolist()
        return tuple(
            self._position(market, strategy, outcome)
            for market, strategy in held
            for outcome, quantity in ((YES, "qty_yes"), (NO, "qty_no"))
            if pairs[quantity][market, strategy] > 0
        )

    def _position(self, market: int, strategy: int, outcome: int) -> Position:
        pair = self.runner.state.pairs[market, strategy]
        total = int(pair["qty_yes" if outcome == YES else "qty_no"])
        cost = int(pair["cost_yes" if outcome == YES else "cost_no"])
        selling = pair["order"] != 0 and pair["order_action"] == s.SELL and pair["order_outcome"] == outcome
        reserved = int(pair["order_held"]) if selling else 0
        mid2 = int(self.runner.state.markets["mid2"][market])
        mid2 = mid2 if outcome == YES else 2 * PRICE_UNIT - mid2
        return Position(
            market=market,
            strategy=self.strategies[strategy].name,
            token_id=self.registry.market[market].tokens[outcome],
            total=total,
            free=total - reserved,
            reserved=reserved,
            redeemable=0,
            average_cost=positions.average_cost(cost, total),
            realised=int(pair["realised"]),
            unrealised=total * mid2 // (2 * PRICE_UNIT) - cost,
            fees=int(pair["fees"]),
        )

    def packet(self, out: np.void, detail: np.void) -> DecisionPacket:
        """One decision of the last row fed, in full: a PACKET or APPROVAL row and its DETAIL row."""
        market = int(out["market"])
        at = moment(self.runner.state, market, int(out["strategy"]))
        return packets.packet(out, detail, names=self.names, at=at, book_hash=self.book_hash(market))

    def book_hash(self, market: int) -> str | None:
        """SHA-256 of a market's book as it is now; None before its tick is known."""
        state = self.runner.state
        record = state.markets[market]
        tick = int(record["tick"])
        if tick <= 0:
            return None
        sides = []
        for side, name in ((BID, "bid"), (ASK, "ask")):
            slots = np.flatnonzero(state.levels[market, side])
            prices = (slots + int(record[f"{name}_base"])) * tick
            outside = state.overflow[market, side, : int(record[f"{name}_overflow"])]
            inside = zip(prices.tolist(), state.levels[market, side][slots].tolist(), strict=True)
            sides.append([*inside, *map(tuple, outside.tolist())])
        return book_hash(tick, *sides)

    def _forget(self) -> None:
        if self._sink is not None:
            self._sink.close()
            shutil.rmtree(self._partial)

    def keep(self, report: ReplayReport) -> None:
        """Put the outputs where a later replay finds them by the report's chain head."""
        if self._sink is None:
            return
        self._sink.close()
        folder = outputs_folder(report.chain_head)
        if folder.exists():
            shutil.rmtree(self._partial)
        else:
            self._partial.rename(folder)
        old = sorted(folder.parent.iterdir(), key=lambda path: path.stat().st_mtime)
        for path in old[:-KEPT_REPLAYS]:
            shutil.rmtree(path, ignore_errors=True)


def cache_folder() -> Path:
    """Where what can be made again is kept."""
    return Path(os.environ.get("POLYTRADERS_CACHE", ROOT / ".cache"))


def outputs_folder(chain_head: str) -> Path:
    """Where the outputs of a run are kept."""
    return cache_folder() / "replays" / chain_head[:32]


def against(report: ReplayReport, recorded: dict[str, Any]) -> ReplayReport:
    """The report with its comparison to a recorded one: parity, or the first differing packet and field.

    Raises:
        config.ConfigError: The recorded report has no heads.
    """
    try:
        same = recorded["output_head"] == report.output_head
        inputs_same = recorded["input_head"] == report.input_head
        theirs, ours = outputs_folder(recorded["chain_head"]), outputs_folder(report.chain_head)
    except (KeyError, TypeError) as error:
        raise config.ConfigError(f"not a replay report: {error}") from error
    if same:
        return dataclasses.replace(report, verdict_code="GOV_REPLAY_MATCH", first_difference=None)
    words = "inputs are the same" if inputs_same else "inputs differ too"
    if theirs.exists() and ours.exists():
        difference = compare.first_difference(
            compare.Outputs(*read_outputs(theirs)), compare.Outputs(*read_outputs(ours))
        )
        words = f"{difference.in_words() if difference else 'the kept outputs are equal'} ({words})"
    else:
        words = f"the outputs of the recorded run are no longer kept, so only the heads can be compared ({words})"
    return dataclasses.replace(report, verdict_code="GOV_REPLAY_REGRESSION", first_difference=words)


def to_json(report: ReplayReport) -> str:
    """The report as JSON."""
    return json.dumps(dataclasses.asdict(report), indent=2, default=str)
