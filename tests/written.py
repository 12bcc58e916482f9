"""A log with its projections, written as the loop's process writes it: a world's rows, stepped block by block.

Needs a migrated database of its own (fixture `database`) and a folder.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from apps.eventlog import bodies
from apps.eventlog.store import Block, Control, Record, What, Writer
from apps.monitoring import projecting
from polytraders.contracts import state as s
from polytraders.contracts.inputs import INPUT, Kind, Scope
from polytraders.contracts.stretch import Stretch
from tests.scenario import World, makes, says

TITLES = ("Will it rain tomorrow?", "Bitcoin up or down, 12:00 to 12:05 UTC")


class Written:
    """A world whose every block is appended to a log.

    Attributes:
        world: Rows are added to it; `commit` steps and appends them.
        folder: Where its segments lie.
        blocks: How many have been appended.
    """

    def __init__(self, dsn: str, folder: Path, world: World, *, titles: tuple[str, ...] = TITLES) -> None:
        """Open the log; what the world holds already is the first block."""
        self.world = world
        self.folder = folder
        self.blocks = 0
        self._titles = titles
        self._sent = 0
        self._said = 0
        self._reason = ""
        self.writer = Writer.open(dsn, 0, folder)
        self.commit()

    def close(self) -> None:
        """Give the log back."""
        self.writer.close()

    def kill(self, scope: Scope, index: int, reason: str) -> None:
        """A kill with its reason, committed."""
        self._reason = reason
        self.world.kill(scope, index)
        self.commit()

    def commit(self) -> None:
        """Step what has been collected, and append it with its projections in one transaction."""
        world = self.world
        world.run()
        inputs = np.array(world.rows[self._sent :], INPUT)
        self._sent = len(world.rows)
        outs, details = self._outputs()
        controls = [
            Control(row.tobytes(), "operator:ada", f"key-{int(row['in_seq'])}", self._payload(row))
            for row in bodies.controls(inputs)
        ]
        block = Block(inputs, controls, outs, details, self._records(int(inputs["in_seq"][0])), 1)
        stretch = Stretch(0, int(inputs["in_seq"][-1]), len(inputs), controls, outs, details)
        self.writer.append(block, also=lambda cursor: projecting.apply(cursor, stretch))
        self.blocks += 1

    def _outputs(self) -> tuple[np.ndarray, np.ndarray]:
        said = self.world.said[self._said :]
        outs = np.array([one.row for one in said], s.OUT) if said else np.zeros(0, s.OUT)
        details: list[np.void] = []
        for number in range(len(said)):
            told = self.world.told.get(self._said + number)
            outs["detail"][number] = s.NONE if told is None else len(details)
            if told is not None:
                details.append(told)
        self._said = len(self.world.said)
        return outs, np.array(details, s.DETAIL) if details else np.zeros(0, s.DETAIL)

    def _records(self, in_seq: int) -> list[Record]:
        state = self.world.state
        found = [Record(What.LIMITS, 0, in_seq, state.limits[0].tobytes())]
        found += [Record(What.MARKET, at, in_seq, state.markets[at].tobytes()) for at in range(len(state.markets))]
        for strategy in range(len(state.strategies)):
            found.append(Record(What.STRATEGY, strategy, in_seq, state.strategies[strategy].tobytes()))
            found.append(Record(What.PARAMS, strategy, in_seq, state.params[strategy].tobytes()))
        return found

    def _payload(self, row: np.void) -> bytes | None:
        said: dict[str, Any] | None = None
        kind, index = int(row["kind"]), int(row["market"])
        if kind == Kind.FACT and int(row["price"]) == 0:
            title = self._titles[index % len(self._titles)]
            said = {
                "market": index, "id": f"0x{index:064x}", "tokens": [f"{index}1", f"{index}2"], "title": title,
                "slug": f"market-{index}", "cluster": "weather",
            }  # fmt: skip
        elif kind == Kind.SETTING and int(row["price"]) == 0:
            said = {"strategy": index, "name": ("says", "makes", "shy")[index]}
        elif kind in (Kind.KILL, Kind.RELEASE):
            said = {"reason": self._reason}
        return None if said is None else json.dumps(said).encode()


def busy(dsn: str, folder: Path, *, markets: int = 2, titles: tuple[str, ...] = TITLES) -> Written:
    """A taker and a maker, approvals, partial fills, a refusal and an expiry, in several blocks; still open."""
    world = World(says(0.70), makes(size=40_000_000), says(0.64), markets=markets)
    log = Written(dsn, folder, world, titles=titles)
    for market in range(markets):
        world.snapshot(market=market)
    log.commit()
    for beat in range(12):
        world.wait(0.25)
        world.tick()
        market = beat % markets
        world.touch(market)
        if beat % 3 == 1:
            world.trade(1, 6_200, 700.0, market=market)
        if beat == 6:
            world.opine(0.55)
        log.commit()
    world.wait(70.0)
    world.tick()
    for market in range(markets):
        world.touch(market)
    log.commit()
    # A book with one side only: nothing to measure, so no opinion and no edge.
    world.snapshot(bids={})
    world.wait(1.0)
    world.tick()
    log.commit()
    return log
