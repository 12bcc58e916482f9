"""Stage 11: who is told, when, and how often."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.monitoring.core.incidents import HOUR_S, Priority
from apps.monitoring.core.routing import (
    ATTEMPTS_MOST,
    RETRY_S_MOST,
    Rule,
    Told,
    full_s,
    matches,
    quiet_s,
    retry_s,
)

NIGHT = (22 * 60, 6 * 60)
URGENT = st.sampled_from([Priority.P0, Priority.P1])
MINUTES = st.integers(0, 1_439)


def at(hour: int, minute: int = 0, second: int = 0) -> int:
    return int(dt.datetime(2026, 11, 27, hour, minute, second, tzinfo=dt.UTC).timestamp())


def test_worked_example() -> None:
    # At 23:30 a drifted table (P2) fits the rule of a route with a quiet night: it is told at 06:00. A silent loop (P1)
    # is told at once, and after the fifth failed attempt the next one is 160 s later.
    rule = Rule("GOV_", "", Priority.P2, 0, NIGHT)
    assert matches(rule, Told("GOV_PROJECTION_DRIFT", "risk_decision", Priority.P2, 0))
    assert quiet_s(rule.quiet, Priority.P2, at(23, 30)) == 6 * HOUR_S + 1_800
    assert quiet_s(rule.quiet, Priority.P1, at(23, 30)) == 0
    assert full_s([at(23, 10)], 30, Priority.P1, at(23, 30)) == 0
    assert retry_s(5) == 160


@pytest.mark.parametrize(
    ("rule", "fits"),
    [
        (Rule("", "", Priority.P1, 0, None), True),
        (Rule("", "", Priority.P0, 0, None), False),
        (Rule("GOV_", "", Priority.P3, 0, None), True),
        (Rule("EXEC_", "", Priority.P3, 0, None), False),
        (Rule("GOV_FEED_DOWN", "feed market", Priority.P1, 0, None), True),
        (Rule("", "feed reference", Priority.P1, 0, None), False),
        (Rule("", "", Priority.P1, 1, None), False),
    ],
)
def test_a_rule_fits_by_code_scope_priority_and_level(rule: Rule, fits: bool) -> None:
    assert matches(rule, Told("GOV_FEED_DOWN", "feed market 0", Priority.P1, 0)) is fits


def test_an_escalation_is_told_to_its_own_level_only() -> None:
    told = Told("GOV_LOOP_SILENT", "", Priority.P1, 2)
    assert [matches(Rule("", "", Priority.P3, level, None), told) for level in range(4)] == [False, False, True, False]


@pytest.mark.parametrize(
    ("now", "left"),
    [
        (at(21, 59, 59), 0),
        (at(22), 8 * HOUR_S),
        (at(23, 30), 6 * HOUR_S + 1_800),
        (at(3, 0, 15), 3 * HOUR_S - 15),
        (at(5, 59, 59), 1),
        (at(6), 0),
    ],
)
def test_quiet_hours_go_over_midnight_and_end_to_the_second(now: int, left: int) -> None:
    assert quiet_s(NIGHT, Priority.P2, now) == left


@given(URGENT, MINUTES, MINUTES, st.integers(0, 4_000_000_000))
def test_nothing_urgent_is_ever_kept_quiet(priority: Priority, start: int, end: int, now: int) -> None:
    assert quiet_s((start, end), priority, now) == 0


@given(MINUTES, MINUTES, st.integers(0, 4_000_000_000))
def test_when_quiet_hours_are_over_they_are_over(start: int, end: int, now: int) -> None:
    wait = quiet_s((start, end), Priority.P3, now)
    assert 0 <= wait <= 86_400
    if wait:
        assert quiet_s((start, end), Priority.P3, now + wait) == 0
        assert quiet_s((start, end), Priority.P3, now + wait - 1) == 1


def test_a_full_route_waits_until_the_oldest_is_an_hour_old() -> None:
    sent = [at(12, minute) for minute in (0, 10, 20)]
    assert full_s(sent, 3, Priority.P2, at(12, 30)) == 30 * 60
    assert full_s(sent, 4, Priority.P2, at(12, 30)) == 0
    assert full_s(sent, 3, Priority.P2, at(13)) == 0
    assert full_s(sent, 3, Priority.P0, at(12, 30)) == 0, "money may be lost now"


@given(st.lists(st.integers(0, 2 * HOUR_S), max_size=50), st.integers(1, 20))
def test_never_more_than_so_many_within_any_hour(gaps: list[int], most: int) -> None:
    now = 10**9
    sent: list[int] = []
    for gap in sorted(gaps):
        moment = now + gap
        moment = max(moment, sent[-1] if sent else moment)
        moment += full_s(sent, most, Priority.P1, moment)
        sent.append(moment)
    for one in sent:
        assert sum(one - HOUR_S < other <= one for other in sent) <= most


def test_attempts_get_rarer_and_end_after_about_an_hour() -> None:
    waits = [retry_s(attempts) for attempts in range(1, ATTEMPTS_MOST + 1)]
    assert waits[-1] is None
    known = [wait for wait in waits if wait is not None]
    assert known[:4] == [10, 20, 40, 80]
    assert known == sorted(known)
    assert max(known) == RETRY_S_MOST
    assert 2_400 < sum(known) < 5_400
