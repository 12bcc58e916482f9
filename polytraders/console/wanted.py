"""What the filters of a list ask for, in people's words: a market by index, id or slug; a strategy by name."""

from typing import Any, Final, NamedTuple, TypeVar

from django.db.models import Model, QuerySet
from django.http import HttpRequest

from polytraders.console import board, decisions

M = TypeVar("M", bound=Model)
LENGTH_MOST: Final = 200


class Wanted(NamedTuple):
    """Filters of one request.

    Attributes:
        market: As it was typed.
        strategy: As it was chosen.
        wrong: What of it means nothing, in words; such a list is empty. "" = all of it means something.
        where: The same for a query.
        strategies: Names of all strategies by index, for the choice and for the rows.
    """

    market: str
    strategy: str
    wrong: str
    where: dict[str, int]
    strategies: dict[int, str]

    def of(self, rows: "QuerySet[M]") -> "QuerySet[M]":
        """The rows that are asked for."""
        return rows.none() if self.wrong else rows.filter(**self.where)

    @property
    def is_all(self) -> bool:
        """Whether nothing is asked for in particular."""
        return not self.where and not self.wrong

    def name(self, strategy: int) -> str:
        """What a strategy is called."""
        return self.strategies.get(strategy) or f"strategy {strategy}"


def wanted(request: HttpRequest, shard: int = 0) -> Wanted:
    """Read `?market=` and `?strategy=`: one query, and one more for a market that is not told by index."""
    names = board.strategy_names(shard)
    market = request.GET.get("market", "").strip()[:LENGTH_MOST]
    strategy = request.GET.get("strategy", "").strip()[:LENGTH_MOST]
    where: dict[str, Any] = {}
    wrong = ""
    if market:
        index = decisions.market_index(market, shard) if market.isprintable() else None
        if index is None:
            wrong = "There is no such market."
        else:
            where["market"] = index
    if strategy:
        found = next((index for index, name in names.items() if strategy in (name, str(index))), None)
        if found is None:
            wrong = "There is no such strategy."
        else:
            where["strategy"] = found
    return Wanted(market, strategy, wrong, where, names)
