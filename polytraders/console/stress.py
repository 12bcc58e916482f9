"""What positions would be worth if: plain arithmetic over what is held, no forecast and no kernel.

Sizes in 1e-6 shares, money in micro-pUSD. A scenario's result is what holdings would pay less what they cost.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

from polytraders.contracts.inputs import NO, YES

WORST_CLUSTERS: Final = 3


class Held(NamedTuple):
    """What is held in one market over all strategies.

    Attributes:
        market: Index.
        cluster: Name, "" = none told.
        yes: YES shares, 1e-6.
        no: NO shares, 1e-6.
        cost: What both cost, micro-pUSD.
    """

    market: int
    cluster: str
    yes: int
    no: int
    cost: int


class Scenario(NamedTuple):
    """One answer.

    Attributes:
        title: What happens.
        words: What that means for us.
        result: Gain (+) or loss (-), micro-pUSD.
        equity: Equity afterwards, None = equity is not known.
        markets: How many markets it is about.
    """

    title: str
    words: str
    result: int
    equity: int | None
    markets: int


def gather(positions: Iterable[tuple[int, int, int, int]], clusters: dict[int, str]) -> list[Held]:
    """Positions (market, outcome, size, cost) as one line a market."""
    found: dict[int, list[int]] = defaultdict(lambda: [0, 0, 0])
    for market, outcome, size, cost in positions:
        found[market][0 if outcome == YES else 1] += size
        found[market][2] += cost
    return [Held(market, clusters.get(market, ""), *numbers) for market, numbers in sorted(found.items())]


def pays(held: Held, outcome: int) -> int:
    """Gain or loss of a market that ends so."""
    return (held.yes if outcome == YES else held.no) - held.cost


def worst(held: Held) -> int:
    """The worse of its two ends."""
    return min(pays(held, YES), pays(held, NO))


def scenarios(
    held: Sequence[Held], free: int | None, reserved: int | None, titles: Mapping[int, str] = MappingProxyType({})
) -> list[Scenario]:
    """All of them.

    Args:
        held: One line a market.
        free: Cash that is not held for orders; None = unknown.
        reserved: Cash that is held for them.
        titles: Questions of markets, by index.
    """
    cash = None if free is None or reserved is None else free + reserved
    cost = sum(one.cost for one in held)

    def made(title: str, words: str, result: int, markets: int) -> Scenario:
        return Scenario(title, words, result, None if cash is None else cash + cost + result, markets)

    by_cluster: dict[str, list[Held]] = defaultdict(list)
    for one in held:
        by_cluster[one.cluster or "no cluster"].append(one)
    losses = sorted((sum(worst(one) for one in many), name, len(many)) for name, many in by_cluster.items())
    found = [
        made("All YES", "every market ends YES", sum(pays(one, YES) for one in held), len(held)),
        made("All NO", "every market ends NO", sum(pays(one, NO) for one in held), len(held)),
        made("All against us", "every market ends the worse way", sum(worst(one) for one in held), len(held)),
    ]
    found += [
        made(f"Cluster {name}", "all its markets go wrong; the others are worth their cost", loss, count)
        for loss, name, count in losses[:WORST_CLUSTERS]
    ]
    if held:
        single = min(held, key=worst)
        name = titles.get(single.market, f"market {single.market}")
        found.append(made("Worst market", f"alone goes wrong: {name}", worst(single), 1))
    found.append(
        made("Venue halted", "nothing can be sold; what is held counts as lost until it pays", -cost, len(held))
    )
    return found
