"""Whole replays for tests: a made-up session with strategies that trade at once, and the recorded one."""

import gzip
import itertools
import json
from pathlib import Path
from typing import NamedTuple

from polytraders.replaying import Plan, Replay
from polytraders.sequencing import BLOCK_ROWS
from polytraders.venues.simulator import capture
from tests.recorded import CAPTURE

SEED = 7

COMMON = """
windows = []
exposure_max = 2000
kelly = 0
volatility_target = 0
collar = 0.05
band_max = 0.2
stage = "paper"
"""

EAGER = (
    """
name = "eager"
model = "logit"
policy = "take"
immediate = false
size = 60
rest_ms = 2000
edge_min = 0.001
"""
    + COMMON
    + """
[parameters]
bias = 0.0
log_odds_weight = 1.0
kappa = 0.1
[parameters.weights]
imbalance = 0.3
[parameters.calibration]
x = [0.0, 0.02, 0.98, 1.0]
y = [0.0, 0.02, 0.98, 1.0]
lower = [0.0, 0.0, 0.96, 0.98]
upper = [0.02, 0.04, 1.0, 1.0]
"""
)
"""A taker that believes what the book's imbalance says, from the first book on, and waits for the ranking."""

PATIENT = (
    """
name = "patient"
model = "microprice"
policy = "make"
immediate = true
size = 40
rest_ms = 15000
edge_min = 0.0005
"""
    + COMMON
    + """
[parameters]
pull = 0.002
half_band = 0.001
volatility_band = 0.0
kappa = 1.0
"""
)
"""A maker."""


class Session(NamedTuple):
    """Files of a replay."""

    source: Path
    registry: Path
    strategies: tuple[Path, ...]

    def plan(self, *, block_rows: int = BLOCK_ROWS, frames: int | None = None, known: bool = True) -> Plan:
        """How to replay it; without what is `known`, the registry is left out."""
        registry = self.registry if known else None
        return Plan(
            self.source, registry, self.strategies, block_rows=block_rows, frames_most=frames, keep_outputs=False
        )

    def replay(self, *, block_rows: int = BLOCK_ROWS, frames: int | None = None, known: bool = True) -> Replay:
        """Ready to run."""
        return Replay(self.plan(block_rows=block_rows, frames=frames, known=known))


def strategies(folder: Path) -> tuple[Path, ...]:
    """Templates of a taker and a maker."""
    paths = folder / "eager.toml", folder / "patient.toml"
    for path, text in zip(paths, (EAGER, PATIENT), strict=True):
        path.write_text(text, encoding="utf-8")
    return paths


def made_up(folder: Path, frames: int) -> Session:
    """A generated session in the venue's format."""
    source, registry = folder / "capture.jsonl", folder / "registry.toml"
    capture.write(source, seed=SEED, count=frames)
    registry.write_text(capture.registry_toml(seed=SEED), encoding="utf-8")
    return Session(source, registry, strategies(folder))


def recorded(folder: Path) -> Session:
    """The recorded session, with a registry made from its first frame: the first token of a market is YES."""
    with gzip.open(CAPTURE) as file:
        books = json.loads(file.readline())
    tokens: dict[str, list[str]] = {}
    for book in books:
        tokens.setdefault(book["market"], []).append(book["asset_id"])
    registry = folder / "registry.toml"
    registry.write_text(
        "\n".join(
            f'[[market]]\nid = "{market}"\ntokens = {json.dumps(pair)}\nmin_size = "5"\n'
            'fee = { rate = "0.05", exponent = "1", taker_only = true }\ntaker_delay_ms = 0\nneg_risk = false\n'
            f'close_time = 2027-12-31T00:00:00Z\ncluster = "{cluster}"\n'
            for (market, pair), cluster in zip(tokens.items(), itertools.cycle(("sports", "politics")), strict=False)
        ),
        encoding="utf-8",
    )
    return Session(CAPTURE, registry, strategies(folder))
