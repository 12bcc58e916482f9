"""What the ladder counts against a strategy, and that stopping it is never refused for being asked too often."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.monitoring import beats, incidents
from apps.monitoring.models import IncidentRecord, PulseRecord, StrategyRecord
from polytraders import fence
from polytraders.access import limiting
from polytraders.console import rollouts
from polytraders.contracts.control import Killed
from polytraders.contracts.inputs import Scope, Stage
from tests.web.conftest import Says
from tests.written import Written


@pytest.fixture
def looked_at(log: Written) -> Iterator[None]:
    """Somebody has just looked at the system; what broke is forgotten after the test."""
    beats.pulse("health", code="", words="")
    yield
    IncidentRecord.objects.all().update(state="closed")
    PulseRecord.objects.all().delete()


def broken(scope: str, priority: int = 1, state: str = "open") -> None:
    """An incident of a scope."""
    at = timezone.now()
    IncidentRecord.objects.create(
        code="GOV_LOOP_SILENT", scope=scope, priority=priority, state=state, words="x", opened_at=at,
        acknowledge_by=at, resolve_by=at,
    )  # fmt: skip


def asked_of(strategy: str) -> tuple[int, str, bool, bool]:
    """Open incidents of a strategy: counted, in words, whether the line is ticked, whether a step up lacks them."""
    (rung,) = (one for one in rollouts.ladder(list(StrategyRecord.objects.all()), 0) if one.name == strategy)
    (need,) = (one for one in rung.needs if "incidents" in one.title)
    return rung.evidence.incidents, need.has, need.is_met, "incidents" in rung.missing


INCIDENTS = [
    ("strategy makes", 0, "open", 1),
    ("strategy 1", 1, "mitigated", 1),
    ("", 1, "open", 1),
    ("everything", 0, "acknowledged", 1),
    ("job replay_log", 1, "open", 1),
    ("strategy says", 0, "open", 0),
    ("strategy 10", 0, "open", 0),
    ("market 1", 0, "open", 0),
    ("cluster weather", 0, "open", 0),
    ("strategy makes", 2, "open", 0),
    ("strategy makes", 0, "resolved", 0),
    ("", 0, "closed", 0),
]


@pytest.mark.usefixtures("looked_at")
@pytest.mark.parametrize(("scope", "priority", "state", "counted"), INCIDENTS)
def test_the_ladder_counts_urgent_incidents_of_the_strategy_and_of_everything(
    scope: str, priority: int, state: str, counted: int
) -> None:
    down()
    assert asked_of("makes") == (0, "0", True, False)
    broken(scope, priority, state)
    assert asked_of("makes") == (counted, str(counted), not counted, bool(counted))


def down() -> None:
    """Strategies are where something is asked of them."""
    StrategyRecord.objects.all().update(stage=Stage.SHADOW)


@pytest.mark.usefixtures("looked_at")
def test_incidents_that_nobody_can_tell_are_not_none(
    log: Written, ada: Client, says: Says, monkeypatch: pytest.MonkeyPatch
) -> None:
    down()
    says()
    PulseRecord.objects.update(at=timezone.now() - dt.timedelta(seconds=incidents.WATCHED_S + 1))
    assert asked_of("makes") == (rollouts.UNKNOWN, "unknown", False, True), "nobody has looked lately"
    beats.pulse("health", code="", words="")
    assert asked_of("makes") == (0, "0", True, False)
    monkeypatch.setattr(incidents, "SCOPES", "SELECT nothing FROM monitoring_nowhere WHERE %s = 1")
    assert asked_of("makes") == (rollouts.UNKNOWN, "unknown", False, True), "the table cannot be read"
    assert "Open P0 and P1 incidents unknown" in ada.get("/control/").content.decode()
    monkeypatch.undo()
    PulseRecord.objects.all().delete()
    assert asked_of("makes") == (rollouts.UNKNOWN, "unknown", False, True), "nobody has ever looked"


def test_no_kill_is_refused_for_being_asked_too_often(
    log: Written, ada: Client, says: Says, tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limiting, "CHANGE", limiting.CHANGE._replace(most=3))
    settings.HOME = tmp_path
    fence.create(tmp_path / fence.FILE)
    says()
    refused = [ada.post("/control/reason", {}).status_code for _ in range(limiting.CHANGE.most + 1)]
    assert refused[-1] == 429, "who asks for anything else is refused by now"
    for number in range(1, 31):
        answer = ada.post("/control/kill", {"scope": "strategy", "name": f"s{number}"})
        assert answer.status_code == 302, number
    assert {Killed(Scope.STRATEGY, f"s{number}") for number in range(1, 31)} <= fence.killed(tmp_path / fence.FILE)
