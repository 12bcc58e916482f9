"""The exchange in virtual time: who does what when. Nothing here waits, looks at a clock, or depends on who listens.

`run_until` moves time on and returns what was told meanwhile. Any sequence of calls that ends at the same instant has
told the same bytes, for the same plan, the same past and the same faults.
"""

import heapq
from collections import Counter, deque
from dataclasses import dataclass
from random import Random
from typing import Final

from polytraders.contracts.inputs import ASK, BID, NANO, PRICE_UNIT
from polytraders.venues.simulator import frames
from polytraders.venues.simulator.bitcoin import Bitcoin, up_probability
from polytraders.venues.simulator.crew import Crew
from polytraders.venues.simulator.faults import Fault, Faults
from polytraders.venues.simulator.floor import BOTH, MS, Floor, Told
from polytraders.venues.simulator.listing import VOID, Event, Listings, Market
from polytraders.venues.simulator.past import VERSION, Past, Window
from polytraders.venues.simulator.values import Exclusive, Slow

WINDOWS: Final = ((5, 2), (15, 1))
"""Minutes of the up/down markets, and how many are listed ahead of the running one."""

PREROLL_S: Final = 900
CHURN_LIVE, CHURN_SLOW, CHURN_AHEAD = 12.0, 2.0, 2.0
"""Acts of the crowd a second in one market, at rate 1."""

MAKERS_PART: Final = 0.43
"""Messages of the makers for one of the crowd at rate 1. Theirs do not grow with the rate; the crowd evens it out."""

RESOLVES_AFTER_S: Final = (5, 20)
CLOSED_MAX: Final = 300
"""Closed markets that are still listed; older ones live on in `outcomes` only."""

