"""One box for everything that has a name or a number: goes straight there when only one thing can be meant."""

import re
from typing import Final, NamedTuple

from django.db.models import Q
from django.urls import reverse

from apps.registry.models import MarketRecord
from apps.risk.models import DecisionRecord
from polytraders.console import decisions
from polytraders.console.pages import PAGES, served
from polytraders.console.words import WORDS
from polytraders.contracts.reasons import REASONS

MOST: Final = 20
LENGTH_MOST: Final = 200
CORRELATION_PARTS: Final = 3


class Hit(NamedTuple):
    """One thing found: what kind of thing, its name, and where it is."""

    kind: str
    name: str
    address: str


def find(asked: str, shard: int = 0) -> list[Hit]:
    """At most MOST things of each kind whose id, code, slug, title or name it is or holds.

    An exact id is the only hit; names with a word that begins so come before those that only hold it.
    """
    text = asked.strip()[:LENGTH_MOST]
    if not text or not text.isprintable():
        return []
    exact = _exact(text, shard)
    if exact:
        return exact
    low, plain = text.lower(), _plain(text)
    # "edge" means edges before it means ledgers.
    begins = re.compile(rf"(?<![a-z]){re.escape(plain)}")

    def late(hit: Hit) -> bool:
        return not begins.search(_plain(hit.name))

    told = reverse("help")
    kinds = (
        [
            Hit("page", page.title, page.address)
            for page in PAGES.values()
            if low in page.title.lower() and served(page)
        ],
        [Hit("word", word.names, f"{told}#{word.anchor}") for word in WORDS if plain in _plain(word.names)],
        [
            Hit("reason code", entry.code, reverse("reason", args=[entry.code]))
            for entry in REASONS
            if plain in _plain(entry.code)
        ],
        _markets(text, shard),
    )
    return sorted((hit for hits in kinds for hit in sorted(hits, key=late)[:MOST]), key=late)


def _plain(name: str) -> str:
    """As one types it: codes and words have underscores where a person has spaces."""
    return name.lower().replace("_", " ")


def _exact(text: str, shard: int) -> list[Hit]:
    row = decisions.find(text, shard)
    if row is None:
        row = _correlated(text, shard)
    if row is not None:
        return [Hit("decision", row.decision_id, reverse("decision", args=[row.decision_id]))]
    return []


def _correlated(text: str, shard: int) -> DecisionRecord | None:
    parts = text.split(":")
    if len(parts) != CORRELATION_PARTS or not all(part.isascii() and part.isdigit() for part in parts):
        return None
    in_seq, market, strategy = (int(part) for part in parts)
    if in_seq >= 2**63 or max(market, strategy) >= 2**31:
        return None
    return DecisionRecord.objects.filter(shard=shard, in_seq=in_seq, market=market, strategy=strategy).first()


def _markets(text: str, shard: int) -> list[Hit]:
    rows = MarketRecord.objects.filter(
        Q(condition_id=text) | Q(slug__icontains=text) | Q(title__icontains=text), shard=shard
    ).order_by("-market")[:MOST]
    return [Hit("market", row.title or row.slug or row.condition_id, market_address(row.market)) for row in rows]


def market_address(market: int) -> str:
    """Page of a market by its index."""
    return f"/markets/{market}"
