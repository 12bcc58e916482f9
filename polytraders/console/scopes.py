"""Which scopes there are and what stands about each: in the log, in the control table and in the fence."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from django.conf import settings
from django.db.models import Count, Q

from apps.monitoring.models import LoopRecord, ScopeRecord, StrategyRecord
from apps.oms.models import OrderRecord
from apps.registry.models import MarketRecord
from apps.risk import controls
from polytraders import fence
from polytraders.console import asked, board
from polytraders.contracts.control import Killed
from polytraders.contracts.inputs import Stage
from polytraders.contracts.orders import OrderStatus
from polytraders.contracts.scope import Scope

VENUES: Final = ("polymarket",)
"""Names of the loop's venue indices (shard/directory.py); a test compares the two."""
MARKETS_SHOWN: Final = 50
CLUSTERS_SHOWN: Final = 8


@dataclass(frozen=True)
class Line:
    """One scope of the tree.

    Attributes:
        scope: Kind.
        name: As kills name it, "" = everything.
        title: For people.
        depth: 0 everything, 1 venues and strategies, 2 clusters, 3 markets.
        told: What more there is to say: stage, or number of markets.
        log: Whether the log says killed; None = it has never said anything of this scope.
        table: Whether the control table does.
        fenced: Whether the fence does.
        since_ts: Loop time of the log's word.
        in_seq: Input of it: the scope's epoch.
        actor: Who.
        reason: Why, as told with it.
    """

    scope: Scope
    name: str
    title: str
    depth: int
    told: str
    log: bool | None
    table: bool
    fenced: bool
    since_ts: int | None
    in_seq: int | None
    actor: str
    reason: str

    @property
    def is_killed(self) -> bool:
        """One witness is enough."""
        return bool(self.log or self.table or self.fenced)

    @property
    def agree(self) -> bool:
        """Whether the three say the same."""
        return bool(self.log) == self.table == self.fenced

    @property
    def kind(self) -> str:
        """Word of the scope."""
        return self.scope.name.lower()


class Tree:
    """Everything that can be stopped.

    Attributes:
        lines: Top down; of markets only those that are killed or asked for.
        epoch: Of the fence; 0 = there is none, so everything counts as killed.
        strategies: Rows of all strategies.
        clusters_left: How many clusters are not among the lines.
        has_fence: Whether the file is there and can be read.
    """

    def __init__(self, find: str = "", shard: int = 0, *, deep: bool = True) -> None:
        """Read it: three queries, five when it is deep.

        Args:
            find: A cluster's name, or a market's slug or id, to show beside those that are killed.
            shard: Whose.
            deep: Whether clusters and markets are wanted, too.
        """
        path = settings.HOME / fence.FILE
        self.epoch = fence.epoch(path)
        self.has_fence = self.epoch > 0
        self._fenced = fence.killed(path)
        self._table = controls.killed(asked.raw(), shard)
        self._log = {(row.scope, row.index): row for row in ScopeRecord.objects.filter(shard=shard)[:1_000]}
        self.strategies = list(StrategyRecord.objects.filter(shard=shard).order_by("strategy"))
        clusters = (
            []
            if not deep
            else list(
                MarketRecord.objects.filter(shard=shard)
                .exclude(cluster_name="")
                .values_list("cluster", "cluster_name")
                .annotate(markets=Count("market"))
                .order_by("cluster_name")
            )
        )
        self.clusters_left = 0
        self.lines = [self._line(Scope.GLOBAL, 0, "", "Everything", 0, "")]
        for index, venue in enumerate(VENUES):
            self.lines.append(self._line(Scope.VENUE, index, venue, venue, 1, "venue"))
            for cluster, name, count in self._clusters(clusters, find):
                told = f"{count:,} market{'' if count == 1 else 's'}"
                self.lines.append(self._line(Scope.CLUSTER, cluster, name, name, 2, told))
            if deep:
                self.lines += self._markets(find, shard)
        for row in self.strategies:
            stage = "" if row.stage is None else f"at {Stage(row.stage).name.lower()}"
            self.lines.append(self._line(Scope.STRATEGY, row.strategy, row.name, row.name, 1, stage))
        self.lines += self._unknown()

    def _clusters(self, found: list[tuple[int, str, int]], find: str) -> list[tuple[int, str, int]]:
        """Those that are killed or asked for, and the largest."""
        stopped = {each.name for each in self._fenced | self._table if each.scope is Scope.CLUSTER} | {find}
        logged = {index for (scope, index), row in self._log.items() if scope == Scope.CLUSTER and row.is_killed}
        largest = {one[1] for one in sorted(found, key=lambda one: (-one[2], one[1]))[:CLUSTERS_SHOWN]}
        shown = [one for one in found if one[1] in stopped | largest or one[0] in logged]
        self.clusters_left = len(found) - len(shown)
        return shown

    def _line(self, scope: Scope, index: int | None, name: str, title: str, depth: int, told: str) -> Line:
        row = self._log.get((int(scope), index)) if index is not None else None
        key = Killed(scope, name)
        return Line(
            scope, name, title, depth, told, row.is_killed if row else None, key in self._table, key in self._fenced,
            row.ts if row else None, row.in_seq if row else None, row.actor if row else "", row.reason if row else "",
        )  # fmt: skip

    def _markets(self, find: str, shard: int) -> Iterable[Line]:
        indices = [index for (scope, index), row in self._log.items() if scope == Scope.MARKET and row.is_killed]
        names = {each.name for each in self._fenced | self._table if each.scope is Scope.MARKET}
        if not (indices or names or find):
            return
        wanted = Q(market__in=indices[:MARKETS_SHOWN]) | Q(condition_id__in=names | {find}) | Q(slug__in=names | {find})
        for row in MarketRecord.objects.filter(wanted, shard=shard).order_by("market")[:MARKETS_SHOWN]:
            name = next((one for one in (row.condition_id, row.slug) if one in names), row.condition_id)
            yield self._line(Scope.MARKET, row.market, name, str(row), 3, "market")

    def _unknown(self) -> Iterable[Line]:
        """Killed names that nothing has (yet)."""
        known = {Killed(line.scope, line.name) for line in self.lines}
        for each in sorted((self._fenced | self._table) - known):
            yield self._line(each.scope, None, each.name, each.name, 1, f"{each.scope.name.lower()} nobody knows yet")

    def find(self, scope: Scope, name: str) -> Line | None:
        """The line of a scope."""
        return next((line for line in self.lines if (line.scope, line.name) == (scope, name)), None)

    @property
    def stopped(self) -> list[Line]:
        """What is killed."""
        return [line for line in self.lines if line.is_killed]

    def strip(self, shard: int = 0, *, now_ns: board.Clock = time.time_ns) -> board.Board:
        """The strip of the page, from what has been read already; two queries."""
        loop = LoopRecord.objects.filter(shard=shard).first()
        orders = OrderRecord.objects.filter(shard=shard, is_open=True).aggregate(
            unknown=Count("id", filter=Q(status=OrderStatus.UNKNOWN_PENDING.value)), open=Count("id")
        )
        words = ["everything" if line.scope is Scope.GLOBAL else f"{line.kind} {line.title}" for line in self.stopped]
        age_ns = max(0, now_ns() - loop.at_ns) if loop else 0
        return board.Board(loop, age_ns, tuple(words), orders["unknown"], orders["open"], 0, (), (), (), 0)
