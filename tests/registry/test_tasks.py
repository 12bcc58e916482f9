"""What of a catalogue is news to the loop: new, changed, or confirmed long ago. Nothing is told twice."""

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from apps.registry.tasks import SYNC_NS, news
from polytraders.contracts.inputs import MarketStatus
from polytraders.venues.polymarket.listing import Listing, facts_of
from tests.shard.rig import START, listings


def known(listing: Listing, **changed: Any) -> dict[str, Any]:
    """The row that the loop's projection holds after it was told the listing."""
    row: dict[str, Any] = {fact.name.lower(): value for fact, value in facts_of(listing).items()}
    row |= {"title": listing.title, "slug": listing.slug, "cluster_name": listing.cluster, "synced_ts": START}
    return {listing.condition_id: SimpleNamespace(**{**row, **changed})}


def test_a_market_that_nobody_has_told_is_news() -> None:
    assert news(listings(), {}, START) == listings()


def test_a_market_that_is_known_as_it_is_is_no_news() -> None:
    listing = listings()[0]
    assert news([listing], known(listing), START + SYNC_NS) == []
    assert news([listing], known(listing), START + SYNC_NS + 1) == [listing]


@pytest.mark.parametrize(
    "change",
    [
        {"fee_rate": 70_000}, {"min_size": 1_000_000}, {"close_ts": START + 1}, {"closed": True},
        {"accepting_orders": False}, {"neg_risk": True}, {"title": "Another?"}, {"slug": "another"},
        {"cluster": "another"}, {"taker_delay_ms": 150},
    ],
)  # fmt: skip
def test_whatever_changes_is_news(change: dict[str, Any]) -> None:
    listing = listings()[0]
    changed = msgspec.structs.replace(listing, **change)
    assert news([changed], known(listing), START) == [changed]


@pytest.mark.parametrize("status", [MarketStatus.RESOLVING, MarketStatus.RESOLVED])
def test_an_end_that_the_loop_knows_is_not_argued_about(status: MarketStatus) -> None:
    listing = listings()[0]
    assert news([listing], known(listing, status=int(status)), START) == []


def test_a_strike_that_was_observed_is_not_taken_back_by_a_listing_without_one() -> None:
    listing = msgspec.structs.replace(listings()[0], reference="BTC", strike_ts=START)
    assert news([listing], known(listing, strike=6_000_000_000_000), START) == []
