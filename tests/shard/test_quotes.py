"""Quotes: a book that changes is told at once and then five times a second, one that does not is not told again."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
from psycopg.rows import dict_row

from apps.ingest import quotes as told
from polytraders.contracts import state as s
from polytraders.contracts.inputs import INPUT
from polytraders.shard import quoting
from polytraders.shard.care import book_of
from polytraders.shard.quotes import QuoteThread
from polytraders.shard.quoting import Lot, Quoter
from tests.scenario import World, says
from tests.shard.rig import Rig, frames

DEADLINE_S = 10.0


class Clock:
    """Seconds that a test lets pass."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Sink:
    """A telling thread that is free when a test says so."""

    def __init__(self) -> None:
        self.lots: list[Lot] = []
        self.free = True
        self.back: list[int] = []
        self.closed = False
        self.hint = lambda of: None

    def is_free(self) -> bool:
        return self.free

    def await_free(self) -> bool:
        return self.free

    def take(self, lot: Lot) -> None:
        self.lots.append(lot)

    def returned(self) -> list[int]:
        found, self.back = self.back, []
        return found

    def close(self) -> None:
        self.closed = True

    def markets(self) -> list[int]:
        """Of all lots so far, which are forgotten."""
        found = [copy.market for lot in self.lots for copy in lot.copies]
        self.lots.clear()
        return found


class Bench:
    """A world whose rows a quoter sees."""

    def __init__(self, markets: int = 2, *, all_new: bool = False) -> None:
        self.world = World(says(0.70), markets=markets)
        self.clock, self.sink = Clock(), Sink()
        self.quoter = Quoter(self.world.state, lambda: markets, self.sink, self.clock, all_new=all_new)
        self.sent = 0
        self.step()
        self.pass_time(10.0)
        self.sink.markets()

    def step(self) -> None:
        """Hand the new rows over and look."""
        world = self.world
        world.run()
        self.clock.now += quoting.LOOK_S
        rows = np.array(world.rows[self.sent :], dtype=INPUT)
        self.sent = len(world.rows)
        if len(rows):
            self.quoter.saw(rows, np.zeros(0, s.OUT), np.zeros(0, s.DETAIL))
        self.quoter.look()

    def pass_time(self, seconds: float) -> None:
        self.clock.now += seconds
        self.quoter.look()


def test_a_market_whose_book_changes_is_told_at_once() -> None:
    bench = Bench()
    bench.world.snapshot(market=1)
    bench.step()
    assert bench.sink.markets() == [1]


def test_what_does_not_change_is_not_told_again() -> None:
    bench = Bench()
    bench.world.snapshot(market=1)
    bench.step()
    bench.sink.markets()
    for _ in range(100):
        bench.pass_time(0.1)
    assert bench.sink.markets() == []


def test_a_book_that_moves_all_the_time_is_told_five_times_a_second() -> None:
    bench = Bench()
    bench.world.snapshot()
    bench.step()
    bench.pass_time(5.0)
    bench.sink.markets()
    for number in range(1_000):
        bench.world.level(0, 6_000, 100.0 + number)
        bench.clock.now += 0.005
        bench.step()
    assert 45 <= len(bench.sink.markets()) <= 10 * quoting.RATE + quoting.PURSE


def test_a_new_best_price_is_told_at_once_though_the_book_has_moved_all_the_time() -> None:
    bench = Bench()
    bench.world.snapshot()
    bench.step()
    for number in range(100):
        bench.world.level(0, 6_000, 100.0 + number)
        bench.clock.now += 0.005
        bench.step()
    bench.sink.markets()
    bench.world.level(0, 6_300, 10.0)
    bench.step()
    (lot,) = bench.sink.lots
    assert int(lot.copies[0].record["bid_px"]) == 6_300
    assert int(lot.copies[0].levels[0].max()) > 0


def test_the_last_state_is_told_when_the_market_falls_still() -> None:
    bench = Bench()
    bench.world.snapshot()
    bench.step()
    for size in range(1, 60):
        bench.world.level(0, 6_100, float(size))
        bench.clock.now += 0.005
        bench.step()
    bench.sink.markets()
    bench.pass_time(0.5)
    (lot,) = bench.sink.lots
    assert 59_000_000 in lot.copies[0].levels[0]
    assert bench.quoter.due_s() > quoting.LOOK_S


def test_a_busy_thread_is_not_waited_for_and_gets_the_newest_state_only() -> None:
    bench = Bench()
    bench.world.snapshot()
    bench.step()
    bench.sink.markets()
    bench.sink.free = False
    for size in range(1, 200):
        bench.world.level(0, 6_100, float(size))
        bench.clock.now += 0.1
        bench.step()
    assert bench.sink.lots == []
    bench.sink.free = True
    bench.pass_time(0.1)
    (lot,) = bench.sink.lots
    assert [copy.market for copy in lot.copies] == [0]
    assert 199_000_000 in lot.copies[0].levels[0]


