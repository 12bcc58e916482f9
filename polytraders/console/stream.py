"""The stream of decisions: what it is filtered by, all of it in the address, and one page of it from an index."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from django.db.models import QuerySet, Sum
from django.db.models.expressions import RawSQL
from django.http import HttpRequest, QueryDict

from apps.registry.models import MarketRecord
from apps.risk.models import DecisionRecord, HourRecord, MinuteRecord
from polytraders.console import decisions
from polytraders.console.lists import ROWS
from polytraders.contracts.checks import APPROVED, CHECKS, RANK, code_of
from polytraders.contracts.decision import Verdict
from polytraders.contracts.reason import Reason
from polytraders.contracts.reasons import by_number, number, reason
from polytraders.contracts.stretch import row_id

SECOND_NS: Final = 1_000_000_000
SPANS: Final = {"hour": 3_600 * SECOND_NS, "day": 86_400 * SECOND_NS}
CODES: Final = tuple(sorted({code_of(APPROVED), *(check.code for check in CHECKS)}))
"""Every code that a decision can have."""
FAMILIES: Final = tuple(sorted({code.partition("_")[0] for code in CODES}))
BARS: Final = 12
LATEST: Final = dt.datetime(2200, 1, 1, tzinfo=dt.UTC)
TEXT_MOST: Final = 200
VERDICTS: Final = {
    Verdict.APPROVE.value: frozenset({code_of(APPROVED)}),
    Verdict.WAIT.value: frozenset({code_of(RANK)}),
    Verdict.REJECT.value: frozenset(CODES) - {code_of(APPROVED), code_of(RANK)},
}
"""The last check's bit stands alone or not at all in a verdict's first place, so a code says its verdict."""


@dataclass
class Asked:
    """What somebody wants to see.

    Attributes:
        told: As it stands in the address, so that the form shows it again.
        wrong: What cannot be meant, by the name of its field. Then nothing is shown: half a filter would mislead.
        strategy: Index.
        market: Index.
        codes: One of these.
        since: First id.
        before: The id behind the last one.
        span: Of the summary.
    """

    told: dict[str, str]
    wrong: dict[str, str] = field(default_factory=dict)
    strategy: int | None = None
    market: int | None = None
    title: str = ""
    verdict: str = ""
    codes: frozenset[str] | None = None
    since: int | None = None
    before: int | None = None
    span: str = "hour"

    @property
    def is_filtered(self) -> bool:
        """Whether anything is left out."""
        return any(value for name, value in self.told.items() if name != "span")


def asked(given: QueryDict, names: dict[int, str], shard: int = 0) -> Asked:
    """Understand the filters of an address; at most three questions."""
    told = {
        name: given.get(name, "").strip() for name in ("strategy", "market", "code", "verdict", "from", "to", "span")
    }
    made = Asked(told)
    for name, value in told.items():
        if len(value) > TEXT_MOST or not value.isprintable():
            made.wrong[name] = "that cannot be meant"
            # What somebody else may have put into the address is not repeated.
            told[name] = ""
    if told["strategy"]:
        made.strategy = next((index for index, name in names.items() if told["strategy"] in (name, str(index))), None)
        if made.strategy is None:
            made.wrong["strategy"] = "there is no such strategy"
    if told["market"]:
        _market(made, told["market"], shard)
    _codes(made)
    made.since, made.before = _place(made, "from", shard), _place(made, "to", shard)
    if told["span"]:
        if told["span"] in SPANS:
            made.span = told["span"]
        else:
            made.wrong["span"] = "the summary is of an hour or a day"
    return made


def _market(made: Asked, told: str, shard: int) -> None:
    index = decisions.market_index(told, shard)
    found = MarketRecord.objects.filter(shard=shard, market=index).first() if index is not None else None
    if found is None:
        made.wrong["market"] = "there is no such market: its number, its id or its slug is wanted"
    else:
        made.market, made.title = found.market, str(found)


def _codes(made: Asked) -> None:
    code, verdict = made.told["code"], made.told["verdict"]
    if code:
        chosen = frozenset({code} & set(CODES) | {each for each in CODES if each.partition("_")[0] == code})
        made.codes = chosen
        if not chosen:
            made.wrong["code"] = "no decision can have that code"
    if verdict:
        if verdict not in VERDICTS:
            made.wrong["verdict"] = f"a verdict is {', '.join(VERDICTS)}"
            return
        made.verdict = verdict
        made.codes = VERDICTS[verdict] if made.codes is None else made.codes & VERDICTS[verdict]


def _place(made: Asked, name: str, shard: int) -> int | None:
    """The first id at or after a time (for `to`: after it); loop time and ids rise together."""
    told = made.told[name]
    if not told:
        return None
    try:
        when = dt.datetime.fromisoformat(told)
        when = when.replace(tzinfo=dt.UTC) if when.tzinfo is None else when.astimezone(dt.UTC)
        if not dt.datetime(1970, 1, 1, tzinfo=dt.UTC) <= when < LATEST:
            raise ValueError(told)
    except (ValueError, OverflowError):
        made.wrong[name] = "a time is like 2026-05-28 12:30:00, UTC"
        return None
    since = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    ts = (when - since) // dt.timedelta(microseconds=1) * 1_000
    rows = DecisionRecord.objects.filter(shard=shard)
    rows = rows.filter(ts__gte=ts) if name == "from" else rows.filter(ts__gt=ts)
    found = rows.order_by("ts", "id").values_list("id", flat=True).first()
    return found if found is not None else 2**63 - 1


ONE_EACH: Final = f"""
SELECT found.id FROM unnest(%s::int[]) AS who CROSS JOIN unnest(%s::int[]) AS wanted CROSS JOIN LATERAL (
    SELECT id FROM risk_decision
    WHERE (strategy, code, id) >= (who, wanted, %s) AND (strategy, code, id) < (who, wanted, %s)
    ORDER BY strategy DESC, code DESC, id DESC LIMIT {ROWS + 1}) AS found
