"""The one closed registry of reason codes: every outcome has one, and no outcome is explained in free text.

Nothing is ever renamed or renumbered: `tests/contracts/reasons.golden.txt` holds what has been released. A code may
only be written by the app that owns it. Where several checks reject at once, the packet's code is that of the first in
the order of `checks.py`; `precedence` tells a code's place in it.
"""

import re
from typing import Final

from polytraders.contracts.checks import CHECKS
from polytraders.contracts.reason import HARD_REJECT, INFO, OWNERS, REJECT, SEVERITIES, WARN, Reason
from polytraders.contracts.reasons_market import EVENTLOG, FAIRVALUE, INGEST, REGISTRY, SIGNALS
from polytraders.contracts.reasons_operate import LEDGER, MONITORING, REPLAY
from polytraders.contracts.reasons_trade import EXECUTION, OMS, RISK

__all__ = [
    "HARD_REJECT", "INFO", "OWNERS", "PATTERN", "REASONS", "REJECT", "SEVERITIES", "WARN", "Reason", "by_number",
    "number", "precedence", "reason",
]  # fmt: skip

PATTERN: Final = re.compile(r"^(INTEL|DISC|STRAT|RISK|EXEC|SEC|GOV)_[A-Z0-9_]+$")
"""Family, then words. No thresholds in names: a limit that moves would make a liar of its code."""

REASONS: Final[tuple[Reason, ...]] = (
    *REGISTRY, *INGEST, *EVENTLOG, *SIGNALS, *FAIRVALUE, *EXECUTION, *RISK, *OMS, *LEDGER, *REPLAY, *MONITORING,
)  # fmt: skip

_BY_CODE: Final[dict[str, Reason]] = {entry.code: entry for entry in REASONS}
_BY_NUMBER: Final[dict[int, Reason]] = {entry.number: entry for entry in REASONS}
_PRECEDENCE: Final[dict[str, int]] = {check.code: bit for bit, check in reversed(list(enumerate(CHECKS)))}


def reason(code: str) -> Reason:
    """The registry's line for a code.

    Raises:
        KeyError: The code is not in the registry: a fault of ours, never of the data.
    """
    return _BY_CODE[code]


def number(code: str) -> int:
    """What stands for the code in input and output rows.

    Raises:
        KeyError: The code is not in the registry.
    """
    return _BY_CODE[code].number


def by_number(value: int) -> Reason:
    """The registry's line for a number found in a row.

    Raises:
        KeyError: No code has that number; the row was written by a newer build.
    """
    return _BY_NUMBER[value]


def precedence(code: str) -> int | None:
    """Bit of the first check that rejects with this code, lower is stronger; None when no check does."""
    return _PRECEDENCE.get(code)
