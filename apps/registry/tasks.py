"""The catalogue, read now and then: what differs from what the loop knows goes into its inbox."""

import asyncio
import hashlib
import logging
import random
from collections.abc import Iterable
from typing import Any, Final

import msgspec
from celery import shared_task
from django.conf import settings
from django.db import connection

from apps.eventlog import inbox
from apps.registry.models import MarketRecord
from polytraders.contracts.inputs import NANO, MarketStatus
from polytraders.venues.addresses import Addresses
from polytraders.venues.asking import Asker, open_client
from polytraders.venues.polymarket import catalogue
from polytraders.venues.polymarket.gamma import GammaMarket
from polytraders.venues.polymarket.listing import Listing, Refused, facts_of

log = logging.getLogger(__name__)

ACTOR: Final = "registry"
EXPIRES_S: Final = 300.0
SYNC_NS: Final = 1_800 * NANO
"""A market whose facts were last confirmed longer ago is told again though nothing has changed."""


@shared_task
def refresh(shard: int = 0) -> int:
    """Read the catalogue and tell the loop what is new; how many markets were told. Twice tells nothing more."""
    addresses = Addresses.of(settings.VENUE, settings.SIMULATOR_URL)
    found, now = asyncio.run(_read(addresses))
    refusals = [one for one in found if isinstance(one, Refused)]
    for one in refusals:
        log.warning("%s %s: %s", one.code, one.name, one.what)
    if isinstance(now, Refused):
        log.warning("%s: the venue's time is not known, so nothing is told", now.code)
        return 0
    known = {row.condition_id: row for row in MarketRecord.objects.filter(shard=shard)}
    told = 0
    for listing in news((one for one in found if isinstance(one, Listing)), known, now):
        told += put(listing, shard)
    return told


async def _read(addresses: Addresses) -> tuple[list[Listing | Refused], int | Refused]:
    async with open_client() as client:
        asker = Asker(client, chance=random.Random())  # noqa: S311  spreads repeated questions, guards nothing
        now = await catalogue.server_time(asker, addresses.clob)
        return await catalogue.markets(asker, addresses.gamma, addresses.clob, pick=_pick), now


def _pick(market: GammaMarket) -> bool:
    """Whether a market is one that this installation looks at: of any name, or of a family of names."""
    families: list[str] = settings.FAMILIES
    return not families or any((market.slug or "").startswith(family) for family in families)


def news(found: Iterable[Listing], known: dict[str, Any], now: int) -> list[Listing]:
    """Listings that say anything that the loop does not know, or that were last confirmed long ago.

    Args:
        found: What the catalogue says.
        known: Rows of the markets by condition id.
        now: The venue's time, ns.
    """
    return [listing for listing in found if _is_news(listing, known.get(listing.condition_id), now)]


def _is_news(listing: Listing, row: Any, now: int) -> bool:
    if row is None or row.synced_ts is None or now - row.synced_ts > SYNC_NS:
        return True
    if row.status is not None and row.status >= MarketStatus.RESOLVING:
        return False
    same = all(getattr(row, fact.name.lower()) == value for fact, value in facts_of(listing).items())
    return not same or (row.title, row.slug, row.cluster_name) != (listing.title, listing.slug, listing.cluster)


def put(listing: Listing, shard: int) -> bool:
    """Into the inbox; False when the same is waiting there already."""
    told = msgspec.to_builtins(listing)
    digest = hashlib.sha256(msgspec.json.encode(told)).hexdigest()[:16]
    connection.ensure_connection()
    with connection.cursor() as cursor:
        raw = cursor.connection
        return inbox.put(raw, "market", ACTOR, "registry", f"market:{digest}", told, EXPIRES_S, shard)
