"""Forecasts judged by what came: worked out by hand, once for each market, whoever dies in between."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connections

from apps.registry.models import MarketRecord
from apps.replay import scoring
from apps.replay.models import ForecastRecord, ScoredRecord, ScoreRecord
from apps.replay.tasks import score
from apps.risk.models import DecisionRecord
from polytraders.contracts.inputs import NANO, PRICE_UNIT
from polytraders.contracts.stretch import row_id
from tests import servers

END = 1_780_000_000 * NANO
MINUTE = 60 * NANO


@pytest.fixture
def place(
    database: servers.Database, tmp_path: Path, settings: Any, django_db_blocker: Any
) -> Iterator["psycopg.Connection[Any]"]:
    settings.DATABASE_URL, settings.HOME = database.app_dsn, tmp_path
    with django_db_blocker.unblock():
        before = dict(connections["default"].settings_dict)
        servers.point_django_at(database.app_dsn, "default")
        try:
            with psycopg.connect(database.app_dsn, autocommit=True) as connection:
                yield connection
        finally:
            connections.close_all()
            connections["default"].settings_dict.update(before)


def decided(in_seq: int, market: int, minutes_before: float, p_hat: float | None, strategy: int = 0) -> None:
    DecisionRecord.objects.create(
        id=row_id(0, in_seq, 0), shard=0, in_seq=in_seq, ordinal=0, ts=END - int(minutes_before * MINUTE),
        market=market, strategy=strategy, verdict=1, first=23, code=701, votes=1, action=0, outcome=0, p_hat=p_hat,
        approved_size=0, counted=1,
    )  # fmt: skip


def resolved(market: int, payout: int | None, close_ts: int | None = END) -> None:
    MarketRecord.objects.create(
        shard=0, market=market, payout=payout, close_ts=close_ts, changed_seq=1,
        resolved_seq=None if payout is None else 1_000 + market,
    )  # fmt: skip


def test_worked_example(place: "psycopg.Connection[Any]") -> None:
    # Three forecasts: 0.8 and it came, 0.8 and it did not, 0.3 and it did not.
    for market, (p_hat, payout) in enumerate(((0.8, PRICE_UNIT), (0.8, 0), (0.3, 0))):
        resolved(market, payout)
        decided(10 + market, market, 3, p_hat)
    assert score() == 3
    rows = {(row.horizon, row.bin): row for row in ScoreRecord.objects.filter(who=scoring.MODEL)}
    assert set(rows) == {(1, 16), (1, 6)}
    high = rows[1, 16]
    assert (high.count, high.hits) == (2, 1)
    assert high.forecast == pytest.approx(1.6)
    assert high.brier == pytest.approx(0.2**2 + 0.8**2)
    assert high.loss == pytest.approx(-math.log(0.8) - math.log(0.2))
    # The log does not hold these decisions, so the market's own price is not known.
    assert not ScoreRecord.objects.filter(who=scoring.MARKET).exists()


def test_one_forecast_counts_for_a_market_a_strategy_and_a_horizon_and_it_is_the_last(
    place: "psycopg.Connection[Any]",
) -> None:
    resolved(0, PRICE_UNIT)
    for seq in range(500):
        decided(1 + seq, 0, 14.9 - seq * 0.01, 0.5)
    decided(600, 0, 6.0, 0.61)
    decided(601, 0, 5.5, None)
    decided(602, 0, 4.0, 0.9)
    decided(603, 0, 0.5, 0.99)
    decided(604, 0, 0.4, 0.2, strategy=1)
    # What is decided after the end is no forecast.
    decided(605, 0, -1.0, 0.0)
    score()
    found = {(row.strategy, row.horizon): row.p_hat for row in ForecastRecord.objects.all()}
    assert found == {(0, 0): 0.99, (0, 1): 0.9, (0, 2): 0.61, (1, 0): 0.2}
    assert ScoredRecord.objects.get().forecasts == 4


def test_doing_it_again_or_after_more_has_come_counts_nothing_twice(place: "psycopg.Connection[Any]") -> None:
    resolved(0, 0)
    decided(1, 0, 2, 0.25)
    assert [score(), score()] == [1, 0]
    resolved(1, PRICE_UNIT)
    decided(2, 1, 2, 0.26)
    assert score() == 1
    (row,) = ScoreRecord.objects.all()
    assert (row.bin, row.count, row.hits) == (5, 2, 1)


def test_a_crash_in_the_middle_leaves_nothing_half_counted(
    place: "psycopg.Connection[Any]", monkeypatch: pytest.MonkeyPatch
) -> None:
    resolved(0, 0)
    decided(1, 0, 2, 0.25)
    with monkeypatch.context() as broken:
        broken.setattr(scoring, "SCORE", "SELECT 1 / 0, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s")
        with pytest.raises(psycopg.Error):
            score()
    assert not ScoredRecord.objects.exists() and not ForecastRecord.objects.exists()
    assert score() == 1
    assert ScoreRecord.objects.get().count == 1


@pytest.mark.parametrize("payout", [5_000, 1, PRICE_UNIT - 1])
def test_a_payout_in_parts_judges_nobody(place: "psycopg.Connection[Any]", payout: int) -> None:
    resolved(0, payout)
    decided(1, 0, 2, 0.25)
    assert score() == 1
    assert ScoredRecord.objects.get().forecasts == 0
    assert not ScoreRecord.objects.exists()


def test_a_market_that_has_not_resolved_waits(place: "psycopg.Connection[Any]") -> None:
    resolved(0, None)
    decided(1, 0, 2, 0.25)
    assert score() == 0
    MarketRecord.objects.filter(market=0).update(payout=0, resolved_seq=9)
    assert score() == 1


def test_the_sums_are_those_of_the_forecasts_kept(place: "psycopg.Connection[Any]") -> None:
    for market in range(40):
        resolved(market, PRICE_UNIT if market % 3 else 0)
        for step in range(5):
            decided(100 + 10 * market + step, market, 90 / (step + 1), (market * 7 + step * 11) % 100 / 100, step % 2)
    score()
    kept = [
        scoring.Judged(row.strategy, row.horizon, row.decision, row.ts, row.p_hat, row.mid, row.pays)
        for row in ForecastRecord.objects.all()
    ]
    wanted = scoring.sums_of(kept)
    found = {(row.strategy, row.horizon, row.who, row.bin): row for row in ScoreRecord.objects.all()}
    assert set(found) == set(wanted)
    for key, sums in wanted.items():
        row = found[key]
        assert [row.count, row.hits, row.forecast, row.brier, row.loss] == pytest.approx(sums)


@pytest.mark.parametrize(("p", "place"), [(0.0, 0), (0.0499, 0), (0.05, 1), (0.5, 10), (0.9999, 19), (1.0, 19)])
def test_a_probability_has_one_bin(p: float, place: int) -> None:
    assert scoring.bin_of(p) == place


@pytest.mark.parametrize(
    ("slippage", "place"),
    [(0, 0), (999_999, 0), (1_000_000, 1), (-1_000_000, 0), (-1_000_001, -1), (10**9, 10), (-(10**9), -10)],
)
def test_a_slippage_falls_into_the_nearest_bin_and_the_outermost_hold_the_rest(slippage: int, place: int) -> None:
    assert scoring.slip_bin(slippage) == place


def test_sums_of_orders_are_worked_out_by_hand() -> None:
    # strategy, ts, q_exec, price, slippage, p_fill, size, filled: one filled a little worse, one half, one not at all.
    rows = [
        (1, 0, 7, 0, 0, 0, 3_000_000, 0.95, 100, 100, False),
        (2, 0, 7, 0, 0, 0, -1_000_000, 0.93, 100, 50, False),
        (3, 0, 7, 0, 0, None, None, 0.1, 100, 0, True),
        (4, 0, 8, 0, 0, None, None, None, 100, 0, True),
    ]
    assert scoring.executions(rows) == {
        (7, scoring.SLIPPAGE, 2): [1, 3_000_000, 9e12, 0],
        (7, scoring.SLIPPAGE, 0): [1, -1_000_000, 1e12, 0],
        (7, scoring.FILLING, 9): [2, pytest.approx(1.88), 1.5, 1],
        (7, scoring.FILLING, 1): [1, 0.1, 0.0, 0],
    }
