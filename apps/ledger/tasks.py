"""Resolutions, asked for: the feed loses frames, and a market that has ended must not stay open in the books.

And what keeps the books looked after: a walk through them, and old minutes of money folded into hours.
"""

import asyncio
import logging
import random
import time
from typing import Final

from celery import shared_task
from django.conf import settings
from django.db import connection

from apps.eventlog import inbox
from apps.eventlog.alone import Job, connected_alone
from apps.ledger import marks, verification
from apps.ledger.models import MoneyRecord, ProofRecord
from polytraders.contracts.inputs import MarketStatus
from polytraders.venues.addresses import Addresses
from polytraders.venues.asking import Asker, open_client
from polytraders.venues.polymarket import catalogue, settlement
from polytraders.venues.polymarket.listing import Refused

log = logging.getLogger(__name__)

ACTOR: Final = "settlement"
EXPIRES_S: Final = 300.0
AT_ONCE: Final = 200
MINUTES_NS: Final = 30 * 24 * marks.HOUR_NS
"""How long money is kept by the minute."""
ENDED: Final = """
SELECT condition_id FROM registry_market
WHERE shard = %s AND close_ts <= %s AND (status IS NULL OR status < %s) AND condition_id <> ''
ORDER BY close_ts DESC LIMIT %s"""


@shared_task
def settle(shard: int = 0) -> int:
    """Ask how ended markets were resolved and tell the loop; how many were told. Twice changes nothing."""
    addresses = Addresses.of(settings.VENUE, settings.SIMULATOR_URL)
    return asyncio.run(_settle(addresses, shard))


async def _settle(addresses: Addresses, shard: int) -> int:
    async with open_client() as client:
        asker = Asker(client, chance=random.Random())  # noqa: S311  spreads repeated questions, guards nothing
        now = await catalogue.server_time(asker, addresses.clob)
        if isinstance(now, Refused):
            log.warning("%s: the venue's time is not known", now.code)
            return 0
        ended = await asyncio.to_thread(_ended, shard, now)
        found = await settlement.resolutions(asker, addresses.gamma, ended) if ended else []
    told = 0
    for one in found:
        if isinstance(one, Refused):
            log.warning("%s %s: %s", one.code, one.name, one.what)
        elif isinstance(one, settlement.Resolution):
            told += await asyncio.to_thread(_put, one, shard)
    return told


def _ended(shard: int, now: int) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(ENDED, (shard, now, int(MarketStatus.RESOLVED), AT_ONCE))
        return [row[0] for row in cursor.fetchall()]


def _put(one: settlement.Resolution, shard: int) -> bool:
    payload = {"market": one.condition_id, "payout": one.payout}
    connection.ensure_connection()
    with connection.cursor() as cursor:
        raw = cursor.connection
        return inbox.put(
            raw, "resolved", ACTOR, "settlement", f"resolved:{one.condition_id}", payload, EXPIRES_S, shard
        )


@shared_task
def prove_books(shard: int = 0) -> str:
    """Walk through the books and keep what was found: the first finding's code, "" when all is well.

    Reads one snapshot while the loop goes on booking; when another walk is under way nothing is done.
    """
    began = time.monotonic()
    with connected_alone(settings.DATABASE_URL, Job.BOOKS, shard) as own:
        if own is None:
            return ""
        with own.transaction():
            own.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            last = own.execute("SELECT coalesce(max(last_seq), 0) FROM ledger_batch WHERE shard = %s", (shard,))
            in_seq = (last.fetchone() or (0,))[0]
            found = verification.check(own, shard)
    code, words = (found.code, found.in_words()) if found else ("", "")
    if found:
        log.error("%s: %s", code, words)
    seconds = round(time.monotonic() - began, 3)
    ProofRecord.objects.create(shard=shard, in_seq=in_seq, code=code, words=words, seconds=seconds)
    return code


@shared_task
def fold_money(shard: int = 0) -> None:
    """Minutes of money that are older than a month become hours. Twice changes nothing."""
    newest = MoneyRecord.objects.filter(shard=shard).order_by("-minute_ts").values_list("minute_ts", flat=True).first()
    if newest is None:
        return
    with connection.cursor() as cursor:
        marks.fold(cursor.cursor, shard, newest - MINUTES_NS)
