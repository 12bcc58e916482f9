"""The telling thread: turns copies of markets into rows and writes them, apart from the loop and from its commits.

It is never waited for. A database that is away costs quotes, not trades; the markets it could not tell are told later.
The thread rests for twice as long as it has worked, so that it never has more than a third of a processor.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import psycopg

from apps.ingest import quotes as told
from apps.ingest.quotes import KEPT, LEVELS, TRADES
from polytraders.contracts import checks as c
from polytraders.contracts import state as s
from polytraders.contracts.inputs import ASK, BID, PRICE_UNIT
from polytraders.contracts.reasons import number
from polytraders.shard.quoting import Copy, Lot, Samples

log = logging.getLogger(__name__)

REST: Final = 2.0
RETRY_S: Final = 1.0
END_S: Final = 2.0
FORGET_AT: Final = 60
"""Samplings between two times that old ones are forgotten."""
OPTIONS: Final = "-c synchronous_commit=off -c statement_timeout=2000 -c lock_timeout=1000"
"""Nothing here is a record, and nothing here may wait long."""
NO_BOOK: Final = number("INTEL_NO_SNAPSHOT")
CODES: Final = {bit: number(check.code) for bit, check in enumerate(c.CHECKS)}
FIELDS: Final = {name: place for place, name in enumerate(s.MARKET.names or ())}
COMPLETE: Final = (s.COMPLETE_60S, s.COMPLETE_5M, s.COMPLETE_1H)
PPM: Final = 1_000_000

Opinion = tuple[float, float, float, int]


class QuoteThread:
    """Writes one lot after the other.

    Attributes:
        hint: Called with "quotes" behind each lot that was written, in this thread; must return at once.
        written: Quotes written.
        cpu_s: Processor time of the thread.
    """

    def __init__(self, dsn: str, shard: int, strategies: int, connections: int, differing: Mapping[int, int]) -> None:
        """Begin with the first lot.

        Args:
            dsn: Of the application's role.
            shard: Number of the shard.
            strategies: How many there are.
            connections: Of the market's channel; the first ones are told.
            differing: Books that differed from the venue's own when it was asked, by market.
        """
        self.hint: Callable[[str], None] = _nobody
        self._differing = differing
        self.written = 0
        self.cpu_s = 0.0
        self._dsn = dsn
        self._shard = shard
        self._connections = connections
        self._none: tuple[Opinion | None, ...] = (None,) * strategies
        self._opinions: dict[int, list[Opinion | None]] = {}
        self._trades: dict[int, deque[tuple[int, int, int]]] = {}
        self._beats: deque[int] = deque(maxlen=KEPT)
        self._sampled = 0
        self._returned: list[int] = []
        self._lot: Lot | None = None
        self._free = True
        self._ending = False
        self._turn = threading.Condition()
        self._thread: threading.Thread | None = None

    # --- called by the loop's thread ---------------------------------------------------------------------------------

    def is_free(self) -> bool:
        """Whether it would take a lot now."""
        return self._free and not self._ending

    def await_free(self) -> bool:
        """Wait for that, not for long."""
        with self._turn:
            return self._turn.wait_for(self.is_free, END_S)

    def take(self, lot: Lot) -> None:
        """Tell this."""
        self._free = False
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="quotes", daemon=True)
            self._thread.start()
        with self._turn:
            self._lot = lot
            self._turn.notify_all()

    def returned(self) -> list[int]:
        """Markets of lots that could not be told since this was last asked."""
        found, self._returned = self._returned, []
        return found

    def close(self) -> None:
        """End behind the lot in hand, or without it where the database does not come round."""
        with self._turn:
            self._ending = True
            self._turn.notify_all()
        if self._thread is not None:
            self._thread.join(END_S)

    # --- the thread --------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        conn: psycopg.Connection[Any] | None = None
        try:
            while (lot := self._next()) is not None:
                began = time.thread_time()
                try:
                    conn = conn or psycopg.connect(self._dsn, autocommit=True, options=OPTIONS)
                    self._tell(conn, lot)
                except psycopg.Error as error:
                    log.warning("quotes could not be told: %s", str(error).strip().partition("\n")[0])
                    if conn is not None:
                        conn.close()
                    conn = None
                    self._returned = self._returned + [copy.market for copy in lot.copies]
                    self._pause(RETRY_S)
                worked = time.thread_time() - began
                self.cpu_s += worked
                self._pause(worked * REST)
                with self._turn:
                    self._free = True
                    self._turn.notify_all()
        finally:
            if conn is not None:
                conn.close()

    def _next(self) -> Lot | None:
        with self._turn:
            self._turn.wait_for(lambda: self._lot is not None or self._ending)
            lot, self._lot = self._lot, None
            return lot

    def _pause(self, seconds: float) -> None:
        with self._turn:
            self._turn.wait_for(lambda: self._ending, seconds)

    def _tell(self, conn: psycopg.Connection[Any], lot: Lot) -> None:
        self._note(lot)
        at_ns = time.time_ns()
        quotes = [self._quote(copy, lot, at_ns, source) for copy, source in zip(lot.copies, lot.source_ts, strict=True)]
        samples, feeds = [], []
        if lot.samples is not None:
            samples = self._samples(lot.samples, lot.ts)
            feeds = [self._feed(number, lot, at_ns) for number in range(self._connections)]
            self._beats.append(lot.ts)
            self._sampled += 1
        with conn.transaction(), conn.cursor() as cursor:
            told.write(cursor, quotes, samples, feeds)
            if samples and self._sampled % FORGET_AT == 0 and len(self._beats) == KEPT:
                told.forget(cursor, self._shard, self._beats[0])
        self.written += len(quotes)
        if quotes:
            self.hint("quotes")

    def _note(self, lot: Lot) -> None:
        """Trades and forecasts are remembered by market, as many as a quote tells."""
        for part in lot.trades:
            columns = (part[name].tolist() for name in ("market", "recv_ts", "price", "size", "side"))
            for market, ts, price, size, side in zip(*columns, strict=True):
                kept = self._trades.setdefault(market, deque(maxlen=TRADES))
                kept.appendleft((ts, price, size if side == BID else -size))
        for markets, strategies, *numbers in lot.opinions:
            values = zip(*(column.tolist() for column in numbers), strict=True)
            for market, strategy, opinion in zip(markets.tolist(), strategies.tolist(), values, strict=True):
                if not (opinion[1] == 0.0 and opinion[2] == 1.0):
                    self._opinions.setdefault(market, list(self._none))[strategy] = opinion

    def _quote(self, copy: Copy, lot: Lot, at_ns: int, source_ts: int) -> told.Quote:
        values: tuple[Any, ...] = tuple(copy.record.tolist())
        bids = levels(copy, BID, values)
        asks = levels(copy, ASK, values)
        bid, ask = _price(values[FIELDS["bid_px"]]), _price(values[FIELDS["ask_px"]])
        state, votes = values[FIELDS["state"]], values[FIELDS["votes"]]
        readable = state == s.BOOK_OK and bid is not None and ask is not None
        trades = self._trades.get(copy.market, ())
        opinions = self._opinions.get(copy.market, self._none)
        p_hats, lowers, uppers, times = _columns(opinions)
        v = values.__getitem__
        return told.Quote(
            shard=self._shard,
            market=copy.market,
            in_seq=lot.in_seq,
            ts=lot.ts,
            at_ns=at_ns,
            state=state,
            why=v(FIELDS["why"]),
            code=NO_BOOK if votes == s.NONE else CODES[c.first(votes)] if votes else 0,
            votes=votes,
            connection=v(FIELDS["connection"]),
            tick=v(FIELDS["tick"]),
            bid=bid,
            ask=ask,
            bid_size=bids[0][1] if bids and bids[0][0] == bid else 0,
            ask_size=asks[0][1] if asks and asks[0][0] == ask else 0,
            spread=ask - bid if bid is not None and ask is not None else None,
            depth=v(FIELDS["bid_depth"]) + v(FIELDS["ask_depth"]),
            last_price=v(FIELDS["last_price"]) or None,
            row_ts=v(FIELDS["row_ts"]),
            witness_ts=v(FIELDS["witness_ts"]),
            source_ts=source_ts,
            events=v(FIELDS["events"]),
            snapshots=v(FIELDS["snapshots"]),
            snapshot_differences=v(FIELDS["snapshot_differences"]),
            mismatches=v(FIELDS["mismatches"]),
            repairs=v(FIELDS["repairs"]),
            best_mismatches=v(FIELDS["best_mismatches"]),
            resyncs=v(FIELDS["resyncs"]),
            witness_differences=self._differing.get(copy.market, 0),
            bid_prices=[price for price, _ in bids],
            bid_sizes=[size for _, size in bids],
            ask_prices=[price for price, _ in asks],
            ask_sizes=[size for _, size in asks],
            trade_ts=[ts for ts, _, _ in trades],
            trade_prices=[price for _, price, _ in trades],
            trade_sizes=[size for _, _, size in trades],
            features=copy.features.tolist() if readable else [],
            completeness_ppm=[round(PPM * copy.features[at]) for at in COMPLETE] if readable else [],
            p_hats=p_hats,
            lowers=lowers,
            uppers=uppers,
            forecast_ts=times,
        )

    def _samples(self, samples: Samples, ts: int) -> list[told.Sample]:
        made = []
        for place, market in enumerate(samples.markets):
            bid, ask = _price(samples.bids[place]), _price(samples.asks[place])
            valid = samples.states[place] == s.BOOK_OK
            p_hats, lowers, uppers, _ = _columns(self._opinions.get(market, self._none))
            features = samples.features[place].tolist() if valid and bid is not None and ask is not None else []
            made.append(
                told.Sample(
                    self._shard, market, ts, samples.states[place], bid if valid else None, ask if valid else None,
                    p_hats, lowers, uppers, features,
                )
            )  # fmt: skip
        return made

    def _feed(self, connection: int, lot: Lot, at_ns: int) -> told.Feed:
        lags = lot.lags[connection].tolist()
        return told.Feed(self._shard, connection, at_ns, lot.ts, lot.alive_ts[connection], sum(lags), lags)


def levels(copy: Copy, side: int, values: tuple[Any, ...]) -> list[tuple[int, int]]:
    """The best levels of one side as (price, size), best first, at most `LEVELS`."""
    name = "bid" if side == BID else "ask"
    base, tick = values[FIELDS[f"{name}_base"]], values[FIELDS["tick"]]
    occupied = np.flatnonzero(copy.levels[side])
    slots = occupied[-LEVELS:][::-1] if side == BID else occupied[:LEVELS]
    found = [
        ((slot + base) * tick, size)
        for slot, size in zip(slots.tolist(), copy.levels[side][slots].tolist(), strict=True)
        if 0 < (slot + base) * tick < PRICE_UNIT
    ]
    outside = values[FIELDS[f"{name}_overflow"]]
    if outside and len(found) < LEVELS:
        found += [(price, size) for price, size in copy.overflow[side, :outside].tolist()]
        found.sort(reverse=side == BID)
    return found[:LEVELS]


def _price(units: int) -> int | None:
    return None if units == s.NONE else units


def _columns(opinions: Any) -> tuple[list[float | None], list[float | None], list[float | None], list[int | None]]:
    """p_hats, lower and upper ends and times, one entry a strategy."""
    rows = [(None, None, None, None) if each is None else each for each in opinions]
    p_hats, lowers, uppers, times = ([row[place] for row in rows] for place in range(4))
    return p_hats, lowers, uppers, times


def _nobody(of: str) -> None:
    """Nobody waits for hints."""
