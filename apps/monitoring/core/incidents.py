"""Life of an incident: its steps, the times in which somebody must answer, and what closing it needs."""

from collections.abc import Mapping
from enum import IntEnum, StrEnum
from typing import Final, NamedTuple

MINUTE_S: Final = 60
HOUR_S: Final = 3_600
DAY_S: Final = 86_400
THURSDAY: Final = 3
"""Weekday of the first day of Unix time; Monday is 0."""
SATURDAY: Final = 5

REFUSED: Final = "GOV_INCIDENT_STEP_REFUSED"


class Priority(IntEnum):
    """How urgent it is; the smaller, the more."""

    P0 = 0  # money may be lost now: everybody, at once
    P1 = 1  # the system does not do its work, or nobody knows: who is on duty
    P2 = 2  # it works, and something is wrong: today
    P3 = 3  # somebody should look: the next working day


class State(StrEnum):
    """Where an incident is."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    INVESTIGATING = "investigating"
    MITIGATED = "mitigated"
    RESOLVED = "resolved"
    CLOSED = "closed"


MOVES: Final[dict[State, tuple[State, ...]]] = {
    State.OPEN: (State.ACKNOWLEDGED,),
    State.ACKNOWLEDGED: (State.INVESTIGATING, State.MITIGATED, State.RESOLVED),
    State.INVESTIGATING: (State.MITIGATED, State.RESOLVED),
    State.MITIGATED: (State.INVESTIGATING, State.RESOLVED),
    State.RESOLVED: (State.INVESTIGATING, State.CLOSED),
    State.CLOSED: (),
}
"""Where it can go from each state. Nothing is solved before somebody has said that it is theirs; what comes back is
investigated again; what is closed stays closed, and the next time it happens is another incident."""
ACKNOWLEDGE_S: Final = {Priority.P0: MINUTE_S, Priority.P1: 5 * MINUTE_S, Priority.P2: 30 * MINUTE_S}
"""Until somebody says that it is theirs. P3: the end of the next working day."""
RESOLVE_S: Final = {Priority.P0: HOUR_S, Priority.P1: 4 * HOUR_S}
"""Until it is over. P2: the end of the next working day, P3: of the fifth."""
WORKING_DAYS: Final = {Priority.P2: 1, Priority.P3: 5}
POSTMORTEM: Final = {
    "summary": "What happened, in two sentences",
    "impact": "What it cost: money, trades not made, time without knowing",
    "cause": "Why it happened, and why nothing had caught it before",
    "noticed": "How it was noticed, and how long that took",
    "good": "What went well",
    "actions": "What is done so that it does not come again: who, and until when",
}
"""Parts of a post-mortem: what each asks."""
NEEDED: Final = ("summary", "impact", "cause", "actions")
"""Parts without which an urgent incident is not closed."""


class Step(NamedTuple):
    """Answer to a wish.

    Attributes:
        state: Where the incident is now.
        code: "" = it is as wished, else REFUSED.
        missing: What the wish lacks, in words.
    """

    state: State
    code: str
    missing: tuple[str, ...]


def move(state: State, wanted: State, priority: Priority, postmortem: Mapping[str, str]) -> Step:
    """Move on, or say why not. Wishing what is already so is no move and no fault: an act may come twice."""
    if wanted is state:
        return Step(state, "", ())
    if wanted not in MOVES[state]:
        ways = " or ".join(MOVES[state]) or "nowhere"
        return Step(state, REFUSED, (f"from {state} it goes to {ways}",))
    if wanted is State.CLOSED and priority <= Priority.P1:
        missing = tuple(name for name in NEEDED if not postmortem.get(name, "").strip())
        if missing:
            return Step(state, REFUSED, tuple(f"the post-mortem's {name}" for name in missing))
    return Step(wanted, "", ())


def acknowledge_by(priority: Priority, opened_s: int) -> int:
    """Until when somebody must have said that it is theirs; both in seconds of Unix time."""
    within = ACKNOWLEDGE_S.get(priority)
    return opened_s + within if within is not None else end_of_working_day(opened_s, 1)


def resolve_by(priority: Priority, opened_s: int) -> int:
    """Until when it must be over, seconds of Unix time."""
    within = RESOLVE_S.get(priority)
    return opened_s + within if within is not None else end_of_working_day(opened_s, WORKING_DAYS[priority])


def end_of_working_day(now_s: int, days: int) -> int:
    """Midnight UTC at the end of the `days`-th working day after the day of `now_s`; Saturday and Sunday are none."""
    day = now_s // DAY_S
    while days > 0:
        day += 1
        days -= (day + THURSDAY) % 7 < SATURDAY
    return (day + 1) * DAY_S


LEVELS: Final = 3
"""How often an incident that nobody answers is told to more people."""


def level_due(priority: Priority, opened_s: int, now_s: int) -> int:
    """How often it has to have been told to more people by now, while nobody answers.

    The first time when the time for an answer is over, then each time that it passes again; never more than LEVELS.
    """
    within = acknowledge_by(priority, opened_s) - opened_s
    return max(0, min(LEVELS, (now_s - opened_s) // within))
