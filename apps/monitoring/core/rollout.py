"""The ladder replay, shadow, paper, canary, live: up one stage with evidence and a person, down at once.

The last stage, live against a real venue, accepts no evidence: it needs access control and a hardened gateway, and this
version has neither.
"""

from typing import Final, NamedTuple

from polytraders.contracts.inputs import Stage

PPM: Final = 1_000_000

PROMOTED: Final = "GOV_STRATEGY_PROMOTED"
DEMOTED: Final = "GOV_STRATEGY_DEMOTED"
REFUSED: Final = "GOV_ROLLOUT_EVIDENCE_MISSING"


class Evidence(NamedTuple):
    """What a strategy has shown at its present stage.

    Attributes:
        parity_ppm: Share of outputs that a replay reproduced, rounded down.
        hours: Time at the stage.
        fills: Fills at the stage.
        drift_ppm: Error of the predictions against what happened, over that of the stage before, minus one.
        incidents: Open P0 and P1 incidents of the strategy or of everything; negative = not known, which is not none.
        person: Who authorises the step; "" = nobody.
    """

    parity_ppm: int
    hours: int
    fills: int
    drift_ppm: int
    incidents: int
    person: str


class Needed(NamedTuple):
    """The least parity, hours and fills, and the most drift, that a stage asks for."""

    parity_ppm: int
    hours: int
    fills: int
    drift_ppm: int


NEEDED: Final[dict[Stage, Needed]] = {
    # A replay that is not exact proves nothing about what follows.
    Stage.SHADOW: Needed(PPM, 0, 0, PPM),
    # A day covers every hour of the venue once.
    Stage.PAPER: Needed(PPM, 24, 0, 200_000),
    # A week covers weekends and resolutions; 100 fills put the mean slippage within a tenth of its spread.
    Stage.CANARY: Needed(PPM, 168, 100, 100_000),
}
"""Evidence by the stage to be reached. LIVE is not among them, on purpose."""


class Move(NamedTuple):
    """The answer to a request.

    Attributes:
        stage: Stage from now on.
        code: PROMOTED, DEMOTED or REFUSED; "" when nothing was asked.
        missing: What a refusal lacks, in words.
    """

    stage: Stage
    code: str
    missing: tuple[str, ...]


def move(current: Stage, wanted: Stage, evidence: Evidence | None) -> Move:
    """Take a strategy to another stage, or say what is missing.

    Args:
        current: Where it is.
        wanted: Where it shall go. Down may be any number of stages and needs nothing; up is one at a time.
        evidence: What it has shown at `current`; None = nothing.
    """
    if wanted == current:
        return Move(current, "", ())
    if wanted < current:
        return Move(wanted, DEMOTED, ())
    missing = _missing(current, wanted, evidence)
    return Move(current, REFUSED, missing) if missing else Move(wanted, PROMOTED, ())


def _missing(current: Stage, wanted: Stage, evidence: Evidence | None) -> tuple[str, ...]:
    needed = NEEDED.get(wanted)
    if needed is None:
        return ("access control and a hardened gateway",)
    if wanted != current + 1:
        return (f"the stages between {current.name.lower()} and {wanted.name.lower()}",)
    if evidence is None:
        return ("evidence",)
    lacks = (
        ("parity", evidence.parity_ppm < needed.parity_ppm),
        ("hours", evidence.hours < needed.hours),
        ("fills", evidence.fills < needed.fills),
        ("drift", evidence.drift_ppm > needed.drift_ppm),
        ("incidents", evidence.incidents != 0),
        ("person", not evidence.person.strip()),
    )
    return tuple(name for name, lacking in lacks if lacking)
