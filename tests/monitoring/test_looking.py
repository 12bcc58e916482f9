"""What the regular look finds wrong in the loop's own row."""

from typing import Any

from django.db import connection

from apps.monitoring import looking, status
from apps.monitoring.status import Feed
from tests.web.conftest import said


def test_a_feed_that_is_silent_for_long_is_found(system: Any) -> None:
    cursor: Any
    feeds = [Feed("market", 0, "up", 40_000), Feed("market", 1, "silent", 31_000), Feed("market", 2, "down", 29_000),
             Feed("reference", 3, "down", 10**12)]  # fmt: skip
    with connection.cursor() as cursor:
        status.write(cursor, said(feeds=feeds))
    found = [seen for seen in looking.wrongs(0) if seen.code == "GOV_FEED_DOWN"]
    assert [seen.scope for seen in found] == ["feed market 1"]


def test_a_drawdown_limit_that_is_reached_is_a_thing_to_look_at(system: Any) -> None:
    cursor: Any
    for drawdown, expected in ((39_999, []), (40_000, [("RISK_DRAWDOWN_BREACH", "drawdown today 4.00 % of 4.00 %")])):
        money = {"drawdown_day": drawdown, "drawdown_day_max": 40_000, "drawdown_week": 0, "drawdown_week_max": 100_000}
        with connection.cursor() as cursor:
            status.write(cursor, said(money=money))
        found = [(seen.code, seen.words) for seen in looking.wrongs(0) if seen.code.startswith("RISK_")]
        assert found == expected
