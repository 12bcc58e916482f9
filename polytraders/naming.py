"""What the indices in rows are called, and what was in force when a row was made: what a row does not say itself."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from polytraders.contracts.inputs import Fact
from polytraders.contracts.state import State

TICK_BIT: Final = 32
"""Bit of the tick among the missing facts; the others are numbered like Fact."""


class Names(NamedTuple):
    """What indices in rows are called. The columns may still grow; a token that nobody has told yet is absent.

    Attributes:
        markets: The venue's id of each market.
        tokens: The venue's ids of each market's tokens, YES first.
        strategies: Names of the strategies.
        clusters: Names of the clusters, where there are any; like the two below, for pages only.
        venues: Names of the venues.
        titles: Question of each market.
    """

    markets: Sequence[str]
    tokens: Sequence[Sequence[str]]
    strategies: Sequence[str]
    clusters: Sequence[str] = ()
    venues: Sequence[str] = ()
    titles: Sequence[str] = ()

    def token(self, market: int, outcome: int) -> str:
        """Id of a token, "" = not told yet."""
        known = self.tokens[market] if market < len(self.tokens) else ()
        return known[outcome] if outcome < len(known) else ""


class Moment(NamedTuple):
    """What was in force when a row was made and does not stand in it."""

    market: np.void  # MARKET
    strategy: np.void  # STRATEGY
    limits: np.void  # LIMITS
    params: np.ndarray  # float64[PARAMS] of the strategy


def moment(state: State, market: int, strategy: int) -> Moment:
    """A copy of what is in force now."""
    return Moment(
        state.markets[market].copy(),
        state.strategies[strategy].copy(),
        state.limits[0].copy(),
        state.params[strategy].copy(),
    )


def correlation(in_seq: int, market: int, strategy: int) -> str:
    """What a packet, its order, fills and transfers have in common: the input, which is one frame's, and the pair."""
    return f"{in_seq}:{market}:{strategy}"


def missing_facts(bits: int) -> tuple[str, ...]:
    """Names of the facts in the word of the check `instrument`."""
    names = tuple(fact.name for fact in Fact if bits >> fact & 1)
    return (*names, "TICK_SIZE") if bits >> TICK_BIT & 1 else names
