"""The screener: markets with their quotes, filtered, ordered and paged by a cursor, and why one may not be traded.

A log names 4,096 markets at most (`shard/assembly.py` CAPACITY), so both tables are small whatever happens; a page is
one pass over them, without a count and without an offset.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.db import connection
from django.http import QueryDict

from polytraders.contracts.inputs import MarketStatus
from polytraders.contracts.reason import Reason
from polytraders.contracts.reasons import by_number, number

ROWS: Final = 50
CLOSED: Final = number("INTEL_MARKET_CLOSED")
NO_BOOK: Final = number("INTEL_NO_SNAPSHOT")
LATE: Final = 1 << 62
WIDE: Final = 1 << 20
SORTS: Final[dict[str, tuple[str, str]]] = {
    "closes": ("closes first", f"coalesce(m.close_ts, {LATE})"),
    "spread": ("narrowest spread", f"coalesce(q.spread, {WIDE})"),
    "depth": ("deepest book", "-coalesce(q.depth, -1)"),
    "newest": ("newest", "-m.market"),
    "quiet": ("longest silence", "coalesce(q.row_ts, 0)"),
}
"""Name, words, and the whole number that rows are ordered by, least first, then by market."""
KINDS: Final = ("open", "tradeable", "untradeable", "ended", "all")
_END = int(MarketStatus.RESOLVING)
CODE: Final = f"CASE WHEN m.status >= {_END} THEN {CLOSED} WHEN q.market IS NULL THEN {NO_BOOK} ELSE q.code END"
WHERE: Final = {
    "open": f"coalesce(m.status, 0) < {_END}",
    "tradeable": f"coalesce(m.status, 0) < {_END} AND q.code = 0",
    "untradeable": f"coalesce(m.status, 0) < {_END} AND coalesce(q.code, {NO_BOOK}) <> 0",
    "ended": f"m.status >= {_END}",
    "all": "TRUE",
}
FROM: Final = (
    "FROM registry_market m LEFT JOIN ingest_quote q ON q.shard = m.shard AND q.market = m.market WHERE m.shard = %s"
)
COLUMNS: Final = (
    "m.market, left(m.title, 300) AS title, left(m.slug, 300) AS slug, m.condition_id,"
    " left(m.cluster_name, 100) AS cluster, m.close_ts, m.fee_rate, m.fee_bps, m.neg_risk, m.status, m.payout,"
    " q.bid, q.ask, q.bid_size, q.ask_size, q.spread, q.depth, q.tick, q.state, q.why, q.row_ts, q.ts, q.at_ns"
)
LAST: Final = """
SELECT w.market, d.in_seq, d.ordinal, d.code FROM unnest(%s::int[]) AS w(market), LATERAL (
    SELECT in_seq, ordinal, code FROM risk_decision
    WHERE market = w.market AND shard = %s ORDER BY id DESC LIMIT 1) d"""


@dataclass(frozen=True)
class Asked:
    """What the reader wants to see; what cannot be meant is left out."""

    kind: str
    sort: str
    cluster: str
    text: str
    code: int
    after: tuple[int, int] | None

    @classmethod
    def of(cls, query: QueryDict) -> "Asked":
        """From a query string."""
        kind, sort = query.get("show", ""), query.get("sort", "")
        try:
            code = number(query.get("code", ""))
        except KeyError:
            code = -1
        text = "".join(sign for sign in query.get("q", "")[:200] if sign.isprintable())
        cluster = query.get("cluster", "")[:100].replace("\x00", "")
        return cls(
            kind if kind in KINDS else "open", sort if sort in SORTS else "closes", cluster, text.strip(), code,
            after(query.get("after", "")),
        )  # fmt: skip


def after(text: str) -> tuple[int, int] | None:
    """A cursor `key.market`, None where the text is none."""
    key, dot, market = text.partition(".")
    digits = key.removeprefix("-"), market
    if not dot or not all(part.isascii() and part.isdigit() and len(part) < 20 for part in digits):
        return None
    found = int(key), int(market)
    return found if abs(found[0]) < 2**63 and found[1] < 2**31 else None


@dataclass(frozen=True)
class Line:
    """One market of the list; `last` is its newest decision, None = none."""

    row: Mapping[str, Any]
    code: Reason | None
    why: Reason | None
    last: tuple[str, Reason] | None

    @property
    def name(self) -> str:
        """Question, or the venue's id."""
        return self.row["title"] or self.row["slug"] or self.row["condition_id"] or f"market {self.row['market']}"

    @property
    def closes_ns(self) -> int | None:
        """From the quote's loop time to its end."""
        row = self.row
        return row["close_ts"] - row["ts"] if row["close_ts"] and row["ts"] else None


def page(asked: Asked, shard: int = 0) -> tuple[list[Line], str]:
    """Lines of one page, and the `after` of the next, "" at the end; two questions."""
    key = SORTS[asked.sort][1]
    conditions = [WHERE[asked.kind]]
    values: list[str | int] = []
    if asked.cluster:
        conditions.append("m.cluster_name = %s")
        values.append(asked.cluster)
    if asked.text:
        conditions.append(
            "(position(lower(%s) IN lower(left(m.title, 500))) > 0 OR m.slug = %s OR m.condition_id = %s)"
        )
        values += [asked.text] * 3
    if asked.code >= 0:
        conditions.append(f"{CODE} = %s")
        values.append(asked.code)
    if asked.after is not None:
        conditions.append(f"({key}, m.market) > (%s, %s)")
        values += asked.after
    where = " AND ".join(conditions)
    statement = (
        f"SELECT {COLUMNS}, {CODE} AS code, {key} AS sorted {FROM} AND {where} ORDER BY {key}, m.market LIMIT %s"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [shard, *values, ROWS + 1])
        names = [column.name for column in cursor.description or ()]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        cursor.execute(LAST, ([row["market"] for row in rows[:ROWS]], shard))
        last = {market: (f"{in_seq}:{at}", by_number(code)) for market, in_seq, at, code in cursor.fetchall()}
    lines = [
        Line(
            row,
            by_number(row["code"]) if row["code"] else None,
            by_number(row["why"]) if row["why"] else None,
            last.get(row["market"]),
        )
        for row in rows[:ROWS]
    ]
    more = f"{rows[ROWS - 1]['sorted']}.{rows[ROWS - 1]['market']}" if len(rows) > ROWS else ""
    return lines, more


def reasons(shard: int = 0) -> list[tuple[Reason | None, int, float]]:
    """How many open markets may be traded (None), or why not, the most frequent first, with their part of all."""
    statement = f"SELECT {CODE} AS code, count(*) {FROM} AND {WHERE['open']} GROUP BY 1 ORDER BY 2 DESC, 1"
    with connection.cursor() as cursor:
        cursor.execute(statement, [shard])
        found = cursor.fetchall()
    total = sum(count for _, count in found)
    return [(by_number(code) if code else None, count, count / total) for code, count in found]


def clusters(shard: int = 0, most: int = 200) -> list[str]:
    """Names of the groups of markets that move together."""
    statement = (
        "SELECT DISTINCT left(cluster_name, 100) FROM registry_market WHERE shard = %s AND cluster_name <> ''"
        " ORDER BY 1 LIMIT %s"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [shard, most])
        return [name for (name,) in cursor.fetchall()]
