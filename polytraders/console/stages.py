"""The eleven stages as pages show them: from each app's own page, so that no text stands twice."""

from importlib import import_module
from typing import Final, NamedTuple

from polytraders.contracts.reason import OWNERS


class Stage(NamedTuple):
    """One stage: its number, title, app and question."""

    number: int
    title: str
    app: str
    question: str


COUNTERS: Final[dict[int, tuple[str, ...]]] = {
    1: ("facts",),
    2: ("rows", "refused", "gaps", "book changes"),
    3: ("inputs", "outputs", "epochs"),
    4: ("measured",),
    5: ("forecasts",),
    6: ("estimates",),
    7: ("evaluations", "packets", "approvals"),
    8: ("fills", "ends"),
    9: ("payouts", "resolutions"),
    10: (),
    11: ("kills", "releases", "rollouts", "limits"),
}
"""Counters of each stage, the one that shows its throughput first (`apps/monitoring/projections.py`)."""


def _stage(number: int, app: str) -> Stage:
    lines = (import_module(f"apps.{app}").__doc__ or "").splitlines()
    title = lines[0].partition(":")[2].strip().split(".")[0].split(";")[0]
    return Stage(number, title, app, lines[2].strip())


STAGES: Final = tuple(_stage(number, app) for number, app in enumerate(OWNERS) if app)
