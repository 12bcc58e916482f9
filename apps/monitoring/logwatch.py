"""Looks through the log's control rows for what somebody should know: refused frames, lost connections, kills.

How far it has looked is a row of its own, moved in the transaction that puts the alerts on record: nothing is looked at
twice and nothing is left out, whoever dies when.
"""

import datetime as dt
from collections import Counter
from typing import Any, Final

import numpy as np
from django.db import connection, transaction
from django.utils import timezone

from apps.monitoring import alerting, looking
from apps.monitoring.alerting import Seen
from apps.monitoring.models import AlertRecord, IncidentRecord, MarkRecord
from polytraders.contracts.inputs import INPUT, Kind, Scope
from polytraders.contracts.reasons import by_number

SOURCE: Final = "log"
KILLS: Final = "kill"
AT_ONCE: Final = 5_000
OPENING: Final = 512
"""Inputs at the beginning of a run among which its gaps stand."""
QUIET: Final = dt.timedelta(minutes=15)
"""An alert of the log is over when it has not been seen again for so long."""
SAYS: Final = (Kind.REFUSED, Kind.GAP, Kind.COMMAND)
ACTS: Final = (Kind.KILL, Kind.RELEASE, Kind.ROLLOUT, Kind.LIMIT, Kind.EPOCH)
"""What people and restarts do stands on the time line of every urgent incident that is open meanwhile."""
ROWS: Final = """
SELECT row, actor FROM log_control WHERE shard = %s AND in_seq > %s AND kind = ANY(%s) ORDER BY in_seq LIMIT %s"""


def look(shard: int, *, now: alerting.Now = timezone.now) -> int:
    """Look at what is new; how many rows. The first time, at nothing older than now."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(max(seq), 0) FROM log_head WHERE shard = %s", (shard,))
        head = cursor.fetchone()[0]
        MarkRecord.objects.get_or_create(shard=shard, defaults={"in_seq": head})
        mark = MarkRecord.objects.select_for_update().get(shard=shard)
        kinds = [int(kind) for kind in (*SAYS, *ACTS)]
        cursor.execute(ROWS, (shard, mark.in_seq, kinds, AT_ONCE))
        found = cursor.fetchall()
        rows = np.frombuffer(b"".join(bytes(row) for row, _ in found), INPUT)
        for seen in said(rows):
            alerting.raised(seen, SOURCE, now=now)
        _note(rows, [actor for _, actor in found], now())
        mark.in_seq = int(rows["in_seq"][-1]) if len(rows) == AT_ONCE else max(mark.in_seq, head)
        mark.save()
    alerting.settle(looking.kills(shard), KILLS, now=now)
    alerting.over(AlertRecord.objects.filter(source=SOURCE, is_open=True, last_at__lt=now() - QUIET), now=now)
    return len(rows)


def said(rows: np.ndarray) -> list[Seen]:
    """Codes of control rows with their scopes, each once with its count."""
    counted: Counter[tuple[str, str]] = Counter()
    # A run begins with a gap on every connection: that is how it asks for its books, and nothing has broken.
    begun = rows["in_seq"][rows["kind"] == Kind.EPOCH]
    opening = (rows["in_seq"][:, None] - begun[None, :] >= 0) & (rows["in_seq"][:, None] - begun[None, :] < OPENING)
    rows = rows[~((rows["kind"] == Kind.GAP) & opening.any(axis=1))]
    for row in rows[np.isin(rows["kind"], SAYS)]:
        value = int(row["b"] if row["kind"] == Kind.COMMAND else row["a"])
        if value <= 0:
            continue
        try:
            code = by_number(value).code
        except KeyError:
            continue
        where = f"market {row['market']}" if row["market"] >= 0 else f"connection {row['b']}"
        counted[code, "commands" if row["kind"] == Kind.COMMAND else where] += 1
    return [
        Seen(code, scope, f"{count:,} time{'s' if count > 1 else ''}, last at {scope}", count)
        for (code, scope), count in counted.items()
    ]


def _note(rows: np.ndarray, actors: list[str], at: dt.datetime) -> None:
    lines = [(words(row), actor) for row, actor in zip(rows, actors, strict=True) if row["kind"] in ACTS]
    if not lines:
        return
    urgent = IncidentRecord.objects.filter(priority__lte=1).exclude(state__in=("resolved", "closed"))
    for incident in urgent.values_list("id", flat=True):
        for said_, actor in lines:
            alerting.step(incident, "log", at, said_, actor)


def words(row: np.void) -> str:
    """A control row as a time line tells it."""
    kind: Any = Kind(int(row["kind"]))
    where = f"input {int(row['in_seq']):,}"
    if kind in (Kind.KILL, Kind.RELEASE):
        scope = Scope(int(row["price"]))
        what = "everything" if scope is Scope.GLOBAL else f"{scope.name.lower()} {int(row['size'])}"
        return f"{kind.name.lower()} of {what}, {where}"
    return f"{kind.name.lower()}, {where}"
