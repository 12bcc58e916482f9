"""The trader home: are we safe, do we make money. Sums that no stage counts, read in one query, and money over time."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from django.db import connection

from apps.eventlog.bodies import What, unpack
from apps.ledger import statements
from polytraders.console.pictures import money
from polytraders.contracts.state import LIMITS

MINUTE_NS: Final = 60_000_000_000
DAY_NS: Final = 86_400_000_000_000
NEAR: Final = 0.8
"""From this part of a limit on it is worth a look."""
SPANS: Final = {"day": DAY_NS, "week": 7 * DAY_NS, "month": 30 * DAY_NS}
LIVE: Final = "day"
FACTS: Final = """
SELECT (SELECT count(*) FROM registry_market WHERE shard = %(shard)s),
       r.count, r.verdict_code, r.made_at, h.cost, h.markets, h.unsettled, h.unsettled_markets, h.redeemable,
       m.exposure, m.market, c.exposed, c.name, l.body
FROM (SELECT max(id) AS last, count(*) AS count FROM replay_report WHERE shard = %(shard)s) n
LEFT JOIN LATERAL (SELECT n.count, verdict_code, made_at FROM replay_report WHERE id = n.last) r ON true
CROSS JOIN LATERAL (
    SELECT coalesce(sum(p.cost), 0)::bigint AS cost, count(DISTINCT p.market) AS markets,
           coalesce(sum(p.cost) FILTER (WHERE g.close_ts <= %(now)s AND g.payout IS NULL), 0)::bigint AS unsettled,
           count(DISTINCT p.market) FILTER (WHERE g.close_ts <= %(now)s AND g.payout IS NULL) AS unsettled_markets,
           coalesce(sum(p.size) FILTER (WHERE g.payout IS NOT NULL), 0)::bigint AS redeemable
    FROM ledger_position p LEFT JOIN registry_market g ON g.shard = p.shard AND g.market = p.market
    WHERE p.shard = %(shard)s AND p.size <> 0) h
LEFT JOIN LATERAL (
    SELECT exposure, market FROM ledger_mark WHERE shard = %(shard)s ORDER BY exposure DESC LIMIT 1) m ON true
LEFT JOIN LATERAL (
    SELECT sum(k.worst)::bigint AS exposed, coalesce(g.cluster_name, '') AS name
    FROM ledger_mark k LEFT JOIN registry_market g ON g.shard = k.shard AND g.market = k.market
    WHERE k.shard = %(shard)s GROUP BY 2 ORDER BY 1 DESC LIMIT 1) c ON true
LEFT JOIN LATERAL (
    SELECT body FROM log_record WHERE shard = %(shard)s AND what = %(limits)s AND index = 0
    ORDER BY in_seq DESC LIMIT 1) l ON true"""


class Cap(NamedTuple):
    """One limit and how much of it is used.

    Attributes:
        name: In words.
        used: As much.
        most: Of so much; 0 = not known.
        unit: money (micro-pUSD) or ppm.
        whose: The market or cluster that is nearest to it, "" = it is about everything.
    """

    name: str
    used: int
    most: int
    unit: str
    whose: str = ""

    @property
    def part(self) -> float:
        """Of the limit, 0 to 1 and beyond."""
        return self.used / self.most if self.most else 0.0

    @property
    def state(self) -> str:
        """full, near or ok: a word for it beside the colour."""
        return "full" if self.part >= 1 else "near" if self.part >= NEAR else "ok"


@dataclass(frozen=True)
class Facts:
    """What stands in several tables and is asked for at once.

    Attributes:
        markets: How many the registry has told.
        replays: How many replay reports there are, the last one's code, and when it was made.
        held_cost: What all positions cost, micro-pUSD; in how many markets.
        unsettled: Cost of what is held in markets that have closed and not paid; in how many.
        redeemable: Shares, 1e-6, of resolved markets that are still held.
        caps: Limits and their use, the fullest first.
    """

    markets: int
    replays: int
    replay_code: str
    replay_at: Any
    held_cost: int
    held_markets: int
    unsettled: int
    unsettled_markets: int
    redeemable: int
    caps: tuple[Cap, ...]


def facts(shard: int, loop_ts: int, told: Mapping[str, int]) -> Facts:
    """Read them: one query. `told` is the loop's own money."""
    with connection.cursor() as cursor:
        cursor.execute(FACTS, {"shard": shard, "now": loop_ts, "limits": int(What.LIMITS)})
        (
            markets,
            replays,
            code,
            at,
            cost,
            held,
            unsettled,
            waiting,
            redeemable,
            exposure,
            market,
            worst,
            cluster,
            body,
        ) = cursor.fetchone()
    limits = np.frombuffer(unpack(bytes(body)), LIMITS)[0] if body is not None else None
    return Facts(
        markets, replays or 0, code or "", at, cost, held, unsettled, waiting, redeemable,
        _caps(limits, told, exposure or 0, market, worst or 0, cluster or ""),
    )  # fmt: skip


def _caps(
    limits: Any, told: Mapping[str, int], exposure: int, market: int | None, worst: int, cluster: str
) -> tuple[Cap, ...]:
    def most(name: str) -> int:
        return int(limits[name]) if limits is not None else 0

    found = (
        Cap("Portfolio exposure", told.get("exposure", 0), most("portfolio_exposure_max"), "money"),
        Cap(
            "Largest market exposure",
            exposure,
            most("market_exposure_max"),
            "money",
            "" if market is None else f"market {market}",
        ),
        Cap("Largest cluster exposure", worst, most("cluster_exposure_max"), "money", cluster),
        Cap("Drawdown today", told.get("drawdown_day", 0), most("drawdown_day_ppm_max"), "ppm"),
        Cap("Drawdown this week", told.get("drawdown_week", 0), most("drawdown_week_ppm_max"), "ppm"),
    )
    return tuple(sorted(found, key=lambda cap: -cap.part))


@dataclass(frozen=True)
class Money:
    """Money over time.

    Attributes:
        span: day, week or month.
        today: The day so far, None where nothing is known.
        picture: Profit and drawdown; None with fewer than two minutes.
    """

    span: str
    today: statements.Day | None
    picture: money.Picture | None

    @property
    def is_live(self) -> bool:
        """Whether the socket sends the picture: it draws the day. A page with another span asks for its own."""
        return self.span == LIVE

    @property
    def part(self) -> str:
        """What the page calls the picture; the socket's must not fit a page that shows another span."""
        return "money" if self.is_live else f"money-{self.span}"

    @property
    def spans(self) -> tuple[str, ...]:
        """What can be chosen."""
        return tuple(SPANS)


def read_money(shard: int, loop_ts: int, span: str = LIVE) -> Money:
    """Two queries over the minutes of money; nothing is known before the loop has said something."""
    span = span if span in SPANS else LIVE
    if not loop_ts:
        return Money(span, None, None)
    today = statements.days(shard, loop_ts, count=1)
    is_now = today and today[0].ts == loop_ts - loop_ts % DAY_NS
    return Money(
        span, today[0] if is_now else None, money.drawn(statements.series(shard, loop_ts, SPANS[span]), SPANS[span])
    )
