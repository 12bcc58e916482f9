"""What the loop's thread gives away of its state for pages: copies of the markets that have changed, and no more.

A copy is taken between two rounds, when the telling thread (`quotes.py`) is free; what changes meanwhile is only
marked, so intermediate states are dropped and nothing queues. A market is told at once and then five times a second at
most: it has a purse of two tellings that fills at that rate, of which only a change at its best prices may take the
last, so that a book that moves all the time still tells a new best price at once.
"""

from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

import numpy as np

from apps.ingest.quotes import LAG_EDGES_MS, SAMPLE_S
from polytraders.contracts import state as s
from polytraders.contracts.inputs import ASK, BID, Kind, MarketStatus

RATE: Final = 5.0
"""Tellings of a market a second."""
PURSE: Final = 2.0
MOST: Final = 256
"""Markets told together."""
LOOK_S: Final = 0.005
VOTES_S: Final = 0.25
"""Votes change with time alone; they are looked at so often."""
OF_MARKET: Final = np.zeros(256, np.bool_)
OF_MARKET[
    [
        Kind.FACT, Kind.TICK_SIZE, Kind.SNAP_OPEN, Kind.SNAP_LEVEL, Kind.SNAP_CLOSE, Kind.LEVEL, Kind.TRADE,
        Kind.REFUSED, Kind.GAP, Kind.WITNESS, Kind.RESOLVED,
    ]
] = True  # fmt: skip
"""Kinds whose `market` is one."""
LAG_EDGES_NS: Final = np.array(LAG_EDGES_MS, np.int64) * 1_000_000
KEPT_PARTS: Final = 256
"""Pieces of trades and opinions that may wait for a thread that does not come round."""


class Copy(NamedTuple):
    """One market as it was: its record, levels, levels outside the window, and features."""

    market: int
    record: np.void
    levels: np.ndarray
    overflow: np.ndarray
    features: np.ndarray


class Samples(NamedTuple):
    """All live markets at one moment, one entry each."""

    markets: list[int]
    states: list[int]
    bids: list[int]
    asks: list[int]
    features: np.ndarray


class Lot(NamedTuple):
    """What is told together.

    Attributes:
        in_seq: Last input that was stepped.
        ts: Loop time.
        copies: Markets that have changed.
        trades: TRADE rows since the last lot, in pieces.
        opinions: (market, strategy, p_hat, lower, upper, ts) since then, in pieces, one array each.
        samples: None when none are due.
        alive_ts: Last sign of life by connection.
        lags: Rows by connection and lag since the loop began, (L, edges + 1); one row more for none.
        source_ts: Newest time of the venue's own by market, ns, for the markets of `copies`.
    """

    in_seq: int
    ts: int
    copies: list[Copy]
    trades: list[np.ndarray]
    opinions: list[tuple[np.ndarray, ...]]
    samples: Samples | None
    alive_ts: list[int]
    lags: np.ndarray
    source_ts: list[int]


class Telling(Protocol):
    """The other side: takes one lot at a time.

    Attributes:
        hint: Called with "quotes" behind each lot that was told.
    """

    hint: Callable[[str], None]

    def is_free(self) -> bool:
        """Whether it would take a lot now."""

    def await_free(self) -> bool:
        """Wait a moment for that, at the end of the loop; False = it did not come."""

    def take(self, lot: Lot) -> None:
        """Tell this; returns at once."""

    def returned(self) -> list[int]:
        """Markets of lots that could not be told since this was last asked."""

    def close(self) -> None:
        """End."""