OUTCOMES_MAX: Final = 20_000


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run is made of.

    Attributes:
        seed: Any integer.
        start_ms: Where exchange time begins, a whole second.
        rate: Factor on the number of messages.
        maker_lag_ms: How late the makers' belief is; 0 leaves nothing to win.
        slow: Markets with an end months away, beside the group of four.
        step_ms: Between two prices of bitcoin, and two looks of the makers at it; divides a second.
        history_s: How far back books can be asked for.
    """

    seed: int
    start_ms: int
    rate: float = 1.0
    maker_lag_ms: int = 2_000
    slow: int = 20
    step_ms: int = 200
    history_s: int = 1_800

    def __post_init__(self) -> None:
        if self.start_ms % 1_000 or self.step_ms <= 0 or 1_000 % self.step_ms:
            raise ValueError("the start is a whole second, and the step divides one")
        if self.rate <= 0 or self.maker_lag_ms < 0 or self.slow < 0 or self.history_s <= 0:
            raise ValueError("rate and history are above 0, lag and markets not below")


class World:
    """See the module.

    Attributes:
        markets: Listed markets by condition id.
        tokens: Token id to its market and which of its tokens it is.
        outcomes: Condition id to what is known of a resolved market, the last 20,000.
        counts: Messages told by event type, before any fault.
    """

    def __init__(self, plan: Plan, faults: Faults | None = None, past: Past | None = None) -> None:
        # Another seed makes other markets: then only the time goes on, which the plan's start has taken in.
        past = past if past is not None and past.seed == plan.seed else None
        self.plan = plan
        self.start_ns = plan.start_ms * MS
        self.now_ns = self.start_ns
        self.faults = faults or Faults(start_ns=self.start_ns)
        self._told: list[Told] = []
        self.counts: Counter[str] = Counter()
        self.floor = Floor(self._random("habits"), self._tell, self._books_later)
        self._listings = Listings(plan.seed, plan.history_s * NANO, plan.maker_lag_ms * MS)
        self.markets: dict[str, Market] = {}
        self.tokens: dict[str, tuple[Market, int]] = {}
        self.events: dict[str, Event] = {}
        self.outcomes: dict[str, dict[str, object]] = {}
        self.crews: dict[str, Crew] = {}
        self._windows: list[Market] = []
        self._closed: deque[Market] = deque()
        self._heap: list[tuple[int, int, str, Market | None]] = []
        self._pushed = 0
        self._quotes_rng = self._random("binance")
        self.bitcoin = Bitcoin(self._random("bitcoin"))
        self._since_ns = past.since_ns if past else self.start_ns
        self._open(past)

    def _random(self, name: str) -> Random:
        return Random(f"{self.plan.seed}/{name}")  # noqa: S311 - chance for a made-up market, not for a secret

    def _open(self, past: Past | None) -> None:
        """List what is there at the start, with strikes of windows that began before it."""
        self.floor.now_ns = self.now_ns
        starts: dict[int, int] = {}
        step_ns = self.plan.step_ms * MS
        for ts in range(self.start_ns - PREROLL_S * NANO, self.start_ns, step_ns):
            if ts % (300 * NANO) == 0:
                starts[ts] = self.bitcoin.cents
            self.bitcoin.step(self.plan.step_ms / 1_000)
        if past is not None:
            # The price goes on where it was, and so does what is made up of the time in between.
            starts = {ts: cents * past.bitcoin_cents // self.bitcoin.cents for ts, cents in starts.items()}
            self.bitcoin.go_on(past.bitcoin_cents)
            starts |= {window.start_ns: window.strike_cents for window in past.windows if window.strike_cents}
        self._slow: list[tuple[Slow, Market]] = []
        for index in range(self.plan.slow):
            market = self._listings.slow(index, self._since_ns)
            self._slow.append((Slow(market.rng, market.rng.uniform(0.1, 0.9)), market))
        self._group = self._listings.group(self._since_ns)
        rng = self._random("group")
        self._exclusive = Exclusive(rng, [rng.uniform(0.2, 1.0) for _ in self._group])
        for market in (*(market for _, market in self._slow), *self._group):
            self._list(market)
        for minutes, _ in WINDOWS:
            length = minutes * 60 * NANO
            start = self.start_ns // length * length
            self._list(self._listings.window(minutes, start, self.start_ns))
            self._windows[-1].strike_cents = starts.get(start, self.bitcoin.cents)
        self._list_ahead()
        for window in past.windows if past else ():
            if window.close_ns <= self.start_ns:
                self._list_ended(window)
        self._push(self.start_ns, "step", None)

    def _list_ended(self, window: Window) -> None:
        """A window of an earlier run, which resolves at once: by price where both its ends were seen."""
        market = self._listings.window(window.minutes, window.start_ns, self.start_ns)
        market.closed = market.emptied = True
        market.strike_cents, market.settled_cents = window.strike_cents, window.settled_cents
        market.resolves_ns = self.start_ns
        self._list(market)

    def past(self, margin_ns: int) -> Past:
        """What a later run has to know; it begins at least `margin_ns` from now."""
        windows = (
            Window((market.close_ns - market.start_ns) // (60 * NANO), market.start_ns, market.strike_cents,
                   market.settled_cents)
            for market in (*self._closed, *self._windows)
        )  # fmt: skip
        resume_ns = -(-(self.now_ns + margin_ns) // NANO) * NANO
        return Past(VERSION, self.plan.seed, resume_ns, self._since_ns, self.bitcoin.cents, tuple(windows))

    def _list(self, market: Market) -> None:
        self.markets[market.condition] = market
        for token in (0, 1):
            self.tokens[market.tokens[token]] = market, token
        self.events[market.event.slug] = market.event
        self.crews[market.condition] = Crew(market, self.floor)
        if market.updown:
            self._windows.append(market)
        if self.now_ns > self.start_ns:
            self.floor.say(market, frames.new_market(market, self.floor.now_ms), BOTH, custom=True)
        self._push_churn(market)

    def _list_ahead(self) -> None:
        for minutes, ahead in WINDOWS:
            length = minutes * 60 * NANO
            there = {market.start_ns for market in self._windows if market.close_ns - market.start_ns == length}
            first = self.now_ns // length * length
            for start in range(first, first + (ahead + 1) * length, length):
                if start not in there:
                    self._list(self._listings.window(minutes, start, self.now_ns))

    def _push(self, ts_ns: int, what: str, market: Market | None) -> None:
        self._pushed += 1
        heapq.heappush(self._heap, (ts_ns, self._pushed, what, market))

    def _push_churn(self, market: Market) -> None:
        live = market.updown and market.start_ns <= self.now_ns
        per_s = CHURN_LIVE if live else CHURN_AHEAD if market.updown else CHURN_SLOW
        rate = self.plan.rate
        gap_s = market.rng.expovariate(per_s * (rate + MAKERS_PART * max(rate - 1, 0)))
        self._push(self.now_ns + int(min(gap_s, 60.0) * NANO) + 1, "churn", market)

    def _books_later(self, market: Market, after_ns: int) -> None:
        self._push(self.now_ns + after_ns, "books", market)

    def _tell(self, told: Told) -> None:
        self.counts[told.event] += 1
        self._told += self.faults.passes(told)

    def run_until(self, now_ns: int) -> list[Told]:
        """Let everything up to and with an instant happen; what was told, in order."""
        heap = self._heap
        while heap and heap[0][0] <= now_ns:
            ts_ns, _, what, market = heapq.heappop(heap)
            self.now_ns = self.floor.now_ns = ts_ns
            self._told += self.faults.late(ts_ns)
            self._suffer_due()
            if market is None:
                if what == "step":
                    self._step()
                else:
                    event, stream = what.split(":")
                    self._told.append(Told(ts_ns, event, stream, BOTH, False, b""))
            elif what == "churn":
                if not market.closed:
                    self.crews[market.condition].churn()
                    self._push_churn(market)
            elif not market.closed:
                self.floor.tell_books(market)
        told, self._told = self._told, []
        return told

    def _step(self) -> None:
        """A new price of bitcoin; who cares about it acts on it in the same instant."""
        plan, now = self.plan, self.now_ns
        seconds = plan.step_ms / 1_000
        whole = now % NANO == 0
        self._push(now + plan.step_ms * MS, "step", None)
        if now > self.start_ns:
            self.bitcoin.step(seconds)
        if now % (60 * NANO) == 0:
            self._list_ahead()
            for market in self._closed:
                if now > market.close_ns + plan.history_s * NANO:
                    market.history.forget()
        for market in list(self._windows):
            self._move(market, whole)
        if whole:
            self._move_slow()
        for stream, raw in self.bitcoin.quotes(now // MS, seconds, plan.rate):
            self._tell(Told(now, stream, "", BOTH, False, raw))

    def _move(self, market: Market, whole: bool) -> None:
        """An up/down market at a new price."""
        now, cents = self.now_ns, self.bitcoin.cents
        if market.start_ns <= now and market.strike_cents is None:
            market.strike_cents = cents
        if market.closed:
            if now >= market.resolves_ns:
                self._resolve(market)
            return
        if now >= market.close_ns:
            self._close(market)
            return
        if market.strike_cents is None and not whole:
            return
        variance = self.bitcoin.variance((market.close_ns - max(now, market.start_ns)) / NANO)
        market.value = up_probability(cents, market.strike_cents, variance)
        market.quoted = market.late.note(now, market.value)
        self.crews[market.condition].sweep()

    def _move_slow(self) -> None:
        for slow, market in self._slow:
            slow.step(1.0)
            market.value = slow.value
        self._exclusive.step(1.0)
        for market, value in zip(self._group, self._exclusive.values, strict=True):
            market.value = value
        for market in (*(market for _, market in self._slow), *self._group):
            market.quoted = market.late.note(self.now_ns, market.value)
            self.crews[market.condition].sweep()

    def _close(self, market: Market) -> None:
        """Trading ends; the price of this instant will settle."""
        for number in list(market.book.orders):
            self.floor.cancel(market, number)
        market.closed = True
        market.settled_cents = self.bitcoin.cents
        low, high = RESOLVES_AFTER_S
        market.resolves_ns = self.now_ns + market.rng.randrange(low, high + 1) * NANO

    def _resolve(self, market: Market) -> None:
        """Up if the price ended at the strike or above; half to each when nobody saw where it began or ended."""
        strike, settled = market.strike_cents, market.settled_cents
        void = strike is None or settled is None
        market.outcome = VOID if strike is None or settled is None else winner(strike, settled)
        if not void:
            self.floor.say(market, frames.market_resolved(market, self.floor.now_ms), BOTH, custom=True)
        self.outcomes[market.condition] = {
            "market": market.condition,
            "slug": market.name,
            "tokens": list(market.tokens),
            "winner": "" if void else market.tokens[market.outcome],
            "payout_yes": 0.5 if void else 1 - market.outcome,
            "strike": None if strike is None else strike / 100,
            "settled": None if settled is None else settled / 100,
            "closed_ns": market.close_ns,
            "resolved_ns": self.now_ns,
        }
        if len(self.outcomes) > OUTCOMES_MAX:
            del self.outcomes[next(iter(self.outcomes))]
        self._windows.remove(market)
        del self.crews[market.condition]
        self._closed.append(market)
        if len(self._closed) > CLOSED_MAX:
            gone = self._closed.popleft()
            del self.markets[gone.condition], self.events[gone.event.slug]
            for token in gone.tokens:
                del self.tokens[token]

    def subscribed(self) -> bool:
        """Somebody subscribes; True when books are sent."""
        self.faults.subscribed()
        self._suffer_due()
        return not self.faults.withholds_books(self.now_ns)

    def _suffer_due(self) -> None:
        for fault in self.faults.due(self.now_ns):
            self._suffer(fault)

    def _suffer(self, fault: Fault) -> None:
        """A fault that needs the floor, or the connections."""
        action, args = fault.action, fault.args
        stream = args.get("stream", "market")
        if action == "disconnect":
            self._told.append(Told(self.now_ns, "cut", stream, BOTH, False, b""))
        elif action == "flapping":
            up, down = args.get("up_ms", 2_000) * MS, args.get("down_ms", 2_000) * MS
            for turn in range(args.get("times", 5)):
                self._push(self.now_ns + turn * (up + down), f"down:{stream}", None)
                self._push(self.now_ns + turn * (up + down) + down, f"up:{stream}", None)
        else:
            market = self._chosen(args.get("market", ""))
            if market is None:
                return
            if action == "tick_change":
                tick = round(float(args.get("tick", "0.001")) * PRICE_UNIT)
                self.floor.change_tick(market, tick, told=args.get("told", True))
            elif action == "crossed":
                self.floor.say(market, frames.crossed(market, self.floor.now_ms), BOTH)
            else:
                side, count = self.faults.rng.choice((BID, ASK)), args.get("levels", 2)
                self.crews[market.condition].take_and_rest(side, count, secret=True)
            fault.args = {**args, "market": market.condition}
        self.faults.note(self.now_ns, fault)

    def _chosen(self, condition: str) -> Market | None:
        """The market that a fault names, or one that is quoted on both sides."""
        crews = [crew.market for crew in self.crews.values() if not crew.market.closed and not crew.market.emptied]
        fitting = [market for market in crews if condition in ("", market.condition, market.name)]
        return self.faults.rng.choice(fitting) if fitting else None


def winner(strike_cents: int, settled_cents: int) -> int:
    """Winning token of an up/down market: 0 (Up) when the price ended at the strike or above, else 1."""
    return int(settled_cents < strike_cents)