ORDER BY found.id DESC LIMIT {ROWS + 1}"""  # noqa: S608
"""The newest of several codes: the newest of each from its index, however rare some and common others are.

Rows are compared as a whole, and ordered by all three, so that no other index can be taken for a shorter way: going
back by id alone passes over everything when a code is rare.
"""


def rows(request: HttpRequest, wanted: Asked, strategies: Iterable[int], shard: int = 0) -> "QuerySet[DecisionRecord]":
    """The filtered rows, for a `Listed`; `strategies` are all that there are."""
    every = DecisionRecord.objects.filter(shard=shard)
    if wanted.wrong or wanted.codes == frozenset():
        return every.none()
    if wanted.since is not None:
        every = every.filter(id__gte=wanted.since)
    if wanted.before is not None:
        every = every.filter(id__lt=wanted.before)
    if wanted.market is not None:
        every = every.filter(market=wanted.market)
        if wanted.strategy is not None:
            every = every.filter(strategy=wanted.strategy)
        return every if wanted.codes is None else every.filter(code__in=sorted(map(number, wanted.codes)))
    if wanted.codes is None:
        return every if wanted.strategy is None else every.filter(strategy=wanted.strategy)
    if wanted.strategy is None and not wanted.told["code"]:
        return every.filter(verdict=[verdict.value for verdict in Verdict].index(wanted.verdict))
    if wanted.strategy is None and len(wanted.codes) == 1:
        return every.filter(code=number(min(wanted.codes)))
    return every.filter(id__in=_one_each(request, wanted, strategies, shard))


def _one_each(request: HttpRequest, wanted: Asked, strategies: Iterable[int], shard: int) -> RawSQL:
    told = request.GET.get("before", "")
    cursor = int(told) if told.isascii() and told.isdigit() and len(told) < len(str(2**63)) else 2**63 - 1
    least, most = row_id(shard, 0, 0), row_id(shard + 1, 0, 0) - 1
    since = least if wanted.since is None else max(least, wanted.since)
    before = min(cursor, most if wanted.before is None else wanted.before)
    assert wanted.codes is not None  # noqa: S101  the caller has looked
    who = sorted(strategies) if wanted.strategy is None else [wanted.strategy]
    values = (who, sorted(map(number, wanted.codes)), since, before)
    return RawSQL(ONE_EACH, values)  # noqa: S611  all values are parameters


@dataclass(frozen=True)
class CodeBar:
    """How many evaluations ended with a code, its part of all, and of the most frequent one."""

    reason: Reason
    count: int
    share: float
    width: float


@dataclass(frozen=True)
class Summary:
    """Evaluations of a span by code, the most frequent first; `rest` are those of codes that are not shown."""

    bars: tuple[CodeBar, ...]
    total: int
    rest: int


def summary(wanted: Asked, newest: int, shard: int = 0) -> Summary:
    """Counts of the last hour or day, of the market and strategy asked for; one question to a table of counts."""
    least = newest - SPANS[wanted.span]
    if wanted.market is not None:
        counted: Any = HourRecord.objects.filter(shard=shard, market=wanted.market, hour_ts__gt=least)
    else:
        counted = MinuteRecord.objects.filter(shard=shard, minute_ts__gt=least)
    if wanted.strategy is not None:
        counted = counted.filter(strategy=wanted.strategy)
    found = [(int(code), int(total)) for code, total in counted.values_list("code").annotate(total=Sum("count"))]
    found.sort(key=lambda pair: (-pair[1], pair[0]))
    total = sum(count for _, count in found)
    shown = found[:BARS]
    most = shown[0][1] if shown else 1
    bars = tuple(CodeBar(by_number(code), count, count / total, count / most) for code, count in shown if count)
    return Summary(bars, total, total - sum(bar.count for bar in bars))


def options() -> list[tuple[str, list[Reason]]]:
    """Codes by family, for the form."""
    return [(family, [reason(code) for code in CODES if code.startswith(f"{family}_")]) for family in FAMILIES]
