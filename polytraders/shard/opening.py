"""The first inputs of a run: the epoch, its clock, and for a new log everything that is in force from the beginning."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np

from polytraders import config
from polytraders.config import Limit, Row, Strategy
from polytraders.contracts.inputs import Kind

EPOCH_VERSION: Final = 1


class Terms(NamedTuple):
    """What a new log begins with.

    Attributes:
        limits: Portfolio limits in the kernel's order.
        strategies: In the order of their indices.
        capital: Micro-pUSD.
    """

    limits: Mapping[str, Limit]
    strategies: Sequence[Strategy]
    capital: int


class Epoch(NamedTuple):
    """What opens a run of a build.

    Attributes:
        build: Build hash, 32 bytes.
        sizes: Room of the state.
        state_hash: SHA-256 of the state handed over, hex; "" = there was none.
        strategies: Names, in the order of their indices.
        clusters: Names of the clusters so far, in the order of their indices.
        venues: Names of the venues.
        source: Where market data comes from: simulator or polymarket.
        rate_ppm: Loop time against wall time.
    """

    build: bytes
    sizes: tuple[int, ...]
    state_hash: str
    strategies: tuple[str, ...]
    clusters: tuple[str, ...]
    venues: tuple[str, ...]
    source: str
    rate_ppm: int

    def row(self) -> Row:
        """The EPOCH input."""
        first, second = np.frombuffer(self.build[:16], "<i8").tolist()
        return (Kind.EPOCH, 0, 0, -1, 0, 0, first, second)

    def payload(self) -> bytes:
        """What the row cannot say."""
        told = {**self._asdict(), "build": self.build.hex(), "version": EPOCH_VERSION}
        return msgspec.json.encode(told)


Told = tuple[list[Row], bytes | None]
"""Rows, and what the first of them carries."""


def clock_rows(rate_ppm: int) -> list[Row]:
    """The CLOCK input of a run: times are those of receipt, at this rate."""
    return [(Kind.CLOCK, 0, 0, -1, 0, rate_ppm, 0, 0)]


def first_rows(terms: Terms) -> list[Told]:
    """Everything in force when a log begins. A strategy begins at its own stage, paper at most."""
    told: list[Told] = [([(Kind.VENUE, 0, 0, -1, 0, 1, 0, 0)], None), (config.limit_rows(dict(terms.limits)), None)]
    told += [strategy_rows(index, strategy) for index, strategy in enumerate(terms.strategies)]
    told.append(([(Kind.CAPITAL, 0, 0, -1, 0, terms.capital, 0, 0)], None))
    return told


def strategy_rows(index: int, strategy: Strategy) -> Told:
    """Settings, parameters and stage of one strategy, with its name."""
    name = msgspec.json.encode({"strategy": index, "name": strategy.name, "model": strategy.model})
    return config.strategy_rows(index, strategy), name


def gap_rows(connections: int, why: int) -> list[Row]:
    """No book is known after a restart."""
    return [(Kind.GAP, 0, 0, -1, 0, 0, why, connection) for connection in range(connections)]
