"""Who is told about what, and when: rules, quiet hours, and at most so many messages an hour."""

from typing import Final, NamedTuple

from apps.monitoring.core.incidents import HOUR_S, Priority

DAY_MIN: Final = 1_440
RETRY_S: Final = 10
RETRY_S_MOST: Final = 600
ATTEMPTS_MOST: Final = 12
"""The last one is about an hour after the first."""


class Told(NamedTuple):
    """What a rule looks at."""

    code: str
    scope: str
    priority: Priority
    level: int


class Rule(NamedTuple):
    """Which alerts go to a route.

    Attributes:
        codes: Beginning of the code, "" = all.
        scope: Beginning of the scope, "" = all.
        priority: The least urgent that is told.
        level: 0 = at once; n = when it has been escalated n times.
        quiet: Minutes of the day, UTC, from and to; None = no quiet hours. May go over midnight.
    """

    codes: str
    scope: str
    priority: Priority
    level: int
    quiet: tuple[int, int] | None


def matches(rule: Rule, told: Told) -> bool:
    """Whether the alert goes this way. An escalation is told to its own level only: the others know already."""
    return (
        told.priority <= rule.priority
        and rule.level == told.level
        and told.code.startswith(rule.codes)
        and told.scope.startswith(rule.scope)
    )


def quiet_s(quiet: tuple[int, int] | None, priority: Priority, now_s: int) -> int:
    """Seconds until the quiet hours are over; 0 = they are not now, or it is too urgent for them (P0, P1)."""
    if quiet is None or priority <= Priority.P1:
        return 0
    start, end = quiet
    minute = now_s // 60 % DAY_MIN
    if not (start <= minute < end if start <= end else minute >= start or minute < end):
        return 0
    return (end - minute) % DAY_MIN * 60 - now_s % 60


def full_s(sent_at_s: list[int], most: int, priority: Priority, now_s: int) -> int:
    """Seconds until a route has room again; 0 = it has now. P0 always has.

    Args:
        sent_at_s: When the route's messages of the last hour were sent, oldest first.
        most: Messages an hour.
        priority: Of what is to be sent.
        now_s: Now.
    """
    recent = [at for at in sent_at_s if at > now_s - HOUR_S]
    if priority is Priority.P0 or len(recent) < most:
        return 0
    return recent[len(recent) - most] + HOUR_S - now_s


def retry_s(attempts: int) -> int | None:
    """Seconds until the next attempt after so many have failed; None = enough."""
    if attempts >= ATTEMPTS_MOST:
        return None
    return min(RETRY_S_MOST, RETRY_S << max(0, attempts - 1))
