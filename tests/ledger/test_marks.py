"""Money by the minute, marks of what is held, days, and the walk through the books that is kept."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from apps.ledger import marks, statements
from apps.ledger.marks import HOUR_NS, MINUTE_NS, Mark, Marks, fold, write_money

DAY_NS = 24 * HOUR_NS
START = 20_000 * DAY_NS
USUAL = dict.fromkeys(marks.MONEY, 0)


@pytest.fixture
def cursor(app_dsn: str) -> Iterator[psycopg.Cursor[Any]]:
    with psycopg.connect(app_dsn) as connection, connection.cursor() as made:
        yield made


def money(cursor: psycopg.Cursor[Any], ts: int, equity: int, **more: int) -> None:
    write_money(cursor, 0, ts, USUAL | {"equity": equity, "unasked": 1} | more)


def test_a_minute_keeps_its_last_values_and_its_extremes_without_deposits(cursor: psycopg.Cursor[Any]) -> None:
    for second, equity in enumerate((100, 70, 130, 110)):
        money(cursor, START + second * 10**9, equity, cash=second, deposited=100)
    cursor.execute("SELECT minute_ts, equity, cash, low, high, fall FROM ledger_money")
    # It fell to 70 before it rose to 130: from a high to a later low it was 30 and not 60.
    assert cursor.fetchall() == [(START, 110, 3, -30, 30, 30)]


def test_old_minutes_become_their_hour_and_twice_changes_nothing(cursor: psycopg.Cursor[Any]) -> None:
    for minute in range(180):
        money(cursor, START + minute * MINUTE_NS, minute if minute != 61 else -500)
    for _ in range(2):
        fold(cursor, 0, START + 2 * HOUR_NS + 5)
        cursor.execute("SELECT minute_ts, equity, low, high FROM ledger_money ORDER BY minute_ts LIMIT 3")
        assert cursor.fetchall() == [
            (START, 59, 0, 59), (START + HOUR_NS, 119, -500, 119), (START + 2 * HOUR_NS, 120, 120, 120),
        ]  # fmt: skip
        cursor.execute("SELECT count(*) FROM ledger_money")
        assert cursor.fetchone() == (62,)


def test_marks_follow_what_is_held(cursor: psycopg.Cursor[Any]) -> None:
    told = Marks(0)
    told.write(cursor, [Mark(3, 4_000, 4_100, 0, 1, 5, 5), Mark(4, -1, 4_100, 2, 1, 5, 5)])
    told.write(cursor, [Mark(3, 4_001, 4_100, 0, 2, 5, 5)])
    cursor.execute("SELECT market, bid, row_ts FROM ledger_mark")
    assert cursor.fetchall() == [(3, 4_001, 2)]
    # What a process before this one left is not believed.
    Marks(0).write(cursor, [])
    cursor.execute("SELECT count(*) FROM ledger_mark")
    assert cursor.fetchone() == (0,)


@pytest.mark.django_db
def test_a_day_begins_where_the_one_before_ended_and_deposits_are_no_profit() -> None:
    from django.db import connection

    with connection.cursor() as made:
        cursor: Any = made
        money(cursor, START + HOUR_NS, 1_000, deposited=1_000)
        money(cursor, START + 2 * HOUR_NS, 1_100, deposited=1_000, realised=60, fees=5)
        money(cursor, START + DAY_NS + HOUR_NS, 1_650, deposited=1_500, realised=90, fees=9)
    second, first = statements.days(0)
    assert (first.opening, first.earned, first.deposits, first.closing) == (1_000, 100, 0, 1_100)
    assert (second.opening, second.earned, second.deposits, second.closing) == (1_100, 50, 500, 1_650)
    assert (second.realised, second.fees) == (30, 4)
    assert statements.days(1) == []
    points = statements.series(0, START + 2 * DAY_NS, 2 * DAY_NS, points=4)
    assert [(point.earned, point.low, point.high) for point in points] == [(100, 0, 100), (150, 150, 150)]


@pytest.mark.django_db
def test_a_fall_is_measured_from_the_highest_before_it_in_any_minute() -> None:
    from django.db import connection

    with connection.cursor() as made:
        cursor: Any = made
        for minute, equity in enumerate((100, 400, 150, 120, 500, 480)):
            money(cursor, START + minute * MINUTE_NS, equity)
    whole = statements.series(0, START + 5 * MINUTE_NS, HOUR_NS, points=1)
    assert [(point.earned, point.low, point.high, point.fall) for point in whole] == [(480, 100, 500, 280)]
    each = statements.series(0, START + 5 * MINUTE_NS, HOUR_NS)
    assert [point.fall for point in each] == [0, 0, 250, 280, 0, 20]
