"""What the live page shows, read from the database in a fixed number of queries, whatever its size."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from django.conf import settings
from django.db.models import Count, Q, Sum

from apps.monitoring.incidents import Watch, watch_of, with_watch
from apps.monitoring.models import LoopRecord, ScopeRecord, StageRecord, StrategyRecord
from apps.oms.models import OrderRecord
from apps.registry.models import MarketRecord
from apps.risk.models import DecisionRecord, MinuteRecord
from polytraders import fence
from polytraders.console import home, stages
from polytraders.contracts.checks import APPROVED, RANK, code_of
from polytraders.contracts.control import Killed
from polytraders.contracts.inputs import Scope
from polytraders.contracts.orders import OrderStatus
from polytraders.contracts.reason import Reason
from polytraders.contracts.reasons import by_number, number

STALE_NS: Final = 3_000_000_000
"""The loop writes its row several times a second; older than this it is not to be believed."""
PACKETS: Final = 20
MONEY: Final = ("equity", "cash", "reserved", "realised", "fees", "drawdown_day", "drawdown_week")
CODES: Final = 8
APPROVED_CODE: Final = number(code_of(APPROVED))
WAITING_CODE: Final = number(code_of(RANK))
HOUR_NS: Final = 3_600_000_000_000
Clock = Callable[[], int]
UNWATCHED: Final = Watch(0, 0, is_watched=False)
"""What a strip says that nobody has asked about."""


@dataclass(frozen=True)
class StageLine:
    """One stage: its counters, evaluations of the last hour that ended in it, and loop time since its last act."""

    stage: stages.Stage
    counts: tuple[tuple[str, int], ...]
    ended: int
    share: float
    last_ts: int | None
    age_ns: int | None


@dataclass(frozen=True)
class CodeLine:
    """How many evaluations of the last hour ended with a code, and its part of all."""

    reason: Reason
    count: int
    share: float


@dataclass(frozen=True)
class PacketLine:
    """One decision with its names."""

    row: DecisionRecord
    market: str
    strategy: str
    reason: Reason
    age_ns: int


class Outcomes(NamedTuple):
    """Evaluations by how they ended."""

    approved: int
    waiting: int
    rejected: int

    @property
    def all(self) -> int:
        """Of them all."""
        return self.approved + self.waiting + self.rejected

    @property
    def bars(self) -> tuple[int, int]:
        """Lengths of the first two of 1,000; what there is can be seen, however small."""
        whole = max(1, self.all)
        approved, waiting = (0 if not count else max(3, count * 1_000 // whole) for count in self[:2])
        return approved, waiting


NOTHING: Final = Outcomes(0, 0, 0)


@dataclass(frozen=True)
class Board:
    """The page.

    Attributes:
        loop: Its own row; None = no loop has ever run on this database.
        age_ns: Wall clock since that row was written.
        killed: Words for each killed scope.
        unknown_orders: Orders whose fate is not known.
        markets: How many the registry has told.
        stages: Eleven lines.
        packets: The newest first.
        codes: The most frequent first.
        evaluations: Of the last hour.
        watch: Urgent incidents that are open, and whether anybody looks at the system.
        today: Evaluations since midnight of loop time by how they ended: approved, waiting, rejected.
        facts: Sums that no stage counts; None where the page does not show them.
    """

    loop: LoopRecord | None
    age_ns: int
    killed: tuple[str, ...]
    unknown_orders: int
    open_orders: int
    markets: int
    stages: tuple[StageLine, ...]
    packets: tuple[PacketLine, ...]
    codes: tuple[CodeLine, ...]
    evaluations: int
    watch: Watch = UNWATCHED
    today: Outcomes = NOTHING
    facts: home.Facts | None = None

    @property
    def answer(self) -> tuple[str, str]:
        """READY, LIMITED, PAUSED, KILLED or UNKNOWN, and why in words: what an operator asks first."""
        if self.loop is None:
            return "UNKNOWN", "no loop has run on this database yet"
        if self.is_killed:
            return "KILLED", "no order is approved until a person releases it"
        if self.age_ns > STALE_NS:
            return "UNKNOWN", "the loop does not answer; unknown counts as killed"
        if self.loop.state != "running":
            return "PAUSED", f"the loop is {self.loop.state}"
        if self.unknown_orders:
            return "PAUSED", "an order's fate is not known; its capital is held and the same intent is blocked"
        if self.feed_state in ("down", "silent"):
            return "PAUSED", "a feed is down or silent; its books are not traded"
        if not self.loop.books.get("ok"):
            return "PAUSED", "no book is valid, so nothing can be traded"
        if self.loop.breached:
            return "LIMITED", f"{self.loop.breached}; only what reduces a position is approved"
        if self.killed:
            return "READY", f"but for {', '.join(self.killed)}, which is killed"
        return "READY", "no scope is killed and no drawdown limit is reached; every order must first pass every check"

    @property
    def money(self) -> dict[str, int | None]:
        """What the loop says of its money by name (`shard/telling.py` MONEY); None where it has said nothing."""
        told = self.loop.money if self.loop else {}
        return {name: told.get(name) for name in MONEY}

    @property
    def unrealised(self) -> int | None:
        """Value of what is held at the mids less its cost, micro-pUSD; None where it is not known."""
        if self.loop is None or self.facts is None or "mark" not in self.loop.money:
            return None
        return int(self.loop.money["mark"]) - self.facts.held_cost

    @property
    def state(self) -> str:
        """One word: none, stale, killed, starting or running. The first that holds, the worst first."""
        if self.loop is None:
            return "none"
        if self.age_ns > STALE_NS:
            return "stale"
        if self.is_killed:
            return "killed"
        return "running" if self.loop.state == "running" else self.loop.state

    @property
    def is_killed(self) -> bool:
        """Whether everything is stopped: what the log says and what the loop says, either is enough."""
        return "everything" in self.killed or bool(self.loop and self.loop.is_killed)

    @property
    def mode(self) -> str:
        """PAPER where nobody has told anything else."""
        return (self.loop.mode if self.loop else "paper").upper()

    @property
    def feed_state(self) -> str:
        """up, silent, down, or none: the worst of all connections."""
        found = {feed["state"] for feed in self.loop.feeds} if self.loop else set()
        return next((state for state in ("down", "silent", "up") if state in found), "none")


def strip(shard: int = 0, *, now_ns: Clock = time.time_ns, names: Mapping[int, str] | None = None) -> Board:
    """Only what the strip on top of every page says: three questions, one more while something is killed.

    A page that knows the strategies' `names` already spares one of them.
    """
    loop = with_watch(LoopRecord.objects.filter(shard=shard)).first()
    killed, unknown, is_open = _stopped(shard, names)
    age_ns = max(0, now_ns() - loop.at_ns) if loop else 0
    return Board(loop, age_ns, killed, unknown, is_open, 0, (), (), (), 0, watch_of(loop))


def _stopped(shard: int, names: Mapping[int, str] | None) -> tuple[tuple[str, ...], int, int]:
    """Killed scopes in words, orders whose fate is unknown, and open orders."""
    orders = OrderRecord.objects.filter(shard=shard, is_open=True).aggregate(
        unknown=Count("id", filter=Q(status=OrderStatus.UNKNOWN_PENDING.value)), open=Count("id")
    )
    scopes = list(ScopeRecord.objects.filter(shard=shard, is_killed=True))
    if names is None:
        names = strategy_names(shard) if scopes else {}
    words = dict.fromkeys([scope_words(row, names) for row in scopes] + [_words(each) for each in fenced()])
    return tuple(words), orders["unknown"], orders["open"]


def fenced() -> list[Killed]:
    """What the fence says is killed. The loop reads the same file, so one that is missing shows in the loop's row."""
    path = settings.HOME / fence.FILE
    return sorted(fence.killed(path)) if path.exists() else []


