"""Stage 11: the life of an incident, and the times in which somebody must answer."""

import datetime as dt
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.monitoring.core.incidents import (
    LEVELS,
    MOVES,
    NEEDED,
    POSTMORTEM,
    REFUSED,
    Priority,
    State,
    acknowledge_by,
    end_of_working_day,
    level_due,
    move,
    resolve_by,
)
from apps.monitoring.priorities import listed, urgency
from polytraders.contracts.reasons import REASONS, reason

WRITTEN = dict.fromkeys(POSTMORTEM, "said")
STATES = st.sampled_from(State)
PRIORITIES = st.sampled_from(Priority)
# Friday 2026-11-27, 16:00 UTC.
FRIDAY = int(dt.datetime(2026, 11, 27, 16, tzinfo=dt.UTC).timestamp())


def moment(seconds: int) -> str:
    return f"{dt.datetime.fromtimestamp(seconds, dt.UTC):%a %d %H:%M:%S}"


def test_worked_example() -> None:
    # The loop falls silent (P1): answered within 5 minutes, investigated, mitigated, resolved, closed with its lesson.
    assert moment(acknowledge_by(Priority.P1, FRIDAY)) == "Fri 27 16:05:00"
    state = State.OPEN
    for wanted in (State.ACKNOWLEDGED, State.INVESTIGATING, State.MITIGATED, State.RESOLVED):
        state, code, missing = move(state, wanted, Priority.P1, {})
        assert (state, code, missing) == (wanted, "", ())
    refused = move(State.RESOLVED, State.CLOSED, Priority.P1, {"summary": "the loop ended", "impact": "3 minutes"})
    assert refused == (State.RESOLVED, REFUSED, ("the post-mortem's cause", "the post-mortem's actions"))
    assert move(State.RESOLVED, State.CLOSED, Priority.P1, WRITTEN) == (State.CLOSED, "", ())


@pytest.mark.parametrize(("state", "wanted"), list(itertools.product(State, State)))
def test_every_step_is_in_the_table_or_refused_with_its_code(state: State, wanted: State) -> None:
    allowed = wanted is state or wanted in MOVES[state]
    found = move(state, wanted, Priority.P1, WRITTEN)
    assert found.state is (wanted if allowed else state)
    assert (found.code == "") is allowed
    assert bool(found.missing) is not allowed


def test_nothing_is_solved_before_somebody_has_said_that_it_is_theirs() -> None:
    assert MOVES[State.OPEN] == (State.ACKNOWLEDGED,)
    assert MOVES[State.CLOSED] == ()
    assert set(MOVES) == set(State)


@given(PRIORITIES, st.lists(STATES, max_size=30), st.booleans())
def test_whatever_is_wished_in_whatever_order_an_urgent_one_is_closed_only_with_its_lesson(
    priority: Priority, wishes: list[State], written: bool
) -> None:
    state, seen = State.OPEN, [State.OPEN]
    for wanted in wishes:
        found = move(state, wanted, priority, WRITTEN if written else {})
        assert found.state in (state, wanted)
        state = found.state
        seen.append(state)
    if State.CLOSED in seen:
        assert state is State.CLOSED, "what is closed stays closed"
        assert written or priority > Priority.P1
        assert State.ACKNOWLEDGED in seen
        assert State.RESOLVED in seen


@given(st.dictionaries(st.sampled_from(list(POSTMORTEM)), st.sampled_from(["", "  ", "said"])))
def test_what_a_post_mortem_lacks_is_named(parts: dict[str, str]) -> None:
    lacking = [name for name in NEEDED if not parts.get(name, "").strip()]
    found = move(State.RESOLVED, State.CLOSED, Priority.P0, parts)
    assert len(found.missing) == len(lacking)
    assert (found.state is State.CLOSED) == (not lacking)


@pytest.mark.parametrize(
    ("priority", "answered", "over"),
    [
        (Priority.P0, "Fri 27 16:01:00", "Fri 27 17:00:00"),
        (Priority.P1, "Fri 27 16:05:00", "Fri 27 20:00:00"),
        (Priority.P2, "Fri 27 16:30:00", "Tue 01 00:00:00"),
        (Priority.P3, "Tue 01 00:00:00", "Sat 05 00:00:00"),
    ],
)
def test_each_priority_has_its_times(priority: Priority, answered: str, over: str) -> None:
    assert moment(acknowledge_by(priority, FRIDAY)) == answered
    assert moment(resolve_by(priority, FRIDAY)) == over


@given(st.integers(0, 4_000_000_000), st.integers(1, 10))
def test_working_days_are_counted_as_a_calendar_counts_them(now_s: int, days: int) -> None:
    day = dt.datetime.fromtimestamp(now_s, dt.UTC).date()
    left = days
    while left:
        day += dt.timedelta(days=1)
        left -= day.weekday() < 5
    end = dt.datetime.combine(day + dt.timedelta(days=1), dt.time(), dt.UTC)
    assert end_of_working_day(now_s, days) == int(end.timestamp())


@given(PRIORITIES, st.integers(0, 4_000_000_000), st.integers(0, 10**7), st.integers(0, 10**7))
def test_levels_only_rise_and_none_is_due_in_time(priority: Priority, opened: int, one: int, two: int) -> None:
    early, late = sorted((opened + one, opened + two))
    assert 0 <= level_due(priority, opened, early) <= level_due(priority, opened, late) <= LEVELS
    limit = acknowledge_by(priority, opened)
    assert level_due(priority, opened, limit - 1) == 0
    assert level_due(priority, opened, limit) == 1


def test_every_priority_in_the_file_is_of_a_code_that_can_occur() -> None:
    assert listed()
    for code in listed():
        assert not reason(code).reserved_for, code
        assert urgency(code).did.endswith("."), code


def test_a_code_has_the_priority_of_its_severity_unless_the_file_says_otherwise() -> None:
    assert urgency("RISK_KILL_SWITCH_ACTIVE").priority is Priority.P0
    assert urgency("GOV_LOOP_SILENT").priority is Priority.P1
    assert urgency("EXEC_FILL").priority is None
    found: dict[str, set[Priority | None]] = {}
    for entry in REASONS:
        if entry.code not in listed():
            found.setdefault(entry.severity, set()).add(urgency(entry.code).priority)
    assert found["hard_reject"] == {Priority.P2}
    assert found["warn"] == found["reject"] == {Priority.P3}
    assert found["info"] == {None}
    assert reason(REFUSED).owner == "monitoring"
