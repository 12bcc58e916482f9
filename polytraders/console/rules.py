"""What the registry has told of a market, in words, and how it has changed: from the records in force in the log."""

from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np
from django.db import connection

from apps.eventlog.bodies import What, unpack
from apps.eventlog.faults import LogFault
from apps.registry.models import MarketRecord
from polytraders import figures as f
from polytraders.contracts.inputs import INPUT, Fact, MarketStatus
from polytraders.contracts.state import MARKET

MOST: Final = 60
"""Records looked at; a market has a dozen when it is first told."""
SHOWN: Final = 20
HISTORY: Final = """
SELECT r.in_seq, r.body, c.row, c.actor FROM log_record r
LEFT JOIN log_control c ON c.shard = r.shard AND c.in_seq = r.in_seq
WHERE r.shard = %s AND r.what = %s AND r.index = %s ORDER BY r.in_seq DESC LIMIT %s"""
FOLLOWED: Final = tuple(fact for fact in Fact if fact not in (Fact.SYNCED_TS, Fact.CONNECTION))
UNTOLD: Final = "not told"


class Told(NamedTuple):
    """One fact in words, and what it means."""

    name: str
    value: str
    meaning: str


class Changed(NamedTuple):
    """One fact that became another: at which input and time (None: not kept), told by whom, from what to what."""

    in_seq: int
    ts: int | None
    actor: str
    name: str
    before: str
    after: str


MEANINGS: Final = {
    Fact.MIN_SIZE: "smallest order",
    Fact.FEE_RATE: "factor of the venue's fee curve, rate * (p * (1 - p)) ^ exponent a share",
    Fact.FEE_EXPONENT: "exponent of that curve",
    Fact.FEE_TAKER_ONLY: "whether resting orders pay nothing",
    Fact.FEE_BPS: "flat fee added to the curve, of the notional",
    Fact.TAKER_DELAY_MS: "how long the venue holds an order back that would trade at once",
    Fact.CLOSE_TS: "trading ends",
    Fact.NEG_RISK: "the event's markets exclude each other and share collateral",
    Fact.STATUS: "only open may be increased",
    Fact.ALLOWED: "on the allow-list",
    Fact.REFERENCE: "price that it is settled by",
    Fact.STRIKE: "that price at the window's start",
    Fact.SYNCED_TS: "the registry last agreed with the venue",
    Fact.CLUSTER: "markets that one fact can move together",
    Fact.GAP_P999_MS: "silence that is unusual for it",
    Fact.CONNECTION: "connection that carries it",
    Fact.VENUE: "where it trades",
}


def words(fact: Fact, value: int | None) -> str:
    """A fact's value as people read it."""
    if value is None:
        return UNTOLD
    if fact in (Fact.CLOSE_TS, Fact.SYNCED_TS):
        return f.utc(value) if value else UNTOLD
    if fact is Fact.MIN_SIZE:
        return f"{f.shares(value)} shares"
    if fact is Fact.FEE_RATE:
        return f.fixed(value, 6, 4)
    if fact is Fact.FEE_EXPONENT:
        return f.fixed(value, 3, 1)
    if fact is Fact.FEE_BPS:
        return f"{value} bp"
    if fact in (Fact.TAKER_DELAY_MS, Fact.GAP_P999_MS):
        return f"{value:,} ms"
    if fact is Fact.STATUS:
        return MarketStatus(value).name.lower() if value in list(MarketStatus) else str(value)
    if fact in (Fact.NEG_RISK, Fact.ALLOWED, Fact.FEE_TAKER_ONLY):
        return "yes" if value else "no"
    if fact is Fact.REFERENCE:
        return "none" if value < 0 else f"reference {value}"
    if fact is Fact.STRIKE:
        return f.fixed(value, 8, 2) if value else UNTOLD
    return str(value)


def facts(row: MarketRecord) -> list[Told]:
    """All facts of a market."""
    return [
        Told(fact.name.lower(), words(fact, getattr(row, fact.name.lower())), MEANINGS[fact])
        for fact in Fact
        if fact not in (Fact.CLUSTER,)
    ]


def changes(market: int, shard: int = 0) -> list[Changed]:
    """Facts and ticks that became others, the newest first; one question. A damaged record ends the list."""
    with connection.cursor() as cursor:
        cursor.execute(HISTORY, (shard, int(What.MARKET), market, MOST))
        found = cursor.fetchall()
    read: list[tuple[int, Any, Any, str]] = []
    for in_seq, body, row, actor in found:
        try:
            record = np.frombuffer(unpack(bytes(body)), MARKET)[0]
        except (LogFault, ValueError, IndexError):
            break
        read.append((in_seq, record, row, actor or ""))
    made: list[Changed] = []
    for (in_seq, record, row, actor), (_, before, _, _) in pairwise(read):
        made += _differences(in_seq, record, before, _time(row, record), actor)
    return made[:SHOWN]


def _time(row: Any, record: Any) -> int | None:
    if row is not None:
        return int(np.frombuffer(bytes(row), INPUT)[0]["recv_ts"])
    # A tick comes with the market's own data, and sets the time of its last row.
    return int(record["row_ts"]) or None


def _differences(in_seq: int, record: Any, before: Any, ts: int | None, actor: str) -> list[Changed]:
    found = []
    for fact in FOLLOWED:
        name, known = fact.name.lower(), int(before["known"]) >> fact & 1
        if int(record[name]) != int(before[name]) or (not known and int(record["known"]) >> fact & 1):
            was = words(fact, int(before[name])) if known else UNTOLD
            found.append(Changed(in_seq, ts, actor, name, was, words(fact, int(record[name]))))
    if int(record["tick"]) != int(before["tick"]):
        was = f.price(int(before["tick"])) if before["tick"] else UNTOLD
        found.append(Changed(in_seq, ts, actor or "feed", "tick", was, f.price(int(record["tick"]))))
    return found
