"""What the shard's indices are called: markets, tokens, strategies, clusters, venues and reference prices.

The loop knows numbers only. A market gets its index when the registry first tells it, and keeps it for the life of the
log; the row that tells it carries the names, so a restart reads them back and nothing else remembers them.
"""

from typing import Any, Final

import msgspec

from polytraders.config import Row
from polytraders.contracts import state as s
from polytraders.contracts.inputs import NANO, Fact, Flag, Kind, MarketStatus
from polytraders.naming import Names
from polytraders.venues.polymarket.known import is_market, is_token
from polytraders.venues.polymarket.listing import Listing, facts_of
from polytraders.venues.polymarket.wire import Decoder

VENUES: Final = ("polymarket",)
REFERENCES: Final = ("BTC",)
SYNC_NS: Final = 3_600 * NANO
"""How old the registry's last agreement may get before it is told again; a fact that has changed is told at once."""
STRIKE_LATE_NS: Final = 2 * NANO
"""A reference price later than this after a window's start is not its strike."""
BIG: Final = 1 << 62


RANGES: Final = {
    "min_size": (0, 10**13), "fee_rate": (0, 10**6), "fee_exponent": (0, 10_000), "taker_delay_ms": (0, 60_000),
    "close_ts": (0, BIG), "gap_p999_ms": (0, 86_400_000), "strike_ts": (0, BIG), "strike": (1, 10**18),
}  # fmt: skip
"""What the loop's integers can hold; the catalogue has checked the rest."""


class Full(ValueError):  # noqa: N818  what the registry is then
    """No room for one more market or cluster."""

    code = "INTEL_MARKET_CAPACITY"


class Conflict(ValueError):  # noqa: N818  what the two tellings are in
    """A market that contradicts what is known of it."""

    code = "INTEL_OUTCOME_CONFLICT"


class Resolution(Conflict):
    """Two sources name different winners."""

    code = "EXEC_LEDGER_RESOLUTION_CONFLICT"


