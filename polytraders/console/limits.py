"""Limits in force, how much of each is used, and how often each has stopped something in the last hour."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from django.db.models import F, Sum
from django.http import HttpRequest

from apps.eventlog.bodies import What, unpack
from apps.ledger.models import PositionRecord
from apps.monitoring.models import LoopRecord
from apps.oms.models import OrderRecord
from apps.registry.models import MarketRecord
from apps.risk.models import MinuteRecord, Proposal
from polytraders import figures as f
from polytraders.config import load_limits
from polytraders.console import asked, foureyes, rollouts
from polytraders.console.board import HOUR_NS
from polytraders.contracts.checks import CHECKS
from polytraders.contracts.reasons import number
from polytraders.contracts.state import LIMITS

IN_FORCE: Final = (
    "SELECT in_seq, body FROM log_record WHERE shard = %s AND what = %s AND index = 0 ORDER BY in_seq DESC LIMIT 1"
)
PPM: Final = 1_000_000
HELD_MOST: Final = 5_000
CODES: Final = {check.limit: check.code for check in CHECKS if check.limit}
"""What a limit's rejection is called."""


@dataclass(frozen=True)
class Use:
    """One limit.

    Attributes:
        name: As the loop calls it.
        value: In force.
        unit: Of it.
        reason: Why this number was shipped.
        shipped: What limits.toml says.
        used: How much of it is used now; None = it is looked at on each evaluation and has no level.
        where: What uses the most.
        scope: The same as scopes are called, "" = it is about everything.
    """

    name: str
    value: int
    unit: str
    reason: str
    shipped: int
    used: int | None
    where: str
    scope: str = ""

    @property
    def part(self) -> float | None:
        """Used part of the limit, above 1 when it is over."""
        if self.used is None:
            return None
        return self.used / self.value if self.value else float(self.used > 0)

    @property
    def is_portfolios(self) -> bool:
        """Whether it is changed here; a strategy's own is changed on its page."""
        return self.name in load_limits()

    @property
    def entered(self) -> str:
        """What a new value is typed in."""
        return f.entered(f.SETTINGS[self.unit])

    @property
    def plain(self) -> str:
        """The value as one would type it."""
        return f.plain(self.value, f.SETTINGS[self.unit].places)


@dataclass(frozen=True)
class Book:
    """Everything at risk by strategy, market and cluster, micro-pUSD, and what is held.

    Attributes:
        positions: (market, strategy, outcome, size, cost) of what is held.
        at_risk: Micro-pUSD by (strategy, market): cost of what is held and money held for open orders.
        clusters: Name of each market's cluster.
        titles: Question of each market.
    """

    positions: list[tuple[int, int, int, int, int]]
    at_risk: dict[tuple[int, int], int]
    clusters: dict[int, str]
    titles: dict[int, str]

    def by_market(self) -> dict[int, int]:
        """Money at risk by market."""
        return _summed((market, amount) for (_, market), amount in self.at_risk.items())

    def by_cluster(self) -> dict[str, int]:
        """Money at risk by cluster."""
        return _summed((self.clusters.get(market, ""), amount) for (_, market), amount in self.at_risk.items())


def _summed(pairs: Any) -> dict[Any, int]:
    found: dict[Any, int] = defaultdict(int)
    for key, amount in pairs:
        found[key] += amount
    return dict(found)


def book(shard: int = 0) -> Book:
    """What is at risk; three queries over what is held and open, not over what ever was."""
    held = PositionRecord.objects.filter(shard=shard).exclude(size=0)
    positions = list(held.values_list("market", "strategy", "outcome", "size", "cost")[:HELD_MOST])
    at_risk: dict[tuple[int, int], int] = defaultdict(int)
    for market, strategy, _, _, cost in positions:
        at_risk[strategy, market] += cost
    opened = OrderRecord.objects.filter(shard=shard, is_open=True, action=0).values("strategy", "market")
    for row in opened.annotate(amount=Sum(F("held"))):
        at_risk[row["strategy"], row["market"]] += row["amount"] or 0
    markets = MarketRecord.objects.filter(shard=shard, market__in={market for _, market in at_risk})
    # Columns, not objects: thousands may be held.
    rows = list(markets.values_list("market", "cluster_name", "title", "slug", "condition_id"))
    clusters = {market: cluster or "no cluster" for market, cluster, *_ in rows}
    titles = {market: next(filter(None, names), f"market {market}") for market, _, *names in rows}
    return Book(positions, dict(at_risk), clusters, titles)


