"""What is wrong now, asked from outside the loop: of its own row, the database, the disk and the tables."""

import shutil
import time
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.db import connection

from apps.monitoring.alerting import Seen
from apps.monitoring.core.incidents import Priority
from apps.monitoring.models import LoopRecord, ScopeRecord, StrategyRecord
from apps.monitoring.priorities import urgency
from apps.oms.models import OrderRecord
from polytraders.contracts.checks import DRAWDOWN_DAY, code_of
from polytraders.contracts.inputs import Scope
from polytraders.contracts.orders import OrderStatus

LOOP_AGE_S_MAX: Final = 10.0
INBOX_AGE_S_MAX: Final = 30.0
FREE_BYTES_MIN: Final = 2 << 30
FREE_SHARE_MIN: Final = 0.05
START_S: Final = 180.0
"""A start compiles and migrates before its loop says anything; so long, silence is not told."""
FEED_AGE_MS_MAX: Final = 30_000
NEVER_MS: Final = 10**12
"""A feed's age when it has never said anything (`status.Feed`)."""
KILLED: Final = code_of(0)
"""The first check's code: a scope is killed."""
BREACHED: Final = code_of(DRAWDOWN_DAY)
REPLAYED: Final = "SELECT verdict_code, first_difference FROM replay_report WHERE shard = %s ORDER BY id DESC LIMIT 1"
WAITING: Final = """
SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0) FROM inbox WHERE shard = %s"""


def wrongs(shard: int) -> list[Seen]:
    """Everything that is wrong now, but for kills.

    Raises:
        DatabaseError: The database cannot be asked.
    """
    loop = LoopRecord.objects.filter(shard=shard).only("at_ns", "feeds", "speed", "money").first()
    return [*_loop(shard, loop), *_disk(), *_inbox(shard), *_orders(shard), *_replay(shard)]


def _loop(shard: int, loop: LoopRecord | None) -> list[Seen]:
    age_s = (time.time_ns() - loop.at_ns) / 1e9 if loop else None
    if loop is None or age_s is None or age_s > LOOP_AGE_S_MAX:
        if _has_just_begun():
            return []
        said = "never said anything" if age_s is None else f"said nothing for {age_s:.0f} s"
        return [Seen("GOV_LOOP_SILENT", "", f"the loop of shard {shard} has {said}")]
    breached = [Seen(BREACHED, "", loop.breached)] if loop.breached else []
    return breached + [seen for feed in loop.feeds if (seen := _feed(feed, loop.speed)) is not None]


def _has_just_begun() -> bool:
    """Whether our own process is not ready yet, or only since a little while: the whole system starts together."""
    told = settings.ENVIRON.get("POLYTRADERS_READY_FILE")
    if not told:
        return False
    try:
        return time.time() - Path(told).stat().st_mtime < START_S
    except OSError:
        return True


def _feed(feed: dict[str, Any], speed: float) -> Seen | None:
    # Ages are loop time, which a simulated venue runs faster. A reference that nobody has ever told is one that no
    # market asks for.
    if feed["state"] == "up" or feed["age_ms"] <= FEED_AGE_MS_MAX * speed:
        return None
    is_new = feed["age_ms"] >= NEVER_MS
    if is_new and feed["name"] == "reference":
        return None
    said = "has never said anything" if is_new else f"has said nothing for {feed['age_ms'] / 1_000:.0f} s of loop time"
    return Seen(
        "GOV_FEED_DOWN", f"feed {feed['name']} {feed['connection']}", f"{feed['name']} is {feed['state']}, {said}"
    )


def _disk() -> list[Seen]:
    free = shutil.disk_usage(settings.HOME)
    if free.free >= FREE_BYTES_MIN and free.free >= FREE_SHARE_MIN * free.total:
        return []
    return [Seen("GOV_DISK_LOW", "", f"{free.free >> 20:,} MB of {free.total >> 20:,} MB are free")]


def _inbox(shard: int) -> list[Seen]:
    with connection.cursor() as cursor:
        cursor.execute(WAITING, (shard,))
        count, oldest_s = cursor.fetchone()
    if not count or oldest_s <= INBOX_AGE_S_MAX:
        return []
    return [Seen("GOV_INBOX_BACKLOG", "", f"{count:,} commands wait, the oldest for {oldest_s:.0f} s")]


def _orders(shard: int) -> list[Seen]:
    unknown = OrderRecord.objects.filter(shard=shard, is_open=True, status=OrderStatus.UNKNOWN_PENDING.value).count()
    words = f"the fate of {unknown:,} order{'s' if unknown > 1 else ''} is not known"
    return [Seen("GOV_ORDER_UNKNOWN", "", words)] if unknown else []


def _replay(shard: int) -> list[Seen]:
    """The last replay, where it is not as it should be: its report names its code."""
    with connection.cursor() as cursor:
        cursor.execute(REPLAYED, (shard,))
        row = cursor.fetchone()
    if row is None:
        return []
    priority = urgency(row[0]).priority
    return [Seen(row[0], "", row[1] or "no words")] if priority is not None and priority <= Priority.P2 else []


def kills(shard: int) -> list[Seen]:
    """Every scope that is killed, with who did it and why."""
    names = dict(StrategyRecord.objects.filter(shard=shard).values_list("strategy", "name"))
    found = []
    for row in ScopeRecord.objects.filter(shard=shard, is_killed=True):
        scope = Scope(row.scope)
        which = names.get(row.index) or row.index if scope is Scope.STRATEGY else row.index
        name = "everything" if scope is Scope.GLOBAL else f"{scope.name.lower()} {which}"
        why = f": {row.reason}" if row.reason else ", no reason was given yet"
        found.append(Seen(KILLED, name, f"{row.actor} has killed {name} at input {row.in_seq:,}{why}"))
    return found
