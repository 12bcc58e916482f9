"""The markets of the simulated exchange: what each is about, its rules, its life."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final

from polytraders.contracts.inputs import ASK, BID, NANO
from polytraders.venues.simulator.fees import CRYPTO, CULTURE, POLITICS, SPORTS, Schedule
from polytraders.venues.simulator.history import History
from polytraders.venues.simulator.matching import OrderBook
from polytraders.venues.simulator.texts import identifiers
from polytraders.venues.simulator.values import Late

CENT_TICK, FINE_TICK = 100, 10
EDGE_PRICE: Final = 400
"""Nearer than this to 0 or 1 the grid gets finer, price units."""

VOID: Final = -1
"""Outcome of a market whose end nobody saw: half to each side."""

MIN_SIZE: Final = "5"
DAY_NS: Final = 86_400 * NANO

TOPICS: Final[tuple[tuple[str, str, Schedule], ...]] = (
    ("lake-alder-above-mark", "Will Lake Alder stand above its summer mark?", CULTURE),
    ("harvest-record", "Will the wheat harvest set a record?", CULTURE),
    ("frost-before-november", "Will there be frost in Port Sable before November?", CULTURE),
    ("opera-house-opens", "Will the new opera house open this season?", CULTURE),
    ("longest-bridge", "Will the strait bridge carry cars this year?", CULTURE),
    ("museum-free-entry", "Will the national museum make entry free?", CULTURE),
    ("comet-naked-eye", "Will the comet be seen with the naked eye?", CULTURE),
    ("budget-passes", "Will the budget pass at first reading?", POLITICS),
    ("speaker-reelected", "Will the speaker be elected again?", POLITICS),
    ("referendum-held", "Will the referendum be held this year?", POLITICS),
    ("mayor-second-term", "Will the mayor of Port Sable win a second term?", POLITICS),
    ("senate-majority", "Will the governing party keep the senate?", POLITICS),
    ("rate-cut", "Will the central bank lower its rate at the next meeting?", POLITICS),
    ("chip-launch", "Will the three-nanometre line start on time?", POLITICS),
    ("launch-vehicle-lands", "Will the booster land on its first flight?", POLITICS),
    ("rovers-promoted", "Will Sable Rovers be promoted?", SPORTS),
    ("derby-home-win", "Will the home side win the derby?", SPORTS),
    ("marathon-record", "Will the marathon record fall?", SPORTS),
    ("unbeaten-season", "Will any side finish the season unbeaten?", SPORTS),
    ("final-extra-time", "Will the final go to extra time?", SPORTS),
)
RIVALS: Final = ("Anchor", "Beacon", "Compass", "Driftwood")


def far_ns(ts_ns: int) -> int:
    """The same far-off day for all times of a year, so that an exchange started again lists the same markets."""
    return ((ts_ns + 60 * DAY_NS) // (365 * DAY_NS) + 1) * 365 * DAY_NS


@dataclass(slots=True, eq=False)
class Event:
    """What Gamma groups markets under."""

    number: int
    slug: str
    title: str
    tags: tuple[str, ...]
    listed_ns: int
    close_ns: int
    neg_risk: bool = False
    series: str = ""
    markets: list["Market"] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Market:
    """One market.

    Attributes:
        name: Its slug.
        tokens: YES (or Up) first.
        start_ns: When its window begins, 0 for a slow market.
        strike_cents: The price at its start, None before and for a slow market.
        value: What a YES share is worth, a chance.
        quoted: What the makers believe it is worth.
        outcome: Winning token, 0 or 1, or VOID; None before it is resolved.
        last_trade: Price text of the last print, in terms of the token it was printed for: nobody says which.
    """

    number: int
    name: str
    question: str
    condition: str
    tokens: tuple[str, str]
    outcomes: tuple[str, str]
    event: Event
    fees: Schedule
    listed_ns: int
    start_ns: int
    close_ns: int
    book: OrderBook
    history: History
    late: Late
    rng: Random
    group_title: str = ""
    tick: int = CENT_TICK
    value: float = 0.5
    quoted: float = 0.5
    strike_cents: int | None = None
    closed: bool = False
    emptied: bool = False
    resolves_ns: int = 0
    outcome: int | None = None
    settled_cents: int | None = None
    last_trade: str = ""
    volume: int = 0
    books_due: bool = False

    @property
    def updown(self) -> bool:
        """It is about bitcoin's price in a window of time."""
        return self.start_ns > 0

    def best(self, side: int) -> int:
        """Best price of a side in YES terms."""
        return self.book.best(side)

    @property
    def middle(self) -> int:
        """Half way between the best prices."""
        return (self.book.best(BID) + self.book.best(ASK)) // 2


