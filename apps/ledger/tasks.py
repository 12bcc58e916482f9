"""Resolutions, asked for: the feed loses frames, and a market that has ended must not stay open in the books."""

import asyncio
import logging
import random
from typing import Final

from celery import shared_task
from django.conf import settings
from django.db import connection

from apps.eventlog import inbox
from polytraders.contracts.inputs import MarketStatus
from polytraders.venues.addresses import Addresses
from polytraders.venues.asking import Asker, open_client
from polytraders.venues.polymarket import catalogue, settlement
from polytraders.venues.polymarket.listing import Refused

log = logging.getLogger(__name__)

ACTOR: Final = "settlement"
EXPIRES_S: Final = 300.0
AT_ONCE: Final = 200
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