def _words(killed: Killed) -> str:
    return "everything" if killed.scope is Scope.GLOBAL else f"{killed.scope.name.lower()} {killed.name}"


def read(shard: int = 0, *, now_ns: Clock = time.time_ns) -> Board:
    """The board of a shard as it is now."""
    loop = with_watch(LoopRecord.objects.filter(shard=shard)).first()
    packets = list(DecisionRecord.objects.filter(shard=shard).order_by("-id")[:PACKETS])
    newest = max(loop.loop_ts if loop else 0, packets[0].ts if packets else 0)
    names = strategy_names(shard)
    titles = market_titles(shard, {row.market for row in packets})
    hour, day = newest - HOUR_NS, newest - newest % home.DAY_NS
    counted = (
        MinuteRecord.objects.filter(shard=shard, minute_ts__gt=min(hour, day - 1))
        .values_list("code")
        .annotate(hour=Sum("count", filter=Q(minute_ts__gt=hour)), day=Sum("count", filter=Q(minute_ts__gte=day)))
        .order_by("-hour", "code")
    )
    both = [(int(code), int(last or 0), int(today or 0)) for code, last, today in counted]
    codes = dict(sorted(((code, last) for code, last, _ in both if last), key=lambda pair: -pair[1]))
    evaluations = sum(codes.values())
    killed, unknown, is_open = _stopped(shard, names)
    facts = home.facts(shard, newest, loop.money if loop else {})
    return Board(
        loop=loop,
        age_ns=max(0, now_ns() - loop.at_ns) if loop else 0,
        killed=killed,
        unknown_orders=unknown,
        open_orders=is_open,
        markets=facts.markets,
        stages=_stage_lines(shard, codes, evaluations, newest),
        packets=tuple(
            PacketLine(
                row,
                titles.get(row.market) or f"market {row.market}",
                names.get(row.strategy) or f"strategy {row.strategy}",
                by_number(row.code),
                max(0, newest - row.ts),
            )
            for row in packets
        ),
        codes=tuple(
            CodeLine(by_number(code), count, count / evaluations)
            for code, count in list(codes.items())[:CODES]
            if count
        ),
        evaluations=evaluations,
        watch=watch_of(loop),
        today=_outcomes(both),
        facts=facts,
    )