class Listings:
    """Makes markets; the same for the same seed, whenever they are made."""

    def __init__(self, seed: int, history_ns: int, lag_ns: int) -> None:
        self._seed = seed
        self._history_ns = history_ns
        self._lag_ns = lag_ns
        self._number = 5_400_000

    def market(
        self, event: Event, name: str, question: str, outcomes: tuple[str, str], fees: Schedule, *, start_ns: int = 0
    ) -> Market:
        """A market of an event, with empty books."""
        self._number += 1
        condition, yes, no = identifiers(self._seed, name)
        made = Market(
            number=self._number,
            name=name,
            question=question,
            condition=condition,
            tokens=(yes, no),
            outcomes=outcomes,
            event=event,
            fees=fees,
            listed_ns=event.listed_ns,
            start_ns=start_ns,
            close_ns=event.close_ns,
            book=OrderBook(),
            history=History(self._history_ns),
            late=Late(self._lag_ns),
            rng=Random(f"{self._seed}/{name}"),  # noqa: S311 - chance for a made-up market, not for a secret
        )
        event.markets.append(made)
        return made

    def event(self, slug: str, title: str, tags: tuple[str, ...], listed_ns: int, close_ns: int) -> Event:
        """An event without markets."""
        self._number += 1
        return Event(self._number, slug, title, tags, listed_ns, close_ns)

    def window(self, minutes: int, start_ns: int, listed_ns: int) -> Market:
        """A bitcoin up/down market of 5 or 15 minutes."""
        name = f"btc-updown-{minutes}m-{start_ns // NANO}"
        start = datetime.fromtimestamp(start_ns // NANO, UTC)
        title = f"Bitcoin Up or Down - {start:%B %-d, %H:%M}-{start + timedelta(minutes=minutes):%H:%M} UTC"
        event = self.event(
            name, title, ("Up or Down", "Crypto", "Recurring"), listed_ns, start_ns + minutes * 60 * NANO
        )
        event.series = f"btc-up-or-down-{minutes}m"
        return self.market(event, name, title, ("Up", "Down"), CRYPTO, start_ns=start_ns)

    def slow(self, index: int, listed_ns: int) -> Market:
        """A market whose end is months away."""
        slug, question, fees = TOPICS[index % len(TOPICS)]
        name = slug if index < len(TOPICS) else f"{slug}-{index // len(TOPICS) + 1}"
        close_ns = far_ns(listed_ns) + 7 * index * DAY_NS
        event = self.event(name, question, (fees.name.split("_")[0].title(),), listed_ns, close_ns)
        return self.market(event, name, question, ("Yes", "No"), fees)

    def group(self, listed_ns: int) -> list[Market]:
        """Markets of which exactly one will be YES."""
        close_ns = far_ns(listed_ns)
        event = self.event("harbour-cup-winner", "Who will win the Harbour Cup?", ("Sports",), listed_ns, close_ns)
        event.neg_risk = True
        made = []
        for rival in RIVALS:
            name = f"{rival.lower()}-wins-harbour-cup"
            market = self.market(event, name, f"Will {rival} win the Harbour Cup?", ("Yes", "No"), SPORTS)
            market.group_title = rival
            made.append(market)
        return made
