"""Looks at the system from outside the loop, and tells people: is it alive, is there room, are log and tables right?

Each may be given out twice, or by two workers at once: an alert is on record once, a message is written once.
"""

import logging
from typing import Final

from celery import shared_task
from django.conf import settings
from django.db import DatabaseError, connection

from apps.eventlog.alone import Job, connected_alone
from apps.eventlog.verify import verify
from apps.monitoring import alerting, beats, delivering, escalating, lastwords, logwatch, looking, projecting
from apps.monitoring.alerting import Seen
from polytraders import journal

log = logging.getLogger(__name__)

HEALTH: Final = "health"
RECORD: Final = "record"
DRIFT: Final = "GOV_PROJECTION_DRIFT"


@shared_task
def check_health(shard: int = 0) -> list[str]:
    """Say what is wrong, with its code, in the log and as alerts; the codes.

    Where it cannot be asked, that is told: to the routes that were known last, since there is nowhere to write it.
    """
    try:
        found = looking.wrongs(shard)
        alerting.settle(found, HEALTH)
        beats.pulse(HEALTH, wrong=[seen.code for seen in found])
        lastwords.remember()
        lastwords.recovered()
    except DatabaseError as error:
        # Who asks is not the one who keeps the log; it has its own code for this.
        connection.close()
        words = f"the database cannot be asked: {str(error).strip().partition(chr(10))[0]}"
        log.error("%s", words)
        lastwords.tell(alerting.one_line(words))
        return []
    for seen in found:
        log.error("%s: %s", seen.code, seen.words)
    return [seen.code for seen in found]


@shared_task
def watch_log(shard: int = 0) -> int:
    """Look through new control rows of the log for alerts; how many rows."""
    return logwatch.look(shard)


@shared_task
def escalate() -> list[int]:
    """Tell more people about what nobody answers; the incidents that rose."""
    return escalating.escalate()


@shared_task
def deliver() -> dict[str, int]:
    """Send what is written; how many by what became of them."""
    return delivering.deliver()


@shared_task
def prove_record() -> str:
    """Prove the whole log and the ledger, as `polytraders verify` does; the code of what is wrong, "" = nothing is."""
    with connected_alone(settings.DATABASE_URL, Job.RECORD, 0) as own:
        if own is None:
            return ""
        found = verify(settings.DATABASE_URL or "", settings.HOME, checks=(journal.verify,))
        head = own.execute("SELECT coalesce(max(seq), 0) FROM log_head WHERE shard = 0").fetchone()
    wrong = []
    if found is not None:
        where = f"{found.table} of shard {found.shard}, input {found.in_seq}"
        wrong = [Seen(found.code, where, f"{where}: {found.field}: {found.words}")]
        log.error("%s: %s", found.code, wrong[0].words)
    alerting.settle(wrong, RECORD)
    beats.pulse(
        RECORD, code=found.code if found else "", words=wrong[0].words if wrong else "", in_seq=(head or [0])[0]
    )
    return found.code if found else ""


@shared_task
def check_projections(shard: int = 0) -> list[str]:
    """Compare every table that is made from the log with the log; the tables that differ. Nothing is changed."""
    with connected_alone(settings.DATABASE_URL, Job.PROJECTIONS, shard) as own:
        if own is None:
            return []
        try:
            found = projecting.rebuild(settings.DATABASE_URL or "", shard, only_check=True)
        except LookupError:
            return []
    wrong = [line for line in found if not line.is_equal]
    for line in wrong:
        log.error("%s: %s: %d missing, %d surplus", DRIFT, line.table, line.missing, line.surplus)
    seen = [Seen(DRIFT, line.table, f"{line.missing} rows missing, {line.surplus} surplus") for line in wrong]
    alerting.settle(seen, "projections")
    return [line.table for line in wrong]