def test_a_lot_that_could_not_be_told_is_told_later() -> None:
    bench = Bench()
    bench.world.snapshot()
    bench.step()
    bench.pass_time(1.0)
    bench.sink.markets()
    bench.sink.back = [0]
    bench.pass_time(1.0)
    assert bench.sink.markets() == [0]


def test_votes_that_time_changes_are_told_without_a_row() -> None:
    bench = Bench()
    bench.world.snapshot()
    bench.step()
    bench.pass_time(1.0)
    bench.sink.markets()
    bench.world.state.markets["votes"][1] = 8
    bench.pass_time(1.0)
    assert bench.sink.markets() == [1]


def test_a_restart_tells_every_known_market_once() -> None:
    bench = Bench(markets=2, all_new=True)
    assert bench.sink.markets() == []
    fresh = Quoter(bench.world.state, lambda: 2, bench.sink, bench.clock, all_new=True)
    fresh.look()
    assert sorted(bench.sink.markets()) == [0, 1]


def rows_of(dsn: str, query: str) -> list[dict[str, Any]]:
    with psycopg.connect(dsn, row_factory=dict_row) as conn:
        return conn.execute(query.encode()).fetchall()


def test_a_run_leaves_the_books_it_ended_with(app_dsn: str, tmp_path: Path) -> None:
    with Rig(app_dsn, tmp_path) as rig:
        rig.list_markets()
        rig.play(frames(400))
        quotes = {row["market"]: row for row in rows_of(app_dsn, "SELECT * FROM ingest_quote")}
        state = rig.loop.state
        assert set(quotes) == set(range(len(rig.parts.directory.names.markets)))
        for market, quote in quotes.items():
            record = state.markets[market]
            assert quote["row_ts"] == int(record["row_ts"])
            book = book_of(state, market)
            assert quote["bid"] == (None if record["bid_px"] == s.NONE else int(record["bid_px"]))
            for side, name in enumerate(("bid", "ask")):
                levels = zip(quote[f"{name}_prices"], quote[f"{name}_sizes"], strict=True)
                assert {(side, price): size for price, size in levels}.items() <= book.items()
            assert quote["bid_prices"] == sorted(quote["bid_prices"], reverse=True)
            assert quote["ask_prices"] == sorted(quote["ask_prices"])
            assert len(quote["bid_prices"]) <= told.LEVELS
        traded = [quote for quote in quotes.values() if quote["trade_ts"]]
        assert traded and all(quote["trade_ts"] == sorted(quote["trade_ts"], reverse=True) for quote in traded)
        assert all(len(quote["trade_ts"]) <= told.TRADES for quote in traded)
        measured = [quote for quote in quotes.values() if quote["features"]]
        assert measured and all(len(quote["features"]) == s.N_FEATURES for quote in measured)


def test_a_database_that_is_away_costs_quotes_and_nothing_else() -> None:
    thread = QuoteThread("postgresql://nobody@127.0.0.1:1/nothing", 0, 1, 1, {})
    bench = Bench()
    quoter = Quoter(bench.world.state, lambda: 2, thread, time.monotonic, all_new=True)
    quoter.look()
    deadline = time.monotonic() + DEADLINE_S
    while not (found := thread.returned()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert sorted(found) == [0, 1]
    thread.close()
    assert not thread.is_free()


def test_samples_are_kept_for_so_long_and_no_longer(app_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from polytraders.shard import quotes

    monkeypatch.setattr(quotes, "FORGET_AT", 1)
    monkeypatch.setattr(quotes, "KEPT", 3)
    bench = Bench()
    bench.world.snapshot()
    bench.world.run()
    thread = QuoteThread(app_dsn, 0, 1, 1, {})
    quoter = Quoter(bench.world.state, lambda: 2, thread, bench.clock, all_new=True)
    for _ in range(10):
        bench.clock.now += told.SAMPLE_S
        bench.world.wait(told.SAMPLE_S)
        bench.world.tick()
        bench.world.run()
        deadline = time.monotonic() + DEADLINE_S
        while not thread.is_free():
            assert time.monotonic() < deadline
            time.sleep(0.001)
        quoter.look()
    thread.close()
    samples = rows_of(app_dsn, "SELECT ts, bid, ask, features FROM ingest_sample WHERE market = 0 ORDER BY ts")
    assert 1 <= len(samples) <= 4
    assert (samples[-1]["bid"], samples[-1]["ask"]) == (6_200, 6_400)
    assert len(samples[-1]["features"]) == s.N_FEATURES