def in_force(shard: int = 0) -> tuple[int, dict[str, int]] | None:
    """Input since which they hold, and all limits; None = there is no log."""
    row = asked.raw().execute(IN_FORCE, (shard, int(What.LIMITS))).fetchone()
    if row is None:
        return None
    record = np.frombuffer(unpack(bytes(row[1])), LIMITS)[0]
    return int(row[0]), {name: int(record[name]) for name in LIMITS.names or ()}


def uses(loop: LoopRecord | None, at_risk: Book, shard: int = 0) -> list[Use]:
    """All portfolio limits, as the loop has them."""
    found = in_force(shard)
    if found is None:
        return []
    money = loop.money if loop else {}
    measured = _measured(money, at_risk)
    lines = []
    for name, limit in load_limits().items():
        used, where, scope = measured.get(name, (None, "", ""))
        lines.append(Use(name, found[1][name], limit.unit, limit.reason, limit.value, used, where, scope))
    return lines


def of_strategies(names: Mapping[int, str], at_risk: Book, shard: int = 0) -> list[Use]:
    """What each strategy may have at risk, which is a setting of its own; one query."""
    told = rollouts.versions(list(names), shard)
    found = []
    for index, versions in sorted(told.items()):
        most = int(versions[0].record["exposure_max"])
        used = sum(amount for (strategy, _), amount in at_risk.at_risk.items() if strategy == index)
        reason = "A setting of the strategy: what it may have at risk over all markets."
        name = names[index]
        found.append(Use("strategy_exposure_max", most, "micro-pUSD", reason, most, used, name, f"strategy {name}"))
    return found


def closest_first(uses: Iterable[Use]) -> list[Use]:
    """Those with a level first, the closest to its limit on top."""
    return sorted(uses, key=lambda use: -(use.part if use.part is not None else -1.0))


def _measured(money: dict[str, int], at_risk: Book) -> dict[str, tuple[int | None, str, str]]:
    by_market, by_cluster = at_risk.by_market(), at_risk.by_cluster()
    total = money.get("exposure", sum(by_market.values()))
    market = max(by_market, key=lambda one: by_market[one], default=None)
    cluster = max(by_cluster, key=lambda one: by_cluster[one], default=None)
    top = by_market[market] if market is not None else 0
    title = at_risk.titles.get(market, f"market {market}") if market is not None else ""
    equity = money.get("equity")
    spot = f"market {market}" if market is not None else ""
    return {
        "portfolio_exposure_max": (total, "all markets", ""),
        "market_exposure_max": (top, title, spot),
        "cluster_exposure_max": (by_cluster[cluster] if cluster is not None else 0, cluster or "", ""),
        "concentration_ppm_max": (top * PPM // equity if equity and equity > 0 else None, title, spot),
        "drawdown_day_ppm_max": (money.get("drawdown_day"), "since the day's high", ""),
        "drawdown_week_ppm_max": (money.get("drawdown_week"), "since the week's high", ""),
    }


def rejected(newest_ts: int, shard: int = 0) -> dict[str, int]:
    """Evaluations of the last hour that ended at a limit, by the limit's name."""
    counted = MinuteRecord.objects.filter(shard=shard, minute_ts__gt=newest_ts - HOUR_NS)
    totals = dict(counted.values_list("code").annotate(total=Sum("count")).order_by("code"))
    return {name: int(totals.get(number(code), 0)) for name, code in CODES.items()}


def propose(request: HttpRequest, name: str, before: int, value: int, reason: str) -> Proposal:
    """Propose another value of a limit, told in its unit to whoever is asked to confirm it."""
    unit = f.SETTINGS[load_limits()[name].unit]
    payload = {"name": name, "value": value}
    was, will = f.amount(before, unit), f.amount(value, unit)
    return foureyes.propose(request, "limit", name, payload, before=was, after=will, reason=reason)