def _outcomes(counted: Sequence[tuple[int, int, int]]) -> Outcomes:
    ended = Counter[str]()
    for code, _, today in counted:
        ended["approved" if code == APPROVED_CODE else "waiting" if code == WAITING_CODE else "rejected"] += today
    return Outcomes(ended["approved"], ended["waiting"], ended["rejected"])


def strategy_names(shard: int) -> dict[int, str]:
    """Names by index; strategies are few."""
    return dict(StrategyRecord.objects.filter(shard=shard).values_list("strategy", "name"))


def market_titles(shard: int, markets: set[int]) -> dict[int, str]:
    """Questions by index, or the venue's id where nobody has told one."""
    found = MarketRecord.objects.filter(shard=shard, market__in=markets) if markets else []
    return {row.market: str(row) for row in found}


def scope_words(row: ScopeRecord, strategies: Mapping[int, str]) -> str:
    """A killed scope in words."""
    scope = Scope(row.scope)
    if scope is Scope.GLOBAL:
        return "everything"
    if scope is Scope.STRATEGY:
        return f"strategy {strategies.get(row.index) or row.index}"
    return f"{scope.name.lower()} {row.index}"


def _stage_lines(shard: int, codes: Mapping[int, int], evaluations: int, newest: int) -> tuple[StageLine, ...]:
    rows = {(row.stage, row.what): row for row in StageRecord.objects.filter(shard=shard)}
    ended = dict.fromkeys(range(1, 12), 0)
    for code, count in codes.items():
        if code != APPROVED_CODE:
            ended[code // 100] += count
    lines = []
    for stage in stages.STAGES:
        found = {what: rows.get((stage.number, what)) for what in stages.COUNTERS[stage.number]}
        times = [row.last_ts for row in found.values() if row is not None and row.last_ts is not None]
        last = max(times, default=None)
        count = ended[stage.number]
        lines.append(
            StageLine(
                stage,
                tuple((what, row.count if row else 0) for what, row in found.items()),
                count,
                count / evaluations if evaluations else 0.0,
                last,
                None if last is None else max(0, newest - last),
            )
        )
    return tuple(lines)
