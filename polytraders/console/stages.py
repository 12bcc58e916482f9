"""The eleven stages as pages show them: from each app's own page, so that no text stands twice."""

import re
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


class Told(NamedTuple):
    """A stage's own page in parts: what it does, and the labelled lines."""

    about: str
    takes: str
    gives: str
    codes: str
    never: str
    change: str
    files: str


LABEL: Final = re.compile(r"^(In|Out|Codes|Never|Change): +", re.MULTILINE)


def told(app: str) -> Told:
    """The page of `apps/<app>/__init__.py`."""
    page = import_module(f"apps.{app}").__doc__ or ""
    head, *parts = LABEL.split(page)
    found = dict(zip(parts[::2], parts[1::2], strict=True))
    labelled = {name: _line(text.partition("\n\n")[0]) for name, text in found.items()}
    after = list(found.values())[-1].partition("\n\n")[2] if found else ""
    about = " ".join(_line(part) for part in head.strip().split("\n\n")[2:])
    takes, gives, codes, never, change = (labelled.get(name, "") for name in ("In", "Out", "Codes", "Never", "Change"))
    return Told(about, takes, gives, codes, never, change, _line(after))


def _line(text: str) -> str:
    return " ".join(text.split())
