"""One reason code: what an outcome is called, who may say it, and what an operator does about it."""

from typing import Final, NamedTuple

OWNERS: Final = (
    "", "registry", "ingest", "eventlog", "signals", "fairvalue", "execution", "risk", "oms", "ledger", "replay",
    "monitoring",
)  # fmt: skip
"""App of each stage; a code's number divided by 100 is its stage."""

HARD_REJECT: Final = "hard_reject"
"""Nothing may be traded, and an operator must act before it can be."""
REJECT: Final = "reject"
"""This trade, order or message does not happen; the next one may."""
WARN: Final = "warn"
"""It happened, and somebody should look."""
INFO: Final = "info"
"""It happened as intended."""

SEVERITIES: Final = (HARD_REJECT, REJECT, WARN, INFO)


class Reason(NamedTuple):
    """One line of the registry.

    Attributes:
        code: FAMILY_WORDS; never renamed, never given another meaning.
        number: Stands for the code in input and output rows; never changed. 100 * stage + position, so that it cannot
            be taken for the bit of a check (0 to 62).
        stage: 1 to 11, the only stage that may say it.
        owner: App of that stage.
        severity: One of SEVERITIES.
        meaning: What happened, one sentence.
        action: What the operator does, one sentence.
        reserved_for: What has to be built before the code can occur; "" = it can occur now.
        retired: Date (YYYY-MM-DD) since which nothing says it; "" = in use.
        replaced_by: Code that took over, "" = none.
    """

    code: str
    number: int
    stage: int
    owner: str
    severity: str
    meaning: str
    action: str
    reserved_for: str
    retired: str
    replaced_by: str


def row(number: int, code: str, severity: str, meaning: str, action: str, reserved_for: str = "") -> Reason:
    """One code in use or reserved; stage and owner follow from the number."""
    stage = number // 100
    return Reason(code, number, stage, OWNERS[stage], severity, meaning, action, reserved_for, "", "")