class Quoter:
    """Marks what changes and copies what is due. All of it in the loop's thread."""

    def __init__(
        self, state: s.State, known: Callable[[], int], telling: Telling, clock: Callable[[], float], *, all_new: bool
    ) -> None:
        """Look at `state`.

        Args:
            state: The loop's.
            known: How many markets have a name.
            telling: Where lots go.
            clock: Seconds, monotonic.
            all_new: Tell every known market once: the table may be from before a restart, or empty.
        """
        room = len(state.markets)
        self._state = state
        self._known = known
        self.telling = telling
        self._clock = clock
        # One place more than there are markets: index -1, which stands for no market, marks that.
        self._dirty = np.zeros(room + 1, np.bool_)
        self._dirty[: known() if all_new else 0] = True
        self._purse = np.full(room, PURSE)
        self._filled_s = np.zeros(room)
        self._top = np.full((room, 5), s.NONE, np.int64)
        self._votes = np.full(room, s.NONE, np.int64)
        self._source_ts = np.zeros(room + 1, np.int64)
        self._rows: list[np.ndarray] = []
        self._trades: list[np.ndarray] = []
        self._opinions: list[tuple[np.ndarray, ...]] = []
        self._lags = np.zeros((len(state.connections), len(LAG_EDGES_NS) + 1), np.int64)
        self._next_look = self._next_votes = self._next_sample = self._next_due = 0.0

    def saw(self, inputs: np.ndarray, outs: np.ndarray, details: np.ndarray) -> None:
        """These rows have been stepped, and this came of them; `detail` points into `details`."""
        # Many small lots of rows cost as much as one large one each, so they are looked at together.
        self._rows.append(inputs)
        if len(outs):
            self._dirty[outs["market"]] = True
            opinions = outs[outs["detail"] >= 0]
            if len(opinions):
                detail = details[opinions["detail"]]
                columns = (opinions["market"], opinions["strategy"], *(detail[n] for n in ("p_hat", "lower", "upper")))
                self._opinions.append((*columns, opinions["ts"]))
                del self._opinions[:-KEPT_PARTS]
        self._next_due = 0.0

    def _mark(self) -> None:
        """Look at the rows that were seen since the last look."""
        if not self._rows:
            return
        inputs = np.concatenate(self._rows) if len(self._rows) > 1 else self._rows[0]
        self._rows = []
        kinds = inputs["kind"]
        markets = np.where(OF_MARKET[kinds], inputs["market"], s.NONE)
        self._dirty[markets] = True
        told = (kinds == Kind.LEVEL) | (kinds == Kind.TRADE)
        told &= (inputs["source_ts"] > 0) & (markets >= 0)
        if told.any():
            self._saw_times(inputs[told])
        trades = inputs[kinds == Kind.TRADE]
        if len(trades):
            self._trades.append(trades)
            del self._trades[:-KEPT_PARTS]

    def _saw_times(self, rows: np.ndarray) -> None:
        self._source_ts[rows["market"]] = rows["source_ts"]
        connections = self._state.markets["connection"][rows["market"]]
        late = np.searchsorted(LAG_EDGES_NS, rows["recv_ts"] - rows["source_ts"])
        np.add.at(self._lags, (connections, late), 1)

    def due_s(self) -> float:
        """Seconds until something may be due; the loop need not wake before for its sake."""
        return max(LOOK_S if self.telling.is_free() else 4 * LOOK_S, self._next_due - self._clock())

    def look(self) -> None:
        """Between two rounds: hand over what is due, if the thread is free."""
        now = self._clock()
        if now < self._next_look:
            return
        self._next_look = now + LOOK_S
        self._mark()
        if not self.telling.is_free():
            return
        for market in self.telling.returned():
            self._dirty[market] = True
        if now >= self._next_votes:
            self._next_votes = now + VOTES_S
            self._look_at_votes()
        samples = None
        if now >= self._next_sample:
            self._next_sample = now + SAMPLE_S
            samples = self._sampled()
        due = self._due(now)
        if len(due) or samples is not None:
            self._tell(due, samples)

    def _tell(self, due: np.ndarray, samples: Samples | None) -> None:
        portfolio = self._state.portfolio[0]
        lot = Lot(
            int(portfolio["in_seq"]), int(portfolio["now"]), [self._copy(market) for market in due.tolist()],
            self._trades, self._opinions, samples, self._state.connections["alive_ts"].tolist(), self._lags.copy(),
            self._source_ts[due].tolist(),
        )  # fmt: skip
        self._trades, self._opinions = [], []
        self.telling.take(lot)

    def _look_at_votes(self) -> None:
        known = self._known()
        votes = self._state.markets["votes"][:known]
        self._dirty[:known] |= votes != self._votes[:known]
        self._votes[:known] = votes

    def _due(self, now: float) -> np.ndarray:
        """Markets to be told now; their purses pay for it."""
        marked = np.flatnonzero(self._dirty[:-1])
        if not len(marked):
            self._next_due = now + VOTES_S
            return marked
        purse = np.minimum(PURSE, self._purse[marked] + (now - self._filled_s[marked]) * RATE)
        self._purse[marked], self._filled_s[marked] = purse, now
        markets = self._state.markets
        top = np.stack([markets[name][marked] for name in ("bid_px", "ask_px", "state")] + self._sizes(marked), axis=1)
        price = np.where((top != self._top[marked]).any(axis=1), 1.0, PURSE)
        # A hair's breadth for the sum of many small fillings.
        chosen = purse + 1e-9 >= price
        wait = np.where(chosen, VOTES_S if np.count_nonzero(chosen) <= MOST else 0.0, (price - purse) / RATE)
        self._next_due = now + float(wait.min())
        due = marked[chosen][:MOST]
        self._purse[due] -= 1.0
        self._top[due] = top[chosen][:MOST]
        self._votes[due] = markets["votes"][due]
        self._dirty[due] = False
        return due

    def _sizes(self, marked: np.ndarray) -> list[np.ndarray]:
        """At the best prices; of a side that is empty, whatever lies at the end of its window."""
        markets, levels = self._state.markets, self._state.levels
        last = levels.shape[2] - 1
        return [
            levels[marked, side, np.clip(markets[name][marked], 0, last)]
            for side, name in ((BID, "best_bid"), (ASK, "best_ask"))
        ]

    def _copy(self, market: int) -> Copy:
        state = self._state
        record = state.markets[market].copy()
        outside = max(int(record["bid_overflow"]), int(record["ask_overflow"]))
        return Copy(
            market, record, state.levels[market].copy(), state.overflow[market, :, :outside].copy(),
            state.features[market].copy(),
        )  # fmt: skip

    def _sampled(self) -> Samples:
        known = self._known()
        markets = self._state.markets[:known]
        live = np.flatnonzero((markets["events"] > 0) & (markets["status"] < MarketStatus.RESOLVING))
        states, bids, asks = (markets[name][live].tolist() for name in ("state", "bid_px", "ask_px"))
        return Samples(live.tolist(), states, bids, asks, self._state.features[live])

    def close(self) -> None:
        """Tell what is left, and end the telling."""
        self._mark()
        left = np.flatnonzero(self._dirty[:-1])
        if len(left) and self.telling.await_free():
            self._tell(left, None)
        self.telling.close()
