"""Whether the system can do its work, for probes and for the command line: database, loop, kill state."""

import time
from dataclasses import asdict, dataclass

from django.db import DatabaseError, connection

from apps.monitoring.models import LoopRecord, ScopeRecord
from polytraders.console import board
from polytraders.contracts.control import Killed
from polytraders.contracts.inputs import Scope

LOOP_AGE_MS_MAX = 10_000
MS_NS = 1_000_000


@dataclass(frozen=True)
class Health:
    """The answer of `/healthz`.

    Attributes:
        ok: Database reached and loop alive. A killed system is healthy: it does what it was told.
        database: up or down.
        loop: running, starting, stopping, silent or none.
        loop_age_ms: Since the loop last said something; None = it never did.
        kill: TRADING, KILLED, or UNKNOWN, which counts as killed.
        reason_code: Why it is not ok; "" = it is.
    """

    ok: bool
    database: str
    loop: str
    loop_age_ms: int | None
    kill: str
    reason_code: str

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return asdict(self)


def check(shard: int = 0) -> Health:
    """Look at everything; never raises for what it looks at."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        loop = LoopRecord.objects.filter(shard=shard).only("at_ns", "state", "is_killed").first()
        killed = ScopeRecord.objects.filter(shard=shard, scope=Scope.GLOBAL, is_killed=True).exists()
        killed = killed or Killed(Scope.GLOBAL) in board.fenced()
    except DatabaseError:
        connection.close()
        return Health(False, "down", "none", None, "UNKNOWN", "GOV_DB_UNAVAILABLE")
    if loop is None:
        return Health(False, "up", "none", None, "KILLED" if killed else "UNKNOWN", "GOV_LOOP_SILENT")
    age_ms = max(0, (time.time_ns() - loop.at_ns) // MS_NS)
    alive = age_ms <= LOOP_AGE_MS_MAX
    kill = "KILLED" if killed or loop.is_killed else "TRADING" if alive else "UNKNOWN"
    return Health(alive, "up", loop.state if alive else "silent", age_ms, kill, "" if alive else "GOV_LOOP_SILENT")