class Directory:
    """Names of one shard's indices, and the facts the registry wants the loop to know.

    Attributes:
        listings: Newest listing of each market that the registry has told, by index.
    """

    def __init__(self, decoder: Decoder, state: s.State, strategies: tuple[str, ...]) -> None:
        """Know the markets of `decoder` and the facts in `state`."""
        self._decoder = decoder
        self._state = state
        self._strategies = strategies
        self.listings: dict[int, Listing] = {}
        self._titles: list[str] = []
        self._clusters: list[str] = []
        self._strikes_due: dict[int, int] = {}
        self._payouts: dict[int, int] = {}
        self._told = 0

    @property
    def names(self) -> Names:
        """What the indices are called; the columns grow with the directory."""
        return Names(
            markets=self._decoder.markets,
            tokens=self._decoder.tokens,
            strategies=self._strategies,
            clusters=self._clusters,
            venues=VENUES,
            titles=self._titles,
        )

    @property
    def count(self) -> int:
        """Markets that have a name."""
        return len(self._decoder.markets)

    def restore(self, names: Names, listings: dict[int, Listing]) -> None:
        """Take over what an earlier run of the log has named.

        Raises:
            ValueError: The names give a market another index than it has.
        """
        self._clusters[:] = names.clusters
        self._titles[:] = names.titles
        for index, market in enumerate(names.markets):
            listing = listings.get(index)
            known = self._register(listing) if listing else self._decoder.register(market, tuple(names.tokens[index]))
            if known != index:
                raise ValueError(f"market {market} has index {index} in the log and {known} here")
            if listing:
                self.listings[index] = listing
                self._await_strike(index, listing)
        self._told = len(names.markets)

    def find(self, market: str) -> int | None:
        """Index of a market by its condition id or slug, None = not known."""
        by_slug = (index for index, listing in self.listings.items() if listing.slug == market)
        for index, known in enumerate(self._decoder.markets):
            if known == market:
                return index
        return next(by_slug, None)

    def scope_index(self, scope: int, name: str) -> int | None:
        """Index of a scope's name: venue, cluster, market or strategy; None = not known."""
        tables: tuple[Any, ...] = ((), VENUES, self._clusters, (), self._strategies)
        if scope == 3:
            return self.find(name)
        table = tables[scope]
        return table.index(name) if name in table else None

    def wanted(self, most: int = BIG) -> list[str]:
        """Tokens of the markets whose feed is needed, at most `most`: listed and not resolved, the oldest first."""
        status = self._state.markets["status"]
        tokens = [
            token
            for index, listing in self.listings.items()
            if int(status[index]) != MarketStatus.RESOLVED
            for token in listing.tokens
        ]
        return tokens[: most - most % 2]

    def tell(self, listing: Listing, now: int) -> tuple[list[Row], bytes | None]:
        """(rows, names of a market that is new) for the facts that the loop does not have yet.

        Raises:
            Full: No room.
            Conflict: It contradicts what is known.
            ValueError: A value is out of range.
        """
        if not is_market(listing.condition_id) or not all(map(is_token, listing.tokens)):
            raise ValueError("its id or one of its tokens is not of the venue's form")
        for name, (least, most) in RANGES.items():
            value = getattr(listing, name)
            if value is not None and not least <= value <= most:
                raise ValueError(f"{name} is out of range")
        if listing.reference and listing.reference not in REFERENCES:
            raise ValueError(f"there is no reference price {listing.reference!r}")
        room = len(self._state.clusters)
        if listing.cluster not in self._clusters and len(self._clusters) >= room:
            raise Full(f"no room for a cluster beyond {room}")
        before = len(self._decoder.markets)
        index = self._register(listing)
        if index < 0:
            full = before >= len(self._state.markets)
            raise Full("no room for a market") if full else Conflict("it contradicts what is known of it")
        if listing.cluster not in self._clusters:
            self._clusters.append(listing.cluster)
        is_new = index not in self.listings
        self.listings[index] = listing
        self._name(index, listing.title)
        self._await_strike(index, listing)
        rows = self._fact_rows(index, listing, now)
        if not is_new and not rows:
            return rows, None
        return rows, _identity(index, listing, self._clusters.index(listing.cluster))

    def first_sights(self) -> list[tuple[list[Row], bytes]]:
        """A row that forbids it, with its name, for each market that a frame told before the registry did."""
        made = []
        for index in range(self._told, len(self._decoder.markets)):
            if index not in self.listings:
                self._name(index, "")
                row: Row = (Kind.FACT, 0, 0, index, Fact.ALLOWED, 0, 0, 0)
                made.append(([row], msgspec.json.encode({"market": index, "id": self._decoder.markets[index],
                                                         "tokens": self._decoder.tokens[index]})))  # fmt: skip
        self._told = len(self._decoder.markets)
        return made

    def strikes(self, reference: int, price: int, now: int) -> list[Row]:
        """STRIKE facts of the windows that begin with this reference price."""
        rows: list[Row] = []
        for index, start in list(self._strikes_due.items()):
            if start > now or self._reference(index) != reference:
                continue
            del self._strikes_due[index]
            if now - start <= STRIKE_LATE_NS:
                rows.append((Kind.FACT, 0, Flag.ASSUMED, index, Fact.STRIKE, price, 0, 0))
        return rows

    def resolve(self, index: int, payout: int) -> list[Row]:
        """Status and payout of a market, nothing when they are known already.

        Args:
            index: The market.
            payout: Price units for one YES share.

        Raises:
            Resolution: It has been resolved with another payout.
        """
        known = self._payouts.get(index)
        if known is not None:
            if known != payout:
                raise Resolution(f"it has paid {known} a YES share and shall now have paid {payout}")
            return []
        resolved = int(MarketStatus.RESOLVED)
        return [(Kind.FACT, 0, 0, index, Fact.STATUS, resolved, 0, 0), (Kind.RESOLVED, 0, 0, index, 0, payout, 0, 0)]

    def note_resolved(self, index: int, payout: int) -> bool:
        """A RESOLVED row has been sequenced; the first one counts, and False says that this one contradicts it."""
        return self._payouts.setdefault(index, payout) == payout

    def _reference(self, index: int) -> int:
        return REFERENCES.index(self.listings[index].reference or "")

    def _register(self, listing: Listing) -> int:
        text = listing.min_size_text or None
        return self._decoder.register(listing.condition_id, listing.tokens, min_size=text, neg_risk=listing.neg_risk)

    def _name(self, index: int, title: str) -> None:
        self._titles.extend("" for _ in range(len(self._titles), index + 1))
        self._titles[index] = title

    def _await_strike(self, index: int, listing: Listing) -> None:
        known = int(self._state.markets["strike"][index]) > 0
        if listing.reference and listing.strike_ts is not None and listing.strike is None and not known:
            self._strikes_due[index] = listing.strike_ts
        else:
            self._strikes_due.pop(index, None)

    def _fact_rows(self, index: int, listing: Listing, now: int) -> list[Row]:
        market = self._state.markets[index]
        known, assumed = int(market["known"]), int(market["assumed"])
        rows: list[Row] = []
        for fact, value in self._facts(listing, now).items():
            have = int(market[fact.name.lower()])
            same = known >> fact & 1 and not assumed >> fact & 1 and have == value
            if fact is Fact.STATUS and have >= MarketStatus.RESOLVING:
                # The feed may know of the end before the registry does, and an end is not taken back.
                same = True
            if fact is Fact.SYNCED_TS:
                same = bool(known >> fact & 1) and now - have < SYNC_NS and not rows
            if not same:
                rows.append((Kind.FACT, 0, 0, index, fact, value, 0, 0))
        return rows

    def _facts(self, listing: Listing, now: int) -> dict[Fact, int]:
        reference = REFERENCES.index(listing.reference) if listing.reference else s.NONE
        cluster = self._clusters.index(listing.cluster)
        # Last, because it is told again when it is old, or with whatever else is told.
        return {**facts_of(listing), Fact.CLUSTER: cluster, Fact.REFERENCE: reference, Fact.SYNCED_TS: now}


def _identity(index: int, listing: Listing, cluster_index: int) -> bytes:
    told = {name: getattr(listing, name) for name in ("tokens", "title", "slug", "cluster")}
    named = {"market": index, "id": listing.condition_id, "cluster_index": cluster_index}
    return msgspec.json.encode({**told, **named, "listing": listing})


def read_identity(payload: bytes) -> tuple[int, Listing | None]:
    """(index, listing) of what a market's first FACT row carries; no listing where only a frame has told it.

    Raises:
        msgspec.DecodeError: Not that.
    """
    told = msgspec.json.decode(payload)
    index = int(told["market"])
    return index, msgspec.convert(told["listing"], Listing) if "listing" in told else None
