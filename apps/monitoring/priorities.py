"""How urgent a code is, and what the system does by itself: `priorities.toml`, read once."""

import tomllib
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from apps.monitoring.core.incidents import Priority
from polytraders.contracts.reason import HARD_REJECT, INFO
from polytraders.contracts.reasons import reason

FILE: Final = Path(__file__).with_name("priorities.toml")
NOTHING: Final = "It is on record; nothing else was done."


class Urgency(NamedTuple):
    """Of a code; `priority` None = it is no alert."""

    priority: Priority | None
    did: str


@cache
def _told() -> dict[str, Urgency]:
    found = tomllib.loads(FILE.read_text(encoding="utf-8"))
    return {code: Urgency(Priority(line["priority"]), line["did"]) for code, line in found.items()}


def urgency(code: str) -> Urgency:
    """Of a code of the registry.

    Raises:
        KeyError: The code is not in the registry.
    """
    entry = reason(code)
    told = _told().get(code)
    if told is not None:
        return told
    if entry.severity == INFO:
        return Urgency(None, NOTHING)
    return Urgency(Priority.P2 if entry.severity == HARD_REJECT else Priority.P3, NOTHING)


def listed() -> tuple[str, ...]:
    """Codes whose priority stands in the file."""
    return tuple(_told())
