"""One replay from files to report: chooses decoder, loop and strategies, drives the capture, makes a ReplayReport."""

import dataclasses
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from apps.replay.core import compare
from apps.replay.runner import Kernel, Runner, Sink, read_outputs
from polytraders import config, loop, reporting
from polytraders.contracts import state as s
from polytraders.contracts.decision import DecisionPacket
from polytraders.contracts.inputs import SIZE_UNIT, Kind
from polytraders.contracts.replay import ReplayReport
from polytraders.kernel import block as blocks
from polytraders.kernel.jit import ROOT, build_hash
from polytraders.naming import Names
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
        door = self.decoder.counters
        return ReplayReport(
            **reporting.found(self.runner, self.names),
            source=self.plan.source.name,
            clock="synthetic",
            ages=AGES,
            frames=self.capture.frames,
            frames_rejected=door["refused"],
            refused_by_code=dict(self.quarantine.counts),
            door={**dict(sorted(door.items())), **({"source_broken": 1} if self.capture.broken else {})},
            limits={name: limit.value for name, limit in self.limits.items()},
            verdict_code=None,
            first_difference=None,
            log=None,
        )

    def packet(self, out: np.void, detail: np.void) -> DecisionPacket:
        """One decision of the last row fed, in full: a PACKET or APPROVAL row and its DETAIL row."""
        return reporting.packet(self.runner.state, self.names, out, detail)

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
